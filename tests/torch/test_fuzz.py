"""Calls that nobody would write: every answer is a result, or one clear exception of our own.

Functions of `tinycnn` and `tinycnn.nn.functional` get arguments drawn for their signatures, most of them fit for the name,
some of them nonsense. An exception is clear where it is of a kind that says what was wrong and its message is that of the
function; anything else is a foreign error.
"""
import inspect

import numpy as np
import pytest

import tinycnn as t

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
OURS = (ValueError, TypeError, RuntimeError, IndexError, KeyError)


def answer(call):
    """None where a call gives a result or one of our exceptions, else what came instead."""
    try:
        call()
    except OURS as error:
        return None if type(error) in OURS and str(error) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


F, X = t.nn.functional, t.ones(2, 3)


@pytest.mark.parametrize("call, message", [
    (lambda: F.softmax(X, "x"), "softmax: dim"), (lambda: F.layer_norm(X, (3,), eps="x"), "layer_norm: eps"),
    (lambda: t.einsum([]), "einsum: equation"), (lambda: t.linspace(np.ones(2), np.ones(2), 3), "linspace: start"),
    (lambda: t.full((2,), np.ones(2)), "full: fill_value"), (lambda: t.arange(0, float("inf")), "arange: .* finite"),
    (lambda: F.cross_entropy(X, t.tensor([0, 1]), ignore_index="mean"), "cross_entropy: ignore_index"),
    (lambda: X.masked_fill(X > 0, None), "masked_fill: value"),
    (lambda: F.cosine_similarity(X, X, dim=()), "cosine_similarity: dim"),
    (lambda: F.batch_norm(X, t.zeros(4), t.ones(4)), "batch_norm: running_mean"),
    (lambda: F.max_pool1d(t.ones(1, 1, 2), 3), "max_pool1d: .* does not fit"),
    (lambda: X.narrow(0, 1, 5), "narrow: start 1"),
    (lambda: t.train.fit(t.nn.Linear(1, 1), [], epochs=1, optimizer=0), "fit: optimizer"),
    (lambda: t.train.fit(t.nn.Linear(1, 1), [], epochs=-3, optimizer=t.optim.SGD([X.clone().requires_grad_()], 1)),
     "fit: epochs")])
def test_nonsense_is_refused_by_name(call, message):
    with pytest.raises(OURS, match=f"^{message}"):
        call()


def test_a_number_of_threads_that_is_none_is_refused(monkeypatch):
    from tinycnn.cpu import workers
    monkeypatch.setenv("TINYCNN_THREADS", "x")
    workers.default_threads.cache_clear()
    try:
        with pytest.raises(ValueError, match="^TINYCNN_THREADS must be"):
            workers.default_threads()
    finally:
        workers.default_threads.cache_clear()


NONSENSE = st.sampled_from([None, "x", "mean", (), [], {}, -1, 0, 3.5, float("nan"), float("inf"), True, 2**40, (1, 2, 3),
                            (-1,), t.ones(0), t.ones(2, 3), t.tensor([1, 2]), np.ones(2), object()])
TENSORS = st.sampled_from([(1,), (3,), (2, 3), (2, 3, 4), (1, 2, 5, 5)]).map(lambda shape: t.ones(*shape))
SMALL_NUMBERS = st.integers(-2, 3) | st.sampled_from([0.5, 1.0])


def fitting(name):
    """What may be meant by a parameter of this name."""
    return TENSORS if name in ("x", "input", "y", "other", "target", "x1", "x2", "weight", "mask", "tensor", "a", "b") \
        else SMALL_NUMBERS


def functions():
    """(name, function, parameters) of the public functions whose signatures are known."""
    for owner, names in ((t, dir(t)), (F, dir(F))):
        for name in sorted(names):
            function = getattr(owner, name, None)
            if not name.startswith("_") and inspect.isfunction(function) and "tinycnn.ops" in function.__module__:
                kinds = inspect.signature(function).parameters.values()
                yield name, function, [p for p in kinds if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_answer_is_a_result_or_an_exception_of_our_own():
    calls, foreign = 0, {}

    @hypothesis.settings(max_examples=2000, database=None, deadline=None, derandomize=True,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.data())
    def fuzz(data):
        nonlocal calls
        name, function, parameters = data.draw(st.sampled_from(known))
        arguments = {p.name: data.draw(NONSENSE if data.draw(st.integers(0, 4)) == 0 else fitting(p.name))
                     for p in parameters if p.default is p.empty or data.draw(st.booleans())}
        if any(isinstance(v, int) and abs(v) > 10**6 for v in arguments.values()) and name in BUILDERS:
            return
        calls += 1
        wrong = answer(lambda: function(**arguments))
        if wrong:
            foreign.setdefault(name, wrong)
    known = list(functions())
    fuzz()
    words = [f"{len(foreign)} functions of {len(known)} in {calls} calls"]
    assert calls > 1500 and not foreign, "\n".join(words + [f"{k}: {v[:150]}" for k, v in sorted(foreign.items())])


BUILDERS = {"arange", "linspace", "logspace", "eye", "full", "one_hot", "tril_indices", "triu_indices", "repeat_interleave",
            "bartlett_window", "hann_window", "hamming_window", "blackman_window", "pad", "adaptive_avg_pool1d"}

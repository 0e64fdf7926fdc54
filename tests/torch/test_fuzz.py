"""Calls that nobody would write: each is answered by a result, or by one clear exception (`tests/helpers/fuzzing.py`)."""
import random

import numpy as np
import pytest

import tinycnn as t
from tests.helpers import fuzzing
from tests.helpers.fuzz_targets import targets

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
OURS = (ValueError, TypeError, RuntimeError, IndexError, KeyError)
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
     "fit: epochs"),
    (lambda: t.load(True), "load: f must be a path"), (lambda: t.train.read_history(1), "read_history: path must be a path"),
    (lambda: F.celu(X, inplace=X), "celu: inplace must be True or False"),
    (lambda: t.nn.Linear(3, 2)("x"), "linear: input must be a Tensor|Linear: input must be a Tensor"),
    (lambda: X.polygamma(2**62), "polygamma: n must be"), (lambda: t.zeros(2**40), "zeros: ")])
def test_nonsense_is_refused_by_name(call, message):
    with pytest.raises((*OURS, MemoryError), match=f"^({message})"):
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


# ---- the judge itself ------------------------------------------------------------------------------------------------

def door(dim, words=""):
    raise ValueError(words)


DOOR = fuzzing.Target("door", door, fuzzing.parameters_of(door), ("door",))


@pytest.mark.parametrize("words, kind", [
    ("door: dim must be 1, got 3", "clear"), ("dim must be 1, got 3", "vague: no function"),
    ("door: it must be another", "vague: no argument"), ("door: dim 3", "vague: no expectation")])
def test_the_judge_tells_clear_answers_from_others(words, kind, monkeypatch):
    assert fuzzing.judge(DOOR, {"dim": 3, "words": words})[0] == "foreign", "it was not raised by the package"
    monkeypatch.setattr(fuzzing, "on_purpose", lambda error: True)
    monkeypatch.setattr(fuzzing, "looks", lambda value: ["got 3"])
    assert fuzzing.judge(DOOR, {"dim": 3, "words": words})[0] == kind


def test_the_judge_knows_what_was_raised_on_purpose():
    for call, ours in ((lambda: t.cat([]), True), (lambda: len(3), False), (lambda: t.engine.names.printable(3), False)):
        with pytest.raises(Exception) as caught:
            call()
        assert fuzzing.on_purpose(caught.value) == ours


# ---- everything ------------------------------------------------------------------------------------------------------

def complaints(target, answers):
    return [f"{target.name}: {kind}: {words}" for _, kind, words in answers if kind not in ("result", "clear")]


def test_two_calls_of_everything_are_answered_clearly(tmp_path):
    wrong, kinds = [], []
    with fuzzing.in_folder(tmp_path):
        for target in targets():
            answers = fuzzing.fuzz(target, random.Random(f"7 {target.name}").choice, 2)
            wrong += complaints(target, answers)
            kinds += [kind for _, kind, _ in answers]
    assert len(kinds) > 2000 and kinds.count("clear") > 1000 < len(kinds) - kinds.count("result")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_calls_that_hypothesis_thinks_of_are_answered_clearly(tmp_path):
    wrong, calls = {}, 0

    @hypothesis.settings(max_examples=25, database=None, deadline=None, derandomize=True,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.data())
    def fuzz(data):
        nonlocal calls
        answers = fuzzing.fuzz(target, lambda options: data.draw(st.sampled_from(options)), 1)
        calls += 1
        for complaint in complaints(target, answers):
            wrong.setdefault(complaint[-60:], complaint)
    with fuzzing.in_folder(tmp_path):
        for target in targets():
            fuzz()
    assert calls > 10_000 and not wrong, f"{len(wrong)} kinds in {calls} calls\n" + "\n".join(wrong.values())

"""The tape: order, accumulation, freeing, hooks, versions, anomalies, memory."""
import gc
import time
import tracemalloc
import weakref

import numpy as np
import pytest

import tinycnn
from tinycnn import autograd
from tinycnn.engine.function import Function


class Square(Function):
    """y = x^2, saving x."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 2 * x


class HalvesOf(Function):
    """Both halves of a vector: two outputs."""

    @staticmethod
    def forward(ctx, x):
        ctx.n = len(x)
        return x[: len(x) // 2].copy(), x[len(x) // 2:].copy()

    @staticmethod
    def backward(ctx, da, db):
        return np.concatenate([da, db])


square = Square.apply


def leaf(values):
    return tinycnn.tensor(values, dtype=tinycnn.float64, requires_grad=True)


# ---- the walk ----

def test_a_chain_of_50000_nodes_needs_no_recursion_and_no_time():
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + 1.0
    start = time.perf_counter()
    y.backward()
    assert x.grad.item() == 1.0 and y.item() == 50_001.0
    assert time.perf_counter() - start < 5  # seconds; a quadratic walk takes hours
    del y  # freeing the chain must not recurse either


def test_sixty_stacked_diamonds_visit_every_node_once():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_a_node_waits_for_all_its_users():
    a = leaf(3.0)
    b = square(a)
    c = b + square(b)  # b is used twice, at different depths
    (c + b).backward()
    assert a.grad.item() == pytest.approx(2 * 2 * 3 + 4 * 3**3)


def test_gradients_accumulate_over_backwards_in_the_memory_of_the_leaf():
    x = leaf([1.0, 2.0])
    square(x).backward(tinycnn.tensor([1.0, 1.0], dtype=tinycnn.float64))
    kept = x.grad
    square(x).backward(tinycnn.tensor([1.0, 10.0], dtype=tinycnn.float64))
    assert x.grad is kept and x.grad.tolist() == [4.0, 44.0]


def test_leaves_that_receive_the_same_array_do_not_share_it():
    a, b = leaf([1.0]), leaf([2.0])
    (a + b).backward()
    a.grad.array += 5
    assert b.grad.tolist() == [1.0]


def test_the_users_gradient_is_neither_changed_nor_kept():
    x, g = leaf([1.0, 2.0]), tinycnn.tensor([1.0, 2.0], dtype=tinycnn.float64)
    (x + 1.0).backward(g)
    x.grad.array *= 3
    assert g.tolist() == [1.0, 2.0]


def test_several_outputs_get_zero_where_no_gradient_arrives():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    first, second = HalvesOf.apply(x)
    assert (first.output_nr, second.output_nr) == (0, 1) and first.grad_fn is second.grad_fn
    second.backward(tinycnn.tensor([5.0, 6.0], dtype=tinycnn.float64))
    assert x.grad.tolist() == [0, 0, 5, 6]


def test_nothing_is_recorded_or_saved_without_requires_grad():
    y = square(tinycnn.tensor([2.0]))
    assert y.grad_fn is None and not y.requires_grad


def test_an_activation_that_nobody_saved_is_freed_before_backward():
    x = leaf(np.ones(1000))
    middle = x + 1.0
    memory = weakref.ref(middle)
    y = middle + 1.0
    del middle
    assert memory() is None
    y.backward(tinycnn.ones(1000, dtype=tinycnn.float64))
    assert x.grad.array.sum() == 1000


# ---- errors of backward ----

def test_second_backward_says_what_to_do():
    y = square(leaf(2.0))
    y.backward()
    with pytest.raises(RuntimeError, match="Square.*retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf(2.0)
    y = square(x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_backward_of_a_vector_asks_for_a_gradient():
    with pytest.raises(RuntimeError, match=r"shape \(2,\).*sum\(\)"):
        square(leaf([1.0, 2.0])).backward()


def test_backward_without_history_says_so():
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        tinycnn.tensor(1.0).backward()


def test_a_gradient_of_the_wrong_shape_is_refused():
    with pytest.raises(RuntimeError, match=r"\(3,\).*\(2,\)"):
        square(leaf([1.0, 2.0])).backward(tinycnn.ones(3))


def test_a_function_that_returns_a_wrong_shape_is_named():
    class Wrong(Square):
        @staticmethod
        def backward(ctx, dy):
            return dy.sum(keepdims=True)
    with pytest.raises(RuntimeError, match=r"Wrong.*\(1,\).*\(2,\)"):
        Wrong.apply(leaf([1.0, 2.0])).backward(tinycnn.ones(2, dtype=tinycnn.float64))


def test_a_function_that_forgets_a_gradient_is_named():
    class Forgetful(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, dz):
            return dz
    with pytest.raises(RuntimeError, match="Forgetful: backward returned 1 gradients for 2 inputs"):
        Forgetful.apply(leaf(1.0), leaf(1.0)).backward()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_function_that_returns_too_many_gradients_is_named_and_they_are_counted(recorded):
    class Generous(Square):
        @staticmethod
        def backward(ctx, dy):
            return dy, None, dy
    with pytest.raises(RuntimeError, match="Generous: backward returned 3 gradients for 1 inputs: one for each is expected"):
        Generous.apply(leaf(1.0)).backward(create_graph=recorded)


def test_a_function_may_return_none_for_arguments_that_it_was_not_given():
    class Optional(Square):
        @staticmethod
        def backward(ctx, dy):
            return dy, None
    x = leaf(1.0)
    Optional.apply(x).backward()
    assert x.grad.item() == 1


# ---- autograd.grad, hooks ----

def test_grad_returns_derivatives_and_leaves_no_trace():
    x = leaf(3.0)
    y = square(x)
    z = square(y)
    dx, dy = autograd.grad(z, [x, y])
    assert (dx.item(), dy.item()) == (4 * 27, 18) and x.grad is None


def test_grad_names_an_input_that_is_not_used():
    x, unused = leaf(1.0), leaf(1.0)
    with pytest.raises(RuntimeError, match=r"inputs\[1\].*allow_unused"):
        autograd.grad(square(x), [x, unused], retain_graph=True)
    assert autograd.grad(square(x), [x, unused], allow_unused=True)[1] is None


def test_hooks_see_the_complete_gradient_and_may_replace_it():
    x = leaf(2.0)
    y = square(x)
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    handle = x.register_hook(lambda g: g * 10.0)
    (y + y + y).backward()
    assert seen == [3.0] and x.grad.item() == 120.0
    handle.remove()
    handle.remove()
    x.grad = None
    square(x).backward()
    assert x.grad.item() == 4.0


def test_a_hook_on_a_tensor_without_gradient_is_refused():
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        tinycnn.tensor(1.0).register_hook(print)


def test_retain_grad_keeps_the_gradient_of_an_inner_tensor():
    x = leaf(2.0)
    y = square(x)
    y.retain_grad()
    (y + y).backward()
    assert y.grad.item() == 2.0 and x.grad.item() == 8.0


# ---- switches ----

def test_no_grad_as_block_decorator_and_bare_decorator():
    x = leaf(1.0)

    @tinycnn.no_grad()
    def f():
        return square(x)

    @tinycnn.no_grad
    def g():
        with tinycnn.enable_grad():
            inside = square(x)
        return inside, square(x)

    with tinycnn.no_grad():
        assert not square(x).requires_grad
    assert not f().requires_grad and [t.requires_grad for t in g()] == [True, False]
    assert tinycnn.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_as_a_block():
    x = leaf(1.0)
    with tinycnn.set_grad_enabled(False):
        assert not square(x).requires_grad
    assert square(x).requires_grad
    tinycnn.set_grad_enabled(False)
    try:
        assert not square(x).requires_grad
    finally:
        tinycnn.set_grad_enabled(True)

    @tinycnn.set_grad_enabled(False)
    def deep(n):
        return deep(n - 1) if n else square(x).requires_grad
    assert deep(3) is False and square(x).requires_grad


def test_no_grad_ends_when_its_block_raises():
    with pytest.raises(KeyError), tinycnn.no_grad():
        raise KeyError
    assert tinycnn.is_grad_enabled()


# ---- writing in place ----

def test_overwriting_what_a_node_saved_is_an_error_at_backward():
    x = leaf([1.0, 2.0])
    y = x + 0.0
    z = square(y)
    y += 1.0
    with pytest.raises(RuntimeError, match=r"Square needs was changed in place.*x = x \+"):
        z.backward(tinycnn.ones(2, dtype=tinycnn.float64))


def test_overwriting_through_a_detached_alias_is_noticed_too():
    x = leaf([1.0, 2.0])
    z = square(x)
    x.detach().add_(1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.backward(tinycnn.ones(2, dtype=tinycnn.float64))


def test_a_write_after_backward_or_before_use_is_no_error():
    x = leaf([1.0, 2.0])
    y = x + 0.0
    y += 1.0
    square(y).backward(tinycnn.ones(2, dtype=tinycnn.float64))
    assert x.grad.tolist() == [4.0, 6.0]


def test_the_history_of_an_in_place_write_is_recorded():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = tinycnn.zeros(2, dtype=tinycnn.float64)
    y += square(x)
    y += w
    y.backward(tinycnn.ones(2, dtype=tinycnn.float64))
    assert x.grad.tolist() == [2.0, 4.0] and w.grad.tolist() == [1.0, 1.0]


def test_a_parameter_cannot_be_written_while_recording_but_can_under_no_grad():
    w = leaf([1.0])
    with pytest.raises(RuntimeError, match="no_grad"):
        w += 1.0
    with tinycnn.no_grad():
        w += 1.0
    assert w.tolist() == [2.0] and w.is_leaf


def test_a_view_taken_before_a_recorded_write_cannot_be_used_after_it():
    x = leaf([1.0, 2.0])
    y = x + 0.0
    view = y[:1]
    y += square(x)
    with pytest.raises(RuntimeError, match="view"):
        square(view)
    with pytest.raises(RuntimeError, match="view"):
        view.add_(x[:1])


# ---- anomalies ----

def test_detect_anomaly_names_operation_and_line_of_the_first_nan_forward():
    class Log(Function):
        @staticmethod
        def forward(ctx, x):
            with np.errstate(all="ignore"):
                return np.log(x)
    words = r"NaN in the forward of Log.*test_autograd.*Log\.apply"
    with autograd.detect_anomaly(), pytest.raises(RuntimeError, match=words):
        Log.apply(leaf([1.0, -1.0]))


def test_detect_anomaly_names_operation_and_line_backward():
    class Root(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return np.sqrt(x)

        @staticmethod
        def backward(ctx, dy):
            with np.errstate(all="ignore"):
                return dy / (2 * np.sqrt(ctx.saved_tensors[0]))
    with autograd.detect_anomaly():
        y = Root.apply(leaf([0.0]))  # the line to be named
        with pytest.raises(RuntimeError, match=r"infinity in the backward of Root.*the line to be named"):
            y.backward()


def test_detect_anomaly_blames_the_first_operation_only():
    class Pass(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 0
    with autograd.detect_anomaly():
        assert np.isnan(Pass.apply(leaf(float("nan"))).item())


# ---- memory ----

def test_a_graph_dies_with_its_last_tensor_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(10))
        y = square(square(x) + x)
        y.retain_grad()
        y.register_hook(lambda g: None)
        node = weakref.ref(y.grad_fn)
        y.backward(tinycnn.ones(10, dtype=tinycnn.float64))
        del y
        assert node() is None
    finally:
        gc.enable()


def test_ten_thousand_steps_do_not_grow_without_the_collector():
    w = leaf(np.ones(100))
    one = tinycnn.ones(100, dtype=tinycnn.float64)

    def steps(n):
        for _ in range(n):
            y = square(w + 1.0)
            y.backward(one)
            w.grad = None

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        steps(100)
        before = tracemalloc.get_traced_memory()[0]
        steps(10_000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000  # bytes; one leaked array a step would be 8 million
    finally:
        tracemalloc.stop()
        gc.enable()


def test_mixing_devices_is_one_clear_error(monkeypatch):
    class Elsewhere(np.ndarray):
        pass
    x = leaf([1.0])
    other = tinycnn.tensor([1.0])
    other.array = np.zeros(1).view(Elsewhere)
    monkeypatch.setattr("tinycnn.engine.function.device_of",
                        lambda a: tinycnn.device("cpu" if type(a) is np.ndarray else "cuda:0"))
    with pytest.raises(RuntimeError, match=r"different devices, cpu and cuda:0"):
        x + other

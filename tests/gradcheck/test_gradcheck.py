"""The gradient checker: right gradients pass, wrong ones are caught and named, promises are held, kinks judged fairly."""
import json

import numpy as np
import pytest

import tinycnn
import tinycnn.nn as nn
import tinycnn.nn.functional as F
from tinycnn.engine.function import Function
from tinycnn.gradcheck import GradcheckError, check_functions, command, gradcheck
from tinycnn.gradcheck.checker import check
from tinycnn.gradcheck.measure import Tolerance
from tinycnn.gradcheck.pairs import ArrayProblem

rng = np.random.default_rng(7)


def draw(*shape):
    return rng.standard_normal(shape)


# ---- plain functions, right and wrong ----------------------------------------------------------------------------------

def linear(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


def conv(x, w, b, stride=1, padding=1):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, (height, width) = w.shape[2], (((np.array(x.shape[2:]) - w.shape[2]) // stride) + 1).tolist()
    y = np.zeros((len(x), len(w), height, width)) + b[:, None, None]
    for i, j in np.ndindex(k, k):
        y += np.einsum("nchw,fc->nfhw", x[:, :, i:i + height * stride:stride, j:j + width * stride:stride], w[:, :, i, j])
    return y, (x, w, stride, padding)


def conv_backward(dy, cache, mistake=None):
    x, w, stride, padding = cache
    k, (height, width) = w.shape[2], dy.shape[2:]
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), dy.sum((0, 2, 3))
    for i, j in np.ndindex(k, k):
        here = np.s_[:, :, i:i + height * stride:stride, j:j + width * stride:stride]
        a, b = {"flip": (k - 1 - i, k - 1 - j), "transpose": (j, i)}.get(mistake, (i, j))
        dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", dy, x[here])
        part = np.einsum("nfhw,fc->nchw", dy, w[:, :, a, b])
        dx[here] = part if mistake == "assign" else dx[here] + part
    if mistake == "stride" and stride > 1:
        dw = dw * 1.7 + dw[:, :, ::-1]
    crop = padding - 1 if mistake == "crop" else padding
    dx = dx[:, :, crop:crop + x.shape[2] - 2 * padding, crop:crop + x.shape[3] - 2 * padding].copy()
    if mistake == "border":
        dx[:, :, [0, -1]] = dx[:, :, :, [0, -1]] = 0
    if mistake == "one image":
        dx[1:] = 0
    changed = {"dw flipped": (dx, dw[:, :, ::-1, ::-1].copy(), db), "dw transposed": (dx, dw.swapaxes(2, 3).copy(), db),
               "dw mean": (dx, dw / len(x), db), "db shape": (dx, dw, dy.sum((2, 3))),
               "db first": (dx, dw, dy[0].sum((1, 2))), "sign": (dx, -dw, db), "nan": (dx * np.nan, dw, db),
               "none": (None, dw, db)}
    return changed.get(mistake, (dx, dw, db))


CONV = draw(3, 2, 6, 5), draw(4, 2, 3, 3), draw(4)


def test_right_plain_functions_pass_to_finite_difference_accuracy():
    for report in (check_functions(linear, linear_backward, draw(4, 3), draw(3, 2), draw(2)),
                   check_functions(conv, conv_backward, *CONV, options=dict(stride=2))):
        assert report and report.error < 1e-9 and report.kinks == 0
        assert "right" in str(report) and "seed 0" in str(report)


@pytest.mark.parametrize("mistake, gradient, words", [
    ("flip", "dx", "with w flipped along axis 2 and 3"),
    ("transpose", "dx", "with w transposed by (0, 1, 3, 2)"),
    ("assign", "dx", "+= (or add.at) in the place of ="),
    ("crop", "dx", "shifted by 1 along axis 2 and axis 3"),
    ("border", "dx", "only at the border (1 wide)"),
    ("one image", "dx", "only from index 1 of axis 0 (the batch) on"),
    ("nan", "dx", "NaN"),
    ("none", "dx", "is missing: no gradient reaches x"),
    ("dw flipped", "dw", "flipped along axis 2 and axis 3"),
    ("dw transposed", "dw", "axes 2 and 3 swapped"),
    ("dw mean", "dw", "0.333333 times the right value: 3 is the batch size, a mean stands where the sum belongs"),
    ("sign", "dw", "the wrong sign"),
    ("db shape", "db", "has shape (3, 4), but b has shape (4,): sum it over axis 0"),
    ("db first", "db", "counts only the first index of dy along axis 0 (the batch)"),
])
def test_a_mistake_in_a_convolution_is_named(mistake, gradient, words):
    report = check_functions(conv, lambda dy, cache: conv_backward(dy, cache, mistake), *CONV)
    first = str(report).splitlines()[0]
    assert not report and first.startswith(f"conv: {gradient} ") and words in first
    assert [c.shown for c in report.inputs if not c.ok] == [gradient]


def test_a_kernel_that_is_not_flipped_is_named_where_no_padding_tells_the_places_apart():
    report = check_functions(conv, lambda dy, cache: conv_backward(dy, cache, "flip"), *CONV, options=dict(padding=0))
    assert "dx is what it would be with w flipped along axis 2 and 3" in str(report).splitlines()[0]


def test_a_mistake_that_needs_an_option_is_found_by_switching_it_off():
    wrong = check_functions(conv, lambda dy, cache: conv_backward(dy, cache, "stride"), *CONV, options=dict(stride=2))
    assert "only with stride=2: with stride=1 it is right" in wrong.cause


def _elementwise(f, slope):
    return lambda x: (f(x), x), lambda dy, x: (slope(dy, x),)


def _softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _normalise(x):
    centred = x - x.mean(0)
    std = np.sqrt((centred ** 2).mean(0) + 1e-5)
    return centred / std, (centred / std, std)


def _normalise_backward(mean, variance):
    def backward(dy, cache):
        y, std = cache
        return ((dy - mean * dy.mean(0) - variance * y * (dy * y).mean(0)) / std,)
    return backward


KEPT = np.arange(20).reshape(4, 5) % 3 != 1
ROWS = np.array([[2.0], [3.0], [4.0], [5.0]])


def _neighbours(x):
    return x + np.roll(x, 1, 0)


@pytest.mark.parametrize("functions, words", [
    (_elementwise(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2)), ""),
    (_elementwise(np.tanh, lambda dy, x: dy * (1 - np.tanh(x))), "dy times a wrong local derivative: at x = "),
    (_elementwise(np.tanh, lambda dy, x: 1 - np.tanh(x) ** 2), "the upstream gradient dy is ignored"),
    (_elementwise(np.tanh, lambda dy, x: dy), "the local derivative is missing"),
    (_elementwise(np.tanh, lambda dy, x: dy * 0), "zero everywhere, though the output depends on x"),
    (_elementwise(np.square, lambda dy, x: dy * x), "0.5 times the right value: the 2 of the"),
    (_elementwise(np.square, lambda dy, x: dy * 2), "lacks a factor x"),
    (_elementwise(np.cumsum, lambda dy, x: np.cumsum(dy).reshape(x.shape)), "backward needs its transpose"),
    (_elementwise(np.log2, lambda dy, x: dy / x), "log(2)"),
    (_elementwise(lambda x: np.maximum(x, 0), lambda dy, x: dy), "a mask is forgotten"),
    (_elementwise(lambda x: np.maximum(x, 0), lambda dy, x: dy * (x < 0)), "a mask is the wrong way round"),
    (_elementwise(lambda x: np.where(x > 0, x, x / 9), lambda dy, x: dy * np.where(x > 0, 1, 0.2)), "where x is negative"),
    (_elementwise(lambda x: x[:, ::-1].copy(), lambda dy, x: dy.copy()), "backward must move them back"),
    (_elementwise(lambda x: np.repeat(x, 2, 1), lambda dy, x: dy[:, ::2] * 1), "+= (or add.at)"),
    (_elementwise(lambda x: x.sum(1), lambda dy, x: np.broadcast_to(dy.sum(), x.shape)), "summed over axis 0"),
    (_elementwise(_softmax, lambda dy, x: dy * _softmax(x) * (1 - _softmax(x))), "depended on its own input alone"),
    (_elementwise(_softmax, lambda dy, x: dy * _softmax(x)), "is off by y times a number that is constant over axis 1"),
    (_elementwise(lambda x: np.log(np.abs(x)).sum(), lambda dy, x: dy / (1 + x)), "wrong local derivative: at x = "),
    (_elementwise(lambda x: np.exp(x).sum(), lambda dy, x: np.full(x.shape, dy)), "lacks a factor exp(x)"),
    (_elementwise(lambda x: np.sinh(x).sum(), lambda dy, x: np.full(x.shape, dy)), "takes the local derivative for 1 at ev"),
    (_elementwise(lambda x: x[[0, 2, 1, 3]], lambda dy, x: dy[[0, 3, 2, 1]]), "takes dy from the wrong places: dx[1, 0] "
     "gets dy[3, 0], where dy[2, 0] belongs"),
    (_elementwise(_neighbours, lambda dy, x: np.where(KEPT, dy, np.roll(dy, -1, 0))), "is right elsewhere: dx[0, 0] gets "
     "nothing of dy[1, 0]"),
    (_elementwise(_neighbours, lambda dy, x: dy + np.roll(dy, -1, 0) + np.roll(dy, -2, 0)), "also counts outputs that do "
     "not depend on an entry, and is right elsewhere: dx[0, 0] gets a part of dy[2, 0]"),
    (_elementwise(_neighbours, lambda dy, x: dy / ROWS + np.roll(dy / ROWS, -1, 0)), "weights the outputs wrongly: the part "
     "of dy[3, 0] is 0.2 times the right one, others 0.2 to 0.5 times"),
    ((_normalise, _normalise_backward(1, 1)), ""),
    ((_normalise, _normalise_backward(0, 1)), "the term through the mean is missing"),
    ((_normalise, _normalise_backward(1, 0)), "the term through the variance is missing"),
    ((_normalise, _normalise_backward(0, 0)), "the terms through mean and variance are missing"),
    (((lambda x: (x[[0, 1, 1, 2]], x)), lambda dy, x: (np.stack([dy[0], dy[1], dy[3], 0 * dy[0]]),)), "+= (or add.at)"),
])
def test_a_law_is_named(functions, words):
    x = np.abs(draw(4, 5)) + 0.1 if words == "log(2)" else draw(4, 5)
    report = check_functions(*functions, x)
    assert words in report.cause and bool(report) == (words == "")


def test_where_no_law_fits_one_entry_of_the_jacobian_is_shown():
    report = check_functions(lambda x, w: (x @ w, (x, w)), lambda dy, c: (dy @ c[1][::-1].T + dy[:, :1], c[0].T @ dy),
                             np.array([[0.3, 0.7]]), np.array([[2.0, 3.0], [5.0, 8.0]]))
    assert "dx[0, 0] counts dy[0, 1] 8 times, right is 3 times" in report.cause


def test_to_leave_out_an_index_of_dy_must_show_in_sums():
    mask = np.array([[1, 1, 0.0]] * 4)
    report = check_functions(lambda x: (x * 2, x), lambda dy, x: (2 * dy * mask,), draw(4, 3))
    assert "only at index 2, the last, of axis 1" in report.cause
    report = check_functions(lambda x: (np.repeat(x, 3).reshape(4, 3), x),
                             lambda dy, x: (dy[:, :2].sum(1),), draw(4))
    assert "leaves out the last index of dy along axis 1" in report.cause


def test_a_known_explanation_spares_the_diagnosis():
    problem = ArrayProblem(*_elementwise(np.tanh, lambda dy, x: dy), [draw(3)])
    report = check(problem, Tolerance(), known=lambda report: f"{len(report.inputs)} gradient forgets the slope")
    assert not report and report.cause == "1 gradient forgets the slope" and report.inputs[0].cause == ""
    assert str(report).count("\n") == 2 and "yours" in str(report)
    assert "local derivative is missing" in check(problem, Tolerance(), known=lambda report: None).cause


def test_a_branch_that_depends_on_a_difference_is_named():
    def huber(x, t):
        d = x - t
        return np.where(np.abs(d) < 1, d * d / 2, np.abs(d) - 0.5).mean(), d

    def backward(dy, d):
        return dy * d / d.size, -dy * np.clip(d, -1, 1) / d.size
    report = check_functions(huber, backward, 2 * draw(5, 4), 2 * draw(5, 4))
    assert "dx is wrong only where |x - t| is above 0." in report.cause


def test_gradients_in_the_wrong_order_and_of_another_input_are_named():
    def backward(dy, cache):
        x, y = cache
        return dy * x, dy * y
    report = check_functions(lambda x, y: (x * y, (x, y)), backward, draw(3, 3), draw(3, 3))
    assert "dx is dy: backward returns the gradients in the wrong order" in report.cause
    report = check_functions(lambda x, y: (x * y, x), lambda dy, x: (dy * x, dy * x), draw(3, 3), draw(3, 3))
    assert report.cause.endswith("dx is dy: the gradient of another input"), "dy itself is right"


def test_the_report_shows_the_worst_entry_and_how_to_see_it_again():
    def backward(dy, x):
        dx = 2 * x * dy
        dx[2, 1] += 0.5
        return (dx,)
    x = draw(4, 3)
    report = check_functions(lambda x: (x ** 2, x), backward, x, seed=5)
    index, yours, right, _ = report.worst(report.inputs[0])
    assert index == (2, 1) and yours == pytest.approx(right + 0.5)
    assert right == pytest.approx(2 * x[2, 1] * report.dy[0][0][2, 1])
    text = str(report)
    assert f"dx[2, 1]: yours {yours:.10g}, finite differences" in text and "1 of 12 entries" in text and "seed=5" in text


def test_a_report_is_drawn():
    report = check_functions(lambda x: (x ** 2, x), lambda dy, x: (x * dy,), draw(4, 3))
    figure = report.plot()
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["dx: yours", "finite differences", "difference"] and "0.5 times" in figure.get_suptitle()
    with pytest.raises(ValueError, match="full=True"):
        gradcheck(tinycnn.exp, draw(50, 50)).plot()
    assert gradcheck(tinycnn.exp, draw(8, 8), full=True).plot().axes


def test_what_plain_functions_must_return_is_said():
    with pytest.raises(TypeError, match=r"must return \(y, cache\), got ndarray"):
        check_functions(lambda x: x * 2, lambda dy, c: dy, draw(3))
    with pytest.raises(ValueError, match="returned 1 gradient.* for the inputs x, w, b"):
        check_functions(linear, lambda dy, c: (dy,), draw(4, 3), draw(3, 2), draw(2))
    with pytest.raises(ValueError, match="no floating-point"):
        check_functions(lambda x: (x, None), lambda dy, c: dy, np.arange(3))


def test_labels_have_no_gradient_but_may_have_a_place():
    def loss(scores, labels):
        p = _softmax(scores)
        return -np.log(p[range(len(labels)), labels]).mean(), (p, labels)

    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(p.shape[1])[labels]) / len(p), None
    assert check_functions(loss, backward, draw(4, 3), np.array([0, 2, 1, 1]))
    wrong = check_functions(loss, lambda dy, cache: dy * cache[0] / len(cache[0]), draw(4, 3), np.array([0, 2, 1, 1]))
    assert "one entry of each row along axis 1" in wrong.cause


def test_a_student_may_use_numpys_random_numbers():
    def dropout(x):
        mask = np.random.rand(*x.shape) < 0.5
        return x * mask * 2, mask
    before = np.random.get_state()[1].copy()
    assert check_functions(dropout, lambda dy, mask: dy * mask * 2, draw(5, 5))
    assert (np.random.get_state()[1] == before).all()
    wrong = check_functions(dropout, lambda dy, mask: dy * mask, draw(5, 5))
    assert "0.5 times the right value" in wrong.cause


# ---- promises ----------------------------------------------------------------------------------------------------------

def promises(forward, backward, *arrays):
    return "; ".join(check_functions(forward, backward, *arrays).broken)


def test_broken_promises_of_plain_functions_are_named():
    def overwrites_dy(dy, x):
        dy *= 2 * x
        return (dy.copy(),)

    def overwrites_the_cache(dy, x):
        x *= 2
        return (dy * x,)
    cube = {}

    def global_state(x):
        cube["x"] = x
        return x ** 2, None
    square = lambda x: (x ** 2, x.copy())
    x = draw(3, 4)
    assert "writes into the upstream gradient" in promises(square, overwrites_dy, x)
    assert "writes into arrays of the cache" in promises(square, overwrites_the_cache, x)
    assert "a second backward through the same graph" in promises(square, overwrites_the_cache, x)
    assert "changes the gradients of x of the pass before" in promises(global_state, lambda dy, c: 2 * dy * cube["x"], x)
    assert "shares memory with the cache" in promises(lambda x: (x.sum(), np.ones_like(x)), lambda dy, ones: ones, x)
    assert "not linear" in promises(square, lambda dy, x: 2 * x * np.clip(dy, -1.2, 1.2), x)
    assert "is float32 although x is float64" in promises(square, lambda dy, x: (2 * dy * x).astype(np.float32), x)
    assert "writes into its input x" in promises(lambda x: (np.multiply(x, 2, out=x) * 1, None), lambda dy, c: 2 * dy, x)
    assert promises(square, lambda dy, x: 2 * dy * x, x) == ""


def test_dependence_on_the_memory_order_is_named():
    found = promises(lambda x: (x * 2, None), lambda dy, c: (dy * 2).ravel(order="K").reshape(dy.shape), draw(3, 4))
    assert "not contiguous" in found


class Doubled(Function):
    """y = 2 x, with room for mistakes."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 2 * dy


def doubled(backward):
    return type("Doubled", (Doubled,), {"backward": staticmethod(backward)})


def test_a_point_nearer_to_the_end_of_the_domain_than_the_steps_is_checked_with_smaller_ones():
    x = tinycnn.tensor([1e-6, 1.0], dtype=tinycnn.float64)
    assert gradcheck(tinycnn.log, x) and gradcheck(tinycnn.sqrt, x)
    wrong = gradcheck(lambda x: tinycnn.log(x) + 0.5 * (x - x.detach()), x)
    assert not wrong and "1 times the right value" not in str(wrong)


def test_broken_promises_of_a_function_are_named():
    def overwrites(ctx, dy):
        dy *= 2
        return dy

    def overwrites_saved(ctx, dy):
        ctx.saved_tensors[0][...] = 0
        return 2 * dy

    def returns_saved(ctx, dy):
        x, = ctx.saved_tensors
        np.multiply(dy, 2, out=x)
        return x
    x = draw(3, 4)
    assert gradcheck(Doubled, x, linear=True)
    assert "writes into the upstream gradient" in " ".join(gradcheck(doubled(overwrites), x).broken)
    assert "writes into an array that forward saved" in " ".join(gradcheck(doubled(overwrites_saved), x).broken)
    assert "shares memory with a saved array" in " ".join(gradcheck(doubled(returns_saved), x).broken)
    assert "returned 2 gradients for 1 input(s)" in " ".join(gradcheck(doubled(lambda ctx, dy: (2 * dy, dy)), x).broken)
    single = doubled(lambda ctx, dy: (2 * dy).astype(np.float64))
    assert "is float64 although the input is float32" in " ".join(gradcheck(single, x).broken)


def test_the_adjoint_identity_is_checked_without_a_step():
    slightly = doubled(lambda ctx, dy: 2 * dy * (1 + 1e-9))  # too little for finite differences
    assert gradcheck(slightly, draw(3, 4))
    assert "adjoint identity" in gradcheck(slightly, draw(3, 4), linear=True).cause


def test_needs_input_grad_is_held_to():
    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, dz):
            x, y = ctx.saved_tensors
            return dz * y if all(ctx.needs_input_grad) else None, dz * x
    report = gradcheck(Product, draw(3), draw(3))
    assert report.cause == ("the gradient of x changes when x alone requires one: look at how backward uses "
                            "ctx.needs_input_grad")


def test_a_gradient_of_the_wrong_shape_from_a_function_is_explained():
    class Shift(Function):
        @staticmethod
        def forward(ctx, x, b):
            return x + b

        @staticmethod
        def backward(ctx, dy):
            return dy, dy
    assert "db has shape (4, 3), but b has shape (3,): sum it over axis 0" in gradcheck(Shift, draw(4, 3), draw(3)).cause


# ---- kinks and ties ----------------------------------------------------------------------------------------------------

def test_at_a_kink_every_value_between_the_slopes_is_right_and_is_counted():
    x = np.array([-1.0, 0.0, 0.0, 2.0, 0.5])
    relu = lambda x: (np.maximum(x, 0), x)
    for at_zero in (0.0, 0.3, 1.0):
        report = check_functions(relu, lambda dy, x: dy * np.where(x == 0, at_zero, x > 0), x)
        assert report and report.kinks == 2 and "at kinks, between the slopes: 2" in str(report)
    for at_zero in (-0.01, 1.01):
        assert not check_functions(relu, lambda dy, x: dy * np.where(x == 0, at_zero, x > 0), x)
    wrong = check_functions(relu, lambda dy, x: dy * (x >= 0) * 1.000001, x)
    assert not wrong and wrong.kinks == 0


def test_a_kink_nearby_is_no_excuse_and_no_accusation():
    x = np.array([-3e-4, 4e-4, 1e-5, 1.0])  # the first look steps over the kink
    report = check_functions(lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x), x)
    assert report and report.kinks == 0
    assert not check_functions(lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x) * 0.999, x)


def test_tied_winners_that_each_take_everything_are_caught_by_a_joint_step():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 2.0]])
    top = lambda x: (x.max(1), x)
    everything = lambda dy, x: dy[:, None] * (x == x.max(1, keepdims=True))
    first = lambda dy, x: dy[:, None] * (np.arange(3) == x.argmax(1)[:, None])
    shared = lambda dy, x: everything(dy, x) / 2
    report = check_functions(top, everything, x)
    assert not report and "wrong only at ties: moving the 2 entries equal to" in report.cause
    assert all(check_functions(top, right, x) for right in (first, shared))


def test_three_tied_winners_that_take_half_each_are_caught():
    x = np.array([1.0, 1.0, 1.0])
    report = check_functions(lambda x: (x.max(), x), lambda dy, x: dy * np.full(3, 0.5), x)
    assert not report and "ties" in report.cause


def test_a_jump_is_not_judged_but_counted():
    report = check_functions(lambda x: (np.floor(x), x), lambda dy, x: 0 * dy, np.array([1.0, 0.5, 2.7]))
    assert report and report.jumps == 1 and "at jumps, not judged: 1" in str(report)


# ---- functions of tensors ----------------------------------------------------------------------------------------------

def test_the_package_is_callable_and_returns_a_report():
    x = draw(3, 4)
    report = tinycnn.gradcheck(tinycnn.exp, x)
    assert report is not True and report and report.error < 1e-9
    assert tinycnn.gradcheck.gradcheck is gradcheck and tinycnn.autograd.gradcheck is gradcheck


def test_pytorchs_form_returns_true_or_raises_the_report():
    x = tinycnn.tensor(draw(3, 4), requires_grad=True)
    assert gradcheck(tinycnn.exp, (x,), eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True) is True
    assert gradcheck(tinycnn.exp, (x,), 1e-6, 1e-4) is True
    wrong = doubled(lambda ctx, dy: -2 * dy)
    with pytest.raises(GradcheckError, match="dx has the wrong sign") as caught:
        gradcheck(wrong.apply, (x,))
    assert isinstance(caught.value, RuntimeError)
    assert gradcheck(wrong.apply, (x,), raise_exception=False) is False


def test_atol_and_rtol_take_the_place_of_the_tolerance():
    nearly = doubled(lambda ctx, dy: 2 * dy * (1 + 1e-4))
    x = draw(3, 4)
    assert not gradcheck(nearly, x) and gradcheck(nearly, x, rtol=1e-3) and not gradcheck(nearly, x, atol=1e-6, rtol=1e-5)


def test_inputs_are_promoted_to_float64_and_stay_as_they_were():
    x = tinycnn.tensor(draw(3, 4), dtype=tinycnn.float32, requires_grad=True)
    before = x.array.copy()
    assert gradcheck(tinycnn.tanh, x).error < 1e-9
    assert x.dtype == tinycnn.float32 and (x.array == before).all() and x.grad is None


def test_only_inputs_that_require_a_gradient_are_checked_where_one_does():
    a, b = tinycnn.tensor(draw(3), requires_grad=True), tinycnn.tensor(draw(3))
    assert [c.name for c in gradcheck(lambda x, y: x * y, a, b).inputs] == ["x"]
    assert [c.name for c in gradcheck(lambda x, y: x * y, a.detach(), b).inputs] == ["x", "y"]


def test_a_module_is_checked_with_its_parameters_and_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2), nn.Dropout(0.3))
    state = {name: value.array.copy() for name, value in model.state_dict().items()}
    model[0].weight.grad = tinycnn.ones(2, 1, 3, 3)
    report = gradcheck(model, draw(3, 1, 5, 5))
    assert report, str(report)
    assert [c.name for c in report.inputs][1:] == [name for name, _ in model.named_parameters()]
    for name, value in model.state_dict().items():
        assert value.dtype == state[name].dtype and (value.array == state[name]).all(), name
    assert (model[0].weight.grad.array == 1).all() and model[4].weight.grad is None


def test_a_wrong_parameter_gradient_is_reported_under_its_name():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(tinycnn.tensor([2.0, 3.0]))

        def forward(self, x):
            return x * self.gain.detach() + 0 * self.gain
    assert "gradient of gain is zero everywhere" in gradcheck(Scale(), draw(4, 2)).cause


def test_a_cut_graph_is_named():
    report = gradcheck(lambda x, y: x.detach() * y, draw(3), draw(3))
    assert report.cause.startswith("dx is missing: no gradient reaches x")


def test_random_functions_are_checked_with_the_same_dice_and_the_callers_stream_goes_on():
    def draws():
        return [*tinycnn.rand(4).tolist(), *np.random.standard_normal(3), np.random.rand()]

    tinycnn.manual_seed(3)
    np.random.seed(3)
    expected = draws()
    tinycnn.manual_seed(3)
    np.random.seed(3)
    assert gradcheck(F.dropout, draw(5, 5), options=dict(p=0.4))
    assert tinycnn.initial_seed() == 3
    assert check_functions(lambda x: (x * np.random.rand(*x.shape), (x,)), lambda dy, c: (dy * 0,), draw(3)).error > 0.1
    assert draws() == expected


def test_the_upstream_gradient_is_random_so_that_softmax_cannot_hide():
    right = lambda dy, p: p * (dy - (dy * p).sum(1, keepdims=True))
    softmax = lambda x: (_softmax(x), _softmax(x))
    assert check_functions(softmax, right, draw(3, 4))
    for wrong in (lambda dy, p: 3 * right(dy, p), lambda dy, p: -right(dy, p), lambda dy, p: 0 * dy):
        assert not check_functions(softmax, wrong, draw(3, 4))


def test_second_derivatives_are_checked():
    assert tinycnn.gradcheck.gradgradcheck(tinycnn.tanh, draw(3, 4))
    x, w = (tinycnn.tensor(draw(*shape), requires_grad=True) for shape in ((3, 4), (4, 2)))
    assert tinycnn.autograd.gradgradcheck(lambda x, w: tinycnn.sigmoid(x @ w), (x, w)) is True

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * 3 * (x.detach() if isinstance(x, tinycnn.Tensor) else x) * x
    assert gradcheck(Cube, draw(3)) and not tinycnn.gradcheck.gradgradcheck(Cube.apply, draw(3))


def test_several_outputs_and_nested_tuples_count():
    def split(x):
        return x * 2, [tinycnn.exp(x), x.argmax()]
    report = gradcheck(split, draw(4))
    assert report and len(report.dy[0]) == 2
    ignoring = check_functions(lambda x: ((2 * x, x ** 2), x), lambda dy, x: 2 * dy[0], draw(4))
    assert "counts only output 0 of 2" in ignoring.cause or "ignores the upstream gradient of output 1" in ignoring.cause


def test_there_must_be_something_to_check():
    with pytest.raises(ValueError, match="no floating-point input"):
        gradcheck(lambda x: x, tinycnn.arange(3))
    with pytest.raises(ValueError, match="returned no floating-point output"):
        gradcheck(lambda x: x.argmax(), draw(3))


# ---- size ----------------------------------------------------------------------------------------------------------------

def _counted(function):
    def count(*args):
        count.calls += 1
        return function(*args)
    count.calls = 0
    return count


def test_a_large_right_input_costs_a_few_evaluations():
    forward = _counted(lambda x: (x ** 2, x))
    report = check_functions(forward, lambda dy, x: 2 * x * dy, draw(300, 300))
    assert report and forward.calls < 40


def test_one_wrong_entry_among_many_is_found():
    def backward(dy, x):
        dx = 2 * x * dy
        dx[123, 77] *= 1.01
        return (dx,)
    forward = _counted(lambda x: (x ** 2, x))
    report = check_functions(forward, backward, draw(300, 300))
    assert report.worst(report.inputs[0])[0] == (123, 77) and forward.calls < 4000


def test_a_large_relu_with_its_kinks_passes():
    x = draw(100, 100)
    x[3, 4] = x[50, 60] = 0
    assert check_functions(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), x)


def test_empty_inputs_and_outputs_pass():
    assert gradcheck(lambda x: x * 2, draw(0, 3)) and gradcheck(lambda x: x[:, :0] * 2, draw(2, 3))


def test_the_seed_decides_the_upstream_gradient():
    a, b, c = (gradcheck(tinycnn.exp, np.ones(2), seed=s).dy[0][0] for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


# ---- the command ---------------------------------------------------------------------------------------------------------

def test_the_command_prints_a_line_an_operation_and_a_total(capsys):
    assert command.main(["--only", "exp", "--only", "Softmax"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in out[1:3]] == ["Softmax", "Exp"]
    assert out[3].startswith("2 operations, ") and "all right" in out[3] and "roads are taken" in out[4]


def test_the_command_fails_where_a_road_computes_something_else(capsys):
    from tinycnn.engine.formula import ROADS
    from tinycnn.ops.unary import Exp
    Exp.forward.road(lambda ctx, x: x.ndim == 2)(lambda ctx, x: Exp.forward.plain(ctx, x) + 1e-6)
    try:
        assert command.main(["--only", "Exp"]) == 1
    finally:
        Exp.forward.roads.clear()
        ROADS.pop()
    assert command.main(["--only", "Exp"]) == 0
    assert "by roads" in capsys.readouterr().out


def test_the_command_fails_and_explains_when_an_operation_is_wrong(capsys, monkeypatch):
    from tinycnn.ops.unary import Exp
    right = Exp.backward
    monkeypatch.setattr(Exp, "backward", staticmethod(lambda ctx, dy: -right(ctx, dy)))
    assert command.main(["--only", "Exp"]) == 1
    out = capsys.readouterr().out
    assert "WRONG" in out and "dx has the wrong sign" in out


def test_the_command_shows_how_every_mutant_is_caught(capsys):
    assert command.main(["--only", "Exp", "--mutants"]) == 0
    out = capsys.readouterr().out
    assert 'caught by "' in out and "caught 4 of 4 mutants" in out


def test_the_command_speaks_json(capsys):
    assert command.main(["--only", "Exp", "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["functions"][0]["function"] == "Exp" and found["total"]["failures"] == 0 and found["total"]["seed"] == 3
    assert command.main(["--only", "Exp", "--json", "--mutants"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["caught"] == found["total"] > 2 and all(m["cause"] for m in found["mutants"])


def test_the_command_names_an_operation_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--only", "Nonsense"])
    assert caught.value.code == 2 and "nonsense: no such operation" in capsys.readouterr().err

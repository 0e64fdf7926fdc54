"""Functions at the edges of what they are given: float16, empty and extreme inputs, odd dtypes and shapes, kinks.

Each table holds right values that were derived, or are PyTorch's (2.13); `tests/torch/test_sweep.py` compares many more.
"""
import math

import numpy as np
import pytest

import tinycnn as t
import tinycnn.nn.functional as F
from tinycnn import nn
from tinycnn.engine.half import wide

INF, NAN = math.inf, math.nan


def half(values, repeat=1):
    return t.tensor(np.tile(np.array(values, np.float16), repeat))


# ---- float16: summed in float32, rounded once ------------------------------------------------------------------------

REDUCTIONS = {
    "sum": lambda x: x.sum(), "mean": lambda x: x.mean(), "var": lambda x: x.var(), "std": lambda x: x.std(),
    "norm": lambda x: x.norm(), "norm 1": lambda x: x.norm(1), "norm 3": lambda x: x.norm(3),
    "cumsum": lambda x: x.cumsum(0),
    "logsumexp": lambda x: x.logsumexp(0), "softmax": lambda x: x.softmax(0), "log_softmax": lambda x: x[:60].log_softmax(0),
    "nansum": lambda x: x.nansum(), "nanmean": lambda x: x.nanmean(), "var_mean": lambda x: t.var_mean(x)[0],
    "matmul": lambda x: x @ x,
    "linear": lambda x: F.linear(x, x[None], x[:1]), "einsum": lambda x: t.einsum("i,i->", x, x),
    "layer_norm": lambda x: F.layer_norm(x, x.shape), "rms_norm": lambda x: F.rms_norm(x, x.shape),
    "normalize": lambda x: F.normalize(x, dim=0),
    "batch_norm": lambda x: F.batch_norm(x[:, None], None, None, training=True),
    "group_norm": lambda x: F.group_norm(x.reshape(1, 2, -1), 1), "instance_norm": lambda x: F.instance_norm(x[None, None]),
    "local_response_norm": lambda x: F.local_response_norm(x[None, :8, None], 3),
    "avg_pool1d": lambda x: F.avg_pool1d(x[None], 500), "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x[None], 3),
    "lp_pool1d": lambda x: F.lp_pool1d(x[None], 2, 500), "conv1d": lambda x: F.conv1d(x[None, None], x[None, None, :700]),
    "attention": lambda x: F.scaled_dot_product_attention(*[x[None, :600].reshape(1, 3, 200)] * 3),
    "cross_entropy": lambda x: F.cross_entropy(x.reshape(-1, 10), t.arange(len(x) // 10) % 10),
    "mse_loss": lambda x: F.mse_loss(x, x * 0.5), "l1_loss": lambda x: F.l1_loss(x, x * 0.5),
    "huber_loss": lambda x: F.huber_loss(x, x * 0.5), "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, x * 0.5),
    "kl_div": lambda x: F.kl_div(x * 0.5, x.abs()), "cosine": lambda x: F.cosine_similarity(x, x * 0.5, 0),
    "pairwise_distance": lambda x: F.pairwise_distance(x, x * 0.5), "dist": lambda x: t.dist(x, x * 0.5),
    "bce_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, x.sigmoid()),
    "fold": lambda x: F.fold(x[:600].reshape(1, 200, 3), (1, 202), (1, 200)),
    "embedding gradient": lambda x: F.embedding(t.zeros(len(x), dtype=t.int64), x[:1, None]),
    "broadcast gradient": lambda x: x[:1] + t.zeros(len(x), dtype=t.float16),
    "index gradient": lambda x: x[t.zeros(len(x), dtype=t.int64)],
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("values", [[1.0, 2.0], [300.0, -200.0], [1e-4, 2e-4]], ids=["ones", "large", "small"])
def test_float16_is_float32_rounded(name, values):
    """Of 6,000 numbers: sums beyond 2048, where float16 stops counting ones, beyond 65504, its end, squares below 6e-8."""
    x = half(values, 3000)
    results = []
    for dtype in (t.float16, t.float32):
        leaf = x.to(dtype, copy=True).requires_grad_()
        y = REDUCTIONS[name](leaf)
        y.backward((t.arange(y.numel()) % 3).reshape(y.shape).to(dtype) / 16 if y.ndim else None)
        assert y.dtype == leaf.grad.dtype == dtype
        results.append([y.detach(), leaf.grad])
    for ours, right in zip(*results):
        with np.errstate(over="ignore"):
            right = right.numpy().astype(np.float16).astype(float)    # infinite, where float16 has no such number
        scale = np.abs(right[np.isfinite(right)]).max(initial=0)
        np.testing.assert_allclose(ours.numpy().astype(float), right, rtol=2e-3, atol=max(2e-3 * scale, 1.2e-7))


@pytest.mark.parametrize("name, y", [
    ("layer_norm", lambda x: F.layer_norm(x, (4,), eps=1e-8)), ("rms_norm", lambda x: F.rms_norm(x, (4,), eps=1e-8)),
    ("batch_norm", lambda x: F.batch_norm(x, None, None, training=True, eps=1e-8)),
    ("group_norm", lambda x: F.group_norm(x, 2, eps=1e-8)), ("normalize", lambda x: F.normalize(x, eps=1e-12)),
    ("cosine_similarity", lambda x: F.cosine_similarity(x, x)), ("gelu", F.gelu)])
def test_an_eps_below_float16_still_keeps_from_dividing_by_0(name, y):
    x = t.zeros(2, 4, dtype=t.float16, requires_grad=True)
    result = y(x)
    result.sum().backward()
    assert result.abs().sum() == 0 and not bool(x.grad.isnan().any())


def test_running_statistics_of_float16_are_those_of_float32():
    x = t.randn(8, 2, 16) * 900
    half_norm, norm = nn.BatchNorm1d(2).half(), nn.BatchNorm1d(2)
    half_norm.running_var = half_norm.running_var.float()
    half_norm.running_mean = half_norm.running_mean.float()
    norm(x.half().float())
    half_norm(x.half())
    np.testing.assert_allclose(half_norm.running_var.numpy(), norm.running_var.numpy(), rtol=1e-5)


def test_gradients_of_float16_can_be_differentiated_again():
    """The variance of two numbers a, b is (a - b)^2 / 2: its second derivatives are 1 and -1."""
    x = half([1.0, 3.0]).requires_grad_()
    (dx,) = t.autograd.grad(x.var(), x, create_graph=True)
    assert dx.tolist() == [-2, 2] and dx.dtype == np.float16
    assert t.autograd.grad(dx[0], x)[0].tolist() == [1, -1]


def test_wide_gives_float16_where_all_arguments_are_of_it():
    @wide
    def total(x, y, scale=1):
        assert x.dtype == np.float32
        return x.sum() + y.sum() * scale, x
    x = half([1.0])
    assert [r.dtype for r in total(x, x)] == [np.float16] * 2
    assert [r.dtype for r in total(x, x.float())] == [np.float32] * 2
    assert [r.dtype for r in total(x.float(), x.float())] == [np.float32] * 2


# ---- kinks and domains -----------------------------------------------------------------------------------------------

def gradients(f, *values):
    leaves = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in values]
    f(*leaves).sum().backward()
    return [leaf.grad.tolist() for leaf in leaves]


@pytest.mark.parametrize("f, inputs, right", [
    (t.atan2, ([0.0], [0.0]), [[0], [0]]), (t.atan2, ([1e-200], [0.0]), [[0], [-1e200]]),
    (t.atan2, ([1e200], [1e200]), [[5e-201], [-5e-201]]), (t.hypot, ([0.0], [0.0]), [[0], [0]]),
    (t.logaddexp, ([1e10], [1e10]), [[0.5], [0.5]]), (t.logaddexp, ([INF], [1.0]), [[1], [0]]),
    (t.logaddexp, ([-INF], [-INF]), [[0.5], [0.5]]), (t.logaddexp2, ([1e12], [1e12]), [[0.5], [0.5]]),
    (t.asinh, ([1e200, 0.0],), [[1e-200, 1]]), (t.acosh, ([1e200, 1 + 2**-40],), [[1e-200, 2**20 / math.sqrt(2 + 2**-40)]]),
    (lambda x: F.gelu(x, approximate="tanh"), ([1e200, -1e200],), [[1, 0]]),
    (F.prelu, ([2.0, -1.0], [INF]), [[1, INF], [-1]]),
    (t.remainder, ([-1.0, 1.0, -7.0], [INF, INF, 2.0]), [[1, 1, 1], [1, 0, 4]]),
    (lambda x: t.logsumexp(x, 0), ([1e18, 1e18],), [[0.5, 0.5]]), (lambda x: t.logsumexp(x, 0), ([INF, 0.0],), [[1, 0]]),
    (t.xlogy, ([0.0], [math.e]), [[1], [0]]), (t.xlogy, ([0.0], [0.0]), [[0], [0]]),
    (F.hardswish, ([1e300, -1e300, INF],), [[1, 0, 1]]), (t.logit, ([0.0, 1.0],), [[INF, INF]]),
    (t.sinc, ([0.0, 1e-200],), [[0, 0]]),
])
def test_gradients_at_kinks_and_at_the_ends_of_the_range(f, inputs, right):
    for ours, expected in zip(gradients(f, *inputs), right):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_a_weight_counts_only_for_its_own_class_be_it_infinite():
    x = t.tensor([[0.0, 0.0], [1.0, 2.0]], dtype=t.float64)
    for weight in (INF, NAN):
        w = t.tensor([1.0, weight], dtype=t.float64)
        for loss in (F.cross_entropy(x, t.tensor([0, -100]), w, reduction="none"),
                     F.cross_entropy(x, t.tensor([0, 1]), w, reduction="none", ignore_index=1)):
            np.testing.assert_allclose(loss.numpy(), [math.log(2), 0])


def test_a_slope_of_prelu_counts_only_below_0():
    assert F.prelu(t.tensor([2.0, INF, -1.0]), t.tensor([INF])).tolist() == [2, INF, -INF]


@pytest.mark.parametrize("value, target, name", [(NAN, 1.0, "input"), (0.5, 2.0, "target"), (0.5, -1e-6, "target"),
                                                 (0.5, NAN, "target"), (1.5, 1.0, "input")])
def test_what_is_no_probability_is_refused(value, target, name):
    with pytest.raises(ValueError, match=rf"binary_cross_entropy: {name} .*\[0, 1\]"):
        F.binary_cross_entropy(t.tensor([0.5, value]), t.tensor([0.5, target]))


def test_kl_divergence_of_targets_at_and_below_0():
    loss = F.kl_div(t.tensor([-1.0, -1.0, -1.0]), t.tensor([0.0, -0.5, 1.0]), reduction="none")
    np.testing.assert_equal(loss.tolist(), [0.0, NAN, 1.0])


@pytest.mark.parametrize("loss", [
    lambda x: F.cross_entropy(x, t.tensor([-100, -100])), lambda x: F.nll_loss(x, t.tensor([-100, -100])),
    lambda x: F.cross_entropy(x, t.tensor([1, 1]), ignore_index=1),
    lambda x: F.cross_entropy(x, t.tensor([-100, -100]), label_smoothing=0.1),
    lambda x: F.cross_entropy(x, t.tensor([-100, -100]), t.ones(3))])
def test_where_all_labels_are_ignored_the_loss_is_nan_and_the_gradients_0(loss):
    x = t.randn(2, 3, requires_grad=True)
    y = loss(x)
    y.backward()
    assert y.isnan() and x.grad.abs().sum() == 0


@pytest.mark.parametrize("base, exponent, right", [
    ([2, 1, -1, -1, 0], [-1, -3, -3, -2, -1], [0, 1, -1, 1, 0]), ([2, 3], [3, -1], [8, 0]),
    ([-1], [-2**63], [1]), ([5], [0], [1])])
def test_integers_to_negative_integers_are_rounded_towards_0(base, exponent, right):
    assert t.pow(t.tensor(base), t.tensor(exponent)).tolist() == right
    assert (2 ** t.tensor([-1, 3])).tolist() == [0, 8]


@pytest.mark.parametrize("x, n, right", [(8, 1, 4), (-8, 1, -4), (5, 2, 1)])
def test_shifts(x, n, right):
    a = t.tensor([x])
    assert (a >> n).tolist() == [right] and (a << n).tolist() == [x * 2**n] and (1 << t.tensor([n])).tolist() == [2**n]
    assert (t.tensor([x]).__irshift__(n)).tolist() == [right]
    with pytest.raises(TypeError, match="bitwise_right_shift"):
        t.ones(1) >> 1


def test_decimals_of_float16_are_rounded_in_float32():
    assert half([1415, 0.9053]).round(decimals=2).equal(half([1415, 0.91]))


@pytest.mark.parametrize("reading", [lambda x: F.unfold(x, (60, 60)), lambda x: F.pad(x, (0, 4000), mode="replicate")])
def test_what_reads_an_element_thousands_of_times_sums_its_gradient_in_float32(reading):
    x = t.zeros(1, 1, 119, 119, dtype=t.float16, requires_grad=True)
    y = reading(x)
    y.backward(t.ones_like(y))
    assert x.grad.max().item() in (3600, 4000)


# ---- empty -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("norm, shape", [(nn.BatchNorm2d(3), (0, 3, 4, 4)), (nn.BatchNorm1d(3), (0, 3)),
                                         (nn.BatchNorm1d(3), (2, 3, 0))])
def test_an_empty_batch_leaves_batch_norm_as_it_was(norm, shape):
    before = {name: value.clone() for name, value in norm.state_dict().items() if "running" in name}
    x = t.zeros(*shape, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad.shape == shape and norm.weight.grad.tolist() == norm.bias.grad.tolist() == [0, 0, 0]
    assert all(norm.state_dict()[name].equal(value) for name, value in before.items())


@pytest.mark.parametrize("call", [
    lambda: F.conv2d(t.zeros(1, 2, 0, 5), t.zeros(3, 2, 3, 3), padding=2), lambda: F.conv1d(t.zeros(1, 2, 0), t.zeros(
        3, 2, 1), padding=1), lambda: F.conv3d(t.zeros(1, 1, 2, 2, 0), t.zeros(1, 1, 1, 1, 1), padding=1),
    lambda: F.conv_transpose2d(t.zeros(1, 2, 0, 5), t.zeros(2, 3, 3, 3))])
def test_a_convolution_of_nothing_is_refused(call):
    with pytest.raises(ValueError, match="conv.* input"):
        call()


@pytest.mark.parametrize("function, weight", [(F.conv1d, (3, 2, 3)), (F.conv2d, (3, 2, 3, 3)), (F.conv3d, (3, 2, 3, 3, 3)),
                                              (F.conv_transpose2d, (2, 3, 3, 3))])
def test_a_convolution_of_no_pictures_is_empty_and_its_gradients_0(function, weight):
    x, w = t.zeros(0, 2, *[5] * (len(weight) - 2), requires_grad=True), t.ones(*weight, requires_grad=True)
    function(x, w).sum().backward()
    assert x.grad.shape == x.shape and w.grad.abs().sum() == 0


def test_a_cross_entropy_of_no_classes_is_0():
    for shape in ((2, 0), (2, 0, 3)):
        x = t.zeros(*shape, requires_grad=True)
        loss = F.cross_entropy(x, t.zeros(*shape), label_smoothing=0.1, reduction="sum")
        loss.backward()
        assert loss.item() == 0 and x.grad.shape == shape


def test_a_plane_of_negative_size_is_refused():
    with pytest.raises(ValueError, match="max_unpool1d: input of shape .* plane of size \\(-1,\\); pass output_size"):
        F.max_unpool1d(t.zeros(1, 1, 0), t.zeros(1, 1, 0, dtype=t.int64), 2, 1, 1)


def test_an_empty_vector_joins_anything_and_gets_a_gradient():
    for others in ([t.ones(2, 3)], [t.ones(2)], [t.ones(1, 2, 2), t.ones(1, 2, 2)]):
        nothing = t.zeros(0, requires_grad=True)
        y = t.cat([nothing, *others], -1)
        y.sum().backward()
        assert nothing.grad.shape == (0,) and y.equal(t.cat(others, -1))


# ---- dtypes and forms ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("f", [lambda x, d: x.sum(dtype=d), lambda x, d: x.cumsum(0, dtype=d), lambda x, d: x.prod(dtype=d),
                               lambda x, d: x.cumprod(0, dtype=d), lambda x, d: x.nansum(dtype=d),
                               lambda x, d: x.sum(0, dtype=d)])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float16", "float64", "bool"])
def test_a_reduction_gives_the_dtype_asked_for(f, dtype):
    for x in (t.tensor([3, 1, 2]), t.tensor([3, 1, 2], dtype=t.int32), t.tensor([3.0, 1.0, 2.0])):
        assert f(x, dtype).dtype == dtype
    assert t.tensor([200, 100]).sum(dtype=t.uint8).item() == 44


@pytest.mark.parametrize("f, right", [(F.relu, [0, 2, 9]), (t.relu, [0, 2, 9]), (F.relu6, [0, 2, 6]),
                                      (F.hardtanh, [-1, 1, 1]), (lambda x: F.threshold(x, 5, 0), [0, 0, 9])])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_rectifiers_of_integers(f, right, dtype):
    y = f(t.tensor([-3, 2, 9], dtype=dtype))
    assert y.tolist() == right and y.dtype == dtype
    with pytest.raises(TypeError, match="bool"):
        F.relu(t.tensor([True]))


@pytest.mark.parametrize("call, right", [
    (lambda x, i: x.gather(0, i), 5.0), (lambda x, i: x.gather(0, t.tensor([0, 0])), [5.0, 5.0]),
    (lambda x, i: t.tensor([5.0, 6.0]).gather(0, i), 5.0), (lambda x, i: x.index_select(0, i), 5.0),
    (lambda x, i: x.index_select(0, t.tensor([0])), 5.0), (lambda x, i: t.tensor([5.0, 6.0]).index_select(0, i), [5.0]),
    (lambda x, i: x.scatter(0, i, t.tensor(3.0)), 3.0), (lambda x, i: x.scatter(0, i, 3.0), 3.0),
    (lambda x, i: x.scatter_add(0, i, t.tensor(3.0)), 8.0), (lambda x, i: x.index_add(0, i, t.tensor(3.0)), 8.0),
    (lambda x, i: x.index_fill(0, i, 3.0), 3.0), (lambda x, i: t.tensor([5.0, 6.0]).index_fill(0, i, 3.0), [3.0, 6.0]),
    (lambda x, i: x.index_copy(0, i, t.tensor(3.0)), 3.0), (lambda x, i: x.scatter_reduce(0, i, t.tensor(3.0), "amax"), 5.0),
    (lambda x, i: x.scatter_reduce(dim=0, index=i, src=t.tensor(3.0), reduce="sum"), 8.0)])
def test_a_tensor_without_dimensions_counts_as_one_element(call, right):
    assert call(t.tensor(5.0), t.tensor(0)).tolist() == right


def test_a_tensor_without_dimensions_has_a_gradient_and_one_position():
    x = t.tensor(5.0, requires_grad=True)
    x.gather(0, t.tensor([0, 0, 0])).sum().backward()
    assert x.grad.item() == 3
    with pytest.raises(RuntimeError, match="index_select: a 0-d tensor has one element"):
        x.index_select(0, t.tensor([0, 0]))


@pytest.mark.parametrize("mode, widths, right", [
    ("reflect", (-1, 1), [1, 2, 3, 4, 3]), ("reflect", (1, -1), [1, 0, 1, 2, 3]), ("reflect", (-3, 1), [3, 4, 3]),
    ("replicate", (-1, 1), [1, 2, 3, 4, 4]), ("replicate", (-1, -1), [1, 2, 3]), ("replicate", (-2, 3), [2, 3, 4, 4, 4, 4]),
    ("circular", (-1, 1), [1, 2, 3, 4, 1]), ("circular", (1, -1), [3, 0, 1, 2, 3]), ("circular", (-2, 3), [2, 3, 4] * 2)])
def test_negative_padding_crops_first(mode, widths, right):
    x = t.arange(5.0).reshape(1, 5).requires_grad_()
    y = F.pad(x, widths, mode)
    assert y.tolist() == [right]
    y.sum().backward()
    assert x.grad.tolist() == [[right.count(v) for v in range(5)]]


@pytest.mark.parametrize("pool, x", [(F.avg_pool1d, t.rand(1, 1, 6)), (F.avg_pool2d, t.rand(1, 1, 6, 6)),
                                     (F.max_pool2d, t.rand(1, 1, 6, 6)), (F.avg_pool3d, t.rand(1, 1, 4, 4, 4)),
                                     (lambda x, *a: F.lp_pool2d(x, 2, *a), t.rand(1, 1, 6, 6))])
def test_an_empty_stride_is_that_of_the_kernel(pool, x):
    for stride in ((), []):
        assert pool(x, 2, stride).equal(pool(x, 2))


def test_repeat_interleave_takes_the_size_of_its_result():
    x = t.tensor([[1, 2], [3, 4]])
    for repeats, dim, size in ((t.tensor([1, 2]), 0, 3), (2, 1, 4), (2, None, 8)):
        assert x.repeat_interleave(repeats, dim, output_size=size).equal(x.repeat_interleave(repeats, dim))
        with pytest.raises(RuntimeError, match=f"output_size must be {size}, got 9"):
            x.repeat_interleave(repeats, dim, output_size=9)


def test_a_row_looked_up_several_times_gets_the_mean_of_its_gradients():
    table = nn.Embedding(3, 2, scale_grad_by_freq=True)
    y = table(t.tensor([0, 2, 0, 0]))
    y.backward(t.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, 6.0], [0.0, 0.0]]))
    np.testing.assert_allclose(table.weight.grad.numpy(), [[1, 2], [0, 0], [1, 1]], rtol=1e-6)
    assert "scale_grad_by_freq=True" in repr(table)


def test_powers_of_the_inverse():
    x = t.tensor([[2.0, 1.0], [0.0, 4.0]])
    np.testing.assert_allclose((t.matrix_power(x, -2) @ x @ x).numpy(), np.eye(2), atol=1e-6)
    with pytest.raises(RuntimeError, match="no inverse"):
        t.matrix_power(t.zeros(2, 2), -1)


def test_products_brought_to_places():
    x, index, src = t.tensor([2.0, 3.0, 7.0]), t.tensor([0, 0, 1]), t.tensor([4.0, 5.0, 6.0])
    assert x.scatter_reduce(0, index, src, "prod").tolist() == [40, 18, 7]
    assert x.scatter_reduce(0, index, src, "prod", include_self=False).tolist() == [20, 6, 7]

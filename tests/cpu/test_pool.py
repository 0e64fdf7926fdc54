"""Maximum pooling on processors: in any geometry, of special numbers, in every layout of memory."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycnn
from tests.helpers.roads import make_small, noted
from tinycnn import max_pool1d, max_pool2d, max_pool3d
from tinycnn.cpu.compiled import missing

MAX = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}


def numbers(rng, shape, dtype):
    """Numbers of which many are equal, and some are NaN or infinite."""
    values = np.array([-np.inf, -1, -0.5, 0, 0.5, 1, 2, np.inf, np.nan])
    return rng.choice(values, shape, p=[.1, .1, .1, .2, .1, .1, .2, .05, .05]).astype(dtype)


def laid_out(a, layout):
    """The same array, channels last in memory, with gaps, or not to be written to."""
    if layout == "channels last":
        a = np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    elif layout == "gaps":
        a = np.repeat(a, 2, -1)[..., ::2]
    elif layout == "read-only":
        a = a.copy()
        a.flags.writeable = False
    return a


def run(function, x, layout="channels last", **options):
    """y, and indices if there are, and dx."""
    x = tinycnn.from_numpy(laid_out(x, layout)).requires_grad_()
    result = function(x, **options)
    y, *rest = result if isinstance(result, tuple) else (result,)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)
    y.backward(tinycnn.from_numpy(dy))
    return [y.array, *(r.array for r in rest), x.grad.array]


def agree(function, x, **options):
    """Fail unless the roads compute what the formulas do, exactly but for sums of gradients."""
    found = run(function, x, **options)
    with tinycnn.plainly():
        expected = run(function, x, **options)
    for a, b in zip(found, expected, strict=True):
        tolerance = 0 if a is not found[-1] else 1e-5 if a.dtype == np.float32 else 1e-12
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@st.composite
def geometries(draw):
    """Shapes and options of a pooling that exists."""
    dims = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(dims))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(dims))
    size = tuple(draw(st.integers(d * (k - 1) + 1, 9)) for k, d in zip(kernel, dilation))
    return dict(shape=(draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 8, 33])), *size), kernel_size=kernel,
                stride=tuple(draw(st.integers(1, 3)) for _ in range(dims)),
                padding=tuple(draw(st.integers(0, k // 2)) for k in kernel), dilation=dilation,
                ceil_mode=draw(st.booleans()))


@given(geometries(), st.sampled_from(["f", "d"]), st.sampled_from([1, 3]))
@settings(max_examples=100, deadline=None)
def test_pooling_is_what_its_formula_says_in_any_geometry(options, dtype, threads):
    shape, rng = options.pop("shape"), np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, threads)
        agree(MAX[len(shape) - 2], numbers(rng, shape, dtype), return_indices=True, **options)


@pytest.mark.parametrize("layout", ["channels first", "channels last", "gaps", "read-only"])
def test_the_layout_of_memory_changes_nothing(layout):
    function, options = max_pool2d, dict(kernel_size=3, stride=2, padding=1, return_indices=True)
    x = np.random.default_rng(0).standard_normal((3, 5, 9, 8))
    for a, b in zip(run(function, x, layout, **options), run(function, x, **options), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    function, options = max_pool2d, dict(kernel_size=3, stride=2, padding=1, return_indices=True)
    x, results = np.random.default_rng(0).standard_normal((13, 37, 41, 43), np.float32), []
    for threads in (1, 2, 3):
        monkeypatch.setattr("tinycnn.cpu.workers._threads", threads)
        results.append(run(function, x, **options))
    agree(function, x, **options)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(missing() != "", reason="needs compiled loops")
def test_loops_are_taken():
    with noted() as taken:
        run(max_pool2d, np.ones((2, 3, 4, 4)), kernel_size=2)
    assert any("max_pool_by_loops" in name for name in taken)
    assert not any("by_offsets" in name for name in taken)


def test_gradients_of_maxima_can_be_differentiated_again():
    x = tinycnn.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 4, 4))).requires_grad_()
    y = (max_pool2d(x, 2) ** 3).sum()
    (dx,) = tinycnn.autograd.grad([y], [x], create_graph=True)
    (dx ** 2).sum().backward()
    top = max_pool2d(x.detach(), 2).repeat_interleave(2, 2).repeat_interleave(2, 3).array
    expected = np.where(x.array == top, 36 * x.array**3, 0)  # d/dx (3 x^2)^2
    np.testing.assert_allclose(x.grad.array, expected)

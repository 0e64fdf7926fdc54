"""Padding: the order of the numbers, cropping, modes, and what is refused."""
import numpy as np
import pytest

import tinycnn
from tinycnn import pad


def test_the_first_numbers_belong_to_the_last_dimension():
    assert pad(tinycnn.ones(2, 3, 4), (1, 2)).shape == (2, 3, 7)
    assert pad(tinycnn.ones(2, 3, 4), (0, 0, 1, 2, 3, 0)).shape == (5, 6, 4)
    x = pad(tinycnn.ones(1, 1), (1, 0, 0, 2), value=7.0)
    assert x.tolist() == [[7, 1], [7, 7], [7, 7]]


def test_negative_numbers_crop_and_may_leave_nothing():
    x = tinycnn.arange(6).reshape(2, 3)
    assert pad(x, (-1, 1)).tolist() == [[1, 2, 0], [4, 5, 0]]
    assert pad(x, (-2, -1)).shape == (2, 0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
def test_dtype_stays_and_the_result_is_a_copy(mode, dtype):
    x = tinycnn.ones(1, 2, 4).to(dtype)
    for widths in ((1, 2), (0, 0)):
        y = pad(x, widths, mode)
        assert y.dtype == dtype and not np.shares_memory(x.array, y.array)


def test_modes_of_one_dimension():
    x = tinycnn.tensor([[1, 2, 3]])
    assert pad(x, (2, 1), "reflect").tolist() == [[3, 2, 1, 2, 3, 2]]
    assert pad(x, (2, 1), "replicate").tolist() == [[1, 1, 1, 2, 3, 3]]
    assert pad(x, (2, 1), "circular").tolist() == [[2, 3, 1, 2, 3, 1]]


def test_modes_agree_with_numpy_in_every_dimension():
    x = np.random.default_rng(0).standard_normal((3, 2, 4))
    for mode, name in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")):
        ours = pad(tinycnn.tensor(x), (3, 2, 1, 0, 2, 1), mode).array
        assert np.array_equal(ours, np.pad(x, ((2, 1), (1, 0), (3, 2)), name)), mode


def test_infinite_padding_leaves_the_gradient_alone():
    x = tinycnn.ones(2, requires_grad=True)
    pad(x, (1, 1), value=float("-inf"))[1:3].sum().backward()
    assert x.grad.tolist() == [1, 1]


@pytest.mark.parametrize("args, message", [
    (((1,),), r"pad: pad must hold two numbers .*\(1,\)"),
    (((1,) * 8,), r"at most 6 for shape \(2, 3, 4\)"),
    (((-3, -2),), "cuts more from dimension 2 than its size 4"),
    (((1, 1), "mirror"), "pad: mode must be .* got 'mirror'"),
    (((4, 0), "reflect"), r"mode 'reflect' can pad dimension 2 of size 4 by 0 to 3, got \(4, 0\)"),
    (((0, 5), "circular"), "mode 'circular' can pad dimension 2 of size 4 by 0 to 4"),
    (((-2, 3), "reflect"), r"mode 'reflect' .*got \(0, 3\)"),
    (((1, 1), "reflect", 2.0), "value belongs to mode 'constant', got 2.0"),
])
def test_bad_input_is_named(args, message):
    with pytest.raises(ValueError, match=message):
        pad(tinycnn.ones(2, 3, 4), *args)


def test_nothing_cannot_be_replicated():
    with pytest.raises(ValueError, match="dimension 1 of size 0 by 0 to 0"):
        pad(tinycnn.ones(2, 0), (1, 0), "replicate")
    with pytest.raises(TypeError, match="pad: pad must be integers"):
        pad(tinycnn.ones(2, 3), (1.5, 0))
    with pytest.raises(TypeError, match="pad: input must be a Tensor, got ndarray"):
        pad(np.ones(3), (1, 1))

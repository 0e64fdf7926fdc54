"""Resizing: what the registry's cases do not show."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.resize import (channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle, upsample, upsample_bilinear,
                                upsample_nearest)


def ramp(*shape, dtype="float32"):
    return t.tensor(np.arange(np.prod(shape)).reshape(shape).astype(dtype))


def draw(*shape, dtype="float32", seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


# ---- interpolate ----

def test_nearest_repeats_and_drops_pixels():
    assert interpolate(ramp(1, 1, 3), size=6).tolist() == [[[0, 0, 1, 1, 2, 2]]]
    assert interpolate(ramp(1, 1, 6), size=3).tolist() == [[[0, 2, 4]]]
    assert interpolate(ramp(1, 1, 6), size=3, mode="nearest-exact").tolist() == [[[1, 3, 5]]]


def test_linear_by_hand():
    assert interpolate(ramp(1, 1, 2), size=4, mode="linear").tolist() == [[[0, 0.25, 0.75, 1]]]
    assert interpolate(ramp(1, 1, 2), size=5, mode="linear", align_corners=True).tolist() == [[[0, 0.25, 0.5, 0.75, 1]]]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_constant_picture_stays_constant(mode):
    y = interpolate(t.full((1, 2, 4, 5), 3.0), size=(7, 2), mode=mode).array
    assert np.allclose(y, 3, atol=1e-6)


def test_area_takes_means():
    assert interpolate(ramp(1, 1, 4), size=2, mode="area").tolist() == [[[0.5, 2.5]]]
    assert interpolate(ramp(1, 1, 4, 4), scale_factor=0.5, mode="area").tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]


def test_an_infinite_pixel_reaches_its_neighbours_only():
    x = np.zeros((1, 1, 6, 6), "float32")
    x[..., 2, 2] = -np.inf
    y = interpolate(t.tensor(x), size=(12, 12), mode="bilinear").array
    assert np.isfinite(y[..., 7:, :]).all() and np.isfinite(y[..., :, 7:]).all() and (y[..., 4:6, 4:6] == -np.inf).all()


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_nearest_keeps_whole_numbers(dtype):
    x = ramp(1, 1, 2, 2).to(dtype)
    y = interpolate(x, scale_factor=2)
    assert y.dtype == dtype and np.array_equal(y.array, x.array.repeat(2, 2).repeat(2, 3))


def test_the_same_size_gives_a_copy_not_the_memory():
    x = draw(1, 2, 3, 3)
    for mode in ("nearest", "bilinear"):
        y = interpolate(x, size=3, mode=mode)
        assert np.array_equal(y.array, x.array) and not np.shares_memory(y.array, x.array)


def test_scale_is_kept_or_recomputed():
    x = draw(1, 1, 5, 5)
    kept, recomputed = (interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=r) for r in (None, True))
    assert kept.shape == recomputed.shape == (1, 1, 6, 6) and not np.allclose(kept.array, recomputed.array)
    assert np.array_equal(recomputed.array, interpolate(x, size=6, mode="bilinear").array)


def test_memory_order_of_the_input_does_not_matter():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype("float32")
    other = np.asfortranarray(x)
    for mode in ("nearest", "bilinear", "bicubic"):
        a, b = (interpolate(t.from_numpy(v), size=(6, 3), mode=mode).array for v in (x, other))
        assert np.array_equal(a, b) and b.dtype == np.float32


def test_float16_stays_float16():
    x = draw(1, 1, 4, 4).half().requires_grad_()
    y = interpolate(x, size=6, mode="bilinear")
    y.backward(t.ones_like(y))
    assert y.dtype == x.grad.dtype == np.float16


@pytest.mark.parametrize("options, message", [
    (dict(), "either size or scale_factor"),
    (dict(size=2, scale_factor=2), "either size or scale_factor"),
    (dict(size=2, mode="lanczos"), "'lanczos'"),
    (dict(size=2, mode="linear"), r"3-d input.*\(1, 1, 4, 4\)"),
    (dict(size=(2, 2, 2)), r"size.*\(2, 2, 2\)"),
    (dict(scale_factor=(2,)), r"scale_factor.*\(2,\)"),
    (dict(scale_factor=-1), "scale_factor.*-1"),
    (dict(scale_factor=float("inf")), "scale_factor.*inf"),
    (dict(size=0), r"empty.*\(0, 0\)"),
    (dict(scale_factor=0.1), r"empty.*\(0, 0\)"),
    (dict(size=2, align_corners=False), "align_corners=False.*'nearest'"),
    (dict(size=2, recompute_scale_factor=True), "recompute_scale_factor"),
    (dict(size=2, mode="area", antialias=True), "antialias=True needs mode 'bilinear' or 'bicubic', got 'area'"),
])
def test_interpolate_says_what_is_wrong(options, message):
    with pytest.raises(ValueError, match="interpolate: .*" + message):
        interpolate(ramp(1, 1, 4, 4), **options)


def test_interpolate_wants_the_right_types():
    x = ramp(1, 1, 4, 4)
    with pytest.raises(TypeError, match="size must be integers, got 2.5"):
        interpolate(x, size=2.5)
    with pytest.raises(TypeError, match="scale_factor must be numbers, got 'two'"):
        interpolate(x, scale_factor="two")
    with pytest.raises(TypeError, match="floating point, got int64"):
        interpolate(x.long(), size=2, mode="bilinear")
    with pytest.raises(TypeError, match="input must be a Tensor, got ndarray"):
        interpolate(x.array, size=2)


def test_upsample_is_the_old_name():
    x = draw(1, 1, 3, 3)
    assert np.array_equal(upsample_nearest(x, scale_factor=2).array, interpolate(x, scale_factor=2).array)
    assert np.array_equal(upsample(x, 5, mode="bilinear").array, interpolate(x, 5, mode="bilinear").array)
    assert np.array_equal(upsample_bilinear(x, 5).array, interpolate(x, 5, mode="bilinear", align_corners=True).array)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_positions_are_pytorchs_over_many_sizes(mode):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((1, 1, 13, 40)).astype("float32")
    for size in range(1, 90, 4):
        y = interpolate(t.tensor(x), size=(size, size + 3), mode=mode).array
        z = torch.nn.functional.interpolate(torch.tensor(x), size=(size, size + 3), mode=mode).numpy()
        assert np.allclose(y, z, atol=1e-5, rtol=1e-5)
    for scale in (0.31, 0.7, 1.1, 1.9, 2.0, 2.03, 3.3):
        y = interpolate(t.tensor(x), scale_factor=scale, mode=mode).array
        z = torch.nn.functional.interpolate(torch.tensor(x), scale_factor=scale, mode=mode).numpy()
        assert y.shape == z.shape and np.allclose(y, z, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased_pictures_are_pytorchs_over_many_sizes(mode, align_corners):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((1, 1, 13, 40))
    options = dict(mode=mode, antialias=True, align_corners=align_corners)
    for size in (*range(1, 20), 39, 40, 41, 80):
        y = interpolate(t.tensor(x), size=(size, size + 3), **options).array
        z = torch.nn.functional.interpolate(torch.tensor(x), size=(size, size + 3), **options).numpy()
        np.testing.assert_allclose(y, z, atol=1e-12)
    for scale in (0.31, 0.7, 1.1, 2.0, 3.3):
        y = interpolate(t.tensor(x), scale_factor=scale, **options).array
        z = torch.nn.functional.interpolate(torch.tensor(x), scale_factor=scale, **options).numpy()
        np.testing.assert_allclose(y, z, atol=1e-12)


def test_an_antialiased_picture_loses_no_pixel():
    x = draw(1, 1, 2, 64).requires_grad_()
    y = interpolate(x, size=(1, 5), mode="bilinear", antialias=True)
    y.backward(t.ones_like(y))
    assert (x.grad.array > 0).all() and x.grad.sum().item() == pytest.approx(5, rel=1e-5)


# ---- pixels and channels ----

def test_pixel_shuffle_by_hand_and_back():
    x = ramp(4, 1, 2)
    y = pixel_shuffle(x, 2)
    assert y.tolist() == [[[0, 2, 1, 3], [4, 6, 5, 7]]]
    assert np.array_equal(pixel_unshuffle(y, 2).array, x.array)
    empty = pixel_shuffle(t.zeros(0, 8, 3, 2), 2)
    assert empty.shape == (0, 2, 6, 4) and pixel_unshuffle(empty, 2).shape == (0, 8, 3, 2)


@pytest.mark.parametrize("shape", [(8, 3, 2), (2, 8, 3, 2), (2, 1, 8, 3, 2)])
def test_pixel_shuffles_are_pytorchs(shape):
    torch = pytest.importorskip("torch")
    x = draw(*shape)
    y, z = pixel_shuffle(x, 2), torch.pixel_shuffle(torch.tensor(x.array), 2)
    assert np.array_equal(y.array, z.numpy())
    assert np.array_equal(pixel_unshuffle(y, 2).array, torch.pixel_unshuffle(z, 2).numpy())


def test_channel_shuffle_takes_one_channel_of_each_group_in_turn():
    assert channel_shuffle(ramp(1, 6, 1), 2).ravel().tolist() == [0, 3, 1, 4, 2, 5]
    assert channel_shuffle(ramp(1, 6, 1), 3).ravel().tolist() == [0, 2, 4, 1, 3, 5]


def test_the_gradient_goes_back_to_its_pixel():
    x = draw(1, 4, 2, 3).requires_grad_()
    dy = draw(1, 1, 4, 6, seed=1)
    pixel_shuffle(x, 2).backward(dy)
    assert np.array_equal(x.grad.array, pixel_unshuffle(dy, 2).array)


@pytest.mark.parametrize("call, message", [
    (lambda x: pixel_shuffle(x, 2), r"pixel_shuffle: .*multiple of 4.*\(1, 3, 5, 4\)"),
    (lambda x: pixel_shuffle(x, 0), "pixel_shuffle: upscale_factor must be positive, got 0"),
    (lambda x: pixel_unshuffle(x, 2), r"pixel_unshuffle: .*downscale_factor 2.*\(1, 3, 5, 4\)"),
    (lambda x: channel_shuffle(x, 2), r"channel_shuffle: .*groups 2.*\(1, 3, 5, 4\)"),
    (lambda x: channel_shuffle(x, -1), "channel_shuffle: groups must be positive, got -1"),
])
def test_shuffles_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(ramp(1, 3, 5, 4))


def test_a_factor_must_be_an_integer():
    with pytest.raises(TypeError, match="upscale_factor must be an integer, got 1.5"):
        pixel_shuffle(ramp(1, 4, 2, 2), 1.5)

"""Transforms: what each does to pixels, the kinds of pictures they take, chance, and bad arguments."""
import colorsys
import sys

import numpy as np
import pytest

import tinycnn
from tinycnn.engine.generators import Generator
from tinycnn.data import DataLoader, transforms as T
from tinycnn.data.transforms import tones
from tinycnn.data.transforms.policies import POLICIES
from tinycnn.data.transforms.warp import affine_matrices, affine_sources, warp
from tinycnn.engine.tensor import wrap

Image = pytest.importorskip("PIL.Image")
ImageEnhance = pytest.importorskip("PIL.ImageEnhance")
ImageOps = pytest.importorskip("PIL.ImageOps")


def colours(n=3, c=3, h=20, w=26, seed=0):
    """Smooth random pictures (N, C, H, W) of uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, c, 4, 5)).astype(np.uint8)
    return np.stack([[np.asarray(Image.fromarray(p).resize((w, h))) for p in one] for one in coarse])


def picture(**options):
    return Image.fromarray(colours(1, **options)[0].transpose(1, 2, 0))


def planes(pil):
    pixels = np.asarray(pil)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


EVERY = [T.CenterCrop(12), T.RandomCrop(12, 2), T.Pad((1, 2)), T.RandomHorizontalFlip(), T.RandomVerticalFlip(), T.Resize(9),
         T.RandomResizedCrop((8, 9)), T.RandomAffine(20, (0.1, 0.2), (0.8, 1.2), 10), T.RandomRotation(30),
         T.RandomPerspective(), T.ColorJitter(0.4, 0.4, 0.4, 0.2), T.Grayscale(), T.Grayscale(3),
         T.RandomGrayscale(0.5), T.RandomInvert(),
         T.RandomPosterize(3), T.RandomSolarize(0.5), T.RandomAutocontrast(), T.RandomEqualize(), T.RandomAdjustSharpness(2),
         T.GaussianNoise(), T.SaltAndPepperNoise(), T.GaussianBlur(3), T.RandomErasing(), T.AutoAugment("cifar10"),
         T.RandAugment(), T.TrivialAugmentWide(), T.AugMix()]
BYTES_ONLY = (T.RandomPosterize, T.RandomEqualize, T.AutoAugment, T.RandAugment, T.TrivialAugmentWide, T.AugMix)
names = lambda values: [type(v).__name__ for v in values]


# ---- kinds of pictures, and chance -----------------------------------------------------------------------------------

@pytest.mark.parametrize("transform", EVERY, ids=names(EVERY))
def test_every_kind_of_picture_is_taken_and_given_back(transform):
    pixels = colours(1)[0]
    results = []
    for x in (Image.fromarray(pixels.transpose(1, 2, 0)), pixels, tinycnn.from_numpy(pixels)):
        tinycnn.manual_seed(5)
        y = transform(x)
        assert isinstance(y, type(x)) or isinstance(y, Image.Image) and isinstance(x, Image.Image)
        results.append(planes(y) if isinstance(y, Image.Image) else np.asarray(getattr(y, "array", y)))
    assert results[0].dtype == np.uint8 and results[0].ndim == 3
    assert all((r == results[0]).all() for r in results)


@pytest.mark.parametrize("transform", EVERY, ids=names(EVERY))
def test_every_picture_of_a_batch_changes_by_itself_and_no_input_is_written_into(transform):
    pixels = np.repeat(colours(1), 64, 0)
    before = pixels.copy()
    pixels.flags.writeable = False
    y = transform(pixels)
    assert y.shape[0] == 64 and y.dtype == np.uint8 and (pixels == before).all()
    fixed = isinstance(transform, (T.CenterCrop, T.Pad, T.Resize, T.Grayscale))
    assert fixed == (y == y[:1]).all()
    assert transform(pixels[:0]).shape == (0, *y.shape[1:])
    assert transform.takes_batches


@pytest.mark.parametrize("transform", EVERY, ids=names(EVERY))
def test_floating_point_pictures_keep_their_type_and_range(transform):
    for dtype in (np.float32, np.float64):
        x = (colours(4) / 255).astype(dtype)
        if isinstance(transform, BYTES_ONLY):
            with pytest.raises(TypeError, match="uint8"):
                for _ in range(20):
                    transform(x)
        else:
            y = transform(x)
            assert y.dtype == dtype and y.min() >= -1e-6 and y.max() <= 1 + 1e-6


@pytest.mark.parametrize("transform", EVERY, ids=names(EVERY))
def test_the_seed_decides_and_a_generator_of_its_own_serves(transform):
    x = colours(16)
    results = []
    for seed in (1, 1, 2):
        tinycnn.manual_seed(seed)
        results.append(transform(x))
    assert (results[0] == results[1]).all()
    fixed = isinstance(transform, (T.CenterCrop, T.Pad, T.Resize, T.Grayscale))
    assert fixed or (results[0] != results[2]).any()
    if not fixed:
        state = tinycnn.get_rng_state()
        for i in (0, 1):
            transform.generator = Generator().manual_seed(9)
            results[i] = transform(x)
        transform.generator = None
        assert (results[0] == results[1]).all() and tinycnn.get_rng_state() == state


def test_grey_rows_of_pixels_and_odd_modes_of_pillow():
    flat = colours(1, 1)[0, 0]
    assert T.RandomCrop(8)(flat).shape == (8, 8) and T.Grayscale(3)(flat).shape == (3, 20, 26)
    for mode in ("L", "1", "P", "RGB", "RGBA", "LA", "CMYK", "F", "I;16"):
        source = picture().convert("L").point(lambda v: v) if mode == "I;16" else picture().convert(mode)
        if mode == "I;16":
            source = Image.fromarray(np.asarray(source).astype(np.uint16) * 257)
        out = T.CenterCrop(10)(source)
        assert out.size == (10, 10) and out.mode == {"1": "L", "P": "RGB", "CMYK": "RGB"}.get(mode, mode)


@pytest.mark.parametrize("x, error", [("cat.png", TypeError), ([[1]], TypeError), (np.zeros(3), ValueError),
                                      (np.zeros((1, 1, 1, 1, 1)), ValueError)])
def test_what_is_no_picture_is_refused(x, error):
    with pytest.raises(error, match="CenterCrop: expected"):
        T.CenterCrop(1)(x)


def test_integers_and_other_channels_are_refused_where_they_mean_nothing():
    with pytest.raises(TypeError, match="adjust_brightness.*int64"):
        T.ColorJitter(0.5)(np.zeros((3, 4, 4), np.int64))
    with pytest.raises(ValueError, match="1 or 3 channels, got 4.*convert"):
        T.Grayscale()(Image.new("RGBA", (4, 4)))


# ---- conversion ------------------------------------------------------------------------------------------------------

def test_to_tensor_is_pytorchs():
    pil = picture()
    for x in (pil, np.asarray(pil)):
        y = T.ToTensor()(x)
        assert y.dtype == np.float32 and (y.array == planes(pil) / np.float32(255)).all() and y.is_contiguous()
    assert T.ToTensor()(np.zeros((4, 5), np.float64)).dtype == np.float64
    assert T.ToTensor()(pil.convert("L")).shape == (1, 20, 26)
    assert (T.PILToTensor()(pil).array == planes(pil)).all()
    batch = tinycnn.from_numpy(colours())
    assert (T.ToTensor()(batch).array[1] == T.ToTensor()(batch[1]).array).all()
    one = T.ToTensor()(Image.fromarray(np.full((2, 2), 65535, np.uint16)))
    assert one.max().item() == 65535
    with pytest.raises(ValueError, match=r"\(H, W\) or \(H, W, C\)"):
        T.ToTensor()(np.zeros((1, 2, 3, 4)))


def test_to_picture_and_back():
    pil = picture()
    assert (np.asarray(T.ToPILImage()(T.ToTensor()(pil))) == np.asarray(pil)).all()
    assert T.ToPILImage("L")(np.asarray(pil)).mode == "L" and T.ToPILImage()(tinycnn.zeros(4, 6)).size == (6, 4)
    with pytest.raises(ValueError, match="ToPILImage"):
        T.ToPILImage()(tinycnn.zeros(1, 3, 4, 4))


def test_bytes_survive_floating_point_and_normalising_is_undone_by_hand():
    every = tinycnn.from_numpy(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    there = T.ConvertImageDtype(tinycnn.float32)(every)
    assert there.dtype == np.float32 and (T.ConvertImageDtype(tinycnn.uint8)(there).array == every.array).all()
    x = tinycnn.rand(2, 3, 4, 4)
    y = T.Normalize((0.1, 0.2, 0.3), (1.0, 2.0, 4.0))(x)
    assert np.allclose(y.array * [[[1]], [[2]], [[4]]] + [[[0.1]], [[0.2]], [[0.3]]], x.array, atol=1e-6) and y is not x
    array = x.array
    T.Normalize((0.1, 0.2, 0.3), (1.0, 2.0, 4.0), inplace=True)(x)
    assert (x.array == y.array).all() and x.array is array


def test_normalising_pictures_and_bytes_says_what_is_missing():
    for x in (picture(), colours()[0]):
        with pytest.raises(TypeError, match=r"ToTensor\(\)"):
            T.Normalize((0.5,), (0.5,))(x)
    with pytest.raises(ValueError, match="std.*0"):
        T.Normalize((0.5,), (0.0,))
    with pytest.raises(ValueError, match="mean has 2 numbers, the picture 3 channels"):
        T.Normalize((0.5, 0.5), (1, 1))(tinycnn.zeros(3, 2, 2))


# ---- cutting, mirroring, sizes ---------------------------------------------------------------------------------------

def test_center_crop_pads_what_is_too_small():
    x = colours(1, 1, 5, 6)[0]
    assert (T.CenterCrop((3, 4))(x) == x[:, 1:4, 1:5]).all()
    y = T.CenterCrop(7)(x)
    assert y.shape == (1, 7, 7) and (y[:, 1:6, 0:6] == x).all() and (y[:, 0] == 0).all() and (y[..., 6] == 0).all()


def test_random_crop_reaches_every_place_of_the_padded_picture():
    x = np.repeat(np.arange(1, 13, dtype=np.uint8).reshape(1, 1, 3, 4), 300, 0)
    y = T.RandomCrop((2, 3), padding=1, fill=99)(x)
    framed = np.pad(x[0, 0], 1, constant_values=99)
    places = {framed[i:i + 2, j:j + 3].tobytes() for i in range(4) for j in range(4)}
    assert {p[0].tobytes() for p in y} == places
    assert T.RandomCrop(9, pad_if_needed=True, padding_mode="edge")(x).shape == (300, 1, 9, 9)
    with pytest.raises(ValueError, match=r"\(4, 4\) is larger than .*\(3, 4\)"):
        T.RandomCrop(4)(x)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_padding_agrees_with_numpy(mode):
    x = colours()
    fill = {"constant_values": 7} if mode == "constant" else {}
    expected = np.pad(x, [(0, 0), (0, 0), (2, 4), (1, 3)], mode=mode, **fill)
    assert (T.Pad((1, 2, 3, 4), 7, mode)(x) == expected).all()
    assert T.Pad((1, 2))(x).shape == (3, 3, 24, 28) and T.Pad(-2)(x).shape == (3, 3, 16, 22)
    assert (T.Pad(1, fill=(1, 2, 3))(x)[0, :, 0, 0] == [1, 2, 3]).all()


def test_flips_happen_as_often_as_asked():
    x = np.repeat(colours(1), 400, 0)
    for transform, turned in ((T.RandomHorizontalFlip(0.25), x[..., ::-1]), (T.RandomVerticalFlip(0.25), x[..., ::-1, :])):
        y = transform(x)
        flipped = (y == turned).all((1, 2, 3))
        assert ((y == x).all((1, 2, 3)) ^ flipped).all() and 60 < flipped.sum() < 140
    assert (T.RandomHorizontalFlip(1)(x) == x[..., ::-1]).all() and (T.RandomHorizontalFlip(0)(x) == x).all()


def test_five_and_ten_crops():
    x = colours(1)[0]
    five, ten = T.FiveCrop(8)(x), T.TenCrop(8)(x)
    assert (five[0] == x[:, :8, :8]).all() and (five[1] == x[:, :8, -8:]).all() and (five[2] == x[:, -8:, :8]).all()
    assert (five[3] == x[:, -8:, -8:]).all() and (five[4] == x[:, 6:14, 9:17]).all()
    assert all((a == b).all() for a, b in zip(ten[:5], five)) and (ten[5] == x[:, :8, ::-1][:, :, :8]).all()
    assert (T.TenCrop(8, vertical_flip=True)(x)[5] == x[:, ::-1][:, :8, :8]).all()
    assert all(isinstance(p, Image.Image) and p.size == (9, 8) for p in T.FiveCrop((8, 9))(picture()))
    with pytest.raises(ValueError, match="FiveCrop: size"):
        T.FiveCrop(30)(x)


@pytest.mark.parametrize("options, size", [(dict(size=10), (10, 13)), (dict(size=(7, 9)), (7, 9)),
                                           (dict(size=[12]), (12, 15)), (dict(size=10, max_size=12), (9, 12)),
                                           (dict(size=20), (20, 26))])
def test_resize_is_pillows_and_keeps_the_shape_unless_told(options, size):
    pil = picture()
    for mode in ("nearest", "bilinear", "bicubic", "lanczos"):
        expected = planes(pil.resize(size[::-1], Image.Resampling[mode.upper()]))
        assert (T.Resize(**options, interpolation=mode)(planes(pil)) == expected).all()
        y = T.Resize(**options, interpolation=Image.Resampling[mode.upper()])(planes(pil).astype(np.float32) / 255)
        assert np.abs(y.clip(0, 1) * 255 - expected).max() < 2.5  # Pillow rounds bytes between rows and columns
    assert T.Resize((4, 4))(np.zeros((2, 5, 6), np.float32)).shape == (2, 4, 4)


def test_resize_agrees_with_pytorchs_averages():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).random((2, 3, 31, 17), np.float32)
    for size in ((10, 9), (40, 50)):
        expected = torch.nn.functional.interpolate(torch.tensor(x), size, mode="bilinear", antialias=True)
        assert np.abs(T.Resize(size)(x) - expected.numpy()).max() < 1e-5


def test_random_resized_crop_stays_within_its_ranges():
    ramp = np.arange(100, dtype=np.float32)
    x = np.stack([np.broadcast_to(ramp[:, None], (100, 100)), np.broadcast_to(ramp, (100, 100))]) / 100
    boxes = []
    for _ in range(200):
        rows, columns = T.RandomResizedCrop(50, (0.2, 0.5), (0.5, 2), interpolation="nearest")(x) * 100
        boxes.append((rows[-1, 0] - rows[0, 0], columns[0, -1] - columns[0, 0]))
    tall, wide = np.array(boxes).T * 50 / 49
    assert 0.17 < (tall * wide / 1e4).min() < 0.25 and 0.45 < (tall * wide / 1e4).max() < 0.55
    assert 0.45 < (wide / tall).min() < 0.6 and 1.7 < (wide / tall).max() < 2.2
    thin = T.RandomResizedCrop(4, (1, 1), (1, 1))(np.zeros((1, 10, 100), np.uint8))
    assert thin.shape == (1, 4, 4)


# ---- geometry --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine_agrees_with_the_sampler_of_pytorch(interpolation):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(3).random((2, 3, 12, 15))
    number = lambda *v: np.array(v).reshape(-1, 1, 1, 1)
    matrices = affine_matrices(np, number(20.0, -70.0), number(1.3, 0.7), number(10.0, 0.0), number(0.0, -15.0))
    shift = number(2.0, 0.0), number(-1.0, 3.0)
    rows, columns = affine_sources(np, (12, 15), (12, 15), matrices, shift, None)
    grid = np.concatenate([columns * 2 / 14 - 1, rows * 2 / 11 - 1], 1).transpose(0, 2, 3, 1)
    expected = torch.nn.functional.grid_sample(torch.tensor(x), torch.tensor(grid), interpolation, align_corners=True)
    assert np.abs(warp("f", x, rows, columns, T.InterpolationMode(interpolation), 0) - expected.numpy()).max() < 1e-10
    forward = np.array([[float(m[0, 0, 0, 0]) for m in matrices[:2]], [float(m[0, 0, 0, 0]) for m in matrices[2:]]])
    point = forward @ [3.0, -2.0] + [7 + 2, 5.5 - 1]  # where the pixel 3 to the right of and 2 above the middle goes
    for plane, expected in ((rows[0, 0], 5.5 - 2), (columns[0, 0], 7 + 3)):
        steps = plane[1, 0] - plane[0, 0], plane[0, 1] - plane[0, 0]
        assert abs(plane[0, 0] + point[1] * steps[0] + point[0] * steps[1] - expected) < 1e-9


@pytest.mark.parametrize("angle", [90, 180, -90, 30])
def test_rotation_is_pillows(angle):
    pil = picture(h=20, w=20)
    y = T.RandomRotation((angle, angle))(pil)
    assert (np.asarray(y) == np.asarray(pil.rotate(angle))).mean() > 0.99
    wide = picture()
    expanded = T.RandomRotation((angle, angle), expand=True, fill=9)(wide)
    assert np.abs(np.subtract(expanded.size, wide.rotate(angle, expand=True).size)).max() <= 1
    corner = T.RandomRotation((angle, angle), center=(0, 0))(pil)
    assert (np.asarray(corner) == np.asarray(pil.rotate(angle, center=(0, 0)))).mean() > 0.98
    with pytest.raises(ValueError, match="expand.*batch of 2"):
        T.RandomRotation(9, expand=True)(colours(2))


def test_affine_turns_clockwise_and_shears_to_the_side():
    x = np.zeros((1, 21, 21), np.float32)
    x[0, 2, 10] = 1  # above the middle
    assert np.argwhere(T.RandomAffine((90, 90))(x)[0]).tolist() == [[10, 18]]
    assert np.argwhere(T.RandomRotation((90, 90))(x)[0]).tolist() == [[10, 2]]
    slanted = T.RandomAffine(0, shear=(45, 45), interpolation="bilinear")(x)[0]
    assert np.unravel_index(slanted.argmax(), (21, 21)) == (2, 18)
    x = np.swapaxes(x, 1, 2).copy()
    slanted = T.RandomAffine(0, shear=(0, 0, 45, 45), interpolation="bilinear")(x)[0]
    assert np.unravel_index(slanted.argmax(), (21, 21)) == (18, 2)


def test_perspective_moves_the_corners_inwards():
    from tinycnn.data.transforms.warp import perspective_sources
    corners = np.array([[[0, 0], [29, 0], [29, 19], [0, 19]]], float)
    moved = corners + [[[4, 3], [-6, 1], [-2, -5], [7, -1]]]
    rows, columns = perspective_sources(np, (20, 30), corners, moved)
    for (u, v), (x, y) in zip(moved[0].astype(int), corners[0]):
        assert abs(columns[0, 0, v, u] - x) < 1e-9 and abs(rows[0, 0, v, u] - y) < 1e-9
    white = np.full((200, 1, 30, 40), 255, np.uint8)
    y = T.RandomPerspective(0.6, p=1)(white)
    assert (y[:, 0, 15, 20] == 255).all() and 0.3 < (y > 0).mean() < 0.95
    assert (T.RandomPerspective(0, p=1)(colours()) == colours()).all()


# ---- colour and tone -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, ours", [("Brightness", tones.adjust_brightness), ("Contrast", tones.adjust_contrast),
                                        ("Color", tones.adjust_saturation), ("Sharpness", tones.adjust_sharpness)])
@pytest.mark.parametrize("factor", [0, 0.4, 1, 1.7])
def test_enhancements_agree_with_pillow(name, ours, factor):
    for channels in (3, 1):
        x = colours(2, channels)
        for one, y in zip(x, ours(x, factor)):
            pil = Image.fromarray(one.transpose(1, 2, 0) if channels == 3 else one[0])
            assert np.abs(planes(getattr(ImageEnhance, name)(pil).enhance(factor)).astype(int) - y).max() <= 1
    x = (colours(2) / 255)
    assert np.abs(ours(x, factor) * 255 - ours(colours(2), factor)).max() <= 1.01


def test_tones_are_pillows():
    x = np.concatenate([colours(3, seed=4), np.full((1, 3, 20, 26), 77, np.uint8), colours(1, seed=5) // 4 + 50])
    for ours, pillows in ((tones.equalize, ImageOps.equalize), (tones.autocontrast, ImageOps.autocontrast),
                          (lambda v: tones.posterize(v, 3), lambda p: ImageOps.posterize(p, 3)),
                          (lambda v: tones.solarize(v, 100), lambda p: ImageOps.solarize(p, 100)),
                          (tones.invert, ImageOps.invert), (lambda v: np.repeat(tones.restored(tones.grey("f", v), v), 3, 1),
                                                            lambda p: p.convert("L").convert("RGB"))):
        for one, y in zip(x, ours(x)):
            assert np.abs(planes(pillows(Image.fromarray(one.transpose(1, 2, 0)))).astype(int) - y).max() <= 1
    assert (tones.equalize(x)[0] == planes(ImageOps.equalize(Image.fromarray(x[0].transpose(1, 2, 0))))).all()


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0, 0.1, 0.5])
def test_hue_agrees_with_the_colour_model(shift):
    x = np.concatenate([np.random.default_rng(0).random((1, 3, 6, 6)), np.full((1, 3, 6, 6), 0.3), np.zeros((1, 3, 6, 6))])
    x[1, 0] = 0.9
    y = tones.adjust_hue(x, shift)
    for rgb, out in zip(x.transpose(0, 2, 3, 1).reshape(-1, 3), y.transpose(0, 2, 3, 1).reshape(-1, 3)):
        h, s, v = colorsys.rgb_to_hsv(*rgb)
        assert np.abs(np.subtract(colorsys.hsv_to_rgb((h + shift) % 1, s, v), out)).max() < 1e-9


def test_jitter_reaches_its_ranges():
    x = np.full((500, 3, 2, 2), 0.4, np.float32)
    y = T.ColorJitter(brightness=0.5)(x)[:, 0, 0, 0] / 0.4
    assert 0.5 <= y.min() < 0.52 and 1.48 < y.max() <= 1.5
    assert (T.ColorJitter()(colours()) == colours()).all()
    assert 0.9 < (T.ColorJitter(brightness=(0.9, 1.1))(x) / x).min()


# ---- noise, blur, holes ----------------------------------------------------------------------------------------------

def test_noise_has_the_mean_and_deviation_asked_for():
    y = T.GaussianNoise(0.02, 0.1)(np.full((4, 3, 50, 50), 0.5)) - 0.5
    assert abs(y.mean() - 0.02) < 0.003 and abs(y.std() - 0.1) < 0.003
    bytes_ = T.GaussianNoise(0, 0.1)(np.full((4, 3, 50, 50), 128, np.uint8)).astype(float)
    assert abs(bytes_.std() / 255 - 0.1) < 0.003
    assert T.GaussianNoise(0, 1, clip=False)(np.zeros((1, 50, 50), np.float32)).min() < -1


def test_salt_and_pepper_in_all_channels_alike():
    y = T.SaltAndPepperNoise(0.2, 0.25)(np.full((10, 3, 60, 60), 128, np.uint8))
    assert set(np.unique(y)) == {0, 128, 255} and (y == y[:, :1]).all()
    assert abs((y == 255).mean() - 0.05) < 0.01 and abs((y == 0).mean() - 0.15) < 0.01
    amounts = (T.SaltAndPepperNoise((0.1, 0.5))(np.full((100, 1, 40, 40), 0.5)) != 0.5).mean((1, 2, 3))
    assert amounts.min() < 0.2 and amounts.max() > 0.4


def test_blur_is_the_convolution_with_a_bell():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(2).random((2, 3, 9, 11))
    bell = lambda k: np.exp(-((np.arange(k) - k // 2) ** 2) / (2 * 0.8 ** 2))
    kernel = np.outer(bell(5) / bell(5).sum(), bell(3) / bell(3).sum())
    framed = torch.nn.functional.pad(torch.tensor(x), (1, 1, 2, 2), mode="reflect")
    weights = torch.tensor(kernel)[None, None].repeat(3, 1, 1, 1)
    expected = torch.nn.functional.conv2d(framed, weights, groups=3).numpy()
    assert np.abs(T.GaussianBlur((5, 3), 0.8)(x) - expected).max() < 1e-10
    assert (T.GaussianBlur(3)(np.full((1, 5, 5), 200, np.uint8)) == 200).all()
    with pytest.raises(ValueError, match="too large"):
        T.GaussianBlur(11)(x[..., :4])


def test_erased_rectangles_have_the_area_and_shape_asked_for():
    x = np.ones((300, 3, 40, 40), np.float32)
    y = T.RandomErasing(1, (0.1, 0.2), (0.5, 2), value=(0, 0.25, 0.5))(x)
    shapes = []
    for one in y:
        rows, columns = np.nonzero(one[0] == 0)
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert tall * wide == len(rows) and (one[1][one[0] == 0] == 0.25).all() and (one[2][one[0] == 0] == 0.5).all()
        shapes.append((tall * wide / 1600, tall / wide))
    area, ratio = np.array(shapes).T
    assert 0.08 < area.min() < 0.12 and 0.18 < area.max() < 0.22 and 0.4 < ratio.min() < 0.6 and 1.7 < ratio.max() < 2.3
    erased = (T.RandomErasing(0.3)(x) == 0).any((1, 2, 3)).mean()
    assert 0.2 < erased < 0.4
    assert (T.RandomErasing(1, value="random")(x) < 0).any() and T.RandomErasing(1)(tinycnn.from_numpy(x)).shape == x.shape


# ---- automatic ones --------------------------------------------------------------------------------------------------

def test_policies_have_25_pairs_of_known_operations():
    from tinycnn.data.transforms.auto import OPERATIONS
    for pairs in POLICIES.values():
        assert len(pairs) == 25 and all(len(pair) == 2 for pair in pairs)
        for name, probability, level in (step for pair in pairs for step in pair):
            assert name in OPERATIONS and 0 <= probability <= 1
            assert (level is None) == (name in ("AutoContrast", "Equalize", "Invert")) and level in (None, *range(10))


def test_strengths_are_those_of_the_papers(monkeypatch):
    from tinycnn.data.transforms import auto
    seen = {}
    for name, (_, signed) in auto.OPERATIONS.items():
        def record(x, m, mode, fill, name=name):
            seen.setdefault(name, set()).add(round(float(m), 4))
            return x
        monkeypatch.setitem(auto.OPERATIONS, name, (record, signed))
    T.RandAugment(num_ops=1, magnitude=30)(colours(3000, h=2, w=331))
    assert seen["Rotate"] == {-30, 30} and seen["Posterize"] == {4} and seen["TranslateX"] == {-150, 150}
    assert seen["Solarize"] == {0} and seen["Color"] == {-0.9, 0.9} and seen["ShearY"] == {-0.3, 0.3}
    assert "Invert" not in seen
    seen.clear()
    T.TrivialAugmentWide(num_magnitude_bins=3)(colours(3000, h=2, w=2))
    assert seen["Rotate"] == {-135, -67.5, 0, 67.5, 135} and seen["Posterize"] == {8, 5, 2} and len(seen) == 14
    seen.clear()
    T.AutoAugment("cifar10")(colours(3000, h=2, w=2))
    assert seen["Solarize"] == {round(255 - 255 * k / 9, 4) for k in (2, 3, 5, 8)}
    assert set(seen) == {name for pair in POLICIES[T.AutoAugmentPolicy.CIFAR10] for name, *_ in pair}
    seen.clear()
    T.AugMix(severity=1, all_ops=False)(colours(300, h=6, w=6))
    assert seen["Rotate"] == {0} and seen["Posterize"] == {4} and not set(seen) & {"Color", "Contrast", "Identity"}


def test_augmix_of_no_change_is_the_picture(monkeypatch):
    from tinycnn.data.transforms import auto
    for name in auto.OPERATIONS:
        monkeypatch.setitem(auto.OPERATIONS, name, (lambda x, m, mode, fill: x, False))
    assert np.abs(T.AugMix()(colours(8)).astype(int) - colours(8)).max() <= 1


# ---- several, and mixing ---------------------------------------------------------------------------------------------

def test_compositions():
    add, double = T.Lambda(lambda v: v + 1), lambda v: v * 2
    assert T.Compose([add, double])(3) == 8 and "Lambda" in repr(T.Compose([add]))
    drawn = [T.RandomApply([add], p=0.3)(0) for _ in range(600)]
    assert 130 < sum(drawn) < 230
    chosen = [T.RandomChoice([add, double], p=[3, 1])(5) for _ in range(400)]
    assert set(chosen) == {6, 10} and 250 < chosen.count(6) < 350
    assert {T.RandomOrder([add, double])(3) for _ in range(50)} == {8, 7}
    assert T.RandomApply(double, p=1)(4) == 8
    with pytest.raises(ValueError, match="RandomChoice: p must be 2"):
        T.RandomChoice([add, double], p=[1])
    with pytest.raises(TypeError, match="lambd"):
        T.Lambda(3)


def test_only_what_changes_pictures_one_by_one_is_handed_batches():
    assert T.Compose([T.RandomCrop(3), T.ToTensor(), T.Normalize((0,), (1,)), T.RandomErasing()]).takes_batches
    for other in (lambda v: v, T.RandomApply([T.RandomCrop(3)]), T.FiveCrop(3), T.Lambda(abs)):
        assert not T.Compose([T.ToTensor(), other]).takes_batches


@pytest.mark.parametrize("kind", [T.MixUp, T.CutMix])
def test_labels_are_mixed_as_the_pictures_are(kind):
    n = 5
    x = tinycnn.eye(n).reshape(n, n, 1, 1).expand(n, n, 8, 8).contiguous()  # picture i is 1 in channel i
    y = tinycnn.arange(n)
    for seed in range(20):
        mixed, shares = kind(alpha=0.7, num_classes=n, generator=Generator().manual_seed(seed))(x, y)
        assert mixed.dtype == shares.dtype == np.float32 and shares.shape == (n, n)
        assert np.allclose(mixed.array.mean((2, 3)), shares.array, atol=1e-6) and np.allclose(shares.array.sum(1), 1)
        assert (shares.array[1] > 0).tolist() == [True, True, False, False, False] or shares.array[1].max() == 1
        values = set(np.unique(mixed.array))
        assert kind is T.MixUp or values == {0, 1}
    again, _ = kind(num_classes=n)((x, shares))
    assert again.shape == x.shape and (x.array == np.eye(n)[:, :, None, None]).all()


def test_mixing_says_what_it_needs():
    x, y = tinycnn.rand(4, 3, 8, 8), tinycnn.arange(4)
    for args, error, message in (((x, y), ValueError, "num_classes"), ((x, y[:2]), ValueError, "N = 4"),
                                 ((x[0], y), ValueError, r"\(N, C, H, W\)"), ((x, [1, 2]), TypeError, "y")):
        with pytest.raises(error, match=message):
            T.MixUp()(*args)
    with pytest.raises(TypeError, match="integer labels"):
        T.CutMix(num_classes=4)(x, tinycnn.rand(4))
    with pytest.raises(ValueError, match="alpha"):
        T.CutMix(0)


def test_mixing_in_the_collate_function_of_a_loader():
    from tinycnn.data import TensorDataset, default_collate
    mix = T.CutMix(num_classes=3)
    data = TensorDataset(tinycnn.rand(6, 1, 4, 4), tinycnn.arange(6) % 3)
    for x, y in DataLoader(data, 3, collate_fn=lambda samples: mix(*default_collate(samples)), num_workers=1):
        assert x.shape == (3, 1, 4, 4) and y.shape == (3, 3)
    loss = tinycnn.nn.functional.cross_entropy(tinycnn.rand(3, 3), y)
    assert np.isfinite(loss.item())


@pytest.mark.parametrize("make, name", [
    (lambda: T.RandomHorizontalFlip(1.5), "p must"), (lambda: T.RandomHorizontalFlip("a"), "p must"),
    (lambda: T.CenterCrop(0), "size"), (lambda: T.CenterCrop((1, 2, 3)), "size"), (lambda: T.Pad((1, 2, 3)), "padding"),
    (lambda: T.Pad(1, padding_mode="wrap"), "padding_mode"), (lambda: T.Resize(5, max_size=4), "max_size"),
    (lambda: T.Resize(5, "cubic"), "interpolation"), (lambda: T.RandomRotation(-3), "degrees"),
    (lambda: T.RandomRotation((3, 1)), "degrees"), (lambda: T.RandomAffine(1, (2, 0)), "translate"),
    (lambda: T.RandomAffine(1, scale=(0, 1)), "scale"), (lambda: T.RandomAffine(1, interpolation="box"), "interpolation"),
    (lambda: T.RandomPerspective(2), "distortion_scale"), (lambda: T.ColorJitter(-1), "brightness"),
    (lambda: T.ColorJitter(hue=0.7), "hue"), (lambda: T.Grayscale(2), "num_output_channels"),
    (lambda: T.RandomPosterize(9), "bits"), (lambda: T.GaussianNoise(sigma=-1), "sigma"),
    (lambda: T.SaltAndPepperNoise(2), "amount"), (lambda: T.GaussianBlur(4), "kernel_size"),
    (lambda: T.GaussianBlur(3, 0), "sigma"), (lambda: T.RandomErasing(scale=(0.5, 2)), "scale"),
    (lambda: T.RandomErasing(value="noise"), "value"), (lambda: T.RandomResizedCrop(4, (0, 1)), "scale"),
    (lambda: T.AutoAugment("mnist"), "policy"), (lambda: T.RandAugment(magnitude=31), "magnitude"),
    (lambda: T.TrivialAugmentWide(1), "num_magnitude_bins"), (lambda: T.AugMix(0), "severity"),
    (lambda: T.RandomAdjustSharpness(-1), "sharpness_factor"), (lambda: T.SaltAndPepperNoise(0.1, 3), "salt_vs_pepper")])
def test_wrong_arguments_are_refused_at_once(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_fill_of_the_wrong_length_names_the_channels():
    with pytest.raises(ValueError, match="RandomAffine: fill.*3 channels"):
        T.RandomAffine(10, fill=(1, 2))(colours())


def test_augmentation_of_a_cifar_batch_is_one_pass_over_arrays():
    pipeline = T.Compose([T.RandomCrop(32, 4), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize((0.5,) * 3, (0.2,) * 3),
                          T.RandomErasing()])
    x = tinycnn.from_numpy(colours(8, h=32, w=32))
    tinycnn.manual_seed(1)
    y = pipeline(x)
    assert y.shape == (8, 3, 32, 32) and y.dtype == np.float32 and isinstance(y, tinycnn.Tensor)


# ---- arrays of a GPU -------------------------------------------------------------------------------------------------

ON_THE_CPU = (T.Resize, T.RandomResizedCrop)
DEVICE = [t for t in EVERY if not isinstance(t, ON_THE_CPU)]
DEVICE += [T.ToTensor(), T.MixUp(num_classes=3), T.CutMix(num_classes=3)]


@pytest.mark.parametrize("transform", DEVICE, ids=names(DEVICE))
def test_transforms_run_on_device_arrays_and_give_the_cpus_numbers(transform, monkeypatch):
    from tests.helpers.strict_array import StrictArray, install
    labels = (np.arange(6) % 3,) if isinstance(transform, (T.MixUp, T.CutMix)) else ()
    inputs = (colours(6).astype(np.float32) / 255 if labels else colours(6), *labels)

    def run(make):
        tinycnn.manual_seed(3)
        result = transform(*(wrap(make(a)) for a in inputs))
        return [y.array for y in (result if labels else [result])]
    expected = run(np.copy)
    install(monkeypatch)
    for y, reference in zip(run(lambda a: StrictArray(a.copy())), expected):
        assert isinstance(y, StrictArray) and y.dtype == reference.dtype and (y._a == reference).all()


def test_resizing_on_a_device_says_where_it_works(monkeypatch):
    from tests.helpers.strict_array import StrictArray, install
    install(monkeypatch)
    with pytest.raises(TypeError, match="Resize: pictures are resized on the CPU, got an array on cuda:0"):
        T.Resize(4)(wrap(StrictArray(colours())))


# ---- the gallery -----------------------------------------------------------------------------------------------------

def test_the_gallery_shows_every_transform_and_the_seed_fixes_it():
    pytest.importorskip("matplotlib")
    from tinycnn.viz import augmentations
    from tinycnn.viz.augment import gallery, landscape
    state = tinycnn.get_rng_state()
    figure = augmentations()
    titles = [ax.get_title() for ax in figure.axes if ax.images]
    assert titles[0] == "the picture" and len(titles) == len(gallery()) + 3 and "CutMix" in titles[-1]
    for name in set(T.__dict__) - {"RandomGrayscale", "RandomApply", "RandomChoice", "RandomOrder"}:
        if name.startswith("Random"):
            assert any(name in title for title in titles), name
    again = augmentations()
    assert all((a.images[0].get_array() == b.images[0].get_array()).all() for a, b in zip(figure.axes[:35], again.axes))
    assert tinycnn.get_rng_state() == state and landscape(30, 40).shape == (3, 30, 40)


def test_the_gallery_fits_small_pictures():
    pytest.importorskip("matplotlib")
    from tinycnn.viz import augmentations
    figure = augmentations(np.arange(3 * 32 * 32).reshape(3, 32, 32).astype(np.uint8))
    shapes = {ax.get_title(): ax.images[0].get_array().shape for ax in figure.axes if ax.images}
    assert shapes["RandomCrop, padding"] == (32, 32, 3) and shapes["Resize to a quarter"] == (8, 8, 3)


def test_the_gallery_takes_pictures_of_every_kind():
    pytest.importorskip("matplotlib")
    from tinycnn.viz import augmentations
    for x in (picture(), picture().convert("L"), colours(1)[0], tinycnn.from_numpy(colours(1)[0] / 255), colours(1, 1)[0]):
        figure = augmentations(x, [("mirror", T.RandomHorizontalFlip(1)), ("small", T.Resize(5))], columns=2)
        assert [ax.get_title() for ax in figure.axes] == ["the picture", "mirror", "small", ""]
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 4\)"):
        augmentations(np.zeros((1, 3, 4, 4)))


def test_pictures_are_told_apart_while_another_thread_loads_pillow(monkeypatch):
    import types
    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))  # as it is at first: empty
    x = tinycnn.zeros(3, 4, 4)
    assert T.CenterCrop(2)(x).shape == (3, 2, 2)
    with pytest.raises(TypeError, match="expected a Pillow picture"):
        T.CenterCrop(2)("a picture")

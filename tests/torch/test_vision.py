"""torchvision's places, and what they have beyond `tinycnn.data` and `tinycnn.models`."""
import numpy as np
import pytest
from PIL import Image

import tinycnn
from tinycnn.vision import datasets, models, transforms
from tinycnn.vision.transforms import functional as TF
from tinycnn.vision.utils import make_grid, save_image


def photograph(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8))


@pytest.mark.parametrize("statement", [
    "import tinycnn.vision as torchvision; torchvision.datasets.CIFAR10, torchvision.transforms.Compose, torchvision.utils",
    "import tinycnn.vision.transforms as transforms; transforms.functional.hflip", "import tinycnn.vision.datasets as dset",
    "import tinycnn.vision.models as models", "from tinycnn.vision.models import resnet18",
    "from tinycnn.vision.transforms import ToTensor, Compose", "import tinycnn.vision.transforms.functional as TF",
    "import tinycnn as torch; torch.vision.utils.make_grid"])
def test_import_works(statement):
    exec(statement, {})


def test_places_hold_the_same_things():
    import tinycnn.data
    assert issubclass(datasets.MNIST, tinycnn.data.MNIST) and transforms.RandomCrop is tinycnn.data.transforms.RandomCrop
    names = [n for n in models.__dict__ if n.islower() and not n.startswith("__") and callable(models.__dict__[n])]
    assert {"resnet18", "vgg16_bn", "densenet121"} <= set(names) and models.__dict__["resnet18"] is tinycnn.models.resnet18


def test_a_grid_has_a_frame_around_every_picture():
    x = tinycnn.arange(3.0).reshape(3, 1, 1, 1) + tinycnn.zeros(3, 1, 2, 3) + 1
    grid = make_grid(x, nrow=2, padding=1, pad_value=9)
    assert grid.shape == (3, 7, 9) and (grid[0] == grid[2]).all()
    line, above, below = [9] * 9, [9, 1, 1, 1, 9, 2, 2, 2, 9], [9, 3, 3, 3, 9, 9, 9, 9, 9]
    assert grid[1].tolist() == [line, above, above, line, below, below, line]
    assert make_grid(x).shape == (3, 6, 17) and make_grid(x).dtype == tinycnn.float32
    assert (make_grid(list(x), nrow=2, padding=1, pad_value=9) == grid).all()


def test_a_single_picture_has_no_frame_and_is_a_copy():
    for shape in ((1, 3, 2, 2), (3, 2, 2), (1, 2, 2), (2, 2)):
        x = tinycnn.zeros(*shape)
        grid = make_grid(x)
        grid += 1
        assert grid.shape == (3, 2, 2) and not x.any()


def test_a_grid_is_brought_to_the_range():
    x = tinycnn.tensor(np.array([[0., 4.], [2., 12.]])).reshape(2, 1, 1, 2).expand(2, 3, 1, 2)

    def of(**options):
        grid = make_grid(x, padding=0, normalize=True, **options)
        return grid[0, 0].tolist()
    assert of() == pytest.approx([0, 4 / 12, 2 / 12, 1]) and of(scale_each=True) == [0, 1, 0, 1]
    assert of(value_range=(2, 4)) == [0, 1, 0, 1]
    assert make_grid(tinycnn.ones(2, 3, 1, 1), normalize=True).max() == 0, "pictures of one value divide by almost nothing"


def test_grids_refuse_what_is_no_picture():
    with pytest.raises(TypeError, match="make_grid: tensor must be a Tensor, got ndarray"):
        make_grid(np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match=r"make_grid: expected pictures .* got shape \(5,\)"):
        make_grid(tinycnn.zeros(5))


def test_a_saved_picture_is_the_grid_in_bytes(tmp_path):
    x = tinycnn.rand(5, 3, 4, 4) * 1.4 - 0.2
    save_image(x, tmp_path / "grid.png", nrow=3, padding=1)
    with Image.open(tmp_path / "grid.png") as picture:
        read = np.asarray(picture)
    expected = np.clip(np.floor(make_grid(x, nrow=3, padding=1).numpy() * 255 + 0.5), 0, 255)
    np.testing.assert_array_equal(read, expected.transpose(1, 2, 0))
    with open(tmp_path / "other", "wb") as file:
        save_image(x[0], file, format="bmp")
    with Image.open(tmp_path / "other") as picture:
        assert picture.size == (4, 4)


def test_functions_are_the_transforms_without_chance():
    picture = photograph()
    x = TF.to_tensor(picture)
    pixels = np.asarray(picture)
    assert x.shape == (3, 6, 8) and (np.asarray(TF.to_pil_image(x)) == pixels).all()
    assert (TF.pil_to_tensor(picture).numpy() == pixels.transpose(2, 0, 1)).all()
    np.testing.assert_array_equal(np.asarray(TF.hflip(picture)), pixels[:, ::-1])
    np.testing.assert_array_equal(TF.vflip(x).numpy(), x.numpy()[:, ::-1])
    np.testing.assert_array_equal(TF.crop(x, 1, 2, 3, 4).numpy(), x.numpy()[:, 1:4, 2:6])
    outside = TF.crop(x, -1, 6, 4, 4).numpy()
    np.testing.assert_array_equal(outside[:, 1:, :2], x.numpy()[:, :3, 6:])
    assert outside.shape == (3, 4, 4) and not outside[:, 0].any() and not outside[:, :, 2:].any()
    np.testing.assert_array_equal(TF.normalize(x, [0.5], [0.25]).numpy(), (x.numpy() - 0.5) / 0.25)
    assert TF.resize(picture, 3).size == (4, 3) and TF.resized_crop(x, 1, 1, 4, 4, (2, 5)).shape == (3, 2, 5)
    assert TF.center_crop(x, 4).shape == (3, 4, 4) and TF.pad(x, 2).shape == (3, 10, 12)
    assert TF.rgb_to_grayscale(x).shape == (1, 6, 8) and TF.to_grayscale(picture, 3).mode == "RGB"
    np.testing.assert_array_equal(TF.rotate(x[:, :, :6], 90).numpy(), np.rot90(x.numpy()[:, :, :6], 1, (1, 2)))
    assert TF.rotate(picture, 90, expand=True).size == (6, 8)
    assert TF.convert_image_dtype(x, tinycnn.uint8).dtype == tinycnn.uint8 and TF.gaussian_blur(x, 3).std() < x.std()


@pytest.mark.parametrize("change", [
    lambda x: TF.adjust_brightness(x, 1), lambda x: TF.adjust_contrast(x, 1), lambda x: TF.adjust_saturation(x, 1),
    lambda x: TF.adjust_hue(x, 0), lambda x: TF.adjust_sharpness(x, 1), lambda x: TF.invert(TF.invert(x)),
    lambda x: TF.posterize(x, 8), lambda x: TF.solarize(x, 256), lambda x: TF.hflip(TF.hflip(x)),
    lambda x: TF.rotate(TF.rotate(x, 180), 180), lambda x: TF.pad(TF.pad(x, 1), -1)])
def test_some_strengths_change_nothing(change):
    picture = photograph()
    assert np.abs(np.asarray(change(picture)).astype(int) - np.asarray(picture)).max() <= 1


def test_colours_change_as_pillow_changes_them():
    from PIL import ImageEnhance, ImageOps
    picture = photograph()
    for found, expected in ((TF.adjust_brightness(picture, 0.6), ImageEnhance.Brightness(picture).enhance(0.6)),
                            (TF.adjust_contrast(picture, 1.5), ImageEnhance.Contrast(picture).enhance(1.5)),
                            (TF.adjust_saturation(picture, 0.3), ImageEnhance.Color(picture).enhance(0.3)),
                            (TF.solarize(picture, 100), ImageOps.solarize(picture, 100)),
                            (TF.equalize(picture), ImageOps.equalize(picture)),
                            (TF.autocontrast(picture), ImageOps.autocontrast(picture))):
        assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max() <= 1

"""transforms.v2: samples of a picture and its label, and the names of the second version."""
import pickle

import numpy as np
import pytest
from PIL import Image

import tinycnn
from tinycnn.data import DataLoader
from tinycnn.vision import datasets, transforms
from tinycnn.vision.transforms import v2
from tinycnn.vision.transforms.v2 import functional as F

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)


def usual():
    return v2.Compose([v2.ToImage(), v2.RandomCrop(16), v2.RandomHorizontalFlip(), v2.ToDtype(tinycnn.float32, scale=True),
                       v2.Normalize([0.5] * 3, [0.25] * 3)])


def test_a_sample_keeps_its_label():
    x, y = usual()(PICTURE, 7)
    assert x.shape == (3, 16, 16) and x.dtype == "float32" and y == 7
    x, y, z = usual()((PICTURE, 7, {"name": "cat"}))
    assert x.shape == (3, 16, 16) and (y, z) == (7, {"name": "cat"})
    assert usual()(PICTURE).shape == (3, 16, 16)
    x, y = v2.RandomApply([v2.CenterCrop(4)], p=1.0)(PICTURE, tinycnn.tensor(3))
    assert x.size == (4, 4) and y == 3


def test_what_does_not_go_with_the_picture_is_refused():
    for other in PICTURE, tinycnn.zeros(2, 4), PIXELS:
        with pytest.raises(NotImplementedError, match="RandomCrop: one picture a sample; boxes, masks and further pictures"):
            v2.RandomCrop(4)(PICTURE, other)


def test_the_same_chance_gives_the_same_picture_as_the_first_version():
    for name, arguments in (("RandomCrop", (8,)), ("RandomResizedCrop", (8,)), ("ColorJitter", (0.5, 0.5)), ("Pad", (2,)),
                            ("RandomRotation", (30,)), ("Resize", (10,))):
        results = []
        for place in transforms, v2:
            tinycnn.manual_seed(0)
            results.append(np.asarray(getattr(place, name)(*arguments)(PICTURE)))
        assert np.array_equal(*results), name
        assert issubclass(getattr(v2, name), getattr(transforms, name)) and v2.__name__ == getattr(v2, name).__module__


def test_dtypes():
    x = v2.ToImage()(PICTURE)
    assert np.array_equal(x.numpy(), PIXELS.transpose(2, 0, 1)) and (v2.ToImage()(PIXELS) == x).all()
    assert v2.ToDtype("float32")(x).max() == PIXELS.max() and v2.ToDtype("float32", scale=True)(x).max() <= 1
    assert (F.to_dtype(x, "float32", scale=True) == v2.ToDtype("float32", scale=True)(x)).all()
    assert F.to_dtype(x).max() == PIXELS.max() and F.to_image(PICTURE).shape == (3, 20, 24)
    assert v2.Identity()(PICTURE) is PICTURE and v2.ToPureTensor()(x) is x


def test_channels():
    grey = tinycnn.tensor(PIXELS[None, :, :, 0])
    assert (v2.RGB()(grey) == grey).all() and v2.RGB()(grey).shape == (3, 20, 24)
    assert v2.RGB()(tinycnn.zeros(4, 5, 5)).shape == (3, 5, 5) and v2.RGB()(PICTURE).tobytes() == PICTURE.tobytes()
    assert F.get_size(PICTURE) == [20, 24] and F.get_dimensions(grey) == [1, 20, 24]
    assert (F.horizontal_flip(grey) == grey.flip(2)).all() and (F.vertical_flip(grey) == grey.flip(1)).all()


def test_a_data_set_and_a_loader_take_them():
    data = datasets.FakeData(6, (3, 20, 24), transform=usual())
    x, y = next(iter(DataLoader(data, batch_size=6)))
    assert x.shape == (6, 3, 16, 16) and y.shape == (6,)
    assert pickle.loads(pickle.dumps(usual()))(PICTURE).shape == (3, 16, 16)
    assert repr(v2.ToDtype("float32", scale=True)) == "ToDtype(dtype=float32, scale=True)"


def test_a_pipeline_is_torchvisions():
    torch = pytest.importorskip("torch")
    try:
        theirs = pytest.importorskip("torchvision.transforms.v2")
    except RuntimeError:  # as it says where it was built for another PyTorch
        pytest.skip("torchvision does not fit the PyTorch that is installed")

    def made(v2, dtype):
        return v2.Compose([v2.ToImage(), v2.Resize(14, antialias=True), v2.CenterCrop(12), v2.ToDtype(dtype, scale=True),
                           v2.Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])])
    ours, wanted = made(v2, tinycnn.float32)(PICTURE, 3), made(theirs, torch.float32)(PICTURE, 3)
    assert ours[1] == wanted[1] == 3
    np.testing.assert_allclose(ours[0].numpy(), wanted[0].numpy(), atol=1e-5)

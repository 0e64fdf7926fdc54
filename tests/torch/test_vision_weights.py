"""Names of published weights: where they are, what their pictures go through, and how a file that was fetched is read."""
import hashlib

import numpy as np
import pytest
from PIL import Image

import tinycnn
from tinycnn.vision import models
from tinycnn.vision.models import ENUMERATIONS


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """A function that puts a state_dict where fetched files are looked for, under a name that has its hash."""
    monkeypatch.setenv("TINYCNN_DATA", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def put(state, folder="weights"):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        tinycnn.save(state, place / "file.pth")
        digest = hashlib.sha256((place / "file.pth").read_bytes()).hexdigest()
        return (place / "file.pth").rename(place / f"squeezenet1_1-{digest[:8]}.pth")
    return put


def named(monkeypatch, path):
    """The member of SqueezeNet1_1_Weights as if the published file were called as `path`."""
    member = models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(member, "_value_", models.Weights(member.model, path.name, 256, 224))
    return member


def test_a_member_says_where_it_is_and_names_the_file_that_is_missing(fetched):
    w = models.ResNet50_Weights.DEFAULT
    assert w is models.ResNet50_Weights.IMAGENET1K_V2 is models.get_weight("ResNet50_Weights.IMAGENET1K_V2")
    assert w.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth" and w.model == "resnet50"
    assert models.get_model_weights("vgg16") is models.get_model_weights(models.vgg16) is models.VGG16_Weights
    with pytest.raises(FileNotFoundError, match="are not downloaded: get https.*resnet18-f37072fd.pth"):
        models.resnet18(weights=models.ResNet18_Weights.DEFAULT)


@pytest.mark.parametrize("folder", ["weights", "torch/hub/checkpoints"])
def test_a_file_that_was_fetched_fills_the_model(fetched, monkeypatch, folder):
    wanted = models.squeezenet1_1()
    member = named(monkeypatch, fetched(wanted.state_dict(), folder))
    state = models.squeezenet1_1(weights=member).state_dict()
    assert all(np.array_equal(state[key].numpy(), w.numpy()) for key, w in wanted.state_dict().items())
    with pytest.raises(ValueError, match="resnet18: SqueezeNet1_1_Weights.IMAGENET1K_V1 are weights of squeezenet1_1"):
        models.resnet18(weights=member)


def test_a_damaged_file_is_noticed(fetched, monkeypatch):
    path = fetched({"x": tinycnn.zeros(3)})
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(ValueError, match="the SHA-256 does not begin with"):
        named(monkeypatch, path).get_state_dict()


def test_weights_that_come_along_are_loaded_and_see_what_they_were_trained_on():
    w = models.LeNet5_Weights.DEFAULT
    model = models.lenet5(weights=w).eval()
    stored = w.get_state_dict()
    assert all(np.array_equal(v.numpy(), stored[key].numpy()) for key, v in model.state_dict().items())
    assert w.url.startswith("file:") and w.meta["categories"] == [*"0123456789"]
    picture = Image.fromarray(np.zeros((28, 28), np.uint8))
    x = w.transforms()(picture)
    assert x.shape == (1, 28, 28) and x.numpy() == pytest.approx(-0.1307 / 0.3081, rel=1e-5)
    assert model(x[None]).shape == (1, 10)


def test_names_that_are_unknown():
    with pytest.raises(ValueError, match="no weights are published for 'resnet19'.*resnet18"):
        models.get_model_weights("resnet19")
    with pytest.raises(ValueError, match="there are no weights 'ResNet18_Weights.V3'"):
        models.get_weight("ResNet18_Weights.V3")


def test_members_are_torchvisions():
    try:
        theirs = pytest.importorskip("torchvision").models
    except RuntimeError:  # as it says where it was built for another PyTorch
        pytest.skip("torchvision does not fit the PyTorch that is installed")
    compared = 0
    for name, kind in ENUMERATIONS.items():
        for member, w in kind.__members__.items() if hasattr(theirs, name) else ():
            v = getattr(theirs, name)[member]
            assert (w.name, w.url, w.transforms().crop_size, w.transforms().resize_size) == \
                (v.name, v.url, v.transforms().crop_size, v.transforms().resize_size)
            assert w.transforms().interpolation.value == v.transforms().interpolation.value
            compared += 1
    assert compared > 150
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (280, 300, 3), np.uint8))
    for name in "ResNet18_Weights", "Swin_T_Weights":
        ours, wanted = (getattr(m, name).DEFAULT.transforms()(picture) for m in (models, theirs))
        np.testing.assert_allclose(ours.numpy(), wanted.numpy(), atol=1e-5)

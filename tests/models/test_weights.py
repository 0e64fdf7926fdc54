"""Trained networks that come along: found by name, checked, complete, and as good as they say."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tinycnn import models
from tinycnn.cli import main
from tinycnn.data import CIFAR10, MNIST, DataLoader
from tinycnn.models import weights
from tinycnn.train import accuracy, load_checkpoint, load_model, predict, save_checkpoint

pytest.importorskip("safetensors")
SETS = {"mnist": MNIST, "cifar10": CIFAR10}
SHIPPED = pytest.mark.parametrize("name, tag", weights.shipped())


@SHIPPED
def test_weights_fill_the_model_and_say_what_they_are(name, tag):
    model = models.get_model(name, weights=tag).eval()
    packed, metadata = load_checkpoint(weights.shipped_file(name, tag))
    for key, value in model.state_dict().items():
        assert np.array_equal(value.array, packed[key].array) and value.dtype in ("float32", "int64")
        assert packed[key].dtype in ("float16", "int64")
    described = weights.metadata(name, tag)
    assert described["model"] == name and described["dataset"] == tag == described["settings"]["dataset"]
    assert tuple(described["classes"]) == SETS[tag].CLASSES
    assert tuple(described["format"].mean) == SETS[tag].FORMAT.mean == tuple(metadata["format"].mean)
    assert f"weights={tag!r}" in getattr(models, name).__doc__ and " % of the test pictures" in getattr(models, name).__doc__


def test_all_of_them_stay_under_a_megabyte():
    folder = Path(weights.__file__).parent
    files = {path.name for path in folder.glob("*.safetensors")}
    assert files == {file for file, *_ in weights.FILES.values()}
    assert sum((folder / file).stat().st_size for file in files) < 1e6
    told = (folder / "COMMANDS.md").read_text()
    assert all(file in told for file in files), "every file has its command"


def test_a_digit_is_read_without_training(tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    pixels = np.full((90, 70), 230, np.uint8)
    pixels[15:75, 30:40] = 20  # a stroke
    image.fromarray(pixels).save(tmp_path / "one.png")
    assert main(["predict", "mnist", str(tmp_path / "one.png")]) == 0
    assert "one.png: 1 (" in capsys.readouterr().out
    assert main(["summary", "mnist"]) == 0
    assert "107,786" in capsys.readouterr().out


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    file = weights.FILES["lenet5", "mnist"][0]
    content = bytearray((Path(weights.__file__).parent / file).read_bytes())
    content[-100] ^= 1
    (tmp_path / file).write_bytes(content)
    monkeypatch.setattr(weights, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=f"{file}: the SHA-256 is .* expected"):
        models.lenet5(weights="mnist")


def test_weights_of_another_name_say_which_come_along():
    with pytest.raises(FileNotFoundError, match="lenet5: weights must be None, 'mnist', which comes along.*'cifar10'"):
        models.lenet5(weights="cifar10")


def test_packing_halves_the_file_and_keeps_the_answers(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", "--epochs", "2", "--quiet", "--out", str(folder)]) == 0
    assert main(["pack", str(folder), str(tmp_path / "small.safetensors")]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    size = (tmp_path / "small.safetensors").stat().st_size
    assert f"{size:,} bytes, SHA-256 " in told and size < 0.55 * (folder / "model.safetensors").stat().st_size
    (a, _), (b, metadata) = (load_model(folder / "model.safetensors"), load_model(tmp_path / "small.safetensors"))
    assert metadata["settings"]["epochs"] == 2 and metadata["test_acc"] > 0.5
    x = tinycnn.randn(3, 1, 8, 8)
    assert np.allclose(a(x).array, b(x).array, atol=0.05) and b(x).dtype == "float32"


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    model = models.lenet5()
    metadata = weights.metadata("lenet5", "mnist")
    model.classifier[1].bias.data[0] = 7e4
    with pytest.raises(ValueError, match="classifier.1.bias .*half"):
        save_checkpoint(tmp_path / "x", model, metadata, half=True)


def test_no_network_and_no_other_package_is_needed_to_look_them_up():
    code = ("import sys; from tinycnn.models import weights; weights.metadata('lenet5', 'mnist')\n"
            "print('safetensors' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.slow
@SHIPPED
def test_accuracy_is_what_the_docstring_says(name, tag):
    if SETS[tag].place() is None:
        pytest.skip(f"{tag} is not here")
    model = models.get_model(name, weights=tag).eval()
    probabilities, truth = predict(model, DataLoader(SETS[tag](train=False), 500))
    right = accuracy(probabilities, truth) * len(truth)
    assert abs(right - weights.FILES[name, tag][2]) <= 2, "rounding may turn a picture over, not more"

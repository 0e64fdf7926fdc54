"""Networks and their pictures are found, or it is said why not."""
from pathlib import Path

import numpy as np
import pytest

from tinycnn.data import Digits
from tinycnn.exercises import load
from tinycnn.explore import find, words
from tinycnn.explore.subject import some
from tinycnn.gradcheck import registry
from tinycnn.models import get_model
from tinycnn.models.lenet import LeNet5
from tinycnn.train import save_checkpoint

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_a_run_has_its_network_and_the_pictures_of_its_data_set(tmp_path):
    arguments = dict(num_classes=10, in_channels=1, image_size=8, channels=(2, 3), kernel_size=3, hidden=(5,))
    save_checkpoint(tmp_path / "model.safetensors", get_model("lenet5", **arguments),
                    dict(model="lenet5", arguments=arguments, classes=list("abcdefghij"), format=Digits.FORMAT,
                         dataset="digits"))
    subject = find(tmp_path)
    pictures, labels = some(Digits("test"), 20)
    assert np.array_equal(subject.shown[0], pictures) and np.array_equal(subject.shown[1], labels)
    assert subject.learnt[0].shape == (320, 1, 8, 8) and not subject.missing
    assert isinstance(subject.model, LeNet5) and subject.classes == list(map(str, range(10)))


@pytest.mark.parametrize("text, size", [
    ("net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))", (8, 8)),
    ("def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(128 * 128 * 3, 3))", (128, 128))])
def test_a_network_of_ones_own_is_shown_the_first_data_set_that_it_takes(text, size, tmp_path):
    (tmp_path / "mine.py").write_text(f"from tinycnn import nn\n{text}\n")
    subject = find(f"{tmp_path / 'mine.py'}:net")
    assert subject.format.size == size and subject.shown[0].shape[2:] == size and subject.dataset in ("digits", "shapes")


def test_a_pair_of_data_set_and_network_that_do_not_fit_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text("from tinycnn import nn\nnet = nn.Linear(3, 4)\nnumber = 3\n")
    with pytest.raises(ValueError, match="net takes pictures of none of these data sets: digits, mnist, cifar10, shapes; it "
                                         r"must turn \(N, C, H, W\) into scores \(N, K\)"):
        find(f"{tmp_path / 'mine.py'}:net")
    with pytest.raises(TypeError, match="number in .* must be a Module, or a function that returns one, got int"):
        find(f"{tmp_path / 'mine.py'}:number")
    with pytest.raises(ValueError, match="dataset must be one of digits, .*, got 'sounds'"):
        find("lenet5", "sounds")
    with pytest.raises(ValueError, match="lenet is no folder of a run, .* no name of a network.*lenet5"):
        find("lenet")


def test_lessons_and_exercises_that_the_page_names_exist():
    registry.load()
    names = {case.function.__name__ for case in registry.CASES}
    assert {*words.LESSONS, *words.EXERCISES} <= names
    for name in words.EXERCISES.values():
        assert load(name)
    if NOTEBOOKS.exists():
        assert all((NOTEBOOKS / f"{name}.ipynb").exists() for name in words.LESSONS.values())

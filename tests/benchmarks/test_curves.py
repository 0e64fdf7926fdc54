"""The learning curves on CIFAR-10, on a handful of pictures: what is stored, repeated, continued and drawn."""
import json

import numpy as np
import pytest

import tinycnn
from benchmarks import curves
from tinycnn import data, models, nn

HISTORY = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc")


def few_pictures(count, seed):
    rng = np.random.default_rng(seed)
    return data.TensorDataset(tinycnn.tensor(rng.standard_normal((count, 3, 32, 32)), dtype="float32"),
                              tinycnn.tensor(np.arange(count) % 10))


def small_net():
    return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 10))


@pytest.fixture
def run_all(tmp_path, monkeypatch):
    """Run the command on three small networks; returns what it stored."""
    runs = [curves.Run("one", "One", curves.KINDS, small_net, 100, curves.ADAMW),
            curves.Run("two", "Two", curves.DEPTH, lambda: curves.halved(models.cifar_resnet20()), 10, curves.momentum(0.1)),
            curves.Run("wild", "Wild", curves.NORM, small_net, 100, curves.momentum(1e30))]
    monkeypatch.setattr(curves, "RUNS", runs)
    monkeypatch.setattr(curves, "load", lambda: (few_pictures(64, 0), few_pictures(20, 1)))
    monkeypatch.chdir(tmp_path)

    def call(*arguments, minutes="0.04"):
        curves.main(["--minutes", minutes, "--out", str(tmp_path), *arguments])
        return {file.stem: json.loads(file.read_text()) for file in (tmp_path / "curves").glob("*.json")}
    return call


def numbers(result):
    return [[point[key] for key in HISTORY] for point in result["history"]]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_runs_are_stored_drawn_and_not_repeated(run_all, tmp_path, monkeypatch, capsys):
    found = run_all()
    assert {*found} == {"one", "two", "wild"} and len(found["one"]["history"]) == curves.POINTS
    assert found["one"]["settings"] == dict(pictures=240, points=10, seed=0, batch_size=64, optimizer="AdamW", lr=2e-3,
                                            weight_decay=0.05)
    assert found["one"]["parameters"] == 1930 and not found["one"]["diverged"]
    assert found["wild"]["diverged"] and len(found["wild"]["history"]) < curves.POINTS
    picture = tmp_path / "pictures" / "curves.png"
    assert picture.stat().st_size > 10_000 and capsys.readouterr().out.strip() == str(picture)
    assert not [*(tmp_path / "runs" / "curves").iterdir()]
    picture.unlink()
    monkeypatch.setattr(curves, "train", None)
    assert run_all() == found and picture.exists()


def test_the_same_seed_gives_the_same_curve_and_another_length_a_new_one(run_all, tmp_path):
    first = run_all("--only", "one")["one"]
    (tmp_path / "curves" / "one.json").unlink()
    assert numbers(run_all("--only", "one")["one"]) == numbers(first)
    assert run_all("--only", "one", minutes="0.05")["one"]["settings"]["pictures"] == 300


def test_an_interrupted_run_goes_on_to_the_same_end(run_all, tmp_path, monkeypatch):
    expected = run_all("--only", "two")["two"]
    (tmp_path / "curves" / "two.json").unlink()
    fit = curves.fit

    def interrupted(*args, after_epoch, **options):
        def stop(history):
            after_epoch(history)
            if len(history) == 4:
                raise KeyboardInterrupt
        return fit(*args, after_epoch=stop, **options)
    monkeypatch.setattr(curves, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_all("--only", "two")
    monkeypatch.setattr(curves, "fit", fit)
    resumed = run_all("--only", "two")["two"]
    assert numbers(resumed) == numbers(expected)


def test_every_network_of_the_picture_takes_a_picture():
    for run in curves.RUNS:
        with tinycnn.no_grad():
            assert run.network().eval()(tinycnn.zeros(1, 3, 32, 32)).shape == (1, 10), run.name
        assert run.settings(3.5)["pictures"] % curves.POINTS == 0
    assert len({run.name for run in curves.RUNS}) == len(curves.RUNS) == 12
    rates = {row: {run.rate for run in curves.RUNS if run.row == row} for row in (curves.DEPTH, curves.NORM)}
    assert all(len(rate) == 1 for rate in rates.values()), "what is compared sees equally many pictures"


def test_too_short_a_time_is_refused(capsys):
    with pytest.raises(SystemExit):
        curves.main(["--minutes", "0.001"])
    assert "--minutes: must be enough for 20 pictures" in capsys.readouterr().err

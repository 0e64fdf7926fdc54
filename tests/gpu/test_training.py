"""On a GPU: trainings that repeat, that are continued bit for bit, and whose checkpoints travel between devices."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, Subset
from tinycnn.optim import SGD, AdamW
from tinycnn.train import evaluate, fit, predict

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not tinycnn.cuda.is_available(), reason="needs a GPU and CuPy")]


class Killed(Exception):
    """Stands for the end of the process."""


def net():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
                         nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10))


def train(seed, path=None, last=None, device="cuda", **options):
    """(the state of the model as bytes, history) of a short training; it dies after `last` steps."""
    tinycnn.manual_seed(seed)
    model = net().to(device)
    loader = DataLoader(Subset(Digits("train"), range(300)), 32, shuffle=True, pin_memory=True, num_workers=2)
    steps = []

    def die(info):
        steps.append(info)
        if len(steps) == last:
            raise Killed
    history = fit(model, loader, epochs=2, optimizer=AdamW(model.parameters(), 0.01), after_step=die, progress=False,
                  checkpoint=path, checkpoint_seconds=0, resume=path is not None, **options)
    return [t.numpy(force=True).tobytes() for t in model.state_dict().values()], history


def test_the_same_seed_gives_the_same_training():
    assert train(1)[0] == train(1)[0] != train(2)[0]


@pytest.mark.parametrize("last", [2, 9, 13])
def test_a_training_that_is_cut_off_continues_bit_for_bit(last, tmp_path):
    whole, _ = train(1, tmp_path / "whole")
    with pytest.raises(Killed):
        train(1, tmp_path / "cut", last)
    assert train(99, tmp_path / "cut")[0] == whole


def test_digits_are_learnt():
    tinycnn.manual_seed(0)
    model = net().to("cuda")
    data = DataLoader(Digits("train"), 64, shuffle=True, pin_memory=True)
    fit(model, data, epochs=8, optimizer=SGD(model.parameters(), 0.1, momentum=0.9), progress=False)
    validation = DataLoader(Digits("validation"), 200)
    loss, accuracy = evaluate(model, validation)
    assert accuracy > 0.93
    scores, labels = predict(model, validation)
    assert (scores.argmax(1) == labels).mean() == pytest.approx(accuracy)
    on_cpu = evaluate(model.to("cpu"), validation)
    assert on_cpu == (pytest.approx(loss, rel=1e-3), pytest.approx(accuracy, abs=0.01))


@pytest.mark.parametrize("start, end", [("cpu", "cuda"), ("cuda", "cpu")])
def test_weights_travel_between_devices(start, end, tmp_path):
    tinycnn.manual_seed(3)
    model, other = net().to(start), net().to(end)
    tinycnn.save(model.state_dict(), tmp_path / "weights")
    other.load_state_dict(tinycnn.load(tmp_path / "weights"))
    x = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)
    a, b = (m.eval()(tinycnn.tensor(x).to(d)).numpy(force=True) for m, d in ((model, start), (other, end)))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start, end", [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_training_begun_on_one_device_goes_on_on_another(start, end, tmp_path):
    with pytest.raises(Killed):
        train(1, tmp_path / "c", 12, start)
    _, history = train(1, tmp_path / "c", device=end)
    assert len(history) == 2 and history[1]["train_acc"] > history[0]["train_acc"]


def test_the_command_trains_on_a_gpu(tmp_path):
    from tinycnn.cli import main
    assert not main(["train", "--device", "cuda", "--epochs", "1", "--out", str(tmp_path / "run")])
    assert (tmp_path / "run" / "history.csv").exists()

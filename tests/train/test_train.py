"""The loop, its numbers, and checkpoints."""
import json
import math
import os
import re
import struct
import sys

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, Subset, TensorDataset
from tinycnn.models import LeNet5, LeNet5Original, get_model, list_models
from tinycnn.nn import functional as F
from tinycnn.optim import SGD, AdamW
from tinycnn.optim.lr_scheduler import LinearLR, StepLR
from tinycnn.train import (Deadline, accuracy, confusion_matrix, early_stopping, evaluate, fit, load_checkpoint, load_model,
                           predict, read_history, save_best, save_checkpoint, top_k_accuracy, write_history)
from tinycnn.files.atomic import write_atomically
from tinycnn.files.sealed import CHECK

SMALL = dict(image_size=8, channels=(4, 8), kernel_size=3, hidden=(16,))


def small_run(seed, epochs=2, **options):
    """A short training on 200 digits; returns (model, history, loaders)."""
    tinycnn.manual_seed(seed)
    model = LeNet5(**SMALL)
    train = DataLoader(Subset(Digits("train"), range(200)), 32, shuffle=True)
    val = DataLoader(Digits("validation"), 100)
    history = fit(model, train, val, epochs=epochs, optimizer=AdamW(model.parameters(), 0.01), progress=False, **options)
    return model, history, val


def without_seconds(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


# ---- the loop --------------------------------------------------------------------------------------------------------

def test_same_seed_gives_bit_identical_histories_and_weights():
    (first, a, _), (again, b, _), (_, c, _) = small_run(1), small_run(1), small_run(2)
    assert without_seconds(a) == without_seconds(b) != without_seconds(c)
    assert all((p.array == q.array).all() for p, q in zip(first.parameters(), again.parameters()))


def test_training_learns_digits():
    model, history, val = small_run(0, epochs=12)
    assert history[-1]["val_acc"] > 0.7 and history[-1]["train_loss"] < 0.3 * history[0]["train_loss"]
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert set(history[0]) == {"epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"}


def test_one_step_is_gradient_descent_on_the_mean_loss():
    x, y = tinycnn.randn(6, 3), tinycnn.tensor([0, 1, 2, 0, 1, 2])
    model = nn.Linear(3, 3)
    w, b = model.weight.array.astype(np.float64), model.bias.array.astype(np.float64)
    scores = x.array @ w.T + b
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    dscores = (p - np.eye(3)[y.array]) / 6
    loader = DataLoader(TensorDataset(x, y), 6)
    history = fit(model, loader, epochs=1, optimizer=SGD(model.parameters(), 0.5), progress=False)
    assert np.allclose(model.weight.array, w - 0.5 * dscores.T @ x.array, atol=1e-6)
    assert np.allclose(model.bias.array, b - 0.5 * dscores.sum(0), atol=1e-6)
    assert math.isclose(history[0]["train_loss"], -np.log(p[np.arange(6), y.array]).mean(), rel_tol=1e-5)
    assert history[0]["train_acc"] == (p.argmax(1) == y.array).mean()
    assert history[0]["lr"] == 0.5 and "val_loss" not in history[0]


def test_training_numbers_are_means_over_samples_not_batches():
    x, y = tinycnn.randn(5, 3), tinycnn.tensor([0, 1, 2, 0, 1])
    model = nn.Linear(3, 3)
    optimizer = SGD(model.parameters(), 0.0)
    history = fit(model, DataLoader(TensorDataset(x, y), 4), epochs=1, optimizer=optimizer, progress=False)
    assert math.isclose(history[0]["train_loss"], F.cross_entropy(model(x), y).item(), rel_tol=1e-6)
    assert math.isclose(evaluate(model, DataLoader(TensorDataset(x, y), 2))[0], history[0]["train_loss"], rel_tol=1e-6)


def test_schedule_steps_every_batch_and_augmentation_sees_training_pictures_only():
    seen = []

    def augment(x):
        seen.append(len(x))
        return x
    tinycnn.manual_seed(0)
    model = LeNet5(**SMALL)
    optimizer = SGD(model.parameters(), 0.1)
    loader = DataLoader(Subset(Digits(), range(40)), 16)
    history = fit(model, loader, DataLoader(Digits("validation"), 100), epochs=2, optimizer=optimizer, progress=False,
                  schedule=StepLR(optimizer, 3, 0.1), augment=augment)
    assert seen == [16, 16, 8] * 2
    assert [row["lr"] for row in history] == [0.1, pytest.approx(0.01)]


def test_validation_is_in_evaluation_mode_and_training_goes_on_in_training_mode():
    modes = []

    class Spy(nn.Linear):
        def forward(self, x):
            modes.append((self.training, tinycnn.is_grad_enabled()))
            return super().forward(x)
    model = Spy(2, 2)
    loader = DataLoader(TensorDataset(tinycnn.randn(2, 2), tinycnn.tensor([0, 1])), 2)
    fit(model, loader, loader, epochs=2, optimizer=SGD(model.parameters(), 0.1), progress=False)
    assert modes == [(True, True), (False, False)] * 2 and model.training


def test_the_history_is_handed_over_after_every_epoch():
    lengths = []
    _, history, _ = small_run(0, after_epoch=[lambda h: lengths.append(len(h)), lambda h: None])
    assert lengths == [1, 2] and len(history) == 2


def test_loss_that_is_no_number_stops_training_with_advice():
    model = nn.Linear(2, 2)
    data = TensorDataset(tinycnn.tensor([[1.0, float("nan")]]), tinycnn.tensor([0]))
    with pytest.raises(FloatingPointError, match="nan in batch 1 of epoch 1.*learning rate"):
        fit(model, DataLoader(data), epochs=1, optimizer=SGD(model.parameters(), 0.1), progress=False)


def test_empty_loaders_are_named():
    model = nn.Linear(2, 2)
    empty = DataLoader(TensorDataset(tinycnn.zeros(3, 2), tinycnn.tensor([0, 1, 0])), 4, drop_last=True)
    optimizer = SGD(model.parameters(), 0.1)
    for call, name in ((lambda: fit(model, empty, epochs=1, optimizer=optimizer, progress=False), "train"),
                       (lambda: evaluate(model, empty), "loader"), (lambda: predict(model, empty), "loader")):
        with pytest.raises(ValueError, match=f"{name} has no samples"):
            call()


def test_progress_is_a_line_an_epoch_where_nobody_watches(capsys):
    model = nn.Linear(2, 2)
    loader = DataLoader(TensorDataset(tinycnn.randn(8, 2), tinycnn.tensor([0, 1] * 4)), 2)
    fit(model, loader, loader, epochs=2, optimizer=SGD(model.parameters(), 0.1))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 2 and "\r" not in err
    assert re.fullmatch(r"epoch 2/2 loss [\d.]+ acc .* \| val loss .*", lines[1]), lines[1]


def test_progress_goes_to_stderr_with_loss_and_accuracy(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    model = nn.Linear(2, 2)
    loader = DataLoader(TensorDataset(tinycnn.randn(8, 2), tinycnn.tensor([0, 1] * 4)), 2)
    fit(model, loader, loader, epochs=2, optimizer=SGD(model.parameters(), 0.1))
    out, err = capsys.readouterr()
    assert out == "" and "epoch 2/2" in err and "4/4" in err
    first = err[:err.index("4/4")]
    assert "1/4" in first and "loss" in first and "acc" in first, "numbers come after the first batch"
    assert err.count("val loss") >= 2
    fit(model, loader, epochs=1, optimizer=SGD(model.parameters(), 0.1), progress=False)
    assert capsys.readouterr() == ("", "")


def test_predict_and_evaluate_agree():
    model, _, val = small_run(0)
    probabilities, labels = predict(model, val)
    assert probabilities.shape == (178, 10) and np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (labels == Digits("validation").targets).all()
    assert accuracy(probabilities, labels) == evaluate(model, val)[1]
    assert model.training


# ---- what a step may do besides ----

def linear_run(batch_size, rows=12, **options):
    """One epoch of plain gradient descent on fixed numbers; returns the weights."""
    rng = np.random.default_rng(0)
    x, y = tinycnn.from_numpy(rng.normal(size=(rows, 3))), tinycnn.from_numpy(rng.integers(0, 2, rows))
    model = nn.Linear(3, 2).double()
    model.weight.data[...] = 0.1
    model.bias.data[...] = 0.0
    fit(model, DataLoader(TensorDataset(x, y), batch_size), epochs=1, optimizer=SGD(model.parameters(), 0.5), progress=False,
        **options)
    return model.weight.array


@pytest.mark.parametrize("rows", [12, 8, 4])
def test_accumulated_batches_make_one_step_as_large_as_one_large_batch(rows):
    steps = []
    small = linear_run(4, rows, accumulate=3, after_step=steps.append)
    assert np.allclose(small, linear_run(12, rows), rtol=1e-12, atol=0) and len(steps) == 1
    assert not np.allclose(small, linear_run(4, rows)) or rows == 4
    with pytest.raises(ValueError, match="accumulate.*0"):
        linear_run(4, accumulate=0)


def test_last_step_of_an_epoch_takes_the_batches_that_are_left():
    steps = []
    linear_run(2, 10, accumulate=2, after_step=steps.append)
    assert [info["batch"] for info in steps] == [2, 4, 5]


def test_gradient_is_clipped_to_the_norm():
    start = np.full((2, 3), 0.1)
    free, clipped = linear_run(12) - start, linear_run(12, clip_norm=0.01) - start
    assert np.linalg.norm(free) > 0.05 and np.linalg.norm(clipped) < 0.5 * 0.01
    assert np.allclose(free / np.linalg.norm(free), clipped / np.linalg.norm(clipped), atol=1e-4)


def test_mixed_batches_have_probabilities_and_count_their_likelier_class():
    seen = []

    def mix(x, y):
        seen.append(y.array.tolist())
        return x, F.one_hot(y, 10).float() * 0.8 + 0.02
    _, history, _ = small_run(0, mix=mix)
    assert len(seen) == 14 and 0 < history[1]["train_acc"] < 1 and history[1]["train_loss"] > 0.5


def test_step_callback_sees_gradients_and_may_end_the_training():
    tinycnn.manual_seed(0)
    model = LeNet5(**SMALL)
    seen = []

    def look(info):
        seen.append((info, float(np.abs(model.features[0].weight.grad.array).sum())))
        return info["batch"] == 3
    history = fit(model, DataLoader(Digits(), 100), epochs=5, optimizer=SGD(model.parameters(), 0.1), after_step=look,
                  progress=False)
    assert [set(info) for info, _ in seen] == [{"epoch", "batch", "loss", "lr"}] * 3 and all(size > 0 for _, size in seen)
    assert len(history) == 1


def row(val_loss, val_acc=0.5):
    return dict(epoch=1, train_loss=1.0, train_acc=0.5, val_loss=val_loss, val_acc=val_acc, lr=0.1, seconds=1.0)


@pytest.mark.parametrize("losses, stops", [([3, 2, 1], False), ([1, 2], False), ([1, 2, 2], True), ([1, 2, 0.5, 1], False),
                                           ([1, 0.95, 0.94], True), ([1, 1, 1], True), ([1], False)])
def test_early_stopping_waits_for_its_patience(losses, stops):
    assert early_stopping(2, min_delta=0.1)([row(v) for v in losses]) is stops


def test_early_stopping_on_accuracy_and_on_what_is_not_there():
    stop = early_stopping(1, by="val_acc")
    assert not stop([row(1, 0.5), row(2, 0.6)]) and stop([row(1, 0.5), row(0.5, 0.5)])
    with pytest.raises(ValueError, match="'val_loss'.*validation data"):
        small = {k: v for k, v in row(1).items() if not k.startswith("val")}
        early_stopping(1)([small])
    with pytest.raises(ValueError, match="patience"):
        early_stopping(0)
    _, history, _ = small_run(0, epochs=9, after_epoch=lambda h: len(h) == 2)
    assert len(history) == 2


def test_best_weights_are_kept(tmp_path):
    pytest.importorskip("safetensors")
    model = LeNet5(**SMALL)
    path = tmp_path / "best.safetensors"
    keep = save_best(path, model, dict(model="lenet5", arguments=SMALL, classes=[], format=Digits.FORMAT))
    history = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 1.0], 1):
        history.append({**row(loss), "epoch": epoch})
        model.classifier[-1].bias.data[...] = epoch
        keep(history)
    best, metadata = load_model(path)
    assert metadata["epoch"] == 2 and metadata["val_loss"] == 1.0 and best.classifier[-1].bias.array[0] == 2


# ---- metrics ---------------------------------------------------------------------------------------------------------

def test_accuracy_and_top_k():
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]])
    assert accuracy(scores, [1, 1, 2, 1]) == 0.5
    assert top_k_accuracy(tinycnn.tensor(scores), tinycnn.tensor([2, 1, 0, 2]), k=2) == 0.5
    assert top_k_accuracy(scores, [0, 2, 0, 2], k=3) == 1


@pytest.mark.parametrize("scores, truth, k", [(np.zeros((2, 3)), [0], 1), (np.zeros(3), [0, 1, 2], 1),
                                              (np.zeros((0, 3)), np.zeros(0, int), 1), (np.zeros((2, 3)), [0, 1], 4),
                                              (np.zeros((2, 3)), [0, 1], 0)])
def test_accuracy_of_what_does_not_fit_is_refused(scores, truth, k):
    with pytest.raises(ValueError, match="accuracy"):
        top_k_accuracy(scores, truth, k)


def test_confusion_matrix_counts_truth_down_and_prediction_across():
    assert confusion_matrix([0, 0, 1, 2], [0, 1, 1, 0]).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert confusion_matrix(tinycnn.tensor([1]), tinycnn.tensor([0]), 3).sum(1).tolist() == [0, 1, 0]
    assert confusion_matrix(np.zeros(0, int), np.zeros(0, int), 2).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="between 0 and 1"):
        confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="between 0"):
        confusion_matrix([0, -1], [0, 1])
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        confusion_matrix([0, 1], [0])
    with pytest.raises(TypeError, match="integers"):
        confusion_matrix([0.5], [1.0])


# ---- the history file ------------------------------------------------------------------------------------------------

def test_history_comes_back_bit_for_bit(tmp_path):
    _, history, _ = small_run(0)
    write_history(tmp_path / "h.csv", history)
    assert read_history(tmp_path / "h.csv") == history
    assert (tmp_path / "h.csv").read_text().splitlines()[0] == "epoch,train_loss,train_acc,val_loss,val_acc,lr,seconds"
    short = [{"epoch": 1, "train_loss": 0.1, "train_acc": 1.0, "lr": 0.1, "seconds": 2.0}]
    write_history(tmp_path / "h.csv", short)
    assert read_history(tmp_path / "h.csv") == short


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n",
                                     b"epoch,train_loss,train_acc,val_loss,val_acc,lr,seconds\n1,x,1,1,1,1,1\n"])
def test_other_file_is_no_history(tmp_path, content):
    (tmp_path / "h.csv").write_bytes(content)
    with pytest.raises(ValueError, match="h.csv"):
        read_history(tmp_path / "h.csv")


# ---- checkpoints -----------------------------------------------------------------------------------------------------

@pytest.fixture
def saved(tmp_path):
    pytest.importorskip("safetensors")
    tinycnn.manual_seed(3)
    model = get_model("lenet5", **SMALL)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, dict(model="lenet5", arguments=SMALL, classes=Digits().classes, format=Digits.FORMAT,
                                      epoch=7))
    return path, model


def test_checkpoint_restores_the_network_and_what_belongs_to_it(saved):
    path, model = saved
    restored, metadata = load_model(path)
    x = tinycnn.randn(3, 1, 8, 8)
    assert (restored(x).array == model(x).array).all() and not restored.training
    assert metadata["classes"] == list("0123456789") and metadata["epoch"] == 7
    pixels = Digits().data[:2]
    assert (metadata["format"].normalise(pixels) == Digits.FORMAT.normalise(pixels)).all()
    assert metadata["format"].box == 8 and metadata["format"].centre == "box"
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_checkpoint_is_an_ordinary_safetensors_file(saved):
    from safetensors.numpy import load_file
    path, model = saved
    weights = load_file(path)
    assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in model.state_dict().items()}


def test_checkpoint_keeps_layout_and_zero_dimensions(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(tinycnn.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3).T))
            self.register_buffer("steps", tinycnn.tensor(5))
    path = tmp_path / "odd.safetensors"
    save_checkpoint(path, Odd(), dict(model="odd", arguments={}, classes=[], format=Digits.FORMAT))
    weights, _ = load_checkpoint(path)
    assert weights["w"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert weights["steps"].shape == () and weights["steps"].item() == 5


@pytest.mark.parametrize("keep", [0, 4, 100, 2000, -1])
def test_truncated_checkpoint_is_named(saved, keep):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="model.safetensors.*safetensors file"):
        load_model(path)


def with_header(path, change):
    """Rewrite the JSON header of a safetensors file with what `change` makes of its __metadata__, without a checksum."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    del header["__metadata__"][CHECK]
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size:])


@pytest.mark.parametrize("change, message", [
    (lambda m: m.pop("tinycnn"), "no checkpoint of tinycnn"),
    (lambda m: m.update(tinycnn="{"), "damaged"),
    (lambda m: m.update(tinycnn="[]"), "damaged"),
    (lambda m: m.update(tinycnn=m["tinycnn"].replace('"box"', '"bax"', 1)), "damaged"),
    (lambda m: m.update(tinycnn=m["tinycnn"].replace('"classes"', '"klasses"')), "lacks classes"),
    (lambda m: m.update(tinycnn=m["tinycnn"].replace("lenet5", "lenet6")), "do not fit.*lenet6"),
    (lambda m: m.update(tinycnn=m["tinycnn"].replace("[16]", "[17]")), "do not fit"),
    (lambda m: m.update(tinycnn=m["tinycnn"].replace('"hidden"', '"hiden"')), "do not fit"),
])
def test_foreign_or_damaged_header_is_named(saved, change, message):
    path, _ = saved
    with_header(path, change)
    with pytest.raises(ValueError, match=f"model.safetensors.*{message}"):
        load_model(path)


def test_foreign_file_and_missing_file(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"PK\x03\x04" + bytes(300))
    with pytest.raises(ValueError, match="x.safetensors"):
        load_checkpoint(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.safetensors")


def test_checkpoint_without_what_it_needs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="lacks classes, format"):
        save_checkpoint(tmp_path / "x", nn.Linear(1, 1), dict(model="lenet5", arguments={}))
    assert os.listdir(tmp_path) == []


def test_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*args):
        raise OSError("disk full")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


# ---- the model -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, shape", [({}, (2, 1, 28, 28)), (SMALL, (2, 1, 8, 8)), (SMALL, (0, 1, 8, 8)),
                                            (dict(in_channels=3, image_size=(12, 20), num_classes=4), (1, 3, 12, 20))])
def test_lenet_fits_pictures_of_many_sizes(options, shape):
    assert LeNet5(**options)(tinycnn.zeros(*shape)).shape == (shape[0], options.get("num_classes", 10))


def test_original_lenet_has_its_known_number_of_weights():
    model = LeNet5Original()
    assert sum(p.numel() for p in model.parameters()) == 61_706
    assert model(tinycnn.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("options, name", [(dict(image_size=3), "image_size.*3"), (dict(kernel_size=4), "kernel_size.*4")])
def test_lenet_refuses_what_cannot_work(options, name):
    with pytest.raises(ValueError, match=name):
        LeNet5(**options)


def test_models_are_known_by_name():
    assert "lenet5" in list_models() and isinstance(get_model("lenet5", num_classes=3), LeNet5)
    with pytest.raises(ValueError, match="'lenet7'; did you mean 'lenet5'"):
        get_model("lenet7")


def test_mirrored_predictions_are_means_over_both_pictures():
    tinycnn.manual_seed(0)
    model = LeNet5(**SMALL)
    x, y = tinycnn.randn(5, 1, 8, 8), tinycnn.tensor([0, 1, 2, 3, 4])
    loaders = [DataLoader(TensorDataset(pixels, y), 2) for pixels in (x, x.flip(3))]
    plain, other = (predict(model, loader)[0] for loader in loaders)
    both, labels = predict(model, loaders[0], mirror=True)
    assert np.allclose(both, (plain + other) / 2, atol=1e-6) and labels.tolist() == [0, 1, 2, 3, 4]
    assert np.abs(plain - other).max() > 1e-4


# ---- an end in time --------------------------------------------------------------------------------------------------

class Clock:
    """Seconds that pass when the test says so."""
    now = 0.0

    def __call__(self):
        return self.now


def deadline(clock, steps=10, seconds=100):
    optimizer = SGD(nn.Linear(1, 1).parameters(), 1.0)
    schedule = LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    optimizer.step()
    return optimizer, Deadline(schedule, steps, seconds, clock)


def test_deadline_takes_one_step_at_a_time_while_there_is_time():
    clock = Clock()
    optimizer, schedule = deadline(clock)
    rates = []
    for _ in range(10):
        clock.now += 5
        assert not schedule.is_over
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert np.allclose(rates, np.arange(9, -1, -1) / 10, atol=1e-12) and schedule.is_over


def test_deadline_hurries_the_schedule_where_time_is_short():
    clock = Clock()
    optimizer, schedule = deadline(clock)
    rates = []
    while not schedule.is_over:
        clock.now += 35
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert np.allclose(rates, [0.6, 0.3, 0.0], atol=1e-12)


def test_deadline_continues_with_the_time_that_was_left():
    clock = Clock()
    before, schedule = deadline(clock)
    clock.now = 55
    schedule.step()
    state, later = schedule.state_dict(), Clock()
    later.now = 1e6
    optimizer, continued = deadline(later)
    continued.load_state_dict(state)
    optimizer.load_state_dict(before.state_dict())
    assert continued.elapsed == 55 and continued.position == 6
    later.now += 15
    continued.step()
    assert continued.position == 7 and abs(optimizer.param_groups[0]["lr"] - 0.3) < 1e-12


def test_training_ends_with_its_deadline_in_the_middle_of_an_epoch(tmp_path):
    tinycnn.manual_seed(0)
    clock, model = Clock(), LeNet5(image_size=8)
    optimizer = SGD(model.parameters(), 0.1)
    schedule = Deadline(None, 100, 30, clock)

    def pass_time(info):
        clock.now += 10

    history = fit(model, DataLoader(Digits("train"), 100), DataLoader(Digits("validation"), 100), epochs=9,
                  optimizer=optimizer, schedule=schedule, after_step=[pass_time, lambda info: schedule.is_over],
                  checkpoint=tmp_path / "last", progress=False)
    assert len(history) == 1 and schedule.taken == 4 and "val_loss" in history[0]

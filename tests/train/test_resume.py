"""A training that is stopped, at whatever instant, and continued, is the same to the last bit as one that was not."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, RandomAffine, Subset
from tinycnn.data.transforms import MixUp
from tinycnn.optim import SGD, Adam, AdamW
from tinycnn.optim.lr_scheduler import LinearLR, MultiStepLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR
from tinycnn.train import early_stopping, fit, read_history

pytest.importorskip("safetensors")


class Net(nn.Sequential):
    """A small network with everything that remembers or rolls dice."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Dropout(0.2), nn.Linear(96, 10))


class Killed(Exception):
    """Stands for the end of the process."""


def setup(kind):
    """(model, arguments of fit) of one of several ways to train 170 digits, 6 batches an epoch."""
    tinycnn.manual_seed(4)
    model = Net()
    workers = 2 if kind == "mixup" else 0
    train = DataLoader(Subset(Digits("train"), range(170)), 32, shuffle=True, num_workers=workers)
    options = dict(train=train, val=DataLoader(Subset(Digits("validation"), range(50)), 50), epochs=3, progress=False)
    if kind == "onecycle":
        optimizer = AdamW(model.parameters(), 0.01)
        options.update(schedule=OneCycleLR(optimizer, 0.01, total_steps=18), augment=RandomAffine(10, (0.1, 0.1)))
    elif kind == "mixup":
        optimizer = Adam(model.parameters(), 0.01, amsgrad=True)
        warm = LinearLR(optimizer, 0.1, total_iters=3)
        options.update(schedule=SequentialLR(optimizer, [warm, StepLR(optimizer, 4, 0.5)], [3]), mix=MixUp(num_classes=10))
    elif kind == "accumulate":
        optimizer = SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
        options.update(schedule=MultiStepLR(optimizer, [2, 4]), accumulate=4, clip_norm=0.5)
    else:
        optimizer = SGD(model.parameters(), 0.3, momentum=0.9)
        options.update(schedule=ReduceLROnPlateau(optimizer, patience=0, threshold=0.5), epochs=4,
                       after_epoch=early_stopping(2))
    return model, dict(options, optimizer=optimizer)


def without_seconds(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def everything(path):
    """The whole state that a checkpoint holds, times left out, arrays as bytes."""
    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k != "seconds"}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return (value.dtype.name, value.shape, value.array.tobytes()) if isinstance(value, tinycnn.Tensor) else value
    return plain(tinycnn.load(path))


@pytest.mark.parametrize("kind", ["onecycle", "mixup", "accumulate", "plateau"])
def test_training_stopped_after_any_step_continues_bit_for_bit(kind, tmp_path):
    model, options = setup(kind)
    steps = []
    history = fit(model, **options, after_step=lambda info: steps.append(info), checkpoint=tmp_path / "whole")
    assert len(steps) > 4
    for last in range(1, len(steps), 1 + len(steps) // 5):
        path, seen, done = tmp_path / f"{last}", [], None
        while done is None:  # dies after `last` steps, and again after as many, until it is through
            model, options = setup(kind)
            if path.exists():
                tinycnn.manual_seed(99)  # what a new process starts from does not matter
            alive = []

            def die(info):
                alive.append(info)
                if len(alive) > last:
                    raise Killed
                seen.append(info)
            try:
                done = fit(model, **options, after_step=die, checkpoint=path, checkpoint_seconds=0, resume=True)
            except Killed:
                pass
        assert seen == steps and without_seconds(done) == without_seconds(history)
        assert everything(path) == everything(tmp_path / "whole")


def test_finished_training_is_not_trained_again_and_more_epochs_continue_it(tmp_path):
    model, options = setup("accumulate")
    first = fit(model, **options, checkpoint=tmp_path / "c")
    model, options = setup("accumulate")
    assert fit(model, **options, checkpoint=tmp_path / "c", resume=True) == first
    options["epochs"] = 4
    longer = fit(model, **options, checkpoint=tmp_path / "c", resume=True)
    assert longer[:3] == first and len(longer) == 4


def test_without_resume_training_begins_anew(tmp_path):
    for _ in range(2):
        model, options = setup("onecycle")
        assert len(fit(model, **options, checkpoint=tmp_path / "c")) == 3


def test_rest_of_a_write_that_was_killed_is_removed(tmp_path):
    (tmp_path / ".c.1234.part").write_bytes(b"half")
    model, options = setup("onecycle")
    fit(model, **options, checkpoint=tmp_path / "c", resume=True)
    assert os.listdir(tmp_path) == ["c"]


def test_checkpoint_of_another_training_is_refused(tmp_path):
    model, options = setup("onecycle")
    fit(model, **options, checkpoint=tmp_path / "c")
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = SGD(other.parameters(), 0.1)
    with pytest.raises(ValueError, match="c belongs to another training"):
        fit(other, options["train"], epochs=3, optimizer=optimizer, checkpoint=tmp_path / "c", resume=True, progress=False)
    model, options = setup("onecycle")
    options["train"] = DataLoader(options["train"].dataset, 64)
    with pytest.raises(ValueError, match="c belongs to another training.*6 batches"):
        fit(model, **options, checkpoint=tmp_path / "c", resume=True)
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:-7])
    with pytest.raises(ValueError, match="cannot be read"):
        fit(model, **options, checkpoint=tmp_path / "c", resume=True)


def test_checkpoint_needs_a_loader_that_knows_its_place(tmp_path):
    model, options = setup("onecycle")
    options["train"] = list(options["train"])
    with pytest.raises(TypeError, match="state_dict.*list"):
        fit(model, **options, checkpoint=tmp_path / "c")


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_ctrl_c_saves_after_the_step_and_stops(tmp_path):
    model, options = setup("onecycle")
    whole = fit(model, **options)
    model, options = setup("onecycle")
    before = signal.getsignal(signal.SIGINT)

    def press(info):
        if info["epoch"] == 2 and info["batch"] == 3:
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(model, **options, after_step=press, checkpoint=tmp_path / "c")
    assert signal.getsignal(signal.SIGINT) is before
    state = tinycnn.load(tmp_path / "c")
    assert state["row"]["epoch"] == 2 and state["running"]["batches"] == 3
    model, options = setup("onecycle")
    again = fit(model, **options, checkpoint=tmp_path / "c", resume=True)
    assert without_seconds(again) == without_seconds(whole)


def test_checkpoints_are_written_in_other_threads_too(tmp_path):
    model, options = setup("onecycle")
    thread = threading.Thread(target=lambda: fit(model, **options, checkpoint=tmp_path / "c"))
    thread.start()
    thread.join()
    assert len(tinycnn.load(tmp_path / "c")["history"]) == 3


# ---- kill -9 ---------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, time, tinycnn
from tinycnn.models import LeNet5
from tinycnn.data import DataLoader, Digits, RandomAffine, Subset
from tinycnn.nn import Dropout
from tinycnn.optim import AdamW
from tinycnn.optim.lr_scheduler import OneCycleLR
from tinycnn.train import fit, log_history
folder, epochs = sys.argv[1], int(sys.argv[2])
tinycnn.manual_seed(7)
model = LeNet5(image_size=8, channels=(4, 8), kernel_size=3, hidden=(16,))
model.classifier.append(Dropout(0.1))
train = DataLoader(Subset(Digits("train"), range(300)), 32, shuffle=True, num_workers=2)
optimizer = AdamW(model.parameters(), 0.01)
schedule = OneCycleLR(optimizer, 0.01, total_steps=epochs * len(train))
turn = RandomAffine(10, (0.1, 0.1))
def augment(x):
    time.sleep(0.004)
    return turn(x)
print("ready", flush=True)
fit(model, train, DataLoader(Digits("validation"), 100), epochs=epochs, optimizer=optimizer, schedule=schedule,
    augment=augment, checkpoint=folder + "/last", checkpoint_seconds=float(sys.argv[3]), resume=True, progress=False,
    after_epoch=log_history(folder + "/history.csv"))
"""


def kill_and_compare(tmp_path, kills, epochs, seed):
    """Train whole, and with `kills` kills at random moments; the same state must come out."""
    def start(name, seconds):
        (tmp_path / name).mkdir(exist_ok=True)
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / name), str(epochs), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        assert process.stdout.readline() == b"ready\n"
        return process

    began = time.monotonic()
    with start("whole", 1000) as process:
        assert process.wait() == 0
    chance, done, count = random.Random(seed), False, 0
    longest = 1.2 * (time.monotonic() - began) / kills
    while not done:
        with start("killed", 0) as process:
            try:
                done = process.wait(chance.uniform(0, longest) if count < kills else None) == 0
                assert done, "it failed by itself"
            except subprocess.TimeoutExpired:
                process.kill()
                count += 1
    assert count >= kills, f"only {count} kills before the training was through: train longer"
    assert everything(tmp_path / "killed" / "last") == everything(tmp_path / "whole" / "last")
    a, b = (read_history(tmp_path / name / "history.csv") for name in ("killed", "whole"))
    assert len(a) == epochs and without_seconds(a) == without_seconds(b)
    assert sorted(os.listdir(tmp_path / "killed")) == ["history.csv", "last"]


def test_process_killed_at_random_moments_continues_bit_for_bit(tmp_path):
    kill_and_compare(tmp_path, kills=3, epochs=12, seed=0)


@pytest.mark.slow
def test_hundred_kills_at_random_moments_change_nothing(tmp_path):
    kill_and_compare(tmp_path, kills=100, epochs=120, seed=int(np.random.SeedSequence().entropy % 2**32))


# ---- what makes it another training ----------------------------------------------------------------------------------

def continued_with(tmp_path, change, **more):
    """Continue a training of one epoch with what `change(options)` makes of its arguments."""
    model, options = setup("onecycle")
    fit(model, **{**options, "epochs": 1}, checkpoint=tmp_path / "c", settings={"note": "a"})
    model, options = setup("onecycle")
    change(options)
    return fit(model, **options, checkpoint=tmp_path / "c", resume=True, **{"settings": {"note": "a"}, **more})


def other_pixels(options):
    digits = Digits("train")
    digits.data = digits.data.copy()
    digits.data[0] += 1
    options["train"] = DataLoader(Subset(digits, range(170)), 32, shuffle=True)


@pytest.mark.parametrize("change, more, message", [
    (lambda o: o.update(accumulate=2), {}, "accumulate was 1 and is 2"),
    (lambda o: o.update(clip_norm=2.0), {}, "clip_norm was not given and is 2.0"),
    (lambda o: None, dict(settings={"note": "b"}), "note was a and is b"),
    (lambda o: o["optimizer"].defaults.update(lr=0.5), {}, "lr was 0.01 and is 0.5"),
    (lambda o: o.update(train=DataLoader(Subset(Digits("train"), range(1, 171)), 32)), {}, "training data: samples was"),
    (lambda o: o.update(val=DataLoader(Subset(Digits("validation"), range(51)), 50)), {}, "validation data: length was 50"),
    (other_pixels, {}, "training data: samples was")])
def test_other_settings_and_other_data_are_named(change, more, message, tmp_path):
    with pytest.raises(ValueError, match=f"fit: .*c belongs to another training: .*{message}"):
        continued_with(tmp_path, change, **more)
    assert len(tinycnn.load(tmp_path / "c")["history"]) == 1


def test_looking_at_data_changes_no_chance(tmp_path):
    class Noisy(Subset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + tinycnn.randn(x.shape), y
    histories = []
    for checkpoint in (None, tmp_path / "c"):
        model, options = setup("onecycle")
        options["train"] = DataLoader(Noisy(Digits("train"), range(170)), 32)
        histories.append(without_seconds(fit(model, **options, checkpoint=checkpoint)))
    assert histories[0] == histories[1] and "samples" in tinycnn.load(tmp_path / "c")["facts"]["data"]["training"]


def test_data_that_cannot_be_known_again_are_no_obstacle(tmp_path):
    class Chance(Subset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + np.random.rand(), y

    def change(options):
        options["train"] = DataLoader(Chance(Digits("train"), range(170)), 32)
    for _ in range(2):
        model, options = setup("onecycle")
        change(options)
        fit(model, **options, checkpoint=tmp_path / "c", resume=True)
    assert "samples" not in tinycnn.load(tmp_path / "c")["facts"]["data"]["training"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_systems_signals_save_as_ctrl_c_does(name, tmp_path):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def send(info):
        if info["batch"] == 3:
            os.kill(os.getpid(), number)
    model, options = setup("onecycle")
    with pytest.raises(KeyboardInterrupt):
        fit(model, **options, after_step=send, checkpoint=tmp_path / "c")
    assert signal.getsignal(number) == before and tinycnn.load(tmp_path / "c")["running"]["batches"] == 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        model, options = setup("onecycle")
        send = lambda info: os.kill(os.getpid(), signal.SIGHUP)
        assert len(fit(model, **options, after_step=send, checkpoint=tmp_path / "c")) == 3
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number, words", [(28, "No space left"), (13, "Permission denied"), (2, "No such"),
                                           (30, "Read-only")])
def test_a_disk_that_takes_nothing_is_named(number, words, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(os, "fsync", fail)
    model, options = setup("onecycle")
    with pytest.raises(OSError, match=words) as error:
        fit(model, **options, checkpoint=tmp_path / "c")
    assert error.value.filename == str(tmp_path / "c") and os.listdir(tmp_path) == []


@pytest.mark.parametrize("change, words", [
    (lambda state: [1, 2], "it holds a list"), (lambda state: {"a": tinycnn.ones(2)}, "history, stopped, row, running"),
    (lambda state: {**state, "history": None}, "history missing or damaged"),
    (lambda state: {**state, "history": [3]}, "history missing or damaged"),
    (lambda state: {**state, "facts": None}, "facts missing"), (lambda state: {**state, "row": "x"}, "row missing"),
    (lambda state: {**state, "row": {}}, "row missing"),
    (lambda state: {**state, "model": None, "stopped": -1}, "model, stopped missing")])
def test_what_is_no_state_of_a_training_is_named(change, words, tmp_path):
    model, options = setup("onecycle")
    fit(model, **options, checkpoint=tmp_path / "c")
    tinycnn.save(change(tinycnn.load(tmp_path / "c")), tmp_path / "c")
    with pytest.raises(ValueError, match=f"c is no checkpoint of a training: .*{words}"):
        fit(model, **options, checkpoint=tmp_path / "c", resume=True)

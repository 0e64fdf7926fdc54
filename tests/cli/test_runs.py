"""Runs that cannot be mixed up: what may be continued, by whom, and what is never overwritten."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import tinycnn
from tests.train.test_resume import everything
from tinycnn.cli import main
from tinycnn.train import FolderLock, read_history
from tinycnn.train.lock import NAME

pytest.importorskip("safetensors")
pytest.importorskip("matplotlib")
pytest.importorskip("PIL")
QUICK = ["--epochs", "2", "--batch-size", "300", "--quiet"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", *QUICK, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "run")


def refused(arguments, capsys):
    """What the command says when it refuses, in one line."""
    capsys.readouterr()
    assert main(["train", "--quiet", *map(str, arguments)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("tinycnn: error: ") and len(err.splitlines()) == 1
    return err


# ---- --resume with other options -------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [["--lr", "0.5"], ["--batch-size", "30"], ["--model", "simple_cnn"], ["--seed", "3"],
                                     ["--augment", "flip"], ["--no-augment"], ["--optimizer", "sgd"], ["--mix", "mixup"],
                                     ["--dataset", "shapes"], ["--schedule", "step"], ["--label-smoothing", "0.1"],
                                     ["--weight-decay", "0"], ["--clip-norm", "1"], ["--accumulate", "2"],
                                     ["--time-limit", "1"], ["--out", "x"], ["--overwrite"]])
def test_resume_refuses_what_contradicts_the_run(options, run, capsys):
    before = everything(run / "last.safetensors")
    err = refused(["--resume", run, *options], capsys)
    assert ("--augment" if options[0] == "--no-augment" else options[0]) in err and str(run) in err
    assert everything(run / "last.safetensors") == before


def test_all_contradictions_are_named_and_what_agrees_is_none(run, capsys):
    err = refused(["--resume", run, "--lr", "0.5", "--seed", "1", "--batch-size", "300"], capsys)
    assert "--lr 0.5 (the run has 0.002)" in err and "--seed 1 (the run has 0)" in err and "--batch-size 300" not in err
    assert main(["train", "--quiet", "--resume", str(run), "--batch-size", "300", "--augment", "affine-8x8"]) == 0


@pytest.mark.filterwarnings("ignore:.*before.*step:UserWarning")
def test_more_epochs_extend_a_run_and_say_so(run, capsys):
    capsys.readouterr()
    assert main(["train", "--quiet", "--resume", str(run), "--epochs", "3"]) == 0
    err = capsys.readouterr().err
    assert "--epochs: 2 becomes 3; the schedule onecycle is spread over 3 epochs" in err and "warning" not in err
    history = read_history(run / "history.csv")
    assert len(history) == 3 and json.loads((run / "run.json").read_text())["epochs"] == 3
    steps = 3 * 5
    expected = tinycnn.optim.SGD([tinycnn.nn.Parameter(tinycnn.zeros(1))], 0.002, momentum=0.9)
    schedule = tinycnn.optim.lr_scheduler.OneCycleLR(expected, 0.002, total_steps=steps)
    for _ in range(10):
        schedule.step()
    assert history[2]["lr"] == pytest.approx(expected.param_groups[0]["lr"], rel=1e-12)
    assert "--epochs 2, but the run has 3" in refused(["--resume", run, "--epochs", "2"], capsys)


def test_a_run_that_patience_ended_goes_on_with_more(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", *QUICK, "--epochs", "4", "--lr", "1e-9", "--no-augment", "--patience", "1", "--weight-decay", "0",
                 "--out", str(folder)]) == 0
    done = len(read_history(folder / "history.csv"))
    assert main(["train", "--quiet", "--resume", str(folder)]) == 0
    assert len(read_history(folder / "history.csv")) == done
    if done < 4:
        assert main(["train", "--quiet", "--resume", str(folder), "--patience", "9"]) == 0
        assert len(read_history(folder / "history.csv")) == 4


# ---- a folder for one run --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kept", [["run.json"], ["last.safetensors"], ["model.safetensors"], ["history.csv"]])
def test_another_run_is_not_written_over(kept, run, capsys):
    for path in run.iterdir():
        if path.name not in kept:
            path.unlink()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    err = refused(["--epochs", "1", "--out", run], capsys)
    assert "another run is in this folder" in err and "--overwrite" in err and "--resume" in err
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_overwrite_removes_the_checkpoints_first(run, monkeypatch, capsys):
    (run / "notes.txt").write_text("mine")
    removed = []
    unlink = type(run).unlink
    monkeypatch.setattr(type(run), "unlink", lambda path, **more: (removed.append(path.name), unlink(path, **more)))
    assert main(["train", "--quiet", "--epochs", "1", "--batch-size", "400", "--overwrite", "--out", str(run)]) == 0
    assert removed[:2] == ["last.safetensors", "model.safetensors"] and "notes.txt" not in removed
    assert len(read_history(run / "history.csv")) == 1 and (run / "notes.txt").exists()


def test_a_command_that_cannot_work_deletes_nothing(run, capsys):
    before = sorted(path.name for path in run.iterdir())
    refused(["--model", "resnet18", "--overwrite", "--out", run], capsys)
    assert sorted(path.name for path in run.iterdir()) == before


HOLDER = """
import sys, time
from tinycnn.train import FolderLock
with FolderLock(sys.argv[1]):
    print("in", flush=True)
    time.sleep(100)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the killed process ends differently on Windows")
def test_two_trainings_do_not_share_a_folder_and_the_dead_hold_none(run, capsys):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(run)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        err = refused(["--resume", run], capsys)
        assert f"{NAME}: another training is at work in this folder: process {other.pid} on " in err
        assert "another training is at work" in refused(["--overwrite", "--out", run], capsys)
        other.kill()
        other.wait()
    assert (run / NAME).exists()
    assert main(["train", "--quiet", "--resume", str(run)]) == 0 and not (run / NAME).exists()


def test_a_lock_without_sense_is_no_obstacle(tmp_path):
    (tmp_path / NAME).write_bytes(b"\xff\xfe{")
    with FolderLock(tmp_path):
        with pytest.raises(ValueError, match="another training"):
            FolderLock(tmp_path).__enter__()
    assert os.listdir(tmp_path) == []


# ---- run.json, disks and folders -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, value, words", [
    ("batch_size", 64, "batch_size was 300 and is 64"), ("augment", [], "augment was"), ("mix", "mixup", "mix was"),
    ("seed", 5, "seed was 0 and is 5"), ("lr", 0.1, "lr was"), ("batch_size", "many", "--batch-size"), ("lr", -1, "--lr"),
    ("model", "no_net", "--model"), ("epochs", [1], "--epochs"), ("epochs", 1.5, "--epochs"), ("dataset", None, "dataset"),
    ("augment", {"a": 1}, "--augment"), ("augment", ["x"], "--augment"), ("wokers", 3, "wokers"),
    ("workers", -2, "--workers"), ("label_smoothing", True, "--label-smoothing"), ("model", "../x", "--model")])
def test_settings_edited_by_hand_are_refused(name, value, words, run, capsys):
    settings = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**settings, name: value}))
    err = refused(["--resume", run], capsys)
    assert str(run / "run.json") in err and words in err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xff", b"null", b"[" * 100_000, b'{"dataset": "digits"}'])
def test_settings_that_are_none_are_refused(content, run, capsys):
    (run / "run.json").write_bytes(content)
    assert str(run / "run.json") in refused(["--resume", run], capsys)


def test_folders_that_are_gone_or_files_are_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "none" in refused(["--resume", tmp_path / "none"], capsys)
    assert "file" in refused(["--out", tmp_path / "file"], capsys)
    assert "file" in refused(["--out", tmp_path / "file" / "run"], capsys)


# Drops CAP_DAC_OVERRIDE, the superuser's right to write where the modes of files forbid it, then becomes the command.
LIKE_OTHERS = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


def like_others(*arguments):
    """The finished Python process with these arguments, of a user whom the modes of files bind."""
    command = [sys.executable, "-c", LIKE_OTHERS, sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how the superuser drops a right is a matter of Linux")
@pytest.mark.parametrize("resumed", [False, True])
def test_a_folder_that_is_closed_is_named(resumed, run, tmp_path):
    closed = run if resumed else tmp_path / "closed"
    closed.mkdir(exist_ok=True)
    closed.chmod(0o500)
    try:
        probe = f"open({str(closed / 'probe')!r}, 'w')"
        if like_others("-c", probe).returncode == 0:
            pytest.skip("nothing closes a folder to this user")
        options = ["--resume", closed, "--epochs", "3"] if resumed else ["--out", closed]
        done = like_others("-m", "tinycnn", "train", *options)
    finally:
        closed.chmod(0o700)
    assert done.returncode == 1 and str(closed) in done.stderr and "ermission" in done.stderr
    assert "Traceback" not in done.stderr and not (closed / "probe").exists()


def test_a_folder_that_vanishes_is_named(tmp_path, monkeypatch, capsys):
    from tinycnn.train.state import Keeper
    save = Keeper.save

    def vanish(self):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        save(self)
    monkeypatch.setattr(Keeper, "save", vanish)
    err = refused(["--epochs", "1", "--batch-size", "400", "--out", tmp_path / "run"], capsys)
    assert "run" in err and ("does not exist" in err or "No such file" in err)


LIMITED = """
import resource, sys
from tinycnn.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are a matter of Unix")
def test_a_disk_that_is_full_is_one_line(tmp_path):
    command = [sys.executable, "-c", LIMITED, "train", *QUICK, "--out", str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True)
    lines = result.stderr.splitlines()
    assert result.returncode == 1 and len(lines) == 1 and str(tmp_path / "run") in lines[0] and "too large" in lines[0]
    assert not [name for name in os.listdir(tmp_path / "run") if name.endswith(".part")]


# ---- signals ---------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_ctrl_c_in_the_first_second_shows_no_traceback(tmp_path):
    chance = random.Random(0)
    for i in range(8):
        process = subprocess.Popen([sys.executable, "-m", "tinycnn", "train", "--out", str(tmp_path / f"{i}")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(chance.uniform(0.15, 1.5))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        started = "tinycnn" in err or "runpy" in err  # before that the interpreter is not ours
        assert process.returncode != 0 and not (started and "Traceback" in err), err


def kill_and_resume(folder, whole, kills, seed, signals):
    """Start a run, end it at random moments, continue it each time; how many of the ends fell into the training."""
    chance, ends = random.Random(seed), 0
    command = [sys.executable, "-m", "tinycnn", "train", "--quiet"]
    options = [*QUICK, "--batch-size", "30", "--epochs", "6"]
    if not whole.exists():
        subprocess.run([*command, *options, "--out", str(whole)], check=True, stdout=subprocess.PIPE)
    while True:
        begun = (folder / "run.json").exists()
        arguments = ["--resume", str(folder)] if begun else [*options, "--out", str(folder), "--overwrite"]
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=chance.uniform(0.8, 4.0) if ends < kills else 300)
            assert process.returncode == 0, err
            break
        except subprocess.TimeoutExpired:
            process.send_signal(chance.choice(signals))
            ends += 1
            _, err = process.communicate(timeout=120)
            assert "Traceback" not in err or "runpy" not in err, err
    assert everything(folder / "last.safetensors") == everything(whole / "last.safetensors")
    weights = [tinycnn.load(path / "model.safetensors") for path in (folder, whole)]
    assert all((weights[0][name].array == w.array).all() for name, w in weights[1].items())
    assert not [name for name in os.listdir(folder) if name.endswith(".part") or name == NAME]
    return ends


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_commands_that_are_ended_at_random_moments_continue_bit_for_bit(tmp_path):
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
    kill_and_resume(tmp_path / "run", tmp_path / "whole", kills=2, seed=1, signals=signals)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_forty_ends_at_random_moments_change_nothing(tmp_path):
    signals, ends = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT], 0
    for seed in range(2, 12):
        ends += kill_and_resume(tmp_path / f"run{seed}", tmp_path / "whole", kills=4, seed=seed, signals=signals)
    assert ends >= 30

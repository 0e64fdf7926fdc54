"""The command line, as a user meets it."""
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tinycnn
from tinycnn.cli import main
from tinycnn.train import read_history

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")


def run(*arguments):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "tinycnn", *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, env=environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a short run on the digits, and what the command said."""
    folder = tmp_path_factory.mktemp("run") / "digits"
    return folder, run("train", "--epochs", 6, "--seed", 1, "--out", folder)


def digit_pictures(folder, count=10):
    """Picture files of test digits, dark on light and eight times as large, and their classes."""
    from tinycnn.data import Digits
    digits = Digits("test")
    files = []
    for i in range(count):
        pixels = 255 - np.uint8(digits.data[i, 0].repeat(8, 0).repeat(8, 1) * 15.9)
        files.append(folder / f"{i}.png")
        Image.fromarray(np.pad(pixels, 20, constant_values=255)).save(files[-1])
    return files, digits.targets[:count]


def test_import_loads_nothing_but_numpy():
    code = ("import sys, tinycnn\n"
            "print([m for m in ('matplotlib', 'PIL', 'tqdm', 'pooch', 'safetensors', 'cupy') if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_version_and_help():
    assert run("--version").stdout.strip() == f"tinycnn {tinycnn.__version__}"
    for arguments in ((), ("train",), ("predict",)):
        told = run(*arguments, "--help")
        assert told.returncode == 0 and "usage: tinycnn" in told.stdout and told.stderr == ""


def test_train_writes_the_run_folder_and_says_how_good_it_is(trained):
    folder, result = trained
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("test accuracy ") and float(lines[0].split()[2]) > 80
    files = ["history.csv", "curves.png", "confusion.png", "filters.png", "mistakes.png", "model.safetensors"]
    assert lines[1:] == [str(folder / name) for name in files] and sorted(os.listdir(folder)) == sorted(files)
    for name in files[1:5]:
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 50 and len(set(picture.convert("L").get_flattened_data())) > 10
    assert len(read_history(folder / "history.csv")) == 6
    assert "1,266 pictures to train" in result.stderr and "epoch 6/6" in result.stderr and "val loss" in result.stderr


def test_same_seed_gives_the_same_history(trained, tmp_path, capsys):
    assert main(["train", "--epochs", "6", "--seed", "1", "--quiet", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    first, second = (read_history(folder / "history.csv") for folder in (trained[0], tmp_path))
    for a, b in zip(first, second, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_options_reach_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "--epochs", "1", "--batch-size", "400", "--lr", "0.5", "--optimizer", "sgd", "--no-augment",
                     "--quiet"]) == 0
    assert "runs/digits-2/curves.png" in capsys.readouterr().out.replace("\\", "/")
    assert len(read_history("runs/digits/history.csv")) == 1 and read_history("runs/digits/history.csv")[0]["lr"] == 0.02


def test_predict_names_the_class_of_picture_files(trained, tmp_path, capsys):
    files, classes = digit_pictures(tmp_path)
    assert main(["predict", str(trained[0] / "model.safetensors"), *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    right = sum(line.startswith(f"{file}: {c} (") for line, file, c in zip(lines, files, classes, strict=True))
    assert right >= 8, lines
    assert main(["predict", "--json", str(trained[0] / "model.safetensors"), str(files[0])]) == 0
    answer, = json.loads(capsys.readouterr().out)
    assert answer["picture"] == str(files[0]) and answer["class"] in "0123456789"
    assert answer["probability"] == max(answer["probabilities"].values()) and len(answer["probabilities"]) == 10
    assert abs(sum(answer["probabilities"].values()) - 1) < 1e-5


def test_picture_that_is_no_picture_is_reported_and_the_others_go_on(trained, tmp_path, capsys):
    files, _ = digit_pictures(tmp_path, 1)
    (tmp_path / "no.png").write_text("no picture")
    code = main(["predict", str(trained[0] / "model.safetensors"), str(tmp_path / "no.png"), str(tmp_path / "none.png"),
                 str(tmp_path), str(files[0])])
    out, err = capsys.readouterr()
    assert code == 1 and len(out.splitlines()) == 1 and len(err.splitlines()) == 3
    assert "no.png: no picture" in err and "none.png: No such file" in err


@pytest.mark.parametrize("arguments, message", [
    (["train", "--dataset", "letters"], "letters"), (["train", "--model", "alexnet"], "alexnet"),
    (["train", "--device", "tpu"], "tpu"), (["train", "--epochs", "0"], "at least 1, got '0'"),
    (["train", "--batch-size", "many"], "many"), (["train", "--lr", "-1"], "positive"),
    (["train", "--lr", "nan"], "positive"),
    (["train", "--fast"], "--fast"), (["predict", "x"], "picture"), (["dance"], "dance"), ([], "COMMAND")])
def test_command_that_makes_no_sense_is_refused_with_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_errors_are_one_line_without_traceback(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    empty = tmp_path / "data"
    monkeypatch.setenv("TINYCNN_DATA", str(empty))
    monkeypatch.setattr("tinycnn.data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for arguments, message in (
            (["predict", tmp_path / "none.safetensors", "x.png"], "none.safetensors: No such file"),
            (["predict", tmp_path / "file", "x.png"], "file: no complete safetensors file"),
            (["train", "--out", tmp_path / "file" / "run"], "Not a directory"),
            (["train", "--out", tmp_path / "file"], "exists"),
            (["train", "--dataset", "mnist", "--out", tmp_path / "m"], "train-images-idx3-ubyte.gz"),
            (["train", "--lr", "1e30", "--quiet", "--out", tmp_path / "n"], "lower the learning rate")):
        assert main([str(a) for a in arguments]) == 1
        out, err = capsys.readouterr()
        assert out == "" and message in err and len(err.splitlines()) == 1 and err.startswith("tinycnn: error: ")
    with pytest.raises(FileNotFoundError):
        main(["--traceback", "predict", str(tmp_path / "none.safetensors"), "x.png"])


def test_missing_gpu_is_one_clear_error(tmp_path, capsys):
    if tinycnn.backend.cuda_device_count():
        pytest.skip("this machine has a GPU")
    assert main(["train", "--device", "cuda", "--out", str(tmp_path / "x")]) == 1
    assert "pip install" in capsys.readouterr().err and not (tmp_path / "x").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes work differently on Windows")
def test_reader_that_stops_reading_is_no_error(trained, tmp_path):
    files, _ = digit_pictures(tmp_path, 1)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tinycnn", "predict", str(trained[0] / "model.safetensors"), str(files[0])]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_interrupt_ends_cleanly(tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "tinycnn", "train", "--epochs", "1000", "--out", str(tmp_path)],
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (tmp_path / "model.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err and err.rstrip().endswith("tinycnn: interrupted")
    assert len(read_history(tmp_path / "history.csv")) >= 1


def test_gradcheck_forwards_its_arguments(monkeypatch):
    command = pytest.importorskip("tinycnn.gradcheck.command")
    seen = []
    monkeypatch.setattr(command, "main", lambda argv: seen.append(argv) or 3)
    assert main(["gradcheck", "--mutants", "conv", "-h"]) == 3 and seen == [["--mutants", "conv", "-h"]]

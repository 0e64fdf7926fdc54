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
    told = run("train", "--help")
    assert told.returncode == 0 and "usage: tinycnn train" in told.stdout and told.stderr == ""


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "pack", "plot", "find-lr", "summary", "explore",
                                     "book", ""])
def test_help_of_a_command(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    told = capsys.readouterr()
    assert end.value.code == 0 and told.out.startswith(f"usage: tinycnn {command}".rstrip()) and told.err == ""


def test_train_writes_the_run_folder_and_says_how_good_it_is(trained):
    folder, result = trained
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("test accuracy ") and float(lines[0].split()[2]) > 80
    files = ["history.csv", "curves.png", "confusion.png", "filters.png", "mistakes.png", "model.safetensors"]
    assert lines[1:] == [str(folder / name) for name in files]
    assert sorted(os.listdir(folder)) == sorted([*files, "last.safetensors", "run.json"])
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


def test_smoothing_decay_and_a_time_limit_reach_the_training(tmp_path, monkeypatch):
    from tinycnn import train
    given = {}

    def note(model, *loaders, **options):
        given.update(options)
        return real(model, *loaders, **options)
    real = train.fit
    monkeypatch.setattr(train, "fit", note)
    assert main(["train", "--epochs", "1", "--batch-size", "400", "--quiet", "--out", str(tmp_path), "--optimizer", "sgd",
                 "--weight-decay", "0.25", "--label-smoothing", "0.1", "--time-limit", "0.001"]) == 0
    assert given["optimizer"].param_groups[0]["weight_decay"] == 0.25
    scores, y = tinycnn.randn(5, 10), tinycnn.tensor([1, 2, 3, 4, 5])
    expected = tinycnn.nn.functional.cross_entropy(scores, y, label_smoothing=0.1)
    assert given["loss"](scores, y).item() == expected.item()
    assert given["schedule"].seconds == 0.06 and given["schedule"].is_over
    settings = json.loads((tmp_path / "run.json").read_text())
    assert (settings["weight_decay"], settings["label_smoothing"], settings["time_limit"]) == (0.25, 0.1, 0.001)


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
    (["train", "--dataset", "letters"], "letters"), (["train", "--model", "alexnot"], "alexnot"),
    (["train", "--device", "tpu"], "tpu"), (["train", "--epochs", "0"], "at least 1, got '0'"),
    (["train", "--batch-size", "many"], "many"), (["train", "--lr", "-1"], "positive"),
    (["train", "--lr", "nan"], "positive"), (["train", "--label-smoothing", "1"], "below 1, got '1'"),
    (["train", "--weight-decay", "much"], "much"), (["train", "--time-limit", "0"], "positive"),
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
        lines = 3 if "mnist" in arguments else 1  # a line for every mirror, and what to do
        assert out == "" and message in err and len(err.splitlines()) == lines and err.startswith("tinycnn: error: ")
    with pytest.raises(FileNotFoundError):
        main(["--traceback", "predict", str(tmp_path / "none.safetensors"), "x.png"])


def test_missing_gpu_is_one_clear_error(tmp_path, capsys):
    if tinycnn.engine.arrays.cuda_device_count():
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
    assert process.returncode == 130 and "Traceback" not in err
    assert err.rstrip().endswith(f"tinycnn: interrupted; continue with: tinycnn train --resume {tmp_path}")
    assert len(read_history(tmp_path / "history.csv")) >= 1 and (tmp_path / "last.safetensors").exists()


def test_gradcheck_forwards_its_arguments(monkeypatch):
    command = pytest.importorskip("tinycnn.gradcheck.command")
    seen = []
    monkeypatch.setattr(command, "main", lambda argv: seen.append(argv) or 3)
    assert main(["gradcheck", "--mutants", "conv", "-h"]) == 3 and seen == [["--mutants", "conv", "-h"]]


def test_killed_run_is_resumed_with_its_settings_and_ends_the_same(tmp_path, monkeypatch, capsys):
    options = ["train", "--epochs", "3", "--batch-size", "100", "--optimizer", "adam", "--schedule", "cosine", "--augment",
               "affine", "--mix", "mixup", "--clip-norm", "1", "--accumulate", "2", "--quiet"]
    assert main([*options, "--out", str(tmp_path / "whole")]) == 0
    monkeypatch.setattr("tinycnn.train.state.Keeper.save", stop_at_second_save())
    with pytest.raises(ZeroDivisionError):
        main([*options, "--out", str(tmp_path / "cut")])
    monkeypatch.undo()
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "cut"), "--quiet", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert 0 < result["test_accuracy"] < 1 and result["pictures"] == 353 and len(result["files"]) == 6
    cut, whole = (tinycnn.load(tmp_path / name / "last.safetensors") for name in ("cut", "whole"))
    assert all((cut["model"][k].array == whole["model"][k].array).all() for k in whole["model"])
    assert [{**row, "seconds": 0} for row in cut["history"]] == [{**row, "seconds": 0} for row in whole["history"]]


def stop_at_second_save():
    from tinycnn.train.state import Keeper
    save, calls = Keeper.save, []

    def stop(self):
        calls.append(1)
        save(self)
        if len(calls) == 2:
            1 / 0
    return stop


def test_settings_that_are_damaged_or_missing_are_named(tmp_path, capsys):
    for content, told in ((None, "No such file"), ("{", "damaged"), ("{}", "lack dataset")):
        if content:
            (tmp_path / "run.json").write_text(content)
        assert main(["train", "--resume", str(tmp_path)]) == 1
        err = capsys.readouterr().err
        assert "run.json" in err and told in err


def test_model_that_does_not_fit_the_pictures_is_told_before_training(tmp_path, capsys):
    assert main(["train", "--model", "resnet18", "--out", str(tmp_path / "x")]) == 1
    assert "resnet18 does not fit the pictures of digits, (1, 8, 8)" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_evaluate_says_how_good_each_class_is(trained, capsys):
    assert main(["evaluate", str(trained[0])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digits, test, 353 pictures: accuracy ") and len(lines) == 12
    assert lines[0].split()[5] in trained[1].stdout, "the accuracy that training told"
    assert main(["evaluate", "--json", "--split", "validation", str(trained[0] / "model.safetensors")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["pictures"] == 178 == np.sum(result["confusion"]) and set(result["classes"]) == set("0123456789")
    assert result["accuracy"] == np.trace(result["confusion"]) / 178 and result["auc"] > 0.9
    assert main(["evaluate", "--json", "--split", "validation", "--mirror", str(trained[0])]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] > result["loss"], "digits are no mirror images"


def test_plot_draws_one_run_or_several(trained, tmp_path, capsys):
    assert main(["plot", str(trained[0]), "--out", str(tmp_path / "a.png")]) == 0
    assert main(["plot", str(trained[0]), str(trained[0] / "history.csv"), "--out", str(tmp_path / "b.svg")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "a.png"), str(tmp_path / "b.svg")]
    assert (tmp_path / "a.png").stat().st_size > 5000 and "<svg" in (tmp_path / "b.svg").read_text()
    assert main(["plot", str(tmp_path / "none")]) == 1 and "none" in capsys.readouterr().err


def test_find_lr_suggests_a_rate(tmp_path, capsys):
    assert main(["find-lr", "--steps", "40", "--out", str(tmp_path / "lr.png")]) == 0
    assert 1e-5 < float(capsys.readouterr().out) < 1 and (tmp_path / "lr.png").stat().st_size > 5000
    assert main(["find-lr", "--steps", "40", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"lr", "loss", "smooth", "suggestion"}


def test_summary_of_names_and_checkpoints(trained, capsys):
    assert main(["summary", "simple_cnn"]) == 0
    assert "115,651" in capsys.readouterr().out
    assert main(["summary", "--json", "lenet5", "--input-size", "1x28x28", "--num-classes", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][-1]["output_shape"] == [3]
    assert main(["summary", str(trained[0])]) == 0 and "(1, 8, 8)" in capsys.readouterr().out
    assert main(["summary"]) == 0 and "resnet18" in capsys.readouterr().out.split()
    assert main(["summary", "resnet19"]) == 1 and "resnet18" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["summary", "lenet5", "--input-size", "1x0x3"])

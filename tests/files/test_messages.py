"""Messages that lead somewhere: which file it is, which name was meant, where a tensor shall be, why nothing was fetched."""
import builtins
import io
import re
import sys
import zipfile

import numpy as np
import pytest

import tinycnn as t
from tinycnn.cli import main
from tinycnn.data import storage
from tinycnn.engine.names import did_you_mean, no_such_name
from tinycnn.models import example_inputs, get_model, list_models


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "/").replace("_pkl", ".pkl"), content)
    return file.getvalue()


# ---- what a file is --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("content, message", [
    (archive(net__data_pkl=b"x", net__constants_pkl=b"x", net__code="x"), "a TorchScript archive.*state_dict"),
    (archive(net__data_pkl=b"x", net__data=b"x"), "torch.save does not compress"),
    (b"<!DOCTYPE html><html>", "a web page"), (b"\n <html>", "a web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    (b"GGUF" + bytes(99), "GGUF"), (b"\x1f\x8b\x08" + bytes(99), "gzip"), (b"\x93NUMPY\x01\x00v\x00{'a': 1}", "numpy.load"),
    (b"hello world", r"PyTorch's$"), (b"", "it is empty$")])
def test_a_file_of_another_kind_is_called_what_it_is(content, message, tmp_path):
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)load: .*net, .* cannot be read: .*{message}"):
        t.load(tmp_path / "net")


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_an_archive_of_torchscript_is_called_so(tmp_path):
    torch = pytest.importorskip("torch")
    torch.jit.trace(torch.nn.Linear(2, 1), torch.ones(1, 2)).save(tmp_path / "net.pt")
    with pytest.raises(ValueError, match="a TorchScript archive.*state_dict"):
        t.load(tmp_path / "net.pt")


# ---- where tensors shall be ------------------------------------------------------------------------------------------

@pytest.fixture
def without_cupy(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **options):
        if name.partition(".")[0] == "cupy":
            raise ModuleNotFoundError("No module named 'cupy'", name="cupy")
        return real(name, *args, **options)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


def saved(kind, path):
    if kind == "npz":
        np.savez(path, x=np.ones(2))
        return f"{path}.npz"
    if kind == "torch":
        torch = pytest.importorskip("torch")
        torch.save({"x": torch.ones(2)}, path)
    else:
        t.save({"x": t.ones(2)}, path)
    return path


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("place", ["cuda", "cuda:0", t.device("cuda"), {"cpu": "cuda:0"}, lambda tensor, place: "cuda"])
def test_a_gpu_that_is_not_there_is_not_the_files_fault(kind, place, tmp_path, without_cupy):
    path = saved(kind, tmp_path / "x")
    with pytest.raises(RuntimeError, match="^device 'cuda.*needs CuPy") as error:
        t.load(path, map_location=place)
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("place",
                         [{"cuda:0": "cpu"}, {"cuda:1": "cuda:0"}, {}, {"cpu": "cpu"}, {t.device("cuda"): t.device("cpu")},
                          lambda tensor, place: None, lambda tensor, place: tensor, lambda tensor, place: place])
def test_map_location_takes_pytorchs_forms(kind, place, tmp_path):
    assert t.load(saved(kind, tmp_path / "x"), map_location=place)["x"].tolist() == [1, 1]


def test_a_function_is_told_where_tensors_were(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.ones(2), "y": torch.zeros(1)}, tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    places = []
    t.load(io.BytesIO(content), map_location=lambda tensor, place: places.append(place))
    assert places == ["cpu", "cpu"]
    with zipfile.ZipFile(tmp_path / "x") as good, zipfile.ZipFile(tmp_path / "gpu", "w") as moved:
        for name in good.namelist():  # as a machine with GPUs writes it
            part = good.read(name)
            moved.writestr(name,
                           part.replace(b"X\x03\x00\x00\x00cpu",
                                        b"X\x06\x00\x00\x00cuda:1") if name.endswith(".pkl") else part)
    places.clear()
    back = t.load(tmp_path / "gpu", map_location=lambda tensor, place: places.append(place))
    assert set(places) == {"cuda:1"} and back["x"].tolist() == [1, 1] and t.load(tmp_path / "gpu")["x"].tolist() == [1, 1]
    assert t.load(tmp_path / "gpu", map_location={"cuda:1": "cpu"})["x"].tolist() == [1, 1]


@pytest.mark.parametrize("place", ["tpu", {"cuda:0": "tpu"}, lambda tensor, place: "tpu"])
def test_a_place_that_is_no_device_is_named(place, tmp_path):
    t.save(t.ones(2), tmp_path / "x")
    with pytest.raises(ValueError, match="device: expected 'cpu', 'cuda' or 'cuda:N', got 'tpu'"):
        t.load(tmp_path / "x", map_location=place)


# ---- which name was meant --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, known, words", [
    ("vison", ["vision", "vision", "viz"], "; did you mean 'vision'?"),
    ("grad", ["grad", "grads"], "; did you mean 'grads'?"),
    ("RESNET", ["resnet", "resnext"], "; did you mean 'resnet'?"),
    ("conv2d", ["Conv2d", "Conv1d"], "; did you mean 'Conv2d'?"),
    ("_x", ["_x1", "_x2"], ""), ("zzz", ["a", "b"], ""),
    ("relu", ["relu6", "relu6", "prelu"], "; did you mean 'relu6' or 'prelu'?")])
def test_suggestions_come_once_and_help(name, known, words):
    assert did_you_mean(name, known) == words
    assert words in str(no_such_name("module 'm'", name, known))


@pytest.mark.parametrize("ask",
                         [lambda: t.visoin, lambda: t.optm, lambda: t.Tensr, lambda: t.nn.Conv2, lambda: t.ones(1).bacward,
                          lambda: t.nn.functional.relu7])
def test_no_suggestion_repeats_itself(ask):
    t.vision, t.optim  # loaded lazily, they are then known twice
    with pytest.raises(AttributeError, match="did you mean") as error:
        ask()
    found = re.findall("'([^']*)'", str(error.value).partition("did you mean")[2].partition("?")[0])
    assert found and len(set(found)) == len(found)


@pytest.mark.parametrize("call", [get_model, example_inputs])
@pytest.mark.parametrize("name, words",
                         [("resnet19", "'resnet18'"), ("ResNet18", "did you mean 'resnet18'?"), ("lenet", "'lenet5'"),
                          ("something", "list_models"), (None, "got None"), (18, "got 18")])
def test_an_unknown_network_leads_to_a_known_one_and_not_to_all(call, name, words):
    with pytest.raises(ValueError) as error:
        call(name)
    assert words in str(error.value) and len(str(error.value)) < 200 and call.__name__ in str(error.value)


@pytest.mark.parametrize("arguments, words",
                         [(["train", "--model", "resnet19"], "'resnet18'"), (["find-lr", "--model", "x"], "summary"),
                          (["train", "--model", "LeNet5"], "did you mean 'lenet5'?")])
def test_the_command_line_suggests_a_network_and_does_not_list_all(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    last = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and words in last and len(last) < 250 and str(len(list_models())) in last


@pytest.mark.parametrize("arguments, words",
                         [(["exercises", "hint", "liner"], "'linear'"), (["summary", "resnet19"], "'resnet18'"),
                          (["profile", "resnet19"], "'resnet18'")])
def test_commands_suggest_names(arguments, words, capsys):
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert words in err and len(err) < 250 and err.startswith("tinycnn: error: ")


# ---- why nothing was fetched -----------------------------------------------------------------------------------------

class Answer(OSError):
    pass


def nested(*texts):
    """An error around an error around ..., as urllib3 and requests make them."""
    inner = None
    for text in reversed(texts):
        error = Answer(text if inner is None else inner)
        if inner is not None:
            error.reason = inner
        inner = error
    return inner


LONG = "HTTPSConnectionPool(host='x.example', port=443): Max retries exceeded with url: /a/b (Caused by " + "x" * 700 + ")"


@pytest.mark.parametrize("error, words", [
    (nested(LONG, "HTTPSConnection(host='x.example', port=443): Failed to resolve 'x.example' ([Errno -2] Name not known)"),
     "Failed to resolve 'x.example' ([Errno -2] Name not known)"),
    (nested("404 Client Error: Not Found for url: https://x.example/a/b/c?token=1"), "404 Client Error: Not Found"),
    (ValueError("MD5 hash of downloaded file (a.gz) does not match the known hash: expected md5:1 but got md5:2."), "hash"),
    (Answer(LONG), "..."), (Answer(), "Answer"), (Answer("a\nb"), "a")])
def test_a_failed_download_says_why_in_a_short_line_for_each_mirror(error, words, tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch")

    def fail(*args, **options):
        raise error
    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(OSError) as raised:
        storage.download("a.gz", ["https://x.example/long/path/", "https://y.example/"], tmp_path / "data", None)
    lines = str(raised.value).splitlines()
    assert lines[0] == "no mirror delivered a.gz:"
    assert lines[-1] == f"Without a network, put the file into {tmp_path / 'data'} yourself"
    assert [line.partition(": ")[0] for line in lines[1:-1]] == ["  x.example", "  y.example"]
    assert all(words in line and len(line) <= 140 for line in lines[1:-1])


@pytest.mark.parametrize("names", [["model.pth", "readme.txt"], ["config.json", "model.weights.h5"], ["a.npy", "b.txt"],
                                   ["a/models/model.json", "a/archive_format", "a/byteorder", "a/data"]])
def test_an_archive_of_something_else_says_what_it_has(names):
    with pytest.raises(ValueError, match=f"a zip archive, cannot be read: neither PyTorch's.*it has {names[0]}, {names[1]}"):
        t.load(io.BytesIO(packed(names)))


def packed(names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    return file.getvalue()

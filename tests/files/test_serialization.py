"""save and load: what comes back, what other programs read, and files that mean harm."""
import io
import json
import math
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import tinycnn as t
from tinycnn import nn
from tinycnn.files import pth as torchfile


def draw(*shape, dtype="float32", seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def same(a, b):
    """Whether two states are alike: types, dtypes, shapes and every bit."""
    if isinstance(a, t.Tensor):
        return isinstance(b, t.Tensor) and same(a.array, b.array)
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or a != a and b != b


def round_trip(obj):
    file = io.BytesIO()
    t.save(obj, file)
    file.seek(0)
    return t.load(file)


STATE = {"model": {"conv.weight": draw(4, 3, 2, 2), "conv.bias": draw(4, dtype="float64")},
         "optimizer": {"state": {0: {"step": 3, "m": draw(4, 3)}}, "param_groups": [{"betas": (0.9, 0.999), "params": [0]}]},
         "epoch": 7, "best": 0.1 + 0.2, "note": "Grüße\n\u2028\ud800", "done": False, "none": None, "": [], (1, "a"): (),
         "seed": 2**100, "limits": [math.inf, -math.inf, math.nan], "array": np.arange(6).reshape(2, 3)}


# ---- save and load ----

def test_a_nested_state_comes_back(tmp_path):
    t.save(STATE, tmp_path / "state")
    assert same(t.load(tmp_path / "state"), STATE)


@pytest.mark.parametrize("obj", [1, 2.5, "text", None, True, [], {}, (1, [2, (3,)]), t.tensor(3.0), t.zeros(0, 3)])
def test_any_part_can_be_the_whole(obj):
    assert same(round_trip(obj), obj)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_every_dtype_comes_back(dtype):
    x = t.tensor((np.arange(24) - 9).astype(dtype).reshape(2, 3, 4))
    assert same(round_trip([x, x[:0], x[0, 0, 0]]), [x, x[:0], x[0, 0, 0]])


def test_views_come_back_whole_and_apart():
    x = draw(4, 6)
    state = {"all": x, "again": x, "transposed": x.T, "part": x[1:3, ::2], "row": x[0].expand(3, 6)}
    back = round_trip(state)
    assert all(np.array_equal(back[k].array, state[k].array) for k in state)
    back["all"].array[:] = 0
    assert np.array_equal(back["again"].array, x.array)


def test_loaded_tensors_are_leaves_that_can_be_written():
    x = nn.Parameter(draw(3))
    y = round_trip({"w": x, "z": x * 2})
    assert type(y["w"]) is t.Tensor and not y["w"].requires_grad and y["z"].grad_fn is None
    y["w"].zero_()


def test_names_that_collide_are_kept_apart():
    state = {"a.b": draw(2, seed=1), "a": {"b": draw(2, seed=2)}, "a.b#2": draw(2, seed=3), "__metadata__": draw(2, seed=4),
             1: draw(2, seed=5), "1": draw(2, seed=6)}
    assert same(round_trip(state), state)


def test_subclasses_and_numpy_numbers_become_plain():
    Point = namedtuple("Point", "x y")
    back = round_trip([Point(1, 2), OrderedDict(a=1), np.float32(0.5), np.int64(3), np.bool_(True)])
    assert same(back, [(1, 2), {"a": 1}, 0.5, 3, True])


def test_a_trained_model_and_its_optimizer_come_back(tmp_path):
    net, other = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)) for _ in range(2))
    sgd = t.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    (net(draw(5, 3)) ** 2).sum().backward()
    sgd.step()
    t.save({"net": net.state_dict(), "sgd": sgd.state_dict()}, tmp_path / "state.pt")
    state = t.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    other.load_state_dict(state["net"])
    t.optim.SGD(other.parameters(), lr=1).load_state_dict(state["sgd"])
    x = draw(5, 3, seed=1)
    assert np.array_equal(net.eval()(x).array, other.eval()(x).array) and same(sgd.state_dict(), state["sgd"])


@pytest.mark.parametrize("place", ["cpu", t.device("cpu"), lambda storage, location: storage])
def test_map_location(place, tmp_path):
    t.save(t.ones(2), tmp_path / "x")
    assert t.load(tmp_path / "x", place).device == t.device("cpu")


def test_map_location_that_is_no_device(tmp_path):
    t.save(t.ones(2), tmp_path / "x")
    with pytest.raises(ValueError, match="device.*'tpu'"):
        t.load(tmp_path / "x", "tpu")


@pytest.mark.parametrize("obj, place", [({"a": [1, {2, 3}]}, r"obj\['a'\]\[1\] is of type set"),
                                        (object(), "obj is of type object"), ([b"x"], r"obj\[0\] is of type bytes"),
                                        ({"f": print}, r"obj\['f'\] is of type builtin_function"),
                                        ({"c": np.ones(2, complex)}, r"obj\['c'\] has dtype complex128"),
                                        ({"s": np.array(["x"])}, r"obj\['s'\] has dtype"),
                                        ({frozenset(): 1}, "is of type frozenset")])
def test_what_cannot_be_saved_is_named_and_leaves_no_file(obj, place, tmp_path):
    with pytest.raises(TypeError, match=f"save: .*{place}"):
        t.save(obj, tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_an_object_that_contains_itself_is_refused(tmp_path):
    obj = []
    obj.append(obj)
    with pytest.raises(ValueError, match="contains itself"):
        t.save(obj, tmp_path / "x")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    t.save([1], path)

    def fail(*args):
        raise OSError("disk full")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        t.save([2], path)
    assert t.load(path) == [1] and os.listdir(tmp_path) == ["x"]


def test_folders_and_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="save: the folder of .*nowhere"):
        t.save(1, tmp_path / "nowhere" / "x")
    with pytest.raises(FileNotFoundError, match="nothing.pt"):
        t.load(tmp_path / "nothing.pt")


def test_import_does_not_load_safetensors():
    code = "import sys, tinycnn; assert 'safetensors' not in sys.modules; tinycnn.save; tinycnn.load"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- other programs' files ----

def test_npz_comes_as_tensors(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(3, ">i4"), "c": np.zeros((0, 2), "float16")}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "x.npz", **arrays)
        back = t.load(tmp_path / "x.npz")
        assert list(back) == ["a", "b", "c"] and all(np.array_equal(back[k].array, arrays[k]) for k in arrays)
        assert back["b"].dtype == np.int32 and back["b"].array.dtype.isnative


def test_npz_with_other_things_than_numbers(tmp_path):
    np.savez(tmp_path / "x.npz", words=np.array(["a"]))
    with pytest.raises(ValueError, match="entry 'words' has dtype <U1"):
        t.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", objects=np.array([print], object))
    with pytest.raises(ValueError, match="x.npz.*pickle"):
        t.load(tmp_path / "x.npz")


def test_safetensors_of_others_and_bfloat16(tmp_path):
    header = json.dumps({"b": dict(dtype="BF16", shape=[2], data_offsets=[0, 4])}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + np.array([1.5, -2], "<f4").tobytes()[2:4]
                                 + np.array([-2], "<f4").tobytes()[2:4])
    back = t.load(tmp_path / "x")["b"]
    assert back.dtype == np.float32 and back.tolist() == [1.5, -2]


def test_safetensors_of_an_unknown_dtype(tmp_path):
    header = json.dumps({"b": dict(dtype="U16", shape=[2], data_offsets=[0, 4])}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ValueError, match="'b' has dtype U16"):
        t.load(tmp_path / "x")


def test_pytorch_reads_a_state_dict(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    t.save(net.state_dict(), tmp_path / "x.safetensors")
    state = safetensors.load_file(tmp_path / "x.safetensors")
    other = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    other.load_state_dict(state)
    assert set(state) == set(net.state_dict())
    assert all(np.array_equal(v.numpy(), net.state_dict()[k].array) for k, v in state.items())


def test_safetensors_of_pytorch_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    state = {"w": torch.randn(2, 3), "half": torch.randn(4).bfloat16(), "n": torch.tensor(3)}
    safetensors.save_file(state, tmp_path / "x", metadata={"format": "pt"})
    back = t.load(tmp_path / "x")
    assert set(back) == set(state) and all(np.array_equal(back[k].array, v.to(
        torch.float32 if k == "half" else v.dtype).numpy()) for k, v in state.items())


def pytorch_state(torch):
    """One of everything that the reader knows."""
    base = torch.arange(24.0).reshape(4, 6)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    dtypes = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
              torch.int8, torch.uint8, torch.bool)
    return {"net": module.state_dict(), "parameter": module[0].weight, "whole": base, "transposed": base.T,
            "part": base[1:3, ::2], "expanded": base[:, :1].expand(4, 5), "empty": torch.zeros(0, 3), "emptied": base[4:],
            "number": torch.tensor(2.5), "dtypes": [(torch.arange(5) - 2).to(d) for d in dtypes], "size": base.shape,
            "epoch": 3, "lr": 1e-3, "best": None, "tags": ("a", ["b", True]), "large": 2**70,
            "ordered": OrderedDict(z=1, a=2), 5: "five"}


def plain(torch, value):
    """A state of PyTorch as arrays in plain containers."""
    if isinstance(value, torch.Tensor):
        return value.detach().to(torch.float32 if value.dtype == torch.bfloat16 else value.dtype).numpy()
    if isinstance(value, dict):
        return {k: plain(torch, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return (tuple if isinstance(value, tuple) else list)(plain(torch, v) for v in value)
    return value


def arrays(value):
    """The same for a state of ours."""
    if isinstance(value, t.Tensor):
        return value.array
    if isinstance(value, dict):
        return {k: arrays(v) for k, v in value.items()}
    return type(value)(map(arrays, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_files_of_pytorch_are_read(new, protocol, tmp_path):
    torch = pytest.importorskip("torch")
    state = pytorch_state(torch)
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    back = t.load(tmp_path / "x.pth", map_location="cpu")
    assert same(arrays(back), plain(torch, state))
    assert isinstance(back["net"], OrderedDict) and type(back["parameter"]) is t.Tensor


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_tensors_of_one_storage_share_memory_and_version(new):
    torch = pytest.importorskip("torch")
    base, file = torch.arange(6.0), io.BytesIO()
    torch.save([base, base[2:4]], file, _use_new_zipfile_serialization=new)
    file.seek(0)
    whole, part = t.load(file)
    part.zero_()
    assert whole.tolist() == [0, 1, 0, 0, 4, 5] and whole._version is part._version


def test_a_network_of_pytorch_gives_its_numbers(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    build = lambda nn: nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    theirs, ours = build(torch.nn).double(), build(nn).double()
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    ours.load_state_dict(t.load(tmp_path / "x.pth"))
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4))
    assert np.allclose(ours(t.tensor(x)).array, theirs(torch.tensor(x)).detach().numpy(), atol=1e-12)


def test_a_whole_module_is_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(ValueError, match="refused.*torch.nn.modules.linear.Linear.*state_dict"):
        t.load(tmp_path / "x.pth")


# ---- files that mean harm ----

def zipped(pickled, **members):
    """A zip archive as of `torch.save`, without PyTorch."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, content in members.items():
            archive.writestr(f"archive/data/{key.strip('_')}", content)
    return file.getvalue()


def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def stored(count, offset, shape, stride, key="0"):
    """The instructions of a pickle that rebuilds a float32 tensor from storage `key`."""
    number = lambda n: b"\x8a\x09" + n.to_bytes(9, "little", signed=True)
    numbers = lambda several: b"(" + b"".join(map(number, several)) + b"t"
    pid = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(count) + b"tQ"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + number(offset) + numbers(shape) + numbers(stride) + b"\x89NtR")


class Harm:
    """Makes the folder `path` when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_calls_the_system_is_refused_and_not_run(protocol, tmp_path):
    content = pickle.dumps({"w": Harm(tmp_path / "harm")}, protocol)
    with pytest.raises(ValueError, match=r"refused: its pickle asks for (posix|nt)\.mkdir"):
        t.load(io.BytesIO(zipped(content)))
    with pytest.raises(ValueError, match=r"refused: its pickle asks for (posix|nt)\.mkdir" if protocol > 1 else "neither"):
        t.load(io.BytesIO(content))
    assert os.listdir(tmp_path) == []
    pickle.loads(content)
    assert os.listdir(tmp_path) == ["harm"]


@pytest.mark.parametrize("module, name", [("os", "system"), ("builtins", "eval"), ("__builtin__", "getattr"),
                                          ("torch", "load"), ("torch._utils", "sys.modules"), ("tinycnn.files.pth", "np"),
                                          ("numpy", "load"), ("collections", "OrderedDict.fromkeys"),
                                          ("torch.storage", "_load_from_bytes")])
def test_every_other_name_is_refused(module, name):
    for code in (f"c{module}\n{name}\n.".encode(), f"({'i' + module}\n{name}\n.".encode(),
                 text(module) + text(name) + b"\x93."):
        with pytest.raises(ValueError, match=f"refused: its pickle asks for {module}.{name}"):
            t.load(io.BytesIO(zipped(b"\x80\x04" + code)))


def test_a_pickle_cannot_change_what_it_is_lent():
    before = dict(torchfile._CALLS), torchfile._tensor.__defaults__
    for target in (b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nSize\n", b"ccollections\nOrderedDict\n",
                   stored(1, 0, [1], [1])):
        for state in (b"}" + text("name") + text("x") + b"s", b"N}" + text("offset") + b"K\x05s\x86",
                      b"N}" + text("name") + text("x") + b"s\x86"):
            with pytest.raises(ValueError):
                t.load(io.BytesIO(zipped(b"\x80\x02" + target + state + b"b.", _0=bytes(4))))
    assert before == (dict(torchfile._CALLS), torchfile._tensor.__defaults__)


def test_the_hand_made_archive_is_right():
    content = zipped(b"\x80\x02" + stored(6, 1, [2, 2], [3, 1]) + b".", _0=np.arange(6, dtype="<f4").tobytes())
    assert t.load(io.BytesIO(content)).tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize("note", [(6, 3, [2, 2], [3, 1]), (6, 0, [7], [1]), (6, 0, [2], [2**40]), (6, -1, [2], [1]),
                                  (6, 0, [-2], [1]), (6, 5, [2], [-1]), (6, 0, [2, 2], [1]), (-6, 0, [1], [1]),
                                  (2**50, 0, [2**50], [1]), (5, 0, [2], [1]), (6, 2**70, [1], [1]),
                                  (6, 0, [1] * 70, [1] * 70)])
def test_a_tensor_beyond_its_storage_is_refused(note):
    with pytest.raises(ValueError, match="cannot be read"):
        t.load(io.BytesIO(zipped(b"\x80\x02" + stored(*note) + b".", _0=bytes(24))))


def test_bombs_do_not_go_off(monkeypatch):
    monkeypatch.setattr(torchfile, "LARGEST", 10_000)
    nine = lambda i: b"](" + (b"h" + bytes([i])) * 9 + b"eq" + bytes([i + 1])  # a list of nine times the last list
    laughs = b"\x80\x02]q\x00" + b"".join(map(nine, range(30))) + b"."
    deep = b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    itself = b"\x80\x02]q\x00h\x00a."
    memo = b"\x80\x02]r\xff\xff\xff\x7f."  # number 2^31 - 1 of the memory
    several = b"\x80\x02(" + b"".join(stored(1000, 0, [1000], [1], str(i)) for i in range(10)) + b"l."
    for content, message in ((laughs, "more than 10,000 parts"), (deep, "nests deeper"), (itself, "nests deeper")):
        with pytest.raises(ValueError, match=message):
            t.load(io.BytesIO(zipped(content)))
    assert t.load(io.BytesIO(zipped(memo))) == []
    with pytest.raises(ValueError, match="40,000 bytes of storages"):
        t.load(io.BytesIO(zipped(several, _0=bytes(4000))))


def test_a_compressed_archive_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + stored(10**6, 0, [10**6], [1]) + b".")
        archive.writestr("archive/data/0", bytes(4 * 10**6))
    with pytest.raises(ValueError, match="compressed"):
        t.load(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("content, message", [(b"", "empty"), (b"hello world", "neither safetensors"),
                                              (b"\x1f\x8b\x08\0", "neither"), (b"PK\x03\x04", "BadZipFile"),
                                              (pickle.dumps([1, 2]), "none that torch.save wrote"),
                                              (b"\x80\x02.", "damaged"),
                                              (struct.pack("<Q", 10**9) + b"{}", "no header of")])
def test_what_is_no_state_is_named(content, message, tmp_path):
    (tmp_path / "some.file").write_bytes(content)
    with pytest.raises(ValueError, match=f"load: .*some.file.*{message}"):
        t.load(tmp_path / "some.file")


def damaged(content, seed, times=50):
    """`content` cut off, with a bit turned, or with a byte missing, at places drawn from `seed`."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        place, bit, kind = int(rng.integers(len(content))), 1 << int(rng.integers(8)), int(rng.integers(3))
        if kind == 0:
            yield content[:place]
        elif kind == 1:
            yield content[:place] + bytes([content[place] ^ bit]) + content[place + 1:]
        else:
            yield content[:place] + content[place + 1:]


def file_of(kind):
    file = io.BytesIO()
    state = {"w": draw(3, 2), "deep": {"b": [draw(2, dtype="float64"), 3]}}
    if kind == "safetensors":
        t.save(state, file)
    elif kind == "npz":
        np.savez_compressed(file, w=state["w"].array, b=np.arange(3))
    else:
        torch = pytest.importorskip("torch")
        state = {"w": torch.arange(6.0).reshape(3, 2), "b": [torch.zeros(2).double(), 3]}
        torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["safetensors", "npz", "zip", "legacy"])
def test_a_damaged_file_is_a_value_error_or_harmless(kind):
    whole = file_of(kind)
    right, refused = t.load(io.BytesIO(whole)), 0
    for content in damaged(whole, seed=1):
        try:
            back = t.load(io.BytesIO(content))
        except ValueError:
            refused += 1
        else:  # legacy files have no checksum; in the others bits that carry nothing may turn
            assert kind == "legacy" or same(back, right)
    assert refused > 20

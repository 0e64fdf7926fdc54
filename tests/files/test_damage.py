"""Files that were damaged, and files that lie: refused in one line that names the file, quickly and in little memory."""
import gc
import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import weakref
import zipfile
import zlib

import numpy as np
import pytest

import tinycnn as t
from tests.files.test_serialization import draw, same, stored, text, zipped
from tinycnn import nn
from tinycnn.data import Digits
from tinycnn.data.storage import unpack
from tinycnn.files.sealed import CHECK, OLDER, seal, unseal
from tinycnn.models import get_model
from tinycnn.optim import SGD
from tinycnn.train import fit, load_checkpoint, load_model, save_checkpoint

SMALL = dict(num_classes=10, in_channels=1, image_size=8, channels=(2, 4), kernel_size=3, hidden=(8,))


# ---- bits that turned, ends that are missing -------------------------------------------------------------------------

def damages(content, seed, count=200):
    """`count` copies of `content`: half have one turned bit, a third is cut off, the rest lacks or doubles a byte.

    A third of the places lie in the first 600 bytes, where headers are.
    """
    rng = np.random.default_rng(seed)
    for i in range(count):
        place = int(rng.integers(min(600, len(content)) if i % 3 == 0 else len(content)))
        if i % 6 < 3:
            yield content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1:]
        elif i % 6 < 5:
            yield content[:place]
        else:
            yield content[:place] + content[place:place + 1] * (2 * int(rng.integers(2))) + content[place + 1:]


def weights_file(folder):
    t.manual_seed(3)
    save_checkpoint(folder / "x", get_model("lenet5", **SMALL), dict(
        model="lenet5", arguments=SMALL, classes=Digits().classes, format=Digits.FORMAT, epoch=7, val_acc=0.5))
    return load_checkpoint


def state_file(folder):
    t.save({"model": {"w": draw(3, 20), "b": draw(4, dtype="float64")}, "epoch": 7, "lr": [0.1, (1, 2)], "note": "words"},
           folder / "x")
    return t.load


def training_file(folder):
    from tinycnn.data import DataLoader, Subset
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    fit(model, DataLoader(Subset(Digits(), range(20)), 10), epochs=1, optimizer=SGD(model.parameters(), 0.1, momentum=0.9),
        progress=False, checkpoint=folder / "x")
    return t.load


def foreign_safetensors(folder):
    from safetensors.numpy import save_file
    save_file({"w": draw(3, 20).array, "b": np.arange(5)}, folder / "x")
    return t.load


def npz(folder):
    np.savez_compressed(folder / "x.npz", w=draw(3, 20).array, b=np.arange(5))
    (folder / "x.npz").rename(folder / "x")
    return t.load


def pth(folder, new=True):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    state = {"w": torch.randn(3, 20), "b": [torch.zeros(2).double(), 3]}
    torch.save(state, folder / "x", _use_new_zipfile_serialization=new)
    return t.load


def legacy_pth(folder):
    return pth(folder, new=False)


def flat(value):
    """Checkpoints and states as something that `same` compares."""
    return [value[0], json.dumps(value[1], default=vars)] if isinstance(value, tuple) else value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make, seed, checked", [
    (weights_file, 11, True), (state_file, 12, True), (training_file, 13, True), (foreign_safetensors, 14, False),
    (npz, 15, True), (pth, 16, True), (legacy_pth, 17, False)])
def test_no_damage_goes_unnoticed(make, seed, checked, tmp_path):
    """Where the format has checksums (`checked`), a damaged file is refused, or what is damaged carries nothing."""
    read = make(tmp_path)
    whole, right = (tmp_path / "x").read_bytes(), flat(read(tmp_path / "x"))
    refused = wrong = 0
    for content in damages(whole, seed):
        (tmp_path / "x").write_bytes(content)
        try:
            back = read(tmp_path / "x")
        except ValueError as error:
            refused += 1
            assert str(tmp_path / "x") in str(error) and len(str(error)) < 1000
        else:
            wrong += not same(flat(back), right)
    assert refused > 90
    assert wrong == 0 or not checked, f"{wrong} of 200 loaded silently wrong"


@pytest.mark.parametrize("make", [weights_file, state_file, training_file])
def test_every_byte_of_our_own_files_counts(make, tmp_path):
    read = make(tmp_path)
    whole, rng = (tmp_path / "x").read_bytes(), np.random.default_rng(18)
    for place in rng.choice(len(whole), min(len(whole), 400), replace=False):
        (tmp_path / "x").write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(rng.integers(8))]) + whole[place + 1:])
        with pytest.raises(ValueError):
            read(tmp_path / "x")


def without_checksum(path):
    """The file as it was written before there were checksums of the whole."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    del header["__metadata__"][CHECK]
    header = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + size:])


def test_files_without_a_checksum_are_read(tmp_path):
    read = weights_file(tmp_path)
    right = flat(read(tmp_path / "x"))
    without_checksum(tmp_path / "x")
    assert same(flat(read(tmp_path / "x")), right)
    content = seal({"w": np.ones(2)}, {"tinycnn": "x"})
    assert t.load(io.BytesIO(content))["w"].tolist() == [1, 1], "a checkpoint is weights, too"


def with_older_checksum(path):
    """The file as it was written when the checksum was a CRC-32."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    del header["__metadata__"][CHECK]
    header["__metadata__"][OLDER] = "0" * 8
    header = json.dumps(header, separators=(",", ":")).encode()
    content = struct.pack("<Q", len(header)) + header + content[8 + size:]
    digits = f"{zlib.crc32(content):08x}".encode()
    path.write_bytes(content.replace(f'"{OLDER}":"{"0" * 8}'.encode(), f'"{OLDER}":"'.encode() + digits))


@pytest.mark.parametrize("make", [weights_file, state_file])
def test_files_with_the_older_checksum_are_read_and_checked(make, tmp_path):
    read = make(tmp_path)
    right = flat(read(tmp_path / "x"))
    with_older_checksum(tmp_path / "x")
    assert same(flat(read(tmp_path / "x")), right)
    content = bytearray((tmp_path / "x").read_bytes())
    for place in (-1, -len(content) // 5):
        content[place] ^= 4
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ValueError, match="checksum"):
            read(tmp_path / "x")
        content[place] ^= 4


def exchanged(content, a, b, size):
    """A copy of `content` with `size` bytes at a and those at b exchanged."""
    content = bytearray(content)
    content[a:a + size], content[b:b + size] = content[b:b + size], content[a:a + size]
    return content


def test_what_is_exchanged_or_makes_up_for_another_is_noticed():
    rng = np.random.default_rng(20)
    content = seal({"w": rng.integers(0, 256, 50_003, np.uint8)}, {})
    start = len(content) - 50_003
    place = lambda step: start + step * int(rng.integers(50_003 // step - 8))
    damaged = [exchanged(content, place(size), place(size), size) for size in (1, 8, 512, 4096) for _ in range(50)]
    for _ in range(100):  # a bit more here, a bit less there, in one row as well as anywhere
        words = np.frombuffer(content, "<u8", 50_000 // 8, start).copy()
        a, step = rng.integers(6000), rng.integers(1, 200)
        bit = np.uint64(1) << np.uint64(rng.integers(64))
        words[a:a + 1] += bit
        words[a + step:a + step + 1] -= bit
        damaged.append(bytes(content[:start]) + words.tobytes() + bytes(content[start + 50_000:]))
    damaged += [content[:-1], content[:-8], content[:start + 4096] + content[start + 8192:],
                content[:start + 4096] + bytes(4096) + content[start + 8192:]]
    damaged = [wrong for wrong in damaged if wrong != content]
    assert len(damaged) > 280
    for wrong in damaged:
        with pytest.raises(ValueError, match="damaged"):
            unseal(wrong)


# ---- files that lie --------------------------------------------------------------------------------------------------

CHILD = """
import resource, sys, time
import tinycnn as t, tinycnn.train, tinycnn.files.pth
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
try:
    t.load(sys.argv[1])
    print("loaded")
except ValueError as error:
    print(error)
print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def tower(floors):
    """A pickle whose top is a tuple of two tuples of two tuples ..., of so many floors."""
    return b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(floors))


HOSTILE = {
    "a tower as key": b"\x80\x02}" + tower(60) + b"K\x01s.",
    "a tower as key of many": b"\x80\x02}(" + tower(60) + b"K\x01u.",
    "a tower as key of an ordered dictionary": b"\x80\x02ccollections\nOrderedDict\n](" + tower(60) + b"K\x01\x86e\x85R.",
    "a tower as storage": b"\x80\x02" + tower(60) + b"Q.",
    "a tower as key of a storage": b"\x80\x02(" + text("storage") + b"ctorch\nFloatStorage\n" + tower(60) + text("cpu")
    + b"K\x01tQ.",
    "a tower as shape": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00" + tower(60) + b")\x89NtR.",
    "a tower as size": b"\x80\x02ctorch\nSize\n" + tower(60) + b"\x85R.",
    "a tower as number type": b"\x80\x02cnumpy\ndtype\n" + tower(60) + b"\x85R.",
    "a tower as encoding": b"\x80\x02c_codecs\nencode\n" + text("a") + tower(60) + b"\x86R.",
    "a tower as order of bytes": b"\x80\x02cnumpy\ndtype\n" + text("f4") + b"\x85R(K\x03" + tower(60) + b"tb.",
    "a long key": b"\x80\x02}" + text("x" * 20_000) + b"K\x01s.",
    "a key as long as a book": b"\x80\x02}\x8a\xff" + bytes(254) + b"\x01K\x01s.",
    "many instructions": b"\x80\x02" + b"N0" * 500_000 + b"N.",
    "many lists": b"\x80\x02" + b"]" * 1_100_000 + b".",
    "255 dimensions": b"\x80\x02" + stored(1, 0, [1] * 255, [1] * 255) + b".",
    "a million times a million": b"\x80\x02" + stored(1, 0, [10**6, 10**6], [0, 0]) + b".",
    "an escape code": b"\x80\x02c\x1b[2Jos\nsystem\n.",
    "a long name": b"\x80\x02c" + b"x" * 100_000 + b"\nsystem\n.",
}


@pytest.mark.skipif(sys.platform == "win32", reason="resource is a module of Unix")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_pickle_that_lies_costs_little(what, tmp_path):
    (tmp_path / "x.pth").write_bytes(zipped(HOSTILE[what], _0=bytes(4)))
    command = [sys.executable, "-c", CHILD, str(tmp_path / "x.pth")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    said, cost = result.stdout.splitlines()
    seconds, megabytes = map(float, cost.split())
    assert said.startswith(f"load: {tmp_path / 'x.pth'}, a PyTorch file, cannot be read: ") and len(said) < 500
    assert said.isprintable() and seconds < 30 and megabytes < 400


def test_a_legacy_file_that_hangs_a_reader_is_refused(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"\x80\x02}" + tower(30) + b"K\x01s.")
    assert (tmp_path / "x.pth").stat().st_size <= 165
    start = time.perf_counter()
    with pytest.raises(ValueError, match="x.pth.*a key that is a tuple"):
        t.load(tmp_path / "x.pth")
    assert time.perf_counter() - start < 5


def flagged(**flags):
    """A pickle of a tensor with flags, as PyTorch keeps the imaginary part of conjugate numbers."""
    pairs = b"}" + b"".join(text(key) + (b"\x88" if value else b"\x89") + b"s" for key, value in flags.items())
    return b"\x80\x02" + stored(2, 0, [2], [1])[:-2] + pairs + b"tR."


def test_negative_bits_are_honoured_and_conjugate_ones_refused():
    numbers = np.array([1, 2], "<f4").tobytes()
    load = lambda **flags: t.load(io.BytesIO(zipped(flagged(**flags), _0=numbers)))
    assert load().tolist() == load(neg=False, conj=False).tolist() == [1, 2] and load(neg=True).tolist() == [-1, -2]
    with pytest.raises(ValueError, match="conjugate"):
        load(conj=True)


def test_negatives_cannot_multiply():
    many = b"\x80\x02]" + (flagged(neg=True)[2:-1] + b"a") * 3 + b"."
    with pytest.raises(ValueError, match="negative than the file has"):
        t.load(io.BytesIO(zipped(many, _0=bytes(8))))


def test_colliding_keys_and_names_cost_little(tmp_path):
    start = time.perf_counter()
    keys = {i * (2**61 - 1): None for i in range(-1, 3)}
    assert t.load(io.BytesIO(zipped(pickle.dumps(keys, 2)))) == keys
    with pytest.raises(ValueError, match="a key that is a int"):
        t.load(io.BytesIO(zipped(pickle.dumps({2**63: 1}, 2))))
    assert time.perf_counter() - start < 2


def test_float8_and_other_foreign_numbers_are_named(tmp_path):
    for name in ("F8_E4M3", "F8_E5M2", "U16", "C64"):
        size = {"F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "C64": 8}[name]
        header = json.dumps({"b": dict(dtype=name, shape=[2], data_offsets=[0, 2 * size])}).encode()
        (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 * size))
        for read in (t.load, load_checkpoint):
            with pytest.raises(ValueError, match=f"x.*'b' has dtype {name}"):
                read(tmp_path / "x")
    np.savez(tmp_path / "y.npz", a=np.zeros(2, "V2"))
    with pytest.raises(ValueError, match="y.npz.*entry 'a' has dtype"):
        t.load(tmp_path / "y.npz")


def test_float8_of_pytorch_is_named(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.zeros(2).to(torch.float8_e4m3fn)}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="x.pth.*refused"):
        t.load(tmp_path / "x.pth")


def test_safetensors_of_255_dimensions_are_refused(tmp_path):
    header = json.dumps({"\x1b[2J": dict(dtype="F32", shape=[1] * 255, data_offsets=[0, 4])}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ValueError, match="x, .*255 dimensions") as error:
        t.load(tmp_path / "x")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("metadata", [[1], None, {"a": 1}])
def test_metadata_that_are_no_strings_are_refused(metadata):
    header = json.dumps({"__metadata__": metadata}).encode()
    with pytest.raises(ValueError, match="metadata must be a dictionary of strings"):
        t.load(io.BytesIO(struct.pack("<Q", len(header)) + header))


def test_more_tensors_than_any_network_has_are_refused():
    entry = dict(dtype="F32", shape=[0], data_offsets=[0, 0])
    header = json.dumps(dict.fromkeys(map(str, range(100_001)), entry)).encode()
    with pytest.raises(ValueError, match="100,001 tensors; at most 100,000"):
        t.load(io.BytesIO(struct.pack("<Q", len(header)) + header))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(ValueError, match="load: .*x is a pipe and no file"):
        t.load(tmp_path / "x")


def test_names_of_files_do_not_write_to_the_terminal(tmp_path):
    (tmp_path / "\x1b[2J").write_bytes(b"junk")
    with pytest.raises(ValueError, match="cannot be read") as error:
        t.load(tmp_path / "\x1b[2J")
    assert str(error.value).isprintable()
    with pytest.raises(TypeError, match="load: f must be open for bytes.*got str"):
        t.load(io.StringIO("x"))
    with pytest.raises(ValueError, match="load: f must be a path, which has no character 0"):
        t.load("x\0")


# ---- files that unpack to more than they are -------------------------------------------------------------------------

def test_gzip_stops_where_it_says_that_it_ends(tmp_path):
    bomb = gzip.compress(bytes(2**26))
    path = tmp_path / "x.gz"
    for content, message in ((bomb[:-4] + (1000).to_bytes(4, "little"), "1,000, which is more"),
                             (bomb[:-4] + (2**26 + 1).to_bytes(4, "little"), "damaged")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"x.gz: .*{message}"):
            unpack(path)
    path.write_bytes(bomb)
    assert len(unpack(path)) == 2**26


def test_no_file_unpacks_without_bound(tmp_path, monkeypatch):
    import tinycnn.data.storage
    import tinycnn.files.saving
    for module in (tinycnn.data.storage, tinycnn.files.saving):
        monkeypatch.setattr(module, "most_unpacked", lambda packed: 20 * packed)
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(2**22)))
    with pytest.raises(ValueError, match="x.gz: .*more than"):
        unpack(tmp_path / "x.gz")
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(2**20))
    with pytest.raises(ValueError, match="x.npz.*that unpack to 8,388"):
        t.load(tmp_path / "x.npz")


def with_table(entries):
    """A zip archive of nothing but its table of contents, with so many entries."""
    entry = lambda name: struct.pack("<4s4B4H3L5H2L", b"PK\1\2", 20, 3, 20, *[0] * 8, len(name), *[0] * 6) + name
    table = b"".join(entry(b"a/data/%d" % i) for i in range(entries)) + entry(b"a/data.pkl")
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries + 1, entries + 1, len(table), 0)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(table), 1)
    return table + large + place + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)


def test_a_long_table_of_contents_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "x.pth").write_bytes(with_table(1000))
    with pytest.raises(ValueError, match="x.pth, a PyTorch file, cannot be read"):
        t.load(tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes(with_table(300_000))
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ValueError, match="x.pth, a zip archive, .*table of contents has more than 4,194,304 bytes"):
        t.load(tmp_path / "x.pth")
    seconds, (_, most) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1 and most < 2**24, "zipfile takes six seconds and 200 MB"


@pytest.mark.parametrize("make", [state_file, foreign_safetensors, npz, pth, legacy_pth])
def test_what_is_dropped_after_loading_needs_no_garbage_collector(make, tmp_path):
    read = make(tmp_path)
    read(tmp_path / "x")
    gc.collect()
    gc.disable()
    try:
        kept = weakref.ref(next(part for part in parts_of(read(tmp_path / "x")) if isinstance(part, t.Tensor)).array)
        assert kept() is None
    finally:
        gc.enable()


def parts_of(value):
    """Everything in nested dictionaries, lists and tuples."""
    yield value
    if isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from parts_of(part)


def test_an_npz_that_says_it_is_huge_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", member + bytes(8))
    with pytest.raises(ValueError, match="x.npz"):
        t.load(tmp_path / "x.npz")


# ---- checkpoints that lie --------------------------------------------------------------------------------------------

def lying(path, change):
    """A checkpoint with a right checksum and what `change` makes of its metadata."""
    weights, metadata = load_checkpoint(path)
    metadata = {**metadata, "format": vars(metadata["format"]).copy()}
    metadata = change(metadata) or metadata
    path.write_bytes(seal({name: w.array for name, w in weights.items()}, {"tinycnn": json.dumps(metadata)}))


@pytest.mark.parametrize("change, message", [
    (lambda m: m["arguments"].update(weights="/etc/passwd"), "argument weights would read another file"),
    (lambda m: m["arguments"].update(weights_backbone="x"), "would read another file"),
    (lambda m: m.update(arguments=[1]), "arguments of the network are no dictionary"),
    (lambda m: m.update(model=["lenet5"]), "name of the network"),
    (lambda m: m.update(classes=["\x1b[2J"] * 10), "name of a class must"),
    (lambda m: m.update(classes=["x" * 10**6] * 10), "name of a class must"),
    (lambda m: m.update(classes=dict(a=1)), "classes are no list"),
    (lambda m: m["format"].update(size=[10**6, 10**6]), "rows and columns"),
    (lambda m: m["format"].update(size=[8, 0]), "rows and columns"),
    (lambda m: m["format"].update(size=3), "damaged"),
    (lambda m: m["format"].update(channels=10**9), "channels"),
    (lambda m: m["format"].update(scale=0), "scale"), (lambda m: m["format"].update(scale=float("nan")), "scale"),
    (lambda m: m["format"].update(std=[0.0]), "deviations"), (lambda m: m["format"].update(mean=["x"]), "means"),
    (lambda m: m["format"].update(mean=[0.0] * 10**4), "means"), (lambda m: m["format"].update(box=10**7), "box"),
    (lambda m: m["format"].update(centre="\x1b[2J"), "centre"), (lambda m: m["format"].update(ink=7), "ink"),
    (lambda m: m["format"].update(extra=7), "damaged"),
    (lambda m: m["arguments"].update(num_classes=10**9), "numbers above"),
    (lambda m: m["arguments"].update(hidden=[-10**12]), "numbers above"),
    (lambda m: m["arguments"].update(hidden="x"), "do not fit"),
    (lambda m: m["arguments"].update(channels=None), "do not fit"),
    (lambda m: [m], "damaged"), (lambda m: "text", "damaged")])
def test_a_checkpoint_that_lies_is_refused_in_one_line(change, message, tmp_path):
    weights_file(tmp_path)
    lying(tmp_path / "x", change)
    with pytest.raises(ValueError, match=f"x: .*{message}") as error:
        load_model(tmp_path / "x")
    assert str(error.value).isprintable() and len(str(error.value)) < 800


def test_deeply_nested_metadata_is_refused(tmp_path):
    weights_file(tmp_path)
    (tmp_path / "x").write_bytes(seal({}, {"tinycnn": "[" * 10**5 + "]" * 10**5}))
    with pytest.raises(ValueError, match="x: .*damaged"):
        load_model(tmp_path / "x")
    (tmp_path / "x").write_bytes(seal({}, {"tinycnn.state": "[" * 10**5 + "]" * 10**5}))
    with pytest.raises(ValueError, match="x, .*damaged"):
        t.load(tmp_path / "x")

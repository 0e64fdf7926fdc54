"""Data at their edges: pictures of many bits, odd folders, files of other pictures, samples that are no numbers."""
import gzip
import hashlib
import io
import itertools
import math
import os
import pickle
import random
import subprocess
import sys
import tarfile
import time
import warnings
from collections import namedtuple

import numpy as np
import pytest

import tinycnn as t
from tinycnn.data import (CIFAR10, CIFAR100, KMNIST, MNIST, BatchSampler, DataLoader, Dataset, Digits, FashionMNIST,
                          ImageFolder, IterableDataset, RandomSampler, SequentialSampler, Subset, TensorDataset,
                          default_collate, default_convert, get_worker_info)
from tinycnn.data.folder import load_picture
from tinycnn.data.mnist import parse_idx
from tinycnn.data.reading import read_picture
from tinycnn.data.transforms import PILToTensor, ToTensor
from tinycnn.files import pth

Image = pytest.importorskip("PIL.Image")


# ---- pictures of more than 8 bits ------------------------------------------------------------------------------------

RAMP = np.linspace(0, 1, 16).reshape(4, 4)


@pytest.mark.parametrize("ending, pixels, expected", [
    ("png", (RAMP * 65535).astype(np.uint16), RAMP * 255), ("tif", (RAMP * 65535).astype(np.uint16), RAMP * 255),
    ("tif", (RAMP * 65535).astype(">u2"), RAMP * 255), ("pgm", (RAMP * 65535).astype(np.uint16), RAMP * 255),
    ("png", (RAMP * 1000).astype(np.uint16), RAMP * 1000 / 257),  # 16 bits are 16 bits: pictures stay comparable
    ("tif", RAMP.astype(np.float32), RAMP * 255), ("tif", (RAMP * 255).astype(np.float32), RAMP * 255),
    ("tif", (RAMP * 65535).astype(np.float32), RAMP * 255), ("tif", (RAMP * 2e6 - 1e6).astype(np.float32), RAMP * 255),
    ("tif", (RAMP * 200).astype(np.int32), RAMP * 200), ("tif", (RAMP * 65535).astype(np.int32), RAMP * 255),
    ("tif", (RAMP * 2e9 - 1e9).astype(np.int32), RAMP * 255), ("tif", np.full((4, 4), -7.0, np.float32), RAMP * 0),
    ("png", (RAMP * 255).astype(np.uint8), RAMP * 255)])
def test_grey_of_many_bits_keeps_its_range(tmp_path, ending, pixels, expected):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path)
    picture = np.asarray(load_picture(path)).astype(float)
    assert picture.shape == (4, 4, 3) and np.abs(picture - expected[:, :, None]).max() <= 1
    assert np.asarray(load_picture(path, "RGBA")).shape == (4, 4, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_picture_with_numbers_that_are_none_is_named(tmp_path, value):
    Image.fromarray(np.array([[0, value]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="a.tif.*no finite numbers"):
        load_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_tensors_of_16_bit_pictures_hold_their_numbers(tmp_path, kind):
    pixels = np.array([[0, 300], [40_000, 65535]], kind)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as picture:
        for transform in (ToTensor(), PILToTensor()):
            x = transform(picture)
            assert x.dtype == t.int32 and x.tolist() == [pixels.tolist()]


def animated(path, **options):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_of_an_animated_picture_the_first_frame_is_taken_and_said_so(tmp_path, name):
    animated(tmp_path / name)
    with pytest.warns(UserWarning, match=f"{name}: an animated picture, of which the first frame is taken"):
        picture = load_picture(tmp_path / name)
    assert np.abs(np.asarray(picture).astype(int)[0, 0] - (255, 0, 0)).max() < 9
    Image.new("RGB", (8, 8), "red").save(tmp_path / f"one{name[1:]}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_picture(tmp_path / f"one{name[1:]}")


# ---- ink -------------------------------------------------------------------------------------------------------------

def stroke(paper, ink, mode="RGBA"):
    picture = Image.new(mode, (60, 60), paper)
    picture.paste(ink, (27, 10, 34, 50))
    return picture


@pytest.mark.parametrize("picture", [
    stroke((255, 255, 255, 0), (255, 255, 255, 255)), stroke((0, 0, 0, 0), (255, 255, 255, 255)),
    stroke((0, 0, 0, 0), (0, 0, 0, 255)), stroke((255, 255, 255, 0), (0, 0, 0, 255)),
    stroke((255, 0), (255, 255), "LA"), stroke((0, 0), (0, 255), "LA"), stroke((9, 9, 9, 0), (250, 250, 250, 255)),
    stroke("white", "black", "RGB"), stroke("black", "white", "RGB")])
def test_transparent_paper_shows_ink_of_any_colour(tmp_path, picture):
    picture.save(tmp_path / "a.png")
    stroke("white", "black", "RGB").save(tmp_path / "b.png")
    assert np.allclose(*(read_picture(tmp_path / name, Digits.FORMAT) for name in ("a.png", "b.png")), atol=0.01)


@pytest.mark.parametrize("colour", [(255, 255, 255, 0), (0, 0, 0, 0), (90, 90, 90, 255)])
def test_a_picture_of_nothing_still_shows_nothing(tmp_path, colour):
    Image.new("RGBA", (20, 20), colour).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a.png: the picture shows nothing"):
        read_picture(tmp_path / "a.png", Digits.FORMAT)


# ---- folders ---------------------------------------------------------------------------------------------------------

def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)


def names(folder, root):
    return [str(path.relative_to(root)) for path, _ in folder.samples]


def test_hidden_files_and_folders_do_not_count(tmp_path):
    put(tmp_path, "a/1.png", "a/.ipynb_checkpoints/1-checkpoint.png", "a/.git/x/y.png", "a/old/.cache/z.png", "a/old/2.png",
        "a/.hidden.png", "b/1.png", ".ipynb_checkpoints/c.png")
    pets = ImageFolder(tmp_path)
    assert names(pets, tmp_path) == ["a/1.png", "a/old/2.png", "b/1.png"] and pets.classes == ("a", "b")


def test_a_root_in_a_hidden_folder_counts(tmp_path):
    put(tmp_path / ".data" / "pets", "a/1.png")
    assert len(ImageFolder(tmp_path / ".data" / "pets")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    root, far = tmp_path / "pets", tmp_path / "far"
    put(root, "a/1.png", "b/2.png")
    put(far, "x/3.png", "y/4.png")
    (root / "a" / "more").symlink_to(far / "x")        # elsewhere
    (root / "c").symlink_to(far / "y")                 # a class that lies elsewhere
    (root / "a" / "self").symlink_to(root / "a")       # loops: to itself,
    (root / "a" / "up").symlink_to(root)               # upwards, which would make all classes one,
    (far / "x" / "back").symlink_to(root / "a")        # around a corner,
    (root / "b" / "dot").symlink_to(".")
    (root / "b" / "twice").symlink_to(far / "x")       # and twice to the same
    (root / "b" / "again").symlink_to(far / "x")
    (root / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    pets = ImageFolder(root)
    assert names(pets, root) == ["a/1.png", "a/more/3.png", "b/2.png", "b/again/3.png", "b/again/back/1.png", "c/4.png"]
    assert pets.classes == ("a", "b", "c") and pets.targets == [0, 0, 1, 1, 1, 2]


# ---- samples that are no numbers -------------------------------------------------------------------------------------

def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return (str(value.dtype).split(".")[-1], value.tolist()) if hasattr(value, "shape") and not isinstance(value,
                                                                                                           str) else value


SAMPLES = [["a", "b"], [np.str_("a"), np.str_("b")], [b"a", b"b"], [np.bytes_(b"a"), np.bytes_(b"b")],
           [("a", 1), ("b", 2)], [{"name": "a"}, {"name": "b"}], [["a", "b"], ["c", "d"]], [np.float32(1), np.float32(2)],
           [np.float64(1), np.float64(2)], [np.int8(1), np.int8(2)], [True, False], [1, 2.5], [np.array(3), np.array(4)],
           [np.zeros((0, 2)), np.zeros((0, 2))]]
REFUSED = [[np.array(["a"])] * 2, [np.array("a")] * 2, [np.array([b"a"])] * 2, [np.array([None])] * 2,
           [np.array([[1], 2], object)] * 2, [None, None], [{1}, {2}]]


@pytest.mark.parametrize("samples", SAMPLES, ids=repr)
def test_collating_agrees_with_pytorch(samples):
    torch = pytest.importorskip("torch")
    assert plain(default_collate(samples)) == plain(torch.utils.data.default_collate(samples))


@pytest.mark.parametrize("samples", REFUSED, ids=repr)
def test_what_pytorch_does_not_collate_is_refused(samples):
    with pytest.raises(TypeError, match="default_collate"):
        default_collate(samples)
    with pytest.raises(TypeError, match="default_collate"):
        next(iter(DataLoader(samples, 2)))
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError):
        torch.utils.data.default_collate(samples)


@pytest.mark.parametrize("samples", [[np.datetime64("2020-01-01")] * 2, [np.array([1j])] * 2, [2**70, 1], [np.uint16(1)] * 2,
                                     [np.zeros(1, [("a", "f4")])] * 2], ids=repr)
def test_numbers_that_tinycnn_does_not_have_are_refused(samples):
    with pytest.raises(TypeError, match="default_collate: samples must be numbers of float16"):
        default_collate(samples)


@pytest.mark.parametrize("sample", [np.array(["a"]), np.array([None]), "a", np.str_("a"), np.float32(1), np.int64(3),
                                    np.zeros(2), {"a": np.array(["x"])}, (np.array([b"x"]), np.ones(1)), None, 3], ids=repr)
def test_converting_agrees_with_pytorch(sample):
    torch = pytest.importorskip("torch")

    def kinds(value, tensor):
        if isinstance(value, dict):
            return {k: kinds(v, tensor) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [kinds(v, tensor) for v in value]
        return plain(value) if isinstance(value, tensor) else type(value).__name__
    assert kinds(default_convert(sample), t.Tensor) == kinds(torch.utils.data.default_convert(sample), torch.Tensor)


# ---- whole batches from a sampler ------------------------------------------------------------------------------------

class Squares(Dataset):
    """Takes a number or a list of them."""

    def __len__(self):
        return 7

    def __getitem__(self, i):
        return np.array(i) ** 2


Point = namedtuple("Point", "x y")
X = np.arange(14, dtype=np.float32).reshape(7, 2)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("make", [lambda lib, tensor: lib.TensorDataset(tensor(X), tensor(np.arange(7))),
                                  lambda lib, tensor: lib.Subset(lib.TensorDataset(tensor(X)), [6, 5, 4, 3, 2, 1, 0]),
                                  lambda lib, tensor: Squares()], ids=["tensors", "subset", "own"])
@pytest.mark.parametrize("drop_last", [True, False])
def test_a_batch_sampler_as_sampler_gives_whole_batches(make, drop_last, workers):
    torch = pytest.importorskip("torch")
    import torch.utils.data as theirs

    import tinycnn.data as ours

    def batches(lib, tensor, **options):
        data = make(lib, tensor)
        sampler = lib.BatchSampler(lib.SequentialSampler(data), 3, drop_last)
        loader = lib.DataLoader(data, sampler=sampler, batch_size=None, **options)
        return len(loader), [plain(list(b) if isinstance(b, (list, tuple)) else [b]) for b in loader]
    assert batches(ours, t.from_numpy, num_workers=workers) == batches(theirs, torch.from_numpy)


def test_a_batch_sampler_as_sampler_serves_data_sets_that_fetch_batches():
    digits = Digits("test")
    whole = DataLoader(digits, sampler=BatchSampler(SequentialSampler(digits), 50, False), batch_size=None)
    for (x, y), (x2, y2) in zip(whole, DataLoader(digits, 50), strict=True):
        assert (x == x2).all() and (y == y2).all()
    shuffled = DataLoader(digits, sampler=BatchSampler(RandomSampler(digits), 50, True), batch_size=None)
    assert len(list(shuffled)) == len(shuffled) == len(digits) // 50


@pytest.mark.parametrize("index", [[0, 2], [-1], [], slice(1, 6, 2), slice(None, None, -1)][:4])
def test_several_rows_of_a_tensor_data_set(index):
    torch = pytest.importorskip("torch")
    ours = TensorDataset(t.from_numpy(X), t.arange(7))[index]
    theirs = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.arange(7))[index]
    assert [v.tolist() for v in ours] == [v.tolist() for v in theirs]
    with pytest.raises(IndexError):
        TensorDataset(t.arange(7))[[7]]
    assert Subset(TensorDataset(t.arange(7)), [3, 4, 5])[[0, 2]][0].tolist() == [3, 5]


# ---- seeds of workers ------------------------------------------------------------------------------------------------

class Asking(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        time.sleep(0.005)
        info = get_worker_info()
        return info.id, info.seed


class AskingStream(IterableDataset):
    def __iter__(self):
        for _ in range(3):
            yield get_worker_info().id, get_worker_info().seed


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("dataset", [Asking(), AskingStream()], ids=["map", "stream"])
def test_every_worker_has_a_seed_of_its_own_in_every_pass(dataset, persistent):
    loader = DataLoader(dataset, None, num_workers=3, persistent_workers=persistent)
    passes = [{(int(i), int(seed)) for i, seed in loader} for _ in range(4)]
    for asked in passes:
        assert len({i for i, _ in asked}) == len({seed for _, seed in asked}) == len(asked) and {i for i, _ in asked} <= {0,
                                                                                                                          1,
                                                                                                                          2}
    seeds = [seed for asked in passes for _, seed in asked]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_of_workers_follow_from_the_seed():
    def seeds():
        t.manual_seed(3)
        return {int(i): int(seed) for i, seed in DataLoader(AskingStream(), None, num_workers=1)}
    assert seeds() == seeds()


# ---- files in the place of MNIST -------------------------------------------------------------------------------------

def idx(array):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def idx_files(folder, pictures, labels, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        for name, array in ((f"{part}-images-idx3-ubyte", pictures), (f"{part}-labels-idx1-ubyte", labels)):
            content = idx(array)
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("kind, count, size, labels, classes", [
    (MNIST, 5, (28, 28), [0, 1, 2, 9, 4], 10), (MNIST, 3, (28, 28), [9, 0, 1], 10),         # Fashion-MNIST, or fewer
    (MNIST, 4, (32, 20), [0, 1, 1, 0], 10), (MNIST, 3, (28, 28), [1, 26, 13], 27),          # another size; letters
    (FashionMNIST, 3, (28, 28), [0, 1, 2], 10), (KMNIST, 2, (64, 64), [48, 0], 49)])
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_other_pictures_are_read_with_one_warning(tmp_path, kind, count, size, labels, classes, packed):
    pictures = np.random.default_rng(0).integers(0, 256, (count, *size))
    idx_files(tmp_path / kind.__name__.lower(), pictures, np.array(labels), packed)
    for train in (True, False):
        with pytest.warns(UserWarning) as caught:
            found = kind(tmp_path, train)
        assert len(caught) == 1 and "are not the published ones" in str(caught[0].message) and caught[0].filename == __file__
        assert (found.pictures[:, 0] == pictures).all() and found.labels.tolist() == labels and len(found.classes) == classes
        x, y = next(iter(DataLoader(found, count)))
        assert x.shape == (count, 1, *size) == (count, 1, *found.format.size) and y.tolist() == labels


def test_the_published_files_bring_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "COUNTS", {True: 4, False: 4})
    for kind in (FashionMNIST, KMNIST):
        idx_files(tmp_path / kind.__name__.lower(), np.zeros((4, 28, 28)), np.arange(4))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = kind(tmp_path)
        assert found.pictures.shape == (4, 1, 28, 28) and found.labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("pictures, labels, message", [
    (np.zeros((3, 28, 28)), np.zeros(2), "2 labels found for the 3 pictures"),
    (np.zeros((3, 784)), np.zeros(3), r"\(3, 784\) found, pictures \(N, H, W\) expected"),
    (np.zeros((3, 28, 28)), np.zeros((3, 1)), r"\(3, 1\) found, labels \(N,\) expected"),
    (np.zeros((0, 28, 28)), np.zeros(0), r"\(0, 28, 28\) found")])
def test_files_that_do_not_fit_together_are_named(tmp_path, pictures, labels, message):
    idx_files(tmp_path / "mnist", pictures, labels)
    with pytest.raises(ValueError, match=f"{tmp_path}.*{message}"):
        MNIST(tmp_path)


# ---- CIFAR for Python ------------------------------------------------------------------------------------------------

def cifar_batches(kind, seed=0):
    """{name: dictionary} of the files of the version for Python, three pictures each."""
    chance = np.random.default_rng(seed)
    found = {}
    for name in itertools.chain(*kind.PYTHON_FILES.values()):
        found[name] = {b"data": chance.integers(0, 256, (3, 3072)).astype(np.uint8),
                       b"filenames": [b"a.png", b"b.png", b"c.png"],
                       kind.PYTHON_LABELS: chance.integers(0, len(kind.CLASSES), 3).tolist(),
                       b"batch_label": b"batch 1 of 5",
                       b"coarse_labels": [0, 1, 2]}
    return found


def python2(value):
    """The pickle, protocol 2, that Python 2 and NumPy 1 wrote: strings are bytes, in the instructions U and T."""
    def text(s):
        s = s.encode("latin1") if isinstance(s, str) else s
        return b"U" + bytes([len(s)]) + s if len(s) < 256 else b"T" + len(s).to_bytes(4, "little") + s

    def number(n):
        return b"J" + n.to_bytes(4, "little", signed=True)
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(k) + python2(v) for k, v in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, int):
        return number(value)
    dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
    shape = b"(" + b"".join(map(number, value.shape)) + b"t"
    return made + b"(K\x01" + shape + dtype + b"\x89" + text(value.tobytes()) + b"tb"


WRITERS = {"Python 2": lambda batch: b"\x80\x02" + python2(batch) + b".",
           **{f"protocol {p}": lambda batch, p=p: pickle.dumps(batch, p) for p in (2, 3, 4, 5)}}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])
def test_cifar_for_python_is_read_as_it_is(tmp_path, kind, writer):
    batches = cifar_batches(kind)
    folder = tmp_path / kind.__name__.lower() / kind.PYTHON_FOLDER
    folder.mkdir(parents=True)
    for name, batch in batches.items():
        content = WRITERS[writer](batch)
        assert (pickle.loads(content, encoding="bytes")[b"data"] == batch[b"data"]).all()
        (folder / name).write_bytes(content)
    for train in (True, False):
        found = kind(tmp_path, train)
        parts = [batches[name] for name in kind.PYTHON_FILES[train]]
        assert (found.data.transpose(0, 3, 1, 2).reshape(-1, 3072) == np.concatenate([b[b"data"] for b in parts])).all()
        assert found.targets == sum((b[kind.PYTHON_LABELS] for b in parts), [])
        assert found[0][0].shape == (3, 32, 32) and kind.place(tmp_path) == folder


@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])
def test_the_archive_for_python_is_checked_and_unpacked(tmp_path, kind, monkeypatch):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, batch in cifar_batches(kind).items():
            content = pickle.dumps(batch, 2)
            member = tarfile.TarInfo(f"{kind.PYTHON_FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    path = tmp_path / kind.PYTHON_ARCHIVE
    path.write_bytes(packed.getvalue())
    with pytest.raises(ValueError, match=f"{path}.*MD5.*{kind.PYTHON_MD5} expected"):
        kind(tmp_path)
    monkeypatch.setattr(kind, "PYTHON_MD5", hashlib.md5(packed.getvalue()).hexdigest())
    assert len(kind(tmp_path, train=False)) == 3 and kind.place(tmp_path).name == kind.PYTHON_FOLDER


class Harm:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("batch, message", [
    ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]}, "picture 1 has the label 10, expected 0 to 9"),
    ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, r"pixels uint8 \(2, 3072\) and labels \(1,\) found"),
    ({b"data": np.zeros((2, 3072)), b"labels": [0, 0]}, "pixels float64"),
    ({b"labels": [0]}, "no batch of CIFAR10.*b'data'"),
    ({b"data": np.zeros((2, 3072), np.uint8), b"labels": ["a", "b"]}, "no batch of CIFAR10"),
    ([1, 2], "no batch of CIFAR10"),
    ({b"data": [1], b"labels": [1]}, "no batch of CIFAR10"),
    (Harm("/nowhere/harm"), "refused: its pickle asks for (posix|nt).mkdir"),
    ({b"data": np.array([None]), b"labels": [1]}, "refused.*'O8'")])
def test_a_batch_that_is_none_is_named(tmp_path, batch, message):
    folder = tmp_path / CIFAR10.PYTHON_FOLDER
    folder.mkdir()
    (folder / "test_batch").write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(ValueError, match=f"test_batch: .*{message}"):
        CIFAR10(tmp_path, train=False)


def test_damaged_pickles_are_value_errors():
    good, chance = pickle.dumps(cifar_batches(CIFAR10)["test_batch"], 2), random.Random(0)
    head, refused = len(good) - 9300, 0
    for i in range(400):
        bad, at = bytearray(good), chance.choice([chance.randrange(200),
                                                  chance.randrange(head, len(good))]) if head > 200 else 0
        bad[at] ^= 1 << chance.randrange(8)
        try:
            pth.read_containers(bytes(bad[:chance.choice([len(bad), at])]))
        except ValueError:
            refused += 1
    assert refused > 100


# ---- checkpoints with NumPy in them ----------------------------------------------------------------------------------

VALUES = [np.float64(0.5), np.float32(0.25), np.float16(2), np.int64(-3), np.uint8(200), np.bool_(True),
          np.arange(6).reshape(2, 3),
          np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 3)), np.array(2.5), np.arange(3, dtype=">i4")]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("new", [True, False])
def test_numbers_and_arrays_of_numpy_come_back(tmp_path, new, protocol):
    torch = pytest.importorskip("torch")
    state = {"best": np.float64(0.5), "all": VALUES, "w": torch.ones(2), "steps": {"a": np.int32(7)}}
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    back = t.load(tmp_path / "x.pth")
    assert back["w"].tolist() == [1, 1] and back["best"] == 0.5 and back["steps"]["a"] == 7
    for ours, theirs in zip(back["all"], VALUES, strict=True):
        assert type(ours) is type(theirs) and ours.dtype == theirs.dtype.newbyteorder("=") and np.array_equal(ours, theirs)
    t.save(back, tmp_path / "y")
    assert t.load(tmp_path / "y")["best"] == 0.5


@pytest.mark.parametrize("value, message", [
    (np.str_("a"), "'U1'"), (np.array(["a"]), "'U1'"), (np.array([None]), "'O8'"), (np.datetime64("2020-01-01"), "'M8'"),
    (np.complex64(1), "'c8'"), (np.zeros(1, [("a", "f4")]), "'V4'")])
def test_other_things_of_numpy_are_refused_by_name(tmp_path, value, message):
    torch = pytest.importorskip("torch")
    torch.save({"v": value}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=f"refused: it has NumPy's {message}"):
        t.load(tmp_path / "x.pth")


DTYPE = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
STATE = b"(K\x03X\x01\x00\x00\x00<NNNK\x00K\x00K\x00tb"


def bytes_of(content):
    return b"c_codecs\nencode\nX" + len(content).to_bytes(4, "little") + content + b"X\x06\x00\x00\x00latin1\x86R"


@pytest.mark.parametrize("code, message", [
    (b"cnumpy.core.multiarray\nscalar\n" + DTYPE + STATE + bytes_of(b"abc") + b"\x86R", "3 bytes"),
    (b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(J\xff\xff\xff\xfft" + DTYPE + b"\x89" + bytes_of(b"abcd") + b"tb",
     "impossible"),
    (b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(K\x02t" + DTYPE + b"\x89" + bytes_of(b"abcd") + b"tb", "4 bytes"),
    (b"cnumpy.core.multiarray\n_reconstruct\n)R}X\x03\x00\x00\x00rawK\x01sb", "damaged"),
    (DTYPE + b"}X\x04\x00\x00\x00codeX\x02\x00\x00\x00O8sb", "damaged"), (DTYPE, "contains a Dtype"),
    (b"cnumpy\ndtype\nX\x05\x00\x00\x00f4,O8\x85R", "refused"), (b"cnumpy\nndarray\n)R", "damaged"),
    (b"cnumpy\nndarray\n)\x81", "damaged"), (b"cbuiltins\nbytes\nJ\xff\xff\xff\x7f\x85R", "makes bytes of something"),
    (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R", "encoding 'hex'")])
def test_a_pickle_cannot_make_impossible_arrays(code, message):
    with pytest.raises(ValueError, match=message):
        t.load(io.BytesIO(torch_archive(b"\x80\x02" + code + b".")))


def torch_archive(pickled):
    import zipfile
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return file.getvalue()


def test_tensors_that_are_kept_as_their_negative_are_turned(tmp_path):
    torch = pytest.importorskip("torch")
    x = torch.complex(torch.ones(2), torch.tensor([1.0, -2])).conj().imag
    torch.save({"x": x, "y": torch.ones(1)}, tmp_path / "x.pt")
    assert t.load(tmp_path / "x.pt")["x"].tolist() == x.tolist() == [-1, 2]


def test_the_command_line_says_what_the_file_is_in_a_line(tmp_path):
    animated(tmp_path / "a.gif")
    out = subprocess.run([sys.executable, "-m", "tinycnn", "predict", "cifar10", str(tmp_path / "a.gif")],
                         capture_output=True,
                         text=True)
    assert out.returncode == 0, out.stderr
    assert out.stderr == f"tinycnn: warning: {tmp_path / 'a.gif'}: an animated picture, of which the first frame is taken\n"


# ---- what follows: trained on, and drawn ---------------------------------------------------------------------------------

@pytest.mark.filterwarnings("default:.*not the published ones:UserWarning")
@pytest.mark.parametrize("size, count, classes", [((28, 28), 60, 7), ((28, 28), 60, 27), ((20, 32), 66, 12)])
def test_the_command_line_trains_on_a_set_of_ones_own(tmp_path, monkeypatch, capsys, size, count, classes):
    from tinycnn.cli import main
    chance = np.random.default_rng(0)
    idx_files(tmp_path / "mnist", chance.integers(0, 256, (count, *size)), np.arange(count) % classes)
    monkeypatch.setenv("TINYCNN_DATA", str(tmp_path))
    assert main(["train", "--dataset", "mnist", "--epochs", "1", "--quiet", "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert f"of {count})" in out and err.count("not the published ones") == 1 and len(err.splitlines()) == 1
    assert main(["evaluate", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("pixels, expected", [
    (np.array([[0, 3, 255]], np.uint8), [0, 3, 255]), (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
    (np.array([[False, True, True]]), [0, 255, 255]), (np.array([[0, 1, 1]], np.int64), [0, 255, 255])])
def test_saved_pictures_are_what_they_were(tmp_path, pixels, expected):
    from tinycnn.vision.utils import make_grid, save_image
    save_image(t.tensor(pixels), tmp_path / "a.png")
    assert np.asarray(Image.open(tmp_path / "a.png"))[0, :, 0].tolist() == expected
    ramp = make_grid(t.tensor(np.array([[10, 20, 30]], np.uint8)), normalize=True)
    assert ramp.dtype == t.float32 and ramp[0, 0].tolist() == [0, 0.5, 1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(ValueError, match="x.png: a pipe, and no file"):
        load_picture(tmp_path / "x.png")
    with pytest.raises(TypeError, match="load_picture: path must be a path.* got int"):
        load_picture(3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_of_pictures_do_not_write_to_the_terminal(tmp_path):
    (tmp_path / "\x1b[2J.png").write_bytes(b"junk")
    (tmp_path / "\x1b[2J").mkdir()
    for call in (lambda: load_picture(tmp_path / "\x1b[2J.png"), lambda: ImageFolder(tmp_path)):
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            call()
        assert str(error.value).isprintable()


@pytest.mark.parametrize("shape", [[1] * 255, [2**32 - 1, 2**32 - 1, 0]])
def test_shapes_that_numpy_does_not_have_name_the_file(shape):
    content = b"\0\0\x08" + bytes([len(shape)]) + b"".join(n.to_bytes(4) for n in shape) + bytes(math.prod(shape))
    with pytest.raises(ValueError, match="some.file: it states an impossible shape"):
        parse_idx(content, "some.file")

"""CIFAR, the relatives of MNIST, drawn shapes, folders of pictures, and 300 damaged files."""
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tinycnn.cli import main
from tinycnn.data import (CIFAR10, CIFAR100, KMNIST, MNIST, DataLoader, Digits, FashionMNIST, ImageFolder, Shapes, Subset,
                          cifar, datasets, default_collate, transforms)
from tinycnn.data.reading import read_picture

Image = pytest.importorskip("PIL.Image")


def idx(array):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny_fashion(tmp_path, monkeypatch):
    """A data folder with FashionMNIST files of six training and four test pictures."""
    monkeypatch.setattr(MNIST, "COUNTS", {True: 6, False: 4})
    folder = tmp_path / "fashionmnist"
    folder.mkdir()
    chance = np.random.default_rng(0)
    for train, n in MNIST.COUNTS.items():
        pictures, labels = chance.integers(0, 256, (n, 28, 28)), np.arange(n)
        for what, array in (("pictures", pictures), ("labels", labels)):
            (folder / f"{FashionMNIST.FILES[train, what][0]}.gz").write_bytes(gzip.compress(idx(array), mtime=0))
    return tmp_path


def cifar_files(kind, seed=0):
    """{name: bytes} of the six or two files of a class whose RECORDS are small."""
    chance = np.random.default_rng(seed)
    files = {}
    for train in (True, False):
        for name in kind.FILES[train]:
            records = chance.integers(0, 256, (kind.RECORDS[train], kind.LABELS + 3072)).astype(np.uint8)
            records[:, kind.LABELS - 1] = chance.integers(0, len(kind.CLASSES), len(records))
            files[name] = records.tobytes()
    return files


def archive(kind, files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{kind.FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(params=[CIFAR10, CIFAR100])
def tiny_cifar(request, monkeypatch):
    """(class, its files, its archive) with three pictures in a training file and two in the test file."""
    kind = request.param
    monkeypatch.setattr(kind, "RECORDS", {True: 3, False: 2})
    files = cifar_files(kind)
    packed = archive(kind, files)
    monkeypatch.setattr(kind, "SHA256", hashlib.sha256(packed).hexdigest())
    return kind, files, packed


# ---- CIFAR -----------------------------------------------------------------------------------------------------------

def test_cifar_reads_the_binary_records_from_both_places(tiny_cifar, tmp_path):
    kind, files, _ = tiny_cifar
    for place in (tmp_path / "a", tmp_path / "b" / kind.__name__.lower()):
        (place / kind.FOLDER).mkdir(parents=True)
        for name, content in files.items():
            (place / kind.FOLDER / name).write_bytes(content)
    for root in (tmp_path / "a", tmp_path / "b"):
        train, test = kind(root), kind(root, train=False)
        assert len(train) == 3 * len(kind.FILES[True]) and len(test) == 2 and kind.place(root).name == kind.FOLDER
        record = np.frombuffer(files[kind.FILES[True][-1]], np.uint8).reshape(3, -1)[-1]
        assert (train.pictures[-1].ravel() == record[kind.LABELS:]).all() and train.targets[-1] == record[kind.LABELS - 1]
        assert train[0][0].shape == (3, 32, 32) and train.pictures.flags.c_contiguous


def test_cifar_archive_is_checked_unpacked_and_its_files_remembered(tiny_cifar, tmp_path):
    kind, files, packed = tiny_cifar
    path = tmp_path / kind.ARCHIVE
    path.write_bytes(packed[:-1])
    with pytest.raises(ValueError, match=f"{path}.*SHA-256"):
        kind(tmp_path)
    assert os.listdir(tmp_path) == [kind.ARCHIVE], "nothing is unpacked from a damaged archive"
    path.write_bytes(packed)
    assert len(kind(tmp_path, train=False)) == 2 and path.exists()
    assert sorted(os.listdir(tmp_path / kind.FOLDER)) == sorted([*files, cifar.SUMS])
    path.unlink()
    name = kind.FILES[False][0]
    flipped = bytearray(files[name])
    flipped[-1] ^= 1
    (tmp_path / kind.FOLDER / name).write_bytes(flipped)
    with pytest.raises(ValueError, match=f"{name}.*SHA-256"):
        kind(tmp_path, train=False)
    assert len(kind(tmp_path)) == 3 * len(kind.FILES[True])


def test_cifar_names_the_missing_file_and_foreign_labels(tiny_cifar, tmp_path):
    kind, files, _ = tiny_cifar
    with pytest.raises(FileNotFoundError, match=f"{kind.FILES[True][0]} is missing: put {kind.ARCHIVE} into {tmp_path}"):
        kind(tmp_path)
    folder = tmp_path / kind.FOLDER
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / kind.FILES[True][-1]).unlink()
    with pytest.raises(FileNotFoundError, match=f"{folder / kind.FILES[True][-1]} is missing"):
        kind(tmp_path)
    name = kind.FILES[False][0]
    wrong = bytearray(files[name])
    wrong[kind.LABELS + 3072 + kind.LABELS - 1] = 200
    (folder / name).write_bytes(wrong)
    with pytest.raises(ValueError, match=f"{name}: picture 1 has the label 200, expected 0 to {len(kind.CLASSES) - 1}"):
        kind(tmp_path, train=False)


def serve(folder):
    import http.server

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_cifar_download_keeps_the_files_and_not_the_archive(tiny_cifar, tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    kind, files, packed = tiny_cifar
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / kind.ARCHIVE).write_bytes(packed)
    server = serve(tmp_path / "site")
    try:
        monkeypatch.setattr(cifar, "MIRRORS", (f"http://127.0.0.1:{server.server_address[1]}/",))
        root = tmp_path / "data"
        assert len(kind(root, download=True)) == 3 * len(kind.FILES[True]) and len(kind(root, train=False)) == 2
        assert os.listdir(root / kind.__name__.lower()) == [kind.FOLDER]
        (tmp_path / "site" / kind.ARCHIVE).write_bytes(packed + b"x")
        with pytest.raises(OSError, match="(?s)no mirror delivered.*hash"):
            kind(tmp_path / "other", download=True)
        assert not (tmp_path / "other" / kind.__name__.lower()).exists()
    finally:
        server.shutdown()
        server.server_close()


def test_cifar_classes_are_the_published_ones():
    assert CIFAR10.CLASSES[3] == "cat" and len(CIFAR100.CLASSES) == 100
    assert list(CIFAR100.CLASSES) == sorted(set(CIFAR100.CLASSES))


def test_real_cifar():
    folder = os.environ.get("TINYCNN_DATA")
    if not folder or CIFAR10.place(folder and Path(folder)) is None:
        pytest.skip("the variable TINYCNN_DATA names no folder with the files of CIFAR-10")
    test = CIFAR10(train=False)
    assert np.bincount(test.targets).tolist() == [1000] * 10 and abs(test.data.mean() / 255 - 0.477) < 0.01


# ---- the relatives of MNIST ------------------------------------------------------------------------------------------

def test_fashion_is_read_in_both_layouts_packed_or_not(tiny_fashion):
    train = FashionMNIST(tiny_fashion)
    assert train.pictures.shape == (6, 1, 28, 28) and train.classes[5] == "Sandal" and train.class_to_idx["Bag"] == 8
    folder = tiny_fashion / "fashionmnist"
    for file in list(folder.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    (tiny_fashion / "KMNIST").mkdir()
    folder.rename(tiny_fashion / "KMNIST" / "raw")
    assert (KMNIST(tiny_fashion).data == train.data).all() and KMNIST(tiny_fashion, train=False).classes[0] == "o"
    assert KMNIST.place(tiny_fashion).name == "raw" and FashionMNIST.place(tiny_fashion) is None
    with pytest.raises(FileNotFoundError, match="FashionMNIST: train-images.*fashionmnist"):
        FashionMNIST(tiny_fashion)


def test_fashion_is_checked_by_its_form(tiny_fashion):
    file = tiny_fashion / "fashionmnist" / "t10k-labels-idx1-ubyte.gz"
    for array, message in ((np.arange(5), "5 labels found for the 4 pictures"), (np.zeros(0), r"\(0,\) found"),
                           (np.zeros((4, 28, 28)), r"\(4, 28, 28\) found, labels \(N,\) expected")):
        file.write_bytes(gzip.compress(idx(array)))
        with pytest.raises(ValueError, match=f"{file}.*{message}"):
            FashionMNIST(tiny_fashion, train=False)


def test_every_published_hash_has_the_length_of_its_kind():
    from tinycnn.data import mnist
    for table in (mnist.FILES, FashionMNIST.FILES, KMNIST.FILES):
        hashes = [packed.split(":") for _, _, packed in table.values()]
        assert len({value for _, value in hashes}) == 4
        assert all(len(value) == {"md5": 32, "sha256": 64}[kind] for kind, value in hashes)


# ---- torchvision's constructor ---------------------------------------------------------------------------------------

def test_the_official_mnist_example_of_pytorch_loads_its_data(tiny_fashion, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "MNIST", FashionMNIST)  # whose files are here and need no hashes
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    dataset1 = datasets.MNIST(tiny_fashion, train=True, download=True, transform=transform)
    dataset2 = datasets.MNIST(tiny_fashion, train=False, transform=transform)
    cuda_kwargs = {"num_workers": 1, "pin_memory": True, "shuffle": True}
    train_loader = DataLoader(dataset1, **{"batch_size": 4, **cuda_kwargs})
    test_loader = DataLoader(dataset2, **{"batch_size": 1000})
    assert [len(y) for _, y in train_loader] == [4, 2]
    x, y = next(iter(test_loader))
    raw = np.stack([(np.asarray(p) / 255 - 0.1307) / 0.3081 for p in dataset2.pictures])
    assert x.shape == (4, 1, 28, 28) and x.dtype == np.float32 and np.abs(x.array - raw).max() < 1e-5
    assert y.tolist() == dataset2.targets.tolist()


@pytest.mark.parametrize("make", [lambda **o: Digits("test", **o), lambda **o: Shapes(train=False, size=16, count=30, **o)])
def test_transforms_see_pictures_one_by_one_and_batches_at_once(make):
    plain = make()
    steps = [transforms.CenterCrop(6), transforms.ToTensor()]
    fast = make(transform=transforms.Compose(steps), target_transform=lambda y: -y)
    slow = make(transform=transforms.Compose([*steps, lambda x: x]), target_transform=lambda y: -y)
    assert isinstance(make(transform=lambda p: p)[0][0], Image.Image)
    for dataset in (fast, Subset(fast, range(8))):
        (x, y), (x2, y2) = next(iter(DataLoader(dataset, 8))), default_collate([slow[i] for i in range(8)])
        assert (x.array == x2.array).all() and y.tolist() == y2.tolist() == (-plain.targets[:8]).tolist()
    assert 0.9 < x.max().item() <= 1
    x, _ = next(iter(DataLoader(slow, 8, num_workers=2)))
    assert (x.array == x2.array).all()


def test_transforms_of_a_batch_draw_for_each_picture():
    dataset = Shapes(train=False, size=16, count=30, transform=transforms.Compose([
        transforms.RandomRotation(180), transforms.RandAugment(), transforms.ToTensor(), transforms.RandomErasing()]))
    same = Subset(dataset, [1] * 9)
    x, _ = next(iter(DataLoader(same, 9)))
    assert len({p.tobytes() for p in x.array}) > 5


# ---- shapes ----------------------------------------------------------------------------------------------------------

def test_shapes_are_the_lectures_numbers_and_fixed_by_the_seed():
    train, validation = Shapes(size=24), Shapes(train=False, size=24)
    assert (len(train), len(validation)) == (840, 360) and train.data.shape == (840, 3, 24, 24)
    assert np.bincount(train.targets).tolist() == [280] * 3 and np.bincount(validation.targets).tolist() == [120] * 3
    both = {p.tobytes() for p in train.data} | {p.tobytes() for p in validation.data}
    assert len(both) == 1200 and {p.tobytes() for p in Shapes(split="all", size=24).data} == both
    assert (Shapes(size=24).data == train.data).all() and (Shapes(size=24, seed=1).data != train.data).any()
    assert Shapes(size=(20, 30), count=30).data.shape == (21, 3, 20, 30)
    assert len(Shapes(count=1)) == 1 and len(Shapes(count=1, train=False)) == 0


def test_shapes_are_what_they_are_called_at_any_size():
    for size in (64, 160):
        data = Shapes(split="all", size=size, count=60, tilt=180)
        for pixels, target in zip(data.data.astype(float), data.targets):
            distance = np.abs(pixels - pixels[:, :1, :1]).sum(0)
            inside = distance / distance.max()
            rows, columns = np.nonzero(inside > 0.5)
            points = np.stack([rows, columns], 1) - [rows.mean(), columns.mean()]
            radius = np.sqrt((points ** 2).sum(1)).max() + 0.5
            share = inside.sum() / (np.pi * radius ** 2)  # of the circle around it
            expected = {"circle": 1, "square": 2 / np.pi, "triangle": 3 * np.sqrt(3) / 4 / np.pi}[data.classes[target]]
            assert abs(share - expected) < 0.06, (data.classes[target], share)
            assert 0.3 * size < radius < 0.47 * size
            assert ((inside > 0.05) & (inside < 0.95)).any(), "outlines are smooth"


def test_shapes_as_a_folder_come_back(tmp_path):
    shapes = Shapes(size=20, count=30)
    folder = ImageFolder(shapes.save(tmp_path / "shapes"))
    assert folder.classes == shapes.classes and len(folder) == len(shapes)
    seen = {transforms.PILToTensor()(x).array.tobytes() for x, _ in folder}
    assert seen == {p.tobytes() for p in shapes.data}


@pytest.mark.parametrize("options, name", [(dict(split="test"), "split"), (dict(split="train", train=True), "split"),
                                           (dict(count=0), "count"), (dict(size=0), "size")])
def test_wrong_arguments_of_shapes_are_named(options, name):
    with pytest.raises(ValueError, match=name):
        Shapes(**options)


# ---- folders ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    """Ten pictures of cats and five of dogs, of different sizes, formats and modes."""
    chance = np.random.default_rng(0)
    for name, n in (("cat", 10), ("dog", 5)):
        for i in range(n):
            path = tmp_path / "pets" / name / ("old" if i == 0 else "") / f"{i}.{'png' if i % 2 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(chance.integers(0, 256, (20 + i, 30, 3)).astype(np.uint8))
            (picture.convert("L") if i == 1 else picture).save(path)
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("not a picture")
    (tmp_path / "pets" / "cat" / ".hidden.png").write_text("not a picture either")
    return tmp_path / "pets"


def test_folder_has_a_class_a_subfolder(folder):
    pets = ImageFolder(folder)
    assert pets.classes == ("cat", "dog") and pets.class_to_idx == {"cat": 0, "dog": 1} and len(pets) == 15
    assert pets.targets == [0] * 10 + [1] * 5 and pets.imgs is pets.samples
    x, y = pets[0]
    assert isinstance(x, Image.Image) and x.mode == "RGB" and y == 0 and "15 pictures" in repr(pets)
    assert all(x.mode == "RGB" for x, _ in pets)


def test_folder_short_form_and_transforms_make_batches(folder):
    x, y = next(iter(DataLoader(ImageFolder(folder, size=(12, 16)), 15)))
    assert x.shape == (15, 3, 12, 16) and x.dtype == np.float32 and abs(x.array.mean()) < 0.5 and y.tolist()[9:11] == [0, 1]
    transform = transforms.Compose([transforms.RandomResizedCrop(8), transforms.ToTensor()])
    pets = ImageFolder(folder, transform, lambda y: y + 10)
    tinycnn.manual_seed(3)
    batches = [(x.tolist(), y.tolist()) for x, y in DataLoader(pets, 4, shuffle=True, num_workers=3)]
    tinycnn.manual_seed(3)
    assert batches == [(x.tolist(), y.tolist()) for x, y in DataLoader(pets, 4, shuffle=True)]
    assert set(sum((y for _, y in batches), [])) == {10, 11}


def test_folder_is_split_class_by_class(folder):
    parts = [ImageFolder(folder, train=t, validation_split=0.4, seed=s) for t, s in ((True, 0), (False, 0), (False, 1))]
    assert [np.bincount(p.targets).tolist() for p in parts] == [[6, 3], [4, 2], [4, 2]]
    assert set(parts[0].samples) | set(parts[1].samples) == set(ImageFolder(folder).samples)
    assert not set(parts[0].samples) & set(parts[1].samples) and parts[1].samples != parts[2].samples
    for options in (dict(train=True), dict(validation_split=0.2), dict(validation_split=1, train=True)):
        with pytest.raises(ValueError, match="validation_split"):
            ImageFolder(folder, **options)


def test_damaged_pictures_are_named_and_skipped_only_on_request(folder):
    whole = (folder / "cat" / "2.jpg").read_bytes()
    (folder / "cat" / "2.jpg").write_bytes(whole[:len(whole) // 2])
    (folder / "dog" / "3.png").write_bytes(b"hello")
    pets = ImageFolder(folder, size=8)
    with pytest.raises(ValueError, match="2.jpg: the picture is damaged"):
        list(pets)
    with pytest.raises(ValueError, match="3.png: no picture") as error:
        list(DataLoader(Subset(pets, range(10, 15)), 2, num_workers=2))
    assert "of ImageFolder" in error.value.__notes__[0]
    with pytest.warns(UserWarning, match="2 damaged pictures left out: .*2.jpg, .*3.png"):
        pets = ImageFolder(folder, size=8, skip_damaged=True)
    assert len(pets) == len(list(pets)) == len(pets.targets) == 13 and len(pets.damaged) == 2


def test_empty_and_missing_folders_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        ImageFolder(tmp_path / "nowhere")
    (folder / "fish").mkdir()
    with pytest.raises(FileNotFoundError, match="fish has no pictures.*allow_empty"):
        ImageFolder(folder)
    assert ImageFolder(folder, allow_empty=True).classes == ("cat", "dog", "fish")
    assert len(ImageFolder(folder, allow_empty=True, is_valid_file=lambda p: p.suffix == ".png")) == 7
    with pytest.raises(FileNotFoundError, match="no subfolders"):
        ImageFolder(folder / "fish")
    with pytest.raises(ValueError, match="size"):
        ImageFolder(folder, transforms.ToTensor(), size=8)


def test_reading_a_photograph_cuts_and_resizes_it(tmp_path):
    picture = Image.new("RGB", (60, 30), (255, 0, 0))
    picture.paste((0, 0, 255), (20, 0, 40, 30))
    picture.save(tmp_path / "photo.png")
    pixels = read_picture(tmp_path / "photo.png", CIFAR10.FORMAT)
    assert pixels.shape == (3, 32, 32) and pixels.dtype == np.float32
    assert pixels[:, 16, 16].tolist() == [0, 0, 255] and pixels[0, 16, 0] == 255


# ---- damaged files ---------------------------------------------------------------------------------------------------

def damage(content, chance):
    """One of four accidents: the end is missing, a bit is flipped, a piece is overwritten, or rubbish is appended."""
    kind, content = chance.integers(4), bytearray(content)
    at = int(chance.integers(len(content)))
    if kind == 0:
        return bytes(content[:at])
    if kind == 1:
        content[at] ^= 1 << int(chance.integers(8))
    elif kind == 2:
        content[at:at + 20] = chance.bytes(len(content[at:at + 20]))
    else:
        content += chance.bytes(int(chance.integers(1, 50)))
    return bytes(content)


def swapped(folder):
    """Two files of a folder under each other's name."""
    a, b = sorted(folder.iterdir())[:2]
    middle = folder / "x"
    a.rename(middle)
    b.rename(a)
    middle.rename(b)


def check_reported(load, folder, names, untouched):
    """`load` either works, on data that nothing can tell from good ones, or names a file of the folder in a clear error."""
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    try:
        return load() == untouched
    except (OSError, ValueError) as error:
        assert any(name in str(error) for name in names) and str(folder) in str(error), repr(error)
        return False
    finally:
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before, "the folder is as it was"


def test_a_hundred_damaged_idx_files(tiny_fashion):
    folder, chance = tiny_fashion / "fashionmnist", np.random.default_rng(1)
    names = [p.name for p in folder.iterdir()]

    def load():
        parts = FashionMNIST(tiny_fashion), FashionMNIST(tiny_fashion, train=False)
        return [part.pictures.tobytes() + part.labels.tobytes() for part in parts]
    good = load()
    for i in range(100):
        path = folder / names[i % len(names)]
        content = path.read_bytes()
        path.write_bytes(damage(content, chance))
        same = check_reported(load, folder, names, good)
        assert not same or path.read_bytes() == content or gzip_says_the_same(path, content)
        path.write_bytes(content)
    swapped(folder)
    assert not check_reported(load, folder, names, good)


def gzip_says_the_same(path, content):
    """Whether the damage is where gzip keeps nothing of the content: its header, or behind the end."""
    from tinycnn.data.storage import unpack
    return unpack(path) == gzip.decompress(content)


@pytest.mark.parametrize("start", ["archive", "files"])
def test_two_hundred_damaged_cifar_files(tmp_path, monkeypatch, start):
    monkeypatch.setattr(CIFAR10, "RECORDS", {True: 2, False: 2})
    packed = archive(CIFAR10, cifar_files(CIFAR10))
    monkeypatch.setattr(CIFAR10, "SHA256", hashlib.sha256(packed).hexdigest())
    path, chance = tmp_path / CIFAR10.ARCHIVE, np.random.default_rng(2)

    def load():
        parts = CIFAR10(tmp_path), CIFAR10(tmp_path, train=False)
        return [part.pictures.tobytes() + part.labels.tobytes() for part in parts]
    if start == "archive":
        for _ in range(60):
            path.write_bytes(damage(packed, chance))
            if path.read_bytes() != packed:
                assert not check_reported(load, tmp_path, [CIFAR10.ARCHIVE], None)
        assert os.listdir(tmp_path) == [CIFAR10.ARCHIVE]
        return
    path.write_bytes(packed)
    good = load()
    path.unlink()
    folder = tmp_path / CIFAR10.FOLDER
    names = sorted(n for n in os.listdir(folder) if n != cifar.SUMS)
    for i in range(140):
        file = folder / names[i % len(names)]
        content = file.read_bytes()
        file.write_bytes(damage(content, chance))
        same = check_reported(load, folder, names, good)
        assert same == (file.read_bytes() == content), "every changed byte is noticed"
        file.write_bytes(content)
    swapped_names = folder / names[0], folder / names[1]
    contents = [p.read_bytes() for p in swapped_names]
    for p, content in zip(swapped_names, contents[::-1]):
        p.write_bytes(content)
    assert not check_reported(load, folder, names, good)


def test_eighty_damaged_pictures(folder):
    chance = np.random.default_rng(3)
    pets = ImageFolder(folder, size=8)
    names = [path.name for path, _ in pets.samples]
    for i in range(80):
        path, _ = pets.samples[i % len(pets)]
        content = path.read_bytes()
        path.write_bytes(damage(content, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_reported(lambda: pets[i % len(pets)][0].shape == (3, 8, 8), folder, names, True)
        path.write_bytes(content)


# ---- the command line ------------------------------------------------------------------------------------------------

def test_data_list_says_what_is_here(tiny_fashion, monkeypatch, capsys):
    monkeypatch.setenv("TINYCNN_DATA", str(tiny_fashion))
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("name") and any(line.startswith("digits") and "comes along" in line for line in lines)
    assert str(tiny_fashion / "fashionmnist") in next(line for line in lines if line.startswith("fashion-mnist"))
    assert "tinycnn data get cifar10 (170 MB)" in next(line for line in lines if line.startswith("cifar10 "))
    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["fashion-mnist"]["place"] == str(tiny_fashion / "fashionmnist") and rows["mnist"]["place"] is None
    assert len(rows) == 7


def test_data_get_checks_what_is_here_draws_shapes_and_reports_what_fails(tiny_fashion, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TINYCNN_DATA", str(tiny_fashion))
    assert main(["data", "get", "fashion-mnist"]) == 0
    said = f"fashion-mnist: 6 pictures (train) and 4 pictures (test) in {tiny_fashion / 'fashionmnist'}\n"
    assert capsys.readouterr().out == said
    from tinycnn import data
    monkeypatch.setattr(data, "Shapes", lambda split: Shapes(split=split, size=8, count=30))
    assert main(["data", "get", "shapes", "--folder", str(tmp_path / "here")]) == 0
    assert len(ImageFolder(tmp_path / "here" / "shapes" / "train")) == 21
    assert main(["data", "get", "digits"]) == 0 and "come along" in capsys.readouterr().out
    monkeypatch.setattr(KMNIST, "MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pytest.importorskip("pooch")
    assert main(["data", "get", "kmnist"]) == 1
    assert "tinycnn: error: no mirror delivered train-images" in capsys.readouterr().err
    assert not (tiny_fashion / "kmnist").exists(), "nothing is left of an attempt that failed"
    with pytest.raises(SystemExit) as stop:
        main(["data", "get", "nothing"])
    assert stop.value.code == 2


def test_the_pictures_of_a_data_set_have_torchvisions_form_and_can_be_replaced(tiny_fashion, tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "RECORDS", {True: 2, False: 3})
    rng, folder = np.random.default_rng(0), tmp_path / "cifar10" / CIFAR10.FOLDER
    folder.mkdir(parents=True)
    record = rng.integers(0, 256, (3, 3073), np.uint8)
    record[:, 0] = 7, 2, 5
    (folder / "test_batch.bin").write_bytes(record.tobytes())
    photographs, digits = CIFAR10(tmp_path, train=False), FashionMNIST(tiny_fashion)
    assert isinstance(photographs.data, np.ndarray) and photographs.data.shape == (3, 32, 32, 3)
    assert photographs.targets == [7, 2, 5] and photographs.pictures.shape == (3, 3, 32, 32)
    assert (photographs.data[1].transpose(2, 0, 1).ravel() == record[1, 1:]).all()
    assert isinstance(digits.data, tinycnn.Tensor) and digits.data.shape == (6, 28, 28) and digits.data.dtype == np.uint8
    assert isinstance(digits.targets, tinycnn.Tensor) and digits.targets.dtype == np.int64 and digits.labels.shape == (6,)
    for dataset in (photographs, digits):
        before = [dataset[i] for i in range(3)]
        chosen = [2, 0]
        dataset.data = dataset.data[chosen]
        dataset.targets = [dataset.targets[i] for i in chosen] if dataset is photographs else dataset.targets[chosen]
        x, y = dataset.batch(np.arange(2))
        assert len(dataset) == 2 and y.tolist() == [before[2][1], before[0][1]] == [dataset[0][1], dataset[1][1]]
        assert (x[0] == before[2][0]).all() and (dataset[1][0] == before[0][0]).all() and "2 pictures" in repr(dataset)
        dataset.targets[1] = 9
        assert dataset.batch(np.arange(2))[1].tolist() == [before[2][1], 9] and dataset[1][1] == 9
    digits.targets = digits.targets.numpy().tolist()
    digits.data = digits.data.numpy()
    assert digits.batch(np.arange(2))[1].tolist()[1] == 9

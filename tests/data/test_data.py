"""Data sets, the loader, and the files they come from."""
import gzip
import hashlib
import http.server
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tinycnn.engine.generators import Generator
from tinycnn.data import (MNIST, ConcatDataset, DataLoader, Dataset, Digits, RandomAffine, Sampler, Subset, TensorDataset,
                          data_folder, default_collate, mnist, random_split, storage)
from tinycnn.data.reading import read_picture

Image = pytest.importorskip("PIL.Image")


class Squares(Dataset):
    """Sample i is (i squared, i), with a count of how often samples were asked for."""

    def __init__(self, n):
        self.n, self.asked = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError(i)
        self.asked += 1
        return np.float32([i * i]), i


def numbered(n):
    x = tinycnn.tensor(np.arange(2 * n, dtype=np.float32).reshape(n, 2))
    return TensorDataset(x, tinycnn.tensor(np.arange(n)))


def labels(loader):
    return [y.tolist() for _, y in loader]


# ---- data sets -------------------------------------------------------------------------------------------------------

def test_tensor_dataset_gives_rows_of_every_tensor():
    x, y = numbered(5)[-1]
    assert (x.tolist(), y.item(), y.shape) == ([8.0, 9.0], 4, ())


@pytest.mark.parametrize("index, error", [(5, IndexError), (-6, IndexError), (1.0, TypeError), ("a", TypeError)])
def test_index_outside_or_of_another_kind_is_refused(index, error):
    with pytest.raises(error, match="index"):
        numbered(5)[index]


def test_iterating_a_data_set_ends():
    assert [y.item() for _, y in numbered(3)] == [0, 1, 2]
    assert len(list(Digits("validation"))) == 178


def test_tensors_of_different_length_are_refused_with_their_shapes():
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4,\)"):
        TensorDataset(tinycnn.zeros(3, 2), tinycnn.zeros(4))
    with pytest.raises(TypeError, match=r"tensors\[0\]"):
        TensorDataset(np.zeros(3))


def test_subset_of_subset_and_concatenation_find_the_right_samples():
    subset = Subset(Subset(numbered(10), [9, 8, 7, 6]), [3, -4])
    assert [int(y) for _, y in subset] == [6, 9]
    joined = subset + numbered(3)
    assert isinstance(joined, ConcatDataset)
    assert [int(joined[i][1]) for i in range(-5, 5)] == 2 * [6, 9, 0, 1, 2]
    assert labels(DataLoader(joined, 4)) == [[6, 9, 0, 1], [2]]
    with pytest.raises(IndexError, match="10"):
        Subset(numbered(10), [0, 10])
    with pytest.raises(ValueError, match="datasets"):
        ConcatDataset([])


def test_random_split_is_a_partition_that_the_generator_fixes():
    parts = [random_split(numbered(11), [0.5, 0.3, 0.2], Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert [len(p) for p in parts[0]] == [6, 3, 2]
    assert sorted(np.concatenate([p.indices for p in parts[0]])) == list(range(11))
    assert all((a.indices == b.indices).all() for a, b in zip(parts[0], parts[1]))
    assert any((a.indices != b.indices).any() for a, b in zip(parts[0], parts[2]))
    assert [len(p) for p in random_split(numbered(11), [11, 0])] == [11, 0]


@pytest.mark.parametrize("lengths", [[5, 5], [0.5, 0.4], [12, -1], [5.5, 5.5]])
def test_random_split_into_wrong_lengths_is_refused(lengths):
    with pytest.raises(ValueError, match="lengths.*11"):
        random_split(numbered(11), lengths)


def test_subclass_with_other_items_is_not_passed_over_by_the_short_cut():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x * 2, y
    x, _ = next(iter(DataLoader(Doubled(tinycnn.ones(4, 3), tinycnn.zeros(4)), 4)))
    assert (x.array == 2).all()


# ---- the loader ------------------------------------------------------------------------------------------------------

def test_loader_counts_and_cuts_batches():
    for drop, expected in ((False, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]), (True, [[0, 1, 2, 3], [4, 5, 6, 7]])):
        loader = DataLoader(numbered(10), 4, drop_last=drop)
        assert labels(loader) == expected and len(loader) == len(expected)
    assert len(DataLoader(numbered(10), 5)) == len(DataLoader(numbered(10), 5, drop_last=True)) == 2


def test_short_cut_and_sample_by_sample_agree():
    digits = Digits("test")
    x, y = next(iter(DataLoader(digits, 7)))
    one_by_one = next(iter(DataLoader(digits, 7, collate_fn=default_collate)))
    assert (x.array == one_by_one[0].array).all() and (y.array == one_by_one[1].array).all()
    assert x.dtype == tinycnn.float32 and y.dtype == one_by_one[1].dtype == tinycnn.int64


def test_shuffled_order_is_new_each_pass_and_fixed_by_the_seed():
    def two_passes(seed):
        tinycnn.manual_seed(seed)
        loader = DataLoader(numbered(50), 8, shuffle=True)
        return [sum(labels(loader), []) for _ in range(2)]
    first, again, other = two_passes(3), two_passes(3), two_passes(4)
    assert first == again and first != other and first[0] != first[1]
    assert sorted(first[0]) == sorted(first[1]) == list(range(50))
    own = [labels(DataLoader(numbered(9), 9, shuffle=True, generator=Generator().manual_seed(5))) for _ in range(2)]
    assert own[0] == own[1]


def test_any_object_with_length_and_items_will_do():
    squares = Squares(5)
    x, y = list(DataLoader(squares, 2))[-1]
    assert (x.tolist(), y.tolist(), squares.asked) == ([[16.0]], [4], 5)
    assert labels(DataLoader(list(zip("abc", range(3))), 2)) == [[0, 1], [2]]


def test_sampler_decides_the_order():
    class Backwards(Sampler):
        def __len__(self):
            return 3

        def __iter__(self):
            return iter([4, 2, 0])
    assert labels(DataLoader(numbered(5), 2, sampler=Backwards())) == [[4, 2], [0]]
    assert labels(DataLoader(numbered(5), 2, sampler=[1, 1])) == [[1, 1]]
    with pytest.raises(ValueError, match="sampler"):
        DataLoader(numbered(5), 2, shuffle=True, sampler=[1])


@pytest.mark.parametrize("size, error", [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)])
def test_wrong_batch_size_is_refused(size, error):
    with pytest.raises(error, match="batch_size"):
        DataLoader(numbered(5), size)


def test_empty_data_set_gives_no_batch():
    assert list(DataLoader(Subset(numbered(5), []), 2, shuffle=True)) == []


def test_collate_keeps_structure_and_names_shapes_that_differ():
    batch = default_collate([{"x": (1, 2.5), "name": "a"}, {"x": (3, 4.5), "name": "b"}])
    assert batch["x"][0].tolist() == [1, 3] and batch["x"][1].dtype == tinycnn.float64 and batch["name"] == ["a", "b"]
    with pytest.raises(RuntimeError, match=r"\(2,\), \(3,\)"):
        default_collate([np.zeros(2), np.zeros(3)])


def test_loader_names_are_where_pytorch_has_them():
    assert tinycnn.utils.data.DataLoader is DataLoader


# ---- digits ----------------------------------------------------------------------------------------------------------

def test_digits_are_the_published_ones():
    every = Digits("all")
    assert every.data.shape == (1797, 1, 8, 8) and every.data.dtype == np.uint8 and every.data.max() == 16
    assert np.bincount(every.targets).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert every.data[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert hashlib.sha256(every.data.tobytes()).hexdigest().startswith("8f26b2bd9d135c25")


def test_digits_parts_do_not_overlap_and_have_the_same_classes():
    every, parts = Digits("all"), [Digits(s) for s in ("train", "validation", "test")]
    assert [len(p) for p in parts] == [1266, 178, 353]
    for label in range(10):
        of_class = [p.data[p.targets == label] for p in parts]
        ranks = every.data[every.targets == label]
        assert (of_class[2] == ranks[np.arange(len(ranks)) % 10 >= 8]).all()
        assert (of_class[1] == ranks[7::10]).all()
        assert sum(map(len, of_class)) == len(ranks)


def test_digits_are_normalised_when_asked_for():
    train = Digits()
    x, y = train.batch(np.arange(len(train)))
    assert abs(x.array.mean()) < 0.01 and abs(x.array.std() - 1) < 0.01 and x.dtype == np.float32
    assert np.allclose(x.array[0].min(), train.format.background[0])
    with pytest.raises(ValueError, match="split.*'training'"):
        Digits("training")


# ---- MNIST -----------------------------------------------------------------------------------------------------------

def idx(array):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch):
    """A data folder with MNIST files of three pictures, whose hashes pass for the published ones."""
    (tmp_path / "mnist").mkdir()
    table = {}
    for train in (True, False):
        for what, array in (("pictures", np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256), ("labels", np.array([7, 0, 2]))):
            name = mnist.FILES[train, what][0]
            content = idx(array.astype(np.uint8))
            packed = gzip.compress(content, mtime=0)
            (tmp_path / "mnist" / f"{name}.gz").write_bytes(packed)
            table[train, what] = (name, *(hashlib.sha256(c).hexdigest() for c in (content, packed)))
    monkeypatch.setattr(mnist, "FILES", table)
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    return tmp_path


PICTURES = "train-images-idx3-ubyte"


def test_mnist_reads_packed_and_plain_files_in_both_layouts(tiny_mnist, monkeypatch):
    packed = MNIST(tiny_mnist)
    assert packed.pictures.shape == (3, 1, 28, 28) and packed.targets.tolist() == [7, 0, 2]
    assert packed[1][0].shape == (1, 28, 28) and packed[1][1] == 0
    file = tiny_mnist / "mnist" / f"{PICTURES}.gz"
    (tiny_mnist / "mnist" / PICTURES).write_bytes(gzip.decompress(file.read_bytes()))
    file.unlink()
    monkeypatch.setenv("TINYCNN_DATA", str(tiny_mnist))
    assert (MNIST().data == packed.data).all()
    (tiny_mnist / "MNIST").mkdir(exist_ok=True)
    (tiny_mnist / "mnist").rename(tiny_mnist / "MNIST" / "raw")
    assert (MNIST().data == packed.data).all()


def test_missing_file_is_named_with_its_place(tiny_mnist):
    (tiny_mnist / "mnist" / f"{PICTURES}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=f"{PICTURES}.gz is missing.*{tiny_mnist}"):
        MNIST(tiny_mnist)


@pytest.mark.parametrize("damage, message", [
    (lambda packed, plain: packed[:-20], "end early.*bytes found"),
    (lambda packed, plain: packed[:40] + bytes([packed[40] ^ 255]) + packed[41:], "damaged"),
    (lambda packed, plain: gzip.compress(plain[:-1]), r"2,367 bytes found, 2,368 expected.*\(3, 28, 28\)"),
    (lambda packed, plain: plain + b"x", "2,369 bytes found, 2,368 expected"),
    (lambda packed, plain: plain[:9], "9 bytes found, 16 expected"),
    (lambda packed, plain: b"", "starts with nothing"),
    (lambda packed, plain: b"<html>not found</html>", "3c 68 74 6d"),
    (lambda packed, plain: plain[:7] + bytes([2]) + plain[8:-784], "3 labels found for the 2 pictures"),
])
def test_damaged_file_is_named_with_what_is_wrong(tiny_mnist, damage, message):
    file = tiny_mnist / "mnist" / f"{PICTURES}.gz"
    packed = file.read_bytes()
    file.write_bytes(damage(packed, gzip.decompress(packed)))
    with pytest.raises(ValueError, match=message) as error:
        MNIST(tiny_mnist)
    assert str(file) in str(error.value)


def serve(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_download_tries_the_next_mirror_and_keeps_only_what_has_the_right_hash(tiny_mnist, tmp_path_factory, monkeypatch):
    pytest.importorskip("pooch")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    bad, target = tmp_path_factory.mktemp("bad"), tmp_path_factory.mktemp("target")
    for file in (tiny_mnist / "mnist").iterdir():
        (bad / file.name).write_bytes(b"something else")
    servers = [serve(bad), serve(tiny_mnist / "mnist")]
    try:
        addresses = [f"http://127.0.0.1:{s.server_address[1]}/" for s in servers]
        monkeypatch.setattr(mnist, "MIRRORS", (addresses[0] + "nowhere/", *addresses))
        assert MNIST(target, download=True).targets.tolist() == [7, 0, 2]
        assert len(list((target / "mnist").iterdir())) == 2, "the pictures and labels, and no remains of failed attempts"
        monkeypatch.setattr(mnist, "MIRRORS", addresses[:1])
        with pytest.raises(OSError, match="(?s)no mirror delivered t10k-images.*hash"):
            MNIST(target, train=False, download=True)
        assert MNIST(target).targets.tolist() == [7, 0, 2], "what is there needs no network"
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_unreachable_mirrors_say_where_to_put_the_file(tiny_mnist, tmp_path_factory, monkeypatch):
    pytest.importorskip("pooch")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    target = tmp_path_factory.mktemp("offline")
    with pytest.raises(OSError, match=f"(?s)no mirror delivered {PICTURES}.gz.*put the file into {target}"):
        MNIST(target, download=True)


def test_data_folder_is_the_variable_or_a_cache_of_the_user(monkeypatch):
    monkeypatch.setenv("TINYCNN_DATA", "~/somewhere")
    assert data_folder() == Path.home() / "somewhere"
    monkeypatch.delenv("TINYCNN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    for platform, end in (("linux", "/cache/tinycnn"), ("darwin", "Library/Caches/tinycnn")):
        monkeypatch.setattr(storage.sys, "platform", platform)
        assert str(data_folder()).endswith(end)


def test_real_mnist():
    folder = os.environ.get("TINYCNN_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        pytest.skip("the variable TINYCNN_DATA names no folder with mnist/")
    test = MNIST(train=False)
    assert len(test) == 10_000 and test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# ---- augmentation ----------------------------------------------------------------------------------------------------

def test_affine_of_nothing_changes_nothing():
    x = tinycnn.randn(4, 2, 5, 7)
    y = RandomAffine(0)(x)
    assert np.allclose(y.array, x.array, atol=1e-6) and y.dtype == x.dtype and y is not x


def test_shift_moves_whole_pixels_and_fills_the_rest():
    x = tinycnn.tensor(np.arange(1, 26, dtype=np.float32).reshape(1, 1, 5, 5).repeat(200, 0))
    y = RandomAffine(0, (0.2, 0.4), fill=-1)(x).array[:, 0]
    seen = set()
    for picture in y:
        rows, columns = np.nonzero(picture == 13)
        down, right = int(rows[0]) - 2, int(columns[0]) - 2
        seen.add((down, right))
        expected = np.full((5, 5), -1.0)
        to, by = np.arange(5)[:, None], np.arange(5)
        inside = (0 <= to - down) & (to - down < 5) & (0 <= by - right) & (by - right < 5)
        expected[inside] = (1 + 5 * (to - down) + by - right)[inside]
        assert np.allclose(picture, expected, atol=1e-4)
    assert seen == {(d, r) for d in range(-2, 3) for r in range(-1, 2)}


def test_quarter_turn_is_the_exact_one_and_fill_may_differ_by_channel():
    x = tinycnn.randn(3, 2, 6, 6)
    assert np.allclose(RandomAffine((90, 90))(x).array, np.rot90(x.array, -1, (2, 3)), atol=1e-5)
    small = RandomAffine(0, scale=(0.2, 0.2), fill=(3, 4))(x).array
    assert (small[:, 0, 0] == 3).all() and (small[:, 1, 0] == 4).all()


def test_magnified_slope_is_flatter():
    ramp = tinycnn.tensor(np.arange(9, dtype=np.float32)[None, None, None].repeat(9, 2))
    magnified = RandomAffine(0, scale=(2, 2), interpolation="bilinear")(ramp)
    assert np.allclose(np.diff(magnified.array[0, 0], axis=1), 0.5, atol=1e-5)


def test_affine_is_fixed_by_the_seed_and_leaves_its_input_alone():
    x = tinycnn.randn(8, 1, 9, 9)
    before = x.array.copy()
    results = [RandomAffine(30, (0.2, 0.2), (0.8, 1.2), generator=Generator().manual_seed(s))(x).array for s in (1, 1, 2)]
    assert (results[0] == results[1]).all() and (results[0] != results[2]).any() and (x.array == before).all()
    assert RandomAffine(10)(tinycnn.zeros(0, 1, 4, 4)).shape == (0, 1, 4, 4)


@pytest.mark.parametrize("arguments, name", [(dict(degrees=-1), "degrees"), (dict(degrees=0, translate=(2, 0)), "translate"),
                                             (dict(degrees=0, scale=(0, 1)), "scale")])
def test_wrong_affine_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        RandomAffine(**arguments)


# ---- a user's own pictures -------------------------------------------------------------------------------------------

def seven(paper, ink, size=(120, 200), at=(30, 60), thick=9):
    """A Pillow picture of a 7, 60 wide and 100 high, at `at`."""
    pixels = np.full((size[1], size[0], 3), paper, np.uint8)
    left, top = at
    pixels[top:top + thick, left:left + 60] = ink
    for i in range(100):
        middle = left + 60 - thick - i // 3
        pixels[top + i, middle:middle + thick] = ink
    return Image.fromarray(pixels)


@pytest.mark.parametrize("paper, ink", [((255,) * 3, (0,) * 3), ((0,) * 3, (255,) * 3), ((200, 40, 40), (40, 130, 40)),
                                        ((250, 240, 200), (40, 60, 150))])
def test_reading_does_not_depend_on_colours_polarity_size_or_place(tmp_path, paper, ink):
    plain, other = tmp_path / "plain.png", tmp_path / "other.png"
    seven((255,) * 3, (0,) * 3).save(plain)
    picture = seven(paper, ink, size=(300, 220), at=(200, 15))
    picture.resize((900, 660), Image.Resampling.NEAREST).save(other)
    a, b = (read_picture(path, MNIST.FORMAT) for path in (plain, other))
    assert a.shape == (1, 28, 28) and a.dtype == np.float32 and a.max() == 255
    assert np.abs(a - b).mean() < 6


def test_reading_fills_the_box_and_centres_as_the_format_asks(tmp_path):
    seven((255,) * 3, (0,) * 3).save(tmp_path / "7.png")
    for format in (MNIST.FORMAT, Digits.FORMAT):
        pixels = read_picture(tmp_path / "7.png", format)[0]
        rows = np.flatnonzero(pixels.max(1) > 0.2 * format.scale)
        assert rows[-1] - rows[0] + 1 == format.box and pixels.max() == format.scale
        if format.centre == "mass":
            middle = (format.size[0] - 1) / 2
            assert abs((pixels.sum(1) * np.arange(28)).sum() / pixels.sum() - middle) <= 0.6
            assert abs((pixels.sum(0) * np.arange(28)).sum() / pixels.sum() - middle) <= 0.6


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "I;16"])
def test_reading_takes_every_kind_of_pixel(tmp_path, mode):
    picture = seven((255,) * 3, (0,) * 3)
    seven((255,) * 3, (0,) * 3).save(tmp_path / "plain.png")
    if mode == "RGBA":  # black ink on nothing
        picture = Image.merge("RGBA", [Image.new("L", picture.size)] * 3 + [picture.convert("L").point(lambda v: 255 - v)])
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "7.png")
    seen, plain = (read_picture(tmp_path / name, MNIST.FORMAT) for name in ("7.png", "plain.png"))
    assert np.abs(seen - plain).max() < 30


def test_thin_strokes_are_widened(tmp_path):
    sums = []
    for thick in (2, 10):
        seven((255,) * 3, (0,) * 3, thick=thick).save(tmp_path / "7.png")
        sums.append(read_picture(tmp_path / "7.png", MNIST.FORMAT).sum())
    assert 0.7 < sums[0] / sums[1] < 1.3


def test_strokes_are_widened_to_the_share_of_ink_that_the_digits_have(tmp_path):
    for thick in (2, 6):
        seven((255,) * 3, (0,) * 3, thick=thick).save(tmp_path / "7.png")
        assert abs(read_picture(tmp_path / "7.png", Digits.FORMAT).mean() / 16 - 0.305) < 0.06


def test_what_is_no_picture_is_named(tmp_path):
    file = tmp_path / "x.png"
    for content, message in ((b"hello", "no picture"), (b"", "no picture")):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"{file}.*{message}"):
            read_picture(file, MNIST.FORMAT)
    seven((255,) * 3, (0,) * 3).save(file)
    file.write_bytes(file.read_bytes()[:120])
    with pytest.raises(ValueError, match=f"{file}.*damaged"):
        read_picture(file, MNIST.FORMAT)
    Image.new("RGB", (50, 50), "white").save(file)
    with pytest.raises(ValueError, match=f"{file}.*shows nothing"):
        read_picture(file, MNIST.FORMAT)
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "none.png", MNIST.FORMAT)

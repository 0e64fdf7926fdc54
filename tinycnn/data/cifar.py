"""CIFAR-10 and CIFAR-100: 60,000 small colour photographs each, in the binary distribution, or in that for Python.

The latter are pickles, which are programs: they are read by a reader that knows arrays, numbers and text, and runs nothing.
"""
import hashlib
import io
import re
import tarfile

import numpy as np

from ..files.atomic import write_atomically
from ..files.pth import read_containers
from .pictures import PictureDataset, PictureFormat
from .storage import check_hash, data_root, download

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
SUMS = "SHA256SUMS"  # written when an archive is unpacked, so that later damage is noticed


class CIFAR10(PictureDataset):
    """50,000 training or 10,000 test photographs of ten kinds of animals and vehicles, 32x32 pixels, red, green and blue.

    The folder `cifar-10-batches-bin` is looked for in `root` and in its folder `cifar10` (default of `root`: the data
    folder, `data_folder()`), and then `cifar-10-batches-py`, the version for Python. Where there is none, the archive
    cifar-10-binary.tar.gz, or cifar-10-python.tar.gz, in the same places is unpacked; with `download=True` the former is
    fetched, unpacked into `cifar10`, and deleted. Archives are checked by their published hash, files that came from one by
    their own, others by their form. Raises FileNotFoundError naming the missing file and its place, ValueError for a damaged
    one.

    `data` is an array (N, 32, 32, 3) of uint8, `targets` a list.
    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
    FORMAT = PictureFormat(size=(32, 32), channels=3, scale=255.0, mean=(0.4914, 0.4822, 0.4465),
                           std=(0.2470, 0.2435, 0.2616))
    ARCHIVE, FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
    SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    FILES = {True: tuple(f"data_batch_{i}.bin" for i in range(1, 6)), False: ("test_batch.bin",)}
    RECORDS = {True: 10_000, False: 10_000}  # in each file
    LABELS = 1  # bytes before the pixels of a record; the last one is the class
    PYTHON_ARCHIVE, PYTHON_FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
    PYTHON_MD5, PYTHON_LABELS = "c58f30108f718f92721af3b95e74349a", b"labels"
    PYTHON_FILES = {True: tuple(f"data_batch_{i}" for i in range(1, 6)), False: ("test_batch",)}

    def __init__(self, root=None, train=True, transform=None, target_transform=None, download=False):
        root, train = data_root(root), bool(train)
        folder = self._find(root, train, download)
        records = (self._read_python if folder.name == self.PYTHON_FOLDER else self._read)(folder, train)
        pictures = np.ascontiguousarray(records[:, self.LABELS:]).reshape(-1, 3, 32, 32)
        labels = records[:, self.LABELS - 1].tolist()
        super().__init__(pictures.transpose(0, 2, 3, 1), labels, self.CLASSES, self.FORMAT, transform, target_transform)

    def _pixels(self, indices):
        return super()._pixels(indices).transpose(0, 3, 1, 2)

    @classmethod
    def place(cls, root=None):
        """The folder that has all files, None where some are missing."""
        return cls._complete(data_root(root), (True, False))

    @classmethod
    def _complete(cls, root, parts):
        """The folder that has all files of the `parts`, training or test, in either version."""
        for name, files in ((cls.FOLDER, cls.FILES), (cls.PYTHON_FOLDER, cls.PYTHON_FILES)):
            for folder in (place / name for place in cls._places(root)):
                if all((folder / file).is_file() for part in parts for file in files[part]):
                    return folder
        return None

    @classmethod
    def _places(cls, root):
        return [root / cls.__name__.lower(), root]

    @classmethod
    def _find(cls, root, train, allowed):
        """The folder that has the files, after unpacking or (where `allowed`) downloading."""
        places, needed = cls._places(root), cls.FILES[train]
        folder = cls._complete(root, (train,))
        if folder:
            return folder
        for name in (cls.ARCHIVE, cls.PYTHON_ARCHIVE):
            for place in places:
                if (place / name).is_file():
                    return cls._unpack(place / name)
        if allowed:
            archive = download(cls.ARCHIVE, MIRRORS, places[0], f"sha256:{cls.SHA256}")
            folder = cls._unpack(archive)
            archive.unlink()
            return folder
        present = [place / cls.FOLDER for place in places if (place / cls.FOLDER).is_dir()] or [places[0] / cls.FOLDER]
        missing = next(name for name in needed if not (present[0] / name).is_file())
        raise FileNotFoundError(f"{cls.__name__}: {present[0] / missing} is missing: put {cls.ARCHIVE} into {places[0]}, "
                                f"set TINYCNN_DATA to the folder that has {places[0].name}/, or pass download=True")

    @classmethod
    def _unpack(cls, archive):
        """Write the files of a checked archive into the folder beside it; returns the folder."""
        content = archive.read_bytes()
        if archive.name == cls.ARCHIVE:
            files, folder = cls.FILES, archive.parent / cls.FOLDER
            check_hash(archive, content, cls.SHA256)
        else:
            files, folder = cls.PYTHON_FILES, archive.parent / cls.PYTHON_FOLDER
            check_hash(archive, content, cls.PYTHON_MD5, "md5")
        folder.mkdir(exist_ok=True)
        sums = []
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as packed:
            for name in (*files[True], *files[False]):
                file = packed.extractfile(f"{folder.name}/{name}").read()
                write_atomically(folder / name, file)
                sums.append(f"{hashlib.sha256(file).hexdigest()}  {name}\n")
        write_atomically(folder / SUMS, "".join(sums).encode())
        return folder

    @classmethod
    def _read(cls, folder, train):
        """All records (N, labels and 3072 pixels) of the training or test files, checked."""
        length = cls.LABELS + 3 * 32 * 32
        expected = cls.RECORDS[train] * length
        records = np.empty((len(cls.FILES[train]) * cls.RECORDS[train], length), np.uint8)
        for i, (path, content) in enumerate(_contents(folder, cls.FILES[train])):
            if len(content) != expected:
                raise ValueError(f"{path}: {len(content):,} bytes found, {expected:,} expected ({cls.RECORDS[train]:,} "
                                 f"pictures of {length:,} bytes); delete the file and fetch it again")
            part = np.frombuffer(content, np.uint8).reshape(-1, length)
            cls._check_labels(path, part[:, cls.LABELS - 1])
            records[i * cls.RECORDS[train]:(i + 1) * cls.RECORDS[train]] = part
        return records

    @classmethod
    def _read_python(cls, folder, train):
        """The same of the version for Python: each file is a dictionary with pixels (N, 3072) and a list of labels."""
        parts = []
        for path, content in _contents(folder, cls.PYTHON_FILES[train]):
            try:
                batch = read_containers(content)
                pixels, labels = batch[b"data"], np.array(batch[cls.PYTHON_LABELS], np.int64)
                right = pixels.dtype == np.uint8 and pixels.shape == (len(labels), 3 * 32 * 32) and labels.ndim == 1
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: no batch of {cls.__name__} for Python: {error}") from None
            if not right or len(labels) == 0:
                raise ValueError(f"{path}: pixels {pixels.dtype} {pixels.shape} and labels {labels.shape} found, uint8 "
                                 "(N, 3072) and (N,) expected; delete the file and fetch it again")
            cls._check_labels(path, labels)
            columns = np.repeat(labels[:, None].astype(np.uint8), cls.LABELS, 1)
            parts.append(np.concatenate([columns, pixels], 1))
        return np.concatenate(parts)

    @classmethod
    def _check_labels(cls, path, labels):
        """ValueError naming `path` and the first picture whose label is no class."""
        wrong = np.flatnonzero((labels < 0) | (labels >= len(cls.CLASSES)))
        if len(wrong):
            raise ValueError(f"{path}: picture {wrong[0]} has the label {labels[wrong[0]]}, expected 0 to "
                             f"{len(cls.CLASSES) - 1}: the file is damaged or of another kind")


def _contents(folder, names):
    """(path, content) of the files of a folder, each checked by its hash where the folder has a list of them."""
    sums = folder / SUMS
    lines = re.findall(r"([0-9a-f]{64})  (\S+)\n", sums.read_text(errors="replace")) if sums.is_file() else []
    known = {name: digest for digest, name in lines}
    for name in names:
        path = folder / name
        content = path.read_bytes()
        if name in known:
            check_hash(path, content, known[name])
        yield path, content


class CIFAR100(CIFAR10):
    """50,000 training or 10,000 test photographs of a hundred kinds of things, 32x32 pixels, red, green and blue.

    As CIFAR10, with the archives cifar-100-binary.tar.gz and cifar-100-python.tar.gz and the folders `cifar-100-binary`,
    `cifar-100-python` and `cifar100`.
    """
    CLASSES = tuple(
        "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
        "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
        "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard "
        "lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear "
        "pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark "
        "shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone "
        "television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm".split())
    FORMAT = PictureFormat(size=(32, 32), channels=3, scale=255.0, mean=(0.5071, 0.4865, 0.4409),
                           std=(0.2673, 0.2564, 0.2762))
    ARCHIVE, FOLDER = "cifar-100-binary.tar.gz", "cifar-100-binary"
    SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
    FILES = {True: ("train.bin",), False: ("test.bin",)}
    RECORDS = {True: 50_000, False: 10_000}
    LABELS = 2  # the kind of class, of twenty, and the class
    PYTHON_ARCHIVE, PYTHON_FOLDER = "cifar-100-python.tar.gz", "cifar-100-python"
    PYTHON_MD5, PYTHON_LABELS = "eb9058c3a382ffc7106e4002c42a8d85", b"fine_labels"
    PYTHON_FILES = {True: ("train",), False: ("test",)}

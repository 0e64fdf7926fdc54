"""MNIST and its relatives, 70,000 pictures of 28x28 pixels each, and the IDX format in which they come."""
import hashlib
import warnings
from dataclasses import replace

import numpy as np

from ..engine.tensor import wrap
from .pictures import PictureDataset, PictureFormat
from .storage import data_root, download, find, unpack

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
FILES = {  # (training?, what): name, SHA-256 of the unpacked file, hash of the published .gz
    (True, "pictures"): ("train-images-idx3-ubyte",
                         "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                         "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (True, "labels"): ("train-labels-idx1-ubyte",
                       "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                       "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (False, "pictures"): ("t10k-images-idx3-ubyte",
                          "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                          "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (False, "labels"): ("t10k-labels-idx1-ubyte",
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}


def _published(train_pictures, train_labels, test_pictures, test_labels):
    """A table like FILES of the MD5 sums that are published of four .gz files; unpacked ones have their structure only."""
    names = {what: [FILES[train, what][0] for train in (True, False)] for what in ("pictures", "labels")}
    return {(True, "pictures"): (names["pictures"][0], None, f"md5:{train_pictures}"),
            (True, "labels"): (names["labels"][0], None, f"md5:{train_labels}"),
            (False, "pictures"): (names["pictures"][1], None, f"md5:{test_pictures}"),
            (False, "labels"): (names["labels"][1], None, f"md5:{test_labels}")}


class MNIST(PictureDataset):
    """60,000 training or 10,000 test pictures of handwritten digits, 28x28 pixels of 0 (paper) to 255 (ink).

    The files are looked for in the folders `mnist` and `MNIST/raw` of `root` (default: the data folder, `data_folder()`),
    gzipped or not; with `download=True` missing ones are fetched into `mnist`, and checked by their hash. Files that lie
    there and hold other pictures than the published ones, such as a set of one's own in the same form, are read with a
    warning, whatever their number, size and labels.
    Raises FileNotFoundError naming the missing file and its place, ValueError for a damaged file.

    `data` is a Tensor (N, 28, 28) of uint8, `targets` a Tensor (N,).
    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
    """
    CLASSES = tuple(map(str, range(10)))
    COUNTS = {True: 60_000, False: 10_000}
    FORMAT = PictureFormat(size=(28, 28), channels=1, scale=255.0, mean=(0.1307,), std=(0.3081,), box=20, centre="mass")

    def __init__(self, root=None, train=True, transform=None, target_transform=None, download=False):
        root, train = data_root(root), bool(train)
        loaded = [self._load(root, train, what, download) for what in ("pictures", "labels")]
        (pictures, path, _), (labels, labels_path, _) = loaded
        _check_structure(pictures, path, labels, labels_path)
        classes, format = self.CLASSES, self.FORMAT
        if not all(published for *_, published in loaded):
            warnings.warn(f"{type(self).__name__}: the files in {path.parent} are not the published ones, and are read as "
                          "they are; if they should be, delete them and fetch them again", stacklevel=2)
            format = replace(format, size=pictures.shape[1:])
            if labels.max(initial=0) >= len(classes):
                classes = tuple(map(str, range(labels.max() + 1)))
        super().__init__(wrap(pictures), wrap(labels.astype(np.int64)), classes, format, transform, target_transform)

    def _pixels(self, indices):
        return super()._pixels(indices)[:, None]

    @classmethod
    def place(cls, root=None):
        """The folder that has all four files, None where some are missing."""
        places = cls._places(data_root(root))
        found = [find(name, places) for name, *_ in cls._sources()[1].values()]
        return found[0].parent if all(found) else None

    @classmethod
    def _places(cls, root):
        return [root / cls.__name__.lower(), root / cls.__name__ / "raw"]

    @classmethod
    def _sources(cls):
        return MIRRORS, FILES

    @classmethod
    def _load(cls, root, train, what, allowed):
        """One of the four files, found or (where `allowed`) downloaded: (array, path, whether it is the published one)."""
        mirrors, files = cls._sources()
        name, sha256, packed_hash = files[train, what]
        folder = cls._places(root)[0]
        path = find(name, cls._places(root))
        if path is None and allowed:
            path = download(f"{name}.gz", mirrors, folder, packed_hash)
        if path is None:
            raise FileNotFoundError(f"{cls.__name__}: {name}.gz is missing: put it into {folder}, set TINYCNN_DATA to the "
                                    f"folder that has {folder.name}/, or pass download=True")
        content = unpack(path)
        array = parse_idx(content, path)
        if sha256:
            return array, path, hashlib.sha256(content).hexdigest() == sha256
        shape = (cls.COUNTS[train], 28, 28)[:3 if what == "pictures" else 1]
        return array, path, array.shape == shape and (what == "pictures" or array.max() <= 9)


class FashionMNIST(MNIST):
    """60,000 training or 10,000 test pictures of clothes from a shop's catalogue, 28x28 pixels of 0 to 255.

    As MNIST, in the folders `fashionmnist` and `FashionMNIST/raw`; the published files are known by their form.
    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", 2017; MIT licence.
    """
    CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    FORMAT = PictureFormat(size=(28, 28), channels=1, scale=255.0, mean=(0.2860,), std=(0.3530,), box=28, centre="box")
    MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
               "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/")
    FILES = _published("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                       "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310")

    @classmethod
    def _sources(cls):
        return cls.MIRRORS, cls.FILES


class KMNIST(FashionMNIST):
    """60,000 training or 10,000 test pictures of ten cursive Japanese characters, 28x28 pixels of 0 (paper) to 255 (ink).

    As MNIST, in the folders `kmnist` and `KMNIST/raw`; the published files are known by their form.
    Source: T. Clanuwat et al., "Deep Learning for Classical Japanese Literature", 2018; CC BY-SA 4.0.
    """
    CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    FORMAT = PictureFormat(size=(28, 28), channels=1, scale=255.0, mean=(0.1918,), std=(0.3483,), box=28, centre="box")
    MIRRORS = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    FILES = _published("bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
                       "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134")


def _check_structure(pictures, path, labels, labels_path):
    """ValueError naming the file where two arrays are not pictures and as many labels."""
    for array, place, ndim, words in ((pictures, path, 3, "pictures (N, H, W)"), (labels, labels_path, 1, "labels (N,)")):
        if array.ndim != ndim or array.size == 0:
            raise ValueError(f"{place}: an array {array.shape} found, {words} expected; delete the file and fetch it again")
    if len(pictures) != len(labels):
        raise ValueError(f"{labels_path}: {len(labels):,} labels found for the {len(pictures):,} pictures in {path}; "
                         "delete the file that is wrong and fetch it again")


IDX_TYPES = {8: ">u1", 12: ">i4"}


def parse_idx(content, path, kind=8):
    """The array in the bytes of an IDX file of the type `kind`; ValueError naming `path` where they are damaged.

    An IDX file is: two zero bytes, the type (8: unsigned byte, 12: integer of four bytes), the number of dimensions, each
    dimension as four bytes with the highest first, then the values. Source: the MNIST page of Y. LeCun.
    """
    dtype = np.dtype(IDX_TYPES[kind])
    if len(content) < 4 or content[:3] != bytes([0, 0, kind]):
        words = "unsigned bytes" if kind == 8 else "integers of four bytes"
        raise ValueError(f"{path}: no IDX file of {words}: starts with {content[:4].hex(' ') or 'nothing'}, expected "
                         f"00 00 {kind:02x} and the number of dimensions")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise ValueError(f"{path}: the file ends within its header: {len(content)} bytes found, {header} expected")
    shape = [int.from_bytes(content[i:i + 4]) for i in range(4, header, 4)]
    expected = header + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(f"{path}: {len(content):,} bytes found, {expected:,} expected for the shape {tuple(shape)} that it "
                         "states; delete the file and fetch it again")
    try:
        return np.frombuffer(content, dtype, offset=header).reshape(shape)
    except ValueError as error:  # more dimensions, or a larger size beside a 0, than NumPy has
        raise ValueError(f"{path}: it states an impossible shape ({error}); delete the file and fetch it again") from None

"""MNIST: 70,000 handwritten digits of 28x28 pixels, and the IDX format in which they come."""
from pathlib import Path

import numpy as np

from .pictures import PictureDataset, PictureFormat
from .storage import check_sha256, data_folder, download, find, unpack

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
FILES = {  # (training?, what): name, SHA-256 of the unpacked file, SHA-256 of the published .gz
    (True, "pictures"): ("train-images-idx3-ubyte",
                         "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (True, "labels"): ("train-labels-idx1-ubyte",
                       "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                       "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (False, "pictures"): ("t10k-images-idx3-ubyte",
                          "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                          "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (False, "labels"): ("t10k-labels-idx1-ubyte",
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}


class MNIST(PictureDataset):
    """60,000 training or 10,000 test pictures of handwritten digits, 28x28 pixels of 0 (paper) to 255 (ink).

    The files are looked for in the folders `mnist` and `MNIST/raw` of `root` (default: the data folder, `data_folder()`),
    gzipped or not; with `download=True` missing ones are fetched into `mnist`. What they hold is checked by its SHA-256.
    Raises FileNotFoundError naming the missing file and its place, ValueError for a damaged file.
    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
    """
    FORMAT = PictureFormat(size=(28, 28), channels=1, scale=255.0, mean=(0.1307,), std=(0.3081,), box=20, centre="mass")

    def __init__(self, root=None, train=True, *, download=False):
        root = data_folder() if root is None else Path(root)
        pictures = _load(root, bool(train), "pictures", download)
        labels = _load(root, bool(train), "labels", download)
        super().__init__(pictures[:, None], labels.astype(np.int64), map(str, range(10)), self.FORMAT)


def _load(root, train, what, allowed):
    """The array in one of the four files, found or (where `allowed`) downloaded, and checked."""
    name, sha256, packed_sha256 = FILES[train, what]
    path = find(name, [root / "mnist", root / "MNIST" / "raw"])
    if path is None and allowed:
        path = download(f"{name}.gz", MIRRORS, root / "mnist", packed_sha256)
    if path is None:
        raise FileNotFoundError(f"MNIST: {name}.gz is missing: put it into {root / 'mnist'}, set TINYCNN_DATA to the folder "
                                "that has mnist/, or pass download=True")
    content = unpack(path)
    array = parse_idx(content, path)
    check_sha256(path, content, sha256)
    return array


def parse_idx(content, path):
    """The array in the bytes of an IDX file of unsigned bytes; ValueError naming `path` where they are damaged.

    An IDX file is: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as four bytes with
    the highest first, then the values. Source: the MNIST page of Y. LeCun.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: no IDX file of unsigned bytes: starts with {content[:4].hex(' ') or 'nothing'}, expected "
                         "00 00 08 and the number of dimensions")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise ValueError(f"{path}: the file ends within its header: {len(content)} bytes found, {header} expected")
    shape = [int.from_bytes(content[i:i + 4]) for i in range(4, header, 4)]
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise ValueError(f"{path}: {len(content):,} bytes found, {expected:,} expected for the shape {tuple(shape)} that it "
                         "states; delete the file and fetch it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)

"""Data sets of small pictures that lie together in few files."""
import gzip
import lzma
import string
import zipfile

import numpy as np

from ...data.mnist import parse_idx
from ...data.storage import data_root, find, unpack
from .files import Arrays, Samples, as_picture, chosen, file, read_matlab, unpacked, whole


class SVHN(Arrays):
    """House numbers seen from the street, 32x32 pixels: `split` "train" (73,257), "test" (26,032) or "extra" (531,131).

    `data` is an array (N, 3, 32, 32), `labels` (N,) are the digits. Read from `train_32x32.mat` and so on; needs SciPy.
    Source: Y. Netzer et al., Reading digits in natural images with unsupervised feature learning, 2011.
    """
    MD5 = {"train": "e26dedcc434d2e4c54c9b2d4a06d8373", "test": "eb5a983be6a315427106f1b164d9cef3",
           "extra": "a93ce644f1a588dc4d68dda5feec44a7"}

    def __init__(self, root=None, split="train", transform=None, target_transform=None, download=False):
        self.split = chosen("SVHN", "split", split, tuple(self.MD5))
        path = file("SVHN", data_root(root), f"{split}_32x32.mat", "http://ufldl.stanford.edu/housenumbers/",
                    f"md5:{self.MD5[split]}", download)
        content = read_matlab("SVHN", path)
        labels = whole(content["y"]) % 10  # there the digit 0 has the label 10
        pictures = content["X"].reshape(32, 32, 3, -1)
        super().__init__(pictures.transpose(3, 2, 0, 1), labels, string.digits, transform, target_transform)


class STL10(Arrays):
    """Photographs of 96x96 pixels, made for learning with few labels: `split` "train" (5,000 of ten classes), "test"
    (8,000), "unlabeled" (100,000, of label -1) or "train+unlabeled".

    `folds`, 0 to 9, is one of the ten parts of a thousand of the labelled ones. `data` is an array (N, 3, 96, 96). Read from
    the folder `stl10_binary`, or the archive stl10_binary.tar.gz.
    Source: A. Coates, H. Lee and A. Ng, An analysis of single-layer networks in unsupervised feature learning, 2011.
    """
    SOURCE, ARCHIVE = "http://ai.stanford.edu/~acoates/stl10/", "stl10_binary.tar.gz"

    def __init__(self, root=None, split="train", folds=None, transform=None, target_transform=None, download=False):
        self.split = chosen("STL10", "split", split, ("train", "test", "unlabeled", "train+unlabeled"))
        chosen("STL10", "folds", folds, (None, *range(10)))
        root = data_root(root)
        folder = root / "stl10_binary"
        if not folder.is_dir():
            md5 = "md5:91f7769df0f17e558f3565bffb0c7dfb"
            unpacked(file("STL10", root, self.ARCHIVE, self.SOURCE, md5, download), folder)
        parts = [self._part(folder, name, folds) for name in split.split("+")]
        classes = (folder / "class_names.txt").read_text().split()
        super().__init__(*map(np.concatenate, zip(*parts)), classes, transform, target_transform)

    @staticmethod
    def _part(folder, name, folds):
        """(pictures, labels) of one split; in the files a picture goes down its columns, and labels begin at 1."""
        pictures = np.fromfile(folder / f"{name}_X.bin", np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
        if name == "unlabeled":
            return pictures, np.full(len(pictures), -1)
        labels = whole(np.fromfile(folder / f"{name}_y.bin", np.uint8)) - 1
        if folds is not None and name == "train":
            rows = np.array((folder / "fold_indices.txt").read_text().splitlines()[folds].split(), np.int64)
            return pictures[rows], labels[rows]
        return pictures, labels


class EMNIST(Arrays):
    """Handwritten letters and digits in the form of MNIST, 28x28 pixels: `split` "byclass" (62 classes), "bymerge" (47: of
    some letters large and small are one), "balanced" (47), "letters" (26), "digits" or "mnist".

    As in the files, each picture is mirrored at its diagonal, and "letters" count from 1. Read from the folder `EMNIST/raw`
    (`emnist-letters-train-images-idx3-ubyte`, gzipped or not), or from the archive gzip.zip in it.
    Source: G. Cohen et al., EMNIST: an extension of MNIST to handwritten letters, 2017.
    """
    SOURCE, ARCHIVE = "https://biometrics.nist.gov/cs_links/EMNIST/", "gzip.zip"
    _BOTH = [*string.digits, *string.ascii_uppercase, *string.ascii_lowercase]
    _MERGED = [c for c in _BOTH if c not in "cijklmopsuvwxyz"]
    CLASSES = {"byclass": _BOTH, "bymerge": _MERGED, "balanced": _MERGED, "letters": ["N/A", *string.ascii_lowercase],
               "digits": [*string.digits], "mnist": [*string.digits]}

    def __init__(self, root=None, split="balanced", train=True, transform=None, target_transform=None, download=False):
        self.split, self.train = chosen("EMNIST", "split", split, tuple(self.CLASSES)), bool(train)
        folder = data_root(root) / "EMNIST" / "raw"
        pictures, labels = (self._read(folder, f"emnist-{split}-{'train' if train else 'test'}-{what}-ubyte", download)
                            for what in ("images-idx3", "labels-idx1"))
        super().__init__(pictures, whole(labels), self.CLASSES[split], transform, target_transform)

    @classmethod
    def _read(cls, folder, name, download):
        """The array in the file `name`, in the folder or in the archive."""
        path = find(name, [folder])
        if path:
            return parse_idx(unpack(path), path)
        archive = file("EMNIST", folder, cls.ARCHIVE, cls.SOURCE, "md5:58c8d27c78d21e728a6bc7b3cc06412e", download)
        with zipfile.ZipFile(archive) as files:
            return parse_idx(gzip.decompress(files.read(f"gzip/{name}.gz")), archive)


class QMNIST(Arrays):
    """MNIST, made again from its source, with 60,000 test pictures: `what` "train", "test", "test10k" (those of MNIST),
    "test50k" (the others) or "nist" (all 402,953 digits of the source); without it, `train` says which.

    With `compat` a target is the digit; without, an array of eight numbers: digit, series and number of the writer, and
    where the picture comes from. Read from the folder `QMNIST/raw` (`qmnist-train-images-idx3-ubyte.gz` and so on).
    Source: C. Yadav and L. Bottou, Cold case: the lost MNIST digits, 2019.
    """
    SOURCE = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    FILES = {"train": [("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
                       ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4")],
             "test": [("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
                      ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa")],
             "nist": [("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
                      ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d")]}
    PARTS = {"test10k": slice(10_000), "test50k": slice(10_000, None)}

    def __init__(self, root=None, what=None, compat=True, train=True, transform=None, target_transform=None, download=False):
        what = ("train" if train else "test") if what is None else what
        self.what, self.compat = chosen("QMNIST", "what", what, (*self.FILES, *self.PARTS)), compat
        folder = data_root(root) / "QMNIST" / "raw"
        contents = []
        for (name, digest), kind in zip(self.FILES[what if what in self.FILES else "test"], (8, 12)):
            path = find(name.rpartition(".")[0], [folder])
            path = path or file("QMNIST", folder, name, self.SOURCE, f"md5:{digest}", download)
            content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else unpack(path)
            contents.append(parse_idx(content, path, kind)[self.PARTS.get(what, slice(None))])
        super().__init__(contents[0], whole(contents[1]), string.digits, transform, target_transform)

    def _target(self, i):
        return int(self.labels[i, 0]) if self.compat else self.labels[i]


class FakeData(Samples):
    """`size` pictures of noise with classes by chance, (C, H, W) = `image_size`, to try a program without data.

    A picture follows from its number and `random_offset` alone. (Its pixels are not those of torchvision's FakeData.)
    """

    def __init__(self, size=1000, image_size=(3, 224, 224), num_classes=10, transform=None, target_transform=None,
                 random_offset=0):
        self.image_size, self.random_offset = tuple(image_size), random_offset
        labels = (int(self._chance(i).integers(num_classes)) for i in range(size))
        super().__init__([*enumerate(labels)], map(str, range(num_classes)), transform, target_transform, self._picture)

    def _chance(self, i):
        return np.random.default_rng([self.random_offset, i])

    def _picture(self, i):
        """The picture with the number i."""
        return as_picture(self._chance(i).integers(0, 256, self.image_size, np.uint8))

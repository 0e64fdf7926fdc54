"""What the data sets that lie in published files have in common: where the files are, how archives are unpacked, MATLAB's
format.
"""
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ...data.dataset import Dataset, check_index
from ...data.folder import load_picture
from ...data.storage import download as fetch
from ...data.transforms.base import as_picture


class Samples(Dataset):
    """`samples` are pairs (what `loader` makes a Pillow picture of, target). A sample is (x, y): that picture, or what
    `transform` makes of it, and the target, or what `target_transform` makes of that. `classes` are their names.
    """

    def __init__(self, samples, classes, transform=None, target_transform=None, loader=load_picture):
        self.samples, self.classes, self.loader = samples, list(classes), loader
        self.transform, self.target_transform = transform, target_transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        source, y = self.samples[check_index(self, index)]
        x = self.loader(source)
        x = x if self.transform is None else self.transform(x)
        return x, y if self.target_transform is None else self.target_transform(y)

    @property
    def class_to_idx(self):
        """{name of a class: its number}."""
        return {name: i for i, name in enumerate(self.classes)}

    def __repr__(self):
        return f"<{type(self).__name__}: {len(self)} pictures, {len(self.classes)} classes>"


class Arrays(Samples):
    """Pictures `data`, an array of uint8 (N, C, H, W) or (N, H, W), with `labels` (N,)."""

    def __init__(self, data, labels, classes, transform=None, target_transform=None):
        super().__init__(None, classes, transform, target_transform)
        self.data, self.labels = data, labels

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        i = check_index(self, index)
        x, y = self.data[i], self._target(i)
        x = as_picture(x if x.ndim == 3 else x[None])
        x = x if self.transform is None else self.transform(x)
        return x, y if self.target_transform is None else self.target_transform(y)

    def _target(self, i):
        return int(self.labels[i])

    @property
    def targets(self):
        """The labels."""
        return self.labels


def chosen(function, name, value, allowed):
    """`value`, one of those that are allowed; ValueError otherwise."""
    if value not in allowed:
        raise ValueError(f"{function}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def file(function, folder, name, source, digest, allowed):
    """The path of the file `name` in `folder`, fetched from the address `source` + name where that is `allowed`.

    `digest` is its published hash ("md5:..."); without one nothing is fetched. FileNotFoundError says where to get it.
    """
    path = Path(folder) / name
    if path.is_file():
        return path
    if allowed and digest:
        return fetch(name, (source,), folder, digest)
    how = ", or pass download=True" if digest else ""
    raise FileNotFoundError(f"{function}: {path} is missing: get {name} from {source}{how}")


def unpacked(archive, made, inside=""):
    """The folder `made`, after unpacking it from `archive` (tar or zip), where it lies in the folder `inside`.

    All files are unpacked beside it first, so that what was interrupted is not taken for the whole. What is in `made`
    already stays beside what is added.
    """
    made = Path(made)
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        try:
            if zipfile.is_zipfile(archive):
                shutil.unpack_archive(archive, folder, "zip")
            else:
                shutil.unpack_archive(archive, folder, filter="data")
        except (shutil.ReadError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{archive}: the archive is damaged ({error}); delete the file and fetch it again") from None
        found = Path(folder) / inside / made.name
        if not found.is_dir():
            raise ValueError(f"{archive}: the archive has no folder {made.name}: it is another one than was expected")
        if made.exists():
            shutil.copytree(found, made, copy_function=shutil.move, dirs_exist_ok=True)
        else:
            found.rename(made)
    return made


def read_mask(path):
    """The picture of a file as it is, numbers of a palette included."""
    from PIL import Image
    with Image.open(path) as picture:
        return picture.copy()


def read_matlab(function, source):
    """{name: array} of a file in MATLAB's format, a path or an open file; RuntimeError where SciPy is missing."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise RuntimeError(f"{function}: its files are MATLAB's, which SciPy reads: pip install 'tinycnn[data]'") from None
    try:
        return loadmat(source, squeeze_me=True)
    except (MatReadError, NotImplementedError, ValueError, TypeError) as error:
        raise ValueError(f"{function}: {source} is no file of MATLAB, or damaged ({error})") from None


def whole(array):
    """Labels as an array of int64 (N,)."""
    return np.atleast_1d(array).astype(np.int64)

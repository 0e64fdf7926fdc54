"""A folder of one's own pictures, with one subfolder for each class."""
import warnings
from pathlib import Path

import numpy as np

from ..engine.checks import check_path
from ..engine.names import printable
from ..engine.tensor import wrap
from .dataset import Dataset, check_index
from .pictures import PictureFormat
from .transforms.base import picture_pixels, read_size

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
IMAGENET = dict(channels=3, scale=255.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # of photographs


def load_picture(path, mode="RGB"):
    """The picture of a file as a Pillow picture in `mode` (red, green and blue), turned as the camera was held.

    Grey of more than 8 bits keeps its range: 0 to 65535 of 16 bits become 0 to 255, numbers of 32 bits the same from the
    least of 0 to 1 (floating point), 0 to 255 and 0 to 65535 that holds them, or from their own least to greatest. Of an
    animated picture it is the first frame, with a warning.

    Raises FileNotFoundError, or ValueError naming the file where it is damaged or no picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError
    if not hasattr(path, "read"):
        check_path("load_picture", path=path)
        if Path(path).is_fifo():  # whoever opens it waits for somebody who writes
            raise ValueError(f"{printable(str(path), 300)}: a pipe, and no file")
    shown = printable(str(path), 300)
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode[0] in "IF":
                picture = _eight_bits(picture)
            picture = picture.convert(mode)
            several = _is_animated(opened)
    except UnidentifiedImageError:
        raise ValueError(f"{shown}: no picture that Pillow can read") from None
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever the damage leads to
        raise ValueError(f"{shown}: the picture is damaged ({str(error) or type(error).__name__})") from None
    if several:
        warnings.warn(f"{path}: an animated picture, of which the first frame is taken", stacklevel=2)
    return picture


def _eight_bits(picture):
    """A grey picture of 16 or 32 bits in 256 greys."""
    from PIL import Image
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are no finite numbers")
    low, high = values.min(), values.max()
    whites = {"F": (1, 255, 65535), "I": (255, 65535)}.get(picture.mode, (65535,))
    white = next((w for w in whites if low >= 0 and high <= w), None)
    low, high = (low, high) if white is None else (0, white)
    return Image.fromarray(np.rint((values - low) * (255 / (high - low or 1))).astype(np.uint8))


def _is_animated(picture):
    """Whether an open picture has frames; cameras put a small preview behind a photograph (MPO), which is none."""
    try:
        return picture.format != "MPO" and getattr(picture, "is_animated", False)
    except Exception:  # what is damaged behind the first frame is nobody's loss
        return False


class ImageFolder(Dataset):
    """The pictures in the subfolders of `root`, each subfolder a class: root/cat/1.jpg, root/cat/old/2.png, root/dog/1.jpg.
    Hidden files and folders (.ipynb_checkpoints) do not count; links to folders do, and every folder once.

    Classes are numbered in the order of their names. A sample is (x, y): x the Pillow picture in red, green and blue, or
    what `transform` makes of it, and y the number of the class, or what `target_transform` makes of that. Short form: with
    `size`, a number or (height, width), and no transform, x is a float32 Tensor (3, H, W), the middle of the picture resized
    and normalised as photographs usually are.

    - `train`, `validation_split`: with `train=True` the part of the pictures to learn from, with `train=False` the other
      part, a fraction `validation_split` of every class, chosen by `seed`; None is all of them;
    - `skip_damaged`: look at all pictures once and leave out those that cannot be read, with a warning that names them
      (`damaged` lists them). Otherwise a damaged file is an error, which names it, when it is asked for;
    - `loader(path)` opens a picture; `is_valid_file(path)` decides what counts as one (default: by the ending);
      `allow_empty` permits classes without pictures.
    """

    def __init__(self, root, transform=None, target_transform=None, loader=load_picture, is_valid_file=None,
                 allow_empty=False, *, train=None, validation_split=0.0, seed=0, size=None, skip_damaged=False):
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise FileNotFoundError(f"ImageFolder: {self.root} is no folder")
        if not 0 <= validation_split < 1:
            raise ValueError(f"ImageFolder: validation_split must be a fraction from 0 to below 1, got {validation_split!r}")
        if (train is None) != (validation_split == 0):
            raise ValueError("ImageFolder: train and validation_split go together: validation_split=0.2 with train=True for "
                             f"the one part and train=False for the other, got {train!r} and {validation_split!r}")
        if size is not None and transform is not None:
            raise ValueError("ImageFolder: with a transform, which brings pictures to a size, size must be left out")
        self.transform, self.target_transform, self.loader = transform, target_transform, loader
        self.format = None if size is None else PictureFormat(size=read_size("ImageFolder", size), **IMAGENET)
        self.classes = tuple(sorted(p.name for p in self.root.iterdir() if p.is_dir() and not p.name.startswith(".")))
        if not self.classes:
            raise FileNotFoundError(f"ImageFolder: {self.root} has no subfolders; each class needs one with its pictures")
        self.damaged = []
        chance = np.random.default_rng(seed)
        self.samples = []
        for y, name in enumerate(self.classes):
            files = self._files(self.root / name, is_valid_file or (lambda path: path.suffix.lower() in EXTENSIONS))
            if not files and not allow_empty:
                raise FileNotFoundError(f"ImageFolder: {printable(str(self.root / name), 300)} has no pictures (files that "
                                        f"end in {', '.join(EXTENSIONS)}); allow_empty=True permits that")
            held_out = set(chance.permutation(len(files))[:round(len(files) * validation_split)].tolist())
            self.samples += [(path, y) for i, path in enumerate(files) if train is None or (i in held_out) != train]
        if skip_damaged:
            self._skip_damaged()
        self.targets = [y for _, y in self.samples]

    @staticmethod
    def _files(folder, is_valid):
        """The paths of the pictures anywhere below `folder`, sorted. A link back to where it came from is not followed."""
        entered = {parent.resolve() for parent in folder.absolute().parents}

        def below(place):
            if place.resolve() in entered:
                return
            entered.add(place.resolve())
            for path in sorted(place.iterdir(), key=lambda path: (path.is_symlink(), path.name)):
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    yield from below(path)
                elif path.is_file() and is_valid(path):
                    yield path
        return sorted(below(folder))

    def _skip_damaged(self):
        good = []
        for path, y in self.samples:
            try:
                self.loader(path)
                good.append((path, y))
            except (OSError, ValueError):
                self.damaged.append(path)
        self.samples = good
        if self.damaged:
            warnings.warn(f"ImageFolder: {len(self.damaged)} damaged pictures left out: {', '.join(map(str, self.damaged))}",
                          stacklevel=3)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, y = self.samples[check_index(self, index)]
        x = self.loader(path)
        if self.transform is not None:
            x = self.transform(x)
        elif self.format is not None:
            x = wrap(self.format.normalise(fitted(x, self.format.size)))
        return x, y if self.target_transform is None else self.target_transform(y)

    @property
    def class_to_idx(self):
        """{name of a class: its number}."""
        return {name: i for i, name in enumerate(self.classes)}

    @property
    def imgs(self):
        """torchvision's other name for `samples`."""
        return self.samples

    def __repr__(self):
        return f"<ImageFolder {self.root}: {len(self)} pictures, {len(self.classes)} classes>"


def fitted(picture, size):
    """The pixels (C, H, W) of the largest middle part of a Pillow picture that has the shape of `size`, resized to it."""
    from PIL import Image, ImageOps
    picture = ImageOps.fit(picture, size[::-1], Image.Resampling.BILINEAR)
    return picture_pixels(picture)

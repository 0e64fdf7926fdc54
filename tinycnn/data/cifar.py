"""CIFAR-10 and CIFAR-100: 60,000 small colour photographs each, in the binary distribution, which nothing must unpickle."""
import hashlib
import io
import re
import tarfile

import numpy as np

from ..files.atomic import write_atomically
from .pictures import PictureDataset, PictureFormat
from .storage import check_sha256, data_root, download

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
SUMS = "SHA256SUMS"  # written when an archive is unpacked, so that later damage is noticed


class CIFAR10(PictureDataset):
    """50,000 training or 10,000 test photographs of ten kinds of animals and vehicles, 32x32 pixels, red, green and blue.

    The folder `cifar-10-batches-bin` is looked for in `root` and in its folder `cifar10` (default of `root`: the data
    folder, `data_folder()`). Where there is none, the archive cifar-10-binary.tar.gz in the same places is unpacked; with
    `download=True` it is fetched, unpacked into `cifar10`, and deleted. The archive is checked by its published SHA-256,
    files that came from it by their own, others by their form. Raises FileNotFoundError naming the missing file and its
    place, ValueError for a damaged one.

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

    def __init__(self, root=None, train=True, transform=None, target_transform=None, download=False):
        root, train = data_root(root), bool(train)
        folder = self._find(root, train, download)
        records = self._read(folder, train)
        pictures = np.ascontiguousarray(records[:, self.LABELS:]).reshape(-1, 3, 32, 32)
        labels = records[:, self.LABELS - 1].tolist()
        super().__init__(pictures.transpose(0, 2, 3, 1), labels, self.CLASSES, self.FORMAT, transform, target_transform)

    def _pixels(self, indices):
        return super()._pixels(indices).transpose(0, 3, 1, 2)

    @classmethod
    def place(cls, root=None):
        """The folder that has all files, None where some are missing."""
        return cls._complete(data_root(root), (*cls.FILES[True], *cls.FILES[False]))

    @classmethod
    def _complete(cls, root, needed):
        folders = [place / cls.FOLDER for place in cls._places(root)]
        return next((f for f in folders if all((f / name).is_file() for name in needed)), None)

    @classmethod
    def _places(cls, root):
        return [root / cls.__name__.lower(), root]

    @classmethod
    def _find(cls, root, train, allowed):
        """The folder that has the files, after unpacking or (where `allowed`) downloading."""
        places, needed = cls._places(root), cls.FILES[train]
        folder = cls._complete(root, needed)
        if folder:
            return folder
        for place in places:
            if (place / cls.ARCHIVE).is_file():
                return cls._unpack(place / cls.ARCHIVE)
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
        check_sha256(archive, content, cls.SHA256)
        folder = archive.parent / cls.FOLDER
        folder.mkdir(exist_ok=True)
        sums = []
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as packed:
            for name in (*cls.FILES[True], *cls.FILES[False]):
                file = packed.extractfile(f"{cls.FOLDER}/{name}").read()
                write_atomically(folder / name, file)
                sums.append(f"{hashlib.sha256(file).hexdigest()}  {name}\n")
        write_atomically(folder / SUMS, "".join(sums).encode())
        return folder

    @classmethod
    def _read(cls, folder, train):
        """All records (N, labels and 3072 pixels) of the training or test files, checked."""
        length = cls.LABELS + 3 * 32 * 32
        expected = cls.RECORDS[train] * length
        sums = folder / SUMS
        lines = re.findall(r"([0-9a-f]{64})  (\S+)\n", sums.read_text(errors="replace")) if sums.is_file() else []
        known = {name: digest for digest, name in lines}
        records = np.empty((len(cls.FILES[train]) * cls.RECORDS[train], length), np.uint8)
        for i, name in enumerate(cls.FILES[train]):
            path = folder / name
            content = path.read_bytes()
            if len(content) != expected:
                raise ValueError(f"{path}: {len(content):,} bytes found, {expected:,} expected ({cls.RECORDS[train]:,} "
                                 f"pictures of {length:,} bytes); delete the file and fetch it again")
            if name in known:
                check_sha256(path, content, known[name])
            part = np.frombuffer(content, np.uint8).reshape(-1, length)
            if part[:, cls.LABELS - 1].max() >= len(cls.CLASSES):
                where = int(part[:, cls.LABELS - 1].argmax())
                raise ValueError(f"{path}: picture {where} has the label {part[where, cls.LABELS - 1]}, expected 0 to "
                                 f"{len(cls.CLASSES) - 1}: the file is damaged or of another kind")
            records[i * cls.RECORDS[train]:(i + 1) * cls.RECORDS[train]] = part
        return records


class CIFAR100(CIFAR10):
    """50,000 training or 10,000 test photographs of a hundred kinds of things, 32x32 pixels, red, green and blue.

    As CIFAR10, with the archive cifar-100-binary.tar.gz and the folders `cifar-100-binary` and `cifar100`.
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

"""Data sets of photographs, each in a file of its own."""
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np

from ...data.folder import ImageFolder, load_picture
from ...data.storage import data_root
from ...engine.tensor import wrap
from .files import Samples, chosen, file, read_mask, read_matlab, unpacked, whole


class Caltech101(Samples):
    """8,677 photographs of 101 kinds of things, of many sizes, fifty to eight hundred a class.

    Read from the folder `caltech101/101_ObjectCategories`, or the archive caltech-101.zip in `caltech101`.
    Source: L. Fei-Fei, R. Fergus and P. Perona, Learning generative visual models from few training examples, 2004.
    """
    SOURCE, ARCHIVE = "https://data.caltech.edu/records/mzrjq-6wc02/files/", "caltech-101.zip"

    def __init__(self, root=None, target_type="category", transform=None, target_transform=None, download=False):
        chosen("Caltech101", "target_type", target_type, ("category",))
        root = data_root(root) / "caltech101"
        folder = root / "101_ObjectCategories"
        if not folder.is_dir():
            archive = file("Caltech101", root, self.ARCHIVE, self.SOURCE, "md5:3138e1922a9193bfa496528edbbc45d0", download)
            inner = unpacked(archive, root / "caltech-101")
            unpacked(inner / f"{folder.name}.tar.gz", folder)
        self.categories = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name != "BACKGROUND_Google")
        samples = [(path, y) for y, name in enumerate(self.categories) for path in sorted((folder / name).glob("*.jpg"))]
        self.y = [y for _, y in samples]
        super().__init__(samples, self.categories, transform, target_transform)


class OxfordIIITPet(Samples):
    """Photographs of 37 breeds of cats and dogs, some 200 a breed: `split` "trainval" (3,680) or "test" (3,669).

    `target_types`, one or a list: "category", the breed; "binary-category", 0 for cats and 1 for dogs; "segmentation", a
    picture of 1 (pet), 2 (ground) and 3 (border). Read from the folders `images` and `annotations` of `oxford-iiit-pet`, or
    their archives there.
    Source: O. Parkhi et al., Cats and dogs, 2012.
    """
    SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
    MD5 = {"images": "5c4f3ee8e5d25df40f4fd59a7f44e54c", "annotations": "95a8c909bbe2e81eed6a22bccdf3f68f"}

    def __init__(self, root=None, split="trainval", target_types="category", transform=None, target_transform=None,
                 download=False):
        chosen("OxfordIIITPet", "split", split, ("trainval", "test"))
        kinds = [target_types] if isinstance(target_types, str) else [*target_types]
        for kind in kinds:
            chosen("OxfordIIITPet", "target_types", kind, ("category", "binary-category", "segmentation"))
        folder = data_root(root) / "oxford-iiit-pet"
        for part, digest in self.MD5.items():
            if not (folder / part).is_dir():
                archive = file("OxfordIIITPet", folder, f"{part}.tar.gz", self.SOURCE, f"md5:{digest}", download)
                unpacked(archive, folder / part)
        lines = [line.split() for line in (folder / "annotations" / f"{split}.txt").read_text().splitlines()]
        breeds = {int(breed): name.rpartition("_")[0].replace("_", " ").title() for name, breed, *_ in lines}
        samples = []
        for name, breed, species, _ in lines:
            targets = {"category": int(breed) - 1, "binary-category": int(species) - 1,
                       "segmentation": folder / "annotations" / "trimaps" / f"{name}.png"}
            samples.append((folder / "images" / f"{name}.jpg", [targets[kind] for kind in kinds]))
        self.kinds, self.given_transform = kinds, target_transform
        super().__init__(samples, [breeds[i] for i in sorted(breeds)], transform, self._target)

    def _target(self, targets):
        """What is asked for of a picture, read where it is a picture itself."""
        opened = tuple(read_mask(t) if isinstance(t, Path) else t for t in targets)
        y = opened if len(opened) > 1 else opened[0]
        return y if self.given_transform is None else self.given_transform(y)


class VOCSegmentation(Samples):
    """Photographs in which every pixel is named: `year` "2012" (1,464 to train, 1,449 to validate) or "2007".

    `image_set` is "train", "val" or "trainval", of 2007 also "test". The target is a picture of the numbers of 20 classes, 0
    for the ground and 255 for borders. Read from `VOCdevkit/VOC2012` and so on, or the archive that holds it.
    Source: M. Everingham et al., The Pascal visual object classes challenge, 2010.
    """
    SOURCE = "https://thor.robots.ox.ac.uk/pascal/VOC/"
    ARCHIVES = {"2012": ("VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
                "2007": ("VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
                "2007-test": ("VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f")}

    def __init__(self, root=None, year="2012", image_set="train", download=False, transform=None, target_transform=None):
        chosen("VOCSegmentation", "year", year, ("2012", "2007"))
        chosen("VOCSegmentation", "image_set", image_set, ("train", "trainval", "val", *["test"] * (year == "2007")))
        root = data_root(root)
        folder = root / "VOCdevkit" / f"VOC{year}"
        listed = folder / "ImageSets" / "Segmentation" / f"{image_set}.txt"
        if not listed.is_file():
            name, digest = self.ARCHIVES["2007-test" if image_set == "test" else year]
            unpacked(file("VOCSegmentation", root, name, f"{self.SOURCE}voc{year}/", f"md5:{digest}", download), folder,
                     inside=folder.parent.name)
        names = listed.read_text().split()
        self.images = [folder / "JPEGImages" / f"{name}.jpg" for name in names]
        self.masks = [folder / "SegmentationClass" / f"{name}.png" for name in names]
        self.given_transform = target_transform
        super().__init__([*zip(self.images, self.masks)], [], transform, self._target)

    def _target(self, path):
        y = read_mask(path)
        return y if self.given_transform is None else self.given_transform(y)


class Flowers102(Samples):
    """Photographs of 102 kinds of flowers: `split` "train" (1,020), "val" (1,020) or "test" (6,149). Needs SciPy.

    Read from `flowers-102/jpg`, or 102flowers.tgz beside it, with imagelabels.mat and setid.mat. The makers number the
    classes and give no names in these files.
    Source: M.-E. Nilsback and A. Zisserman, Automated flower classification over a large number of classes, 2008.
    """
    SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    MD5 = {"102flowers.tgz": "52808999861908f626f3c1f4e79d11fa", "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
           "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c"}
    SPLITS = {"train": "trnid", "val": "valid", "test": "tstid"}

    def __init__(self, root=None, split="train", transform=None, target_transform=None, download=False, loader=load_picture):
        chosen("Flowers102", "split", split, tuple(self.SPLITS))
        folder = data_root(root) / "flowers-102"

        def needed(name):
            return file("Flowers102", folder, name, self.SOURCE, f"md5:{self.MD5[name]}", download)
        if not (folder / "jpg").is_dir():
            unpacked(needed("102flowers.tgz"), folder / "jpg")
        numbers = whole(read_matlab("Flowers102", needed("setid.mat"))[self.SPLITS[split]])
        labels = whole(read_matlab("Flowers102", needed("imagelabels.mat"))["labels"]) - 1
        samples = [(folder / "jpg" / f"image_{i:05}.jpg", int(labels[i - 1])) for i in numbers]
        super().__init__(samples, map(str, range(102)), transform, target_transform, loader)


class Food101(Samples):
    """Photographs of 101 dishes: `split` "train" (750 a dish, not all with the right name) or "test" (250 a dish).

    Read from the folder `food-101`, or the archive food-101.tar.gz.
    Source: L. Bossard, M. Guillaumin and L. Van Gool, Food-101, 2014.
    """
    def __init__(self, root=None, split="train", transform=None, target_transform=None, download=False, loader=load_picture):
        chosen("Food101", "split", split, ("train", "test"))
        root = data_root(root)
        folder = root / "food-101"
        if not folder.is_dir():
            unpacked(file("Food101", root, "food-101.tar.gz", "http://data.vision.ee.ethz.ch/cvl/",
                          "md5:85eeb15f3717b99a5da872d97d918f87", download), folder)
        listed = json.loads((folder / "meta" / f"{split}.json").read_text(encoding="utf-8"))
        classes = sorted(listed)
        samples = [(folder / "images" / f"{name}.jpg", classes.index(c)) for c, names in listed.items() for name in names]
        super().__init__(samples, classes, transform, target_transform, loader)


class CelebA(Samples):
    """202,599 photographs of faces, 178x218 pixels: `split` "train" (162,770), "valid", "test" or "all".

    The target is a Tensor of 40 numbers, 1 for each of `attr_names` that the face has, else 0. Read from the folder
    `celeba`: `img_align_celeba` or img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt. Nothing is
    downloaded.
    Source: Z. Liu et al., Deep learning face attributes in the wild, 2015.
    """
    SOURCE = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    SPLITS = {"train": {0}, "valid": {1}, "test": {2}, "all": {0, 1, 2}}

    def __init__(self, root=None, split="train", target_type="attr", transform=None, target_transform=None, download=False):
        chosen("CelebA", "split", split, tuple(self.SPLITS))
        chosen("CelebA", "target_type", target_type, ("attr",))
        folder = data_root(root) / "celeba"
        pictures = folder / "img_align_celeba"
        if not pictures.is_dir():
            unpacked(file("CelebA", folder, "img_align_celeba.zip", self.SOURCE, None, download), pictures)
        attributes, partition = (file("CelebA", folder, name, self.SOURCE, None, download).read_text().splitlines()
                                 for name in ("list_attr_celeba.txt", "list_eval_partition.txt"))
        self.attr_names = attributes[1].split()
        parts = dict(line.split() for line in partition)
        rows = [line.split() for line in attributes[2:]]
        samples = [(pictures / name, wrap((np.array(values, np.int64) + 1) // 2))
                   for name, *values in rows if int(parts[name]) in self.SPLITS[split]]
        super().__init__(samples, self.attr_names, transform, target_transform)


class ImageNet(ImageFolder):
    """The photographs of the contest of 2012, of 1,000 classes: `split` "train" (1,281,167) or "val" (50,000).

    Read from `root`/train or `root`/val, a folder for each class, named by its number in WordNet (`wnids`). Where there is
    none, ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar in `root` is unpacked into it; the second, and the names of
    `classes`, need ILSVRC2012_devkit_t12.tar.gz in `root`, and SciPy. Nothing is downloaded: an account is needed for that.
    Source: O. Russakovsky et al., ImageNet large scale visual recognition challenge, 2015.
    """
    SOURCE = "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php"
    KIT = "ILSVRC2012_devkit_t12"

    def __init__(self, root=None, split="train", **options):
        self.split, root = chosen("ImageNet", "split", split, ("train", "val")), data_root(root)
        folder, kit = root / split, root / f"{self.KIT}.tar.gz"
        if not folder.is_dir():
            archive = file("ImageNet", root, f"ILSVRC2012_img_{split}.tar", self.SOURCE, None, False)
            with_kit = file("ImageNet", root, kit.name, self.SOURCE, None, False) if split == "val" else None
            self._unpack(archive, folder, with_kit)
        super().__init__(folder, **options)
        self.wnids, self.wnid_to_idx = [*self.classes], {name: i for i, name in enumerate(self.classes)}
        if kit.is_file():
            names = {wnid: words for _, wnid, words in self._synsets(kit)}
            self.classes = tuple(names[wnid] for wnid in self.wnids)

    @property
    def class_to_idx(self):
        """{each name of a class: its number}."""
        return {name: i for i, names in enumerate(self.classes) for name in ([names] if isinstance(names, str) else names)}

    @classmethod
    def _unpack(cls, archive, folder, kit):
        """Unpack an archive into a folder for each class; it holds archives of classes, or, with a kit, all pictures."""
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.unpack_archive(archive, part, filter="data")
        if kit is None:
            for inner in sorted(part.glob("*.tar")):
                shutil.unpack_archive(inner, part / inner.stem, filter="data")
                inner.unlink()
        else:
            wnids = {number: wnid for number, wnid, _ in cls._synsets(kit)}
            with tarfile.open(kit) as files:
                truth = files.extractfile(f"{cls.KIT}/data/ILSVRC2012_validation_ground_truth.txt").read().split()
            for path, number in zip(sorted(part.glob("*.JPEG")), map(int, truth), strict=True):
                (part / wnids[number]).mkdir(exist_ok=True)
                path.rename(part / wnids[number] / path.name)
        part.rename(folder)

    @classmethod
    def _synsets(cls, kit):
        """(number, wnid, names) of every class in the kit's meta.mat; those that stand for several others are left out."""
        with tarfile.open(kit) as files:
            synsets = np.atleast_1d(read_matlab("ImageNet", files.extractfile(f"{cls.KIT}/data/meta.mat"))["synsets"])
        return [(int(s["ILSVRC2012_ID"]), str(s["WNID"]), tuple(str(s["words"]).split(", ")))
                for s in synsets if int(s["num_children"]) == 0]

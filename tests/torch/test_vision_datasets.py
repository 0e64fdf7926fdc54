"""Readers of the data sets' own files, which are small ones made here, as torchvision reads them where it is installed."""
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from tinycnn.vision import datasets

RNG = np.random.default_rng(0)


@pytest.fixture
def theirs(monkeypatch):
    """torchvision's data sets, which take files of any hash."""
    try:
        torchvision = pytest.importorskip("torchvision")
    except RuntimeError:  # as it says where it was built for another PyTorch
        pytest.skip("torchvision does not fit the PyTorch that is installed")
    for name in "svhn stl10 flowers102 mnist caltech imagenet celeba".split():
        module = getattr(torchvision.datasets, name)
        if hasattr(module, "check_integrity"):
            monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: __import__("os").path.isfile(path))
    return torchvision.datasets


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def photograph(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(9, 12, 3)).save(path)


def plain(y):
    return y.tolist() if hasattr(y, "tolist") else np.asarray(y).tolist()


def assert_same(ours, wanted):
    assert len(ours) == len(wanted) > 0
    for i in range(len(wanted)):
        (x, y), (u, v) = ours[i], wanted[i]
        assert x.mode == u.mode and np.array_equal(np.asarray(x), np.asarray(u))
        assert plain(y) == plain(v)


def idx(array, kind=8):
    return bytes([0, 0, kind, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


# ---- made in the form of the published files -------------------------------------------------------------------------

def make_svhn(root):
    scipy = pytest.importorskip("scipy.io")
    labels = np.array([[10], [1], [9], [3]], np.uint8)
    scipy.savemat(root / "test_32x32.mat", {"X": noise(32, 32, 3, 4), "y": labels})


def make_stl10(root):
    folder = root / "stl10_binary"
    folder.mkdir()
    for name, count in (("train", 6), ("test", 3), ("unlabeled", 2)):
        noise(count, 3, 96, 96).tofile(folder / f"{name}_X.bin")
        if name != "unlabeled":
            RNG.integers(1, 11, count).astype(np.uint8).tofile(folder / f"{name}_y.bin")
    (folder / "fold_indices.txt").write_text("0 2 4\n" + "1 3\n" * 9)
    (folder / "class_names.txt").write_text("\n".join("airplane bird car cat deer dog horse monkey ship truck".split()))


def make_emnist(root):
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "emnist-letters-train-images-idx3-ubyte").write_bytes(idx(noise(5, 28, 28)))
    (folder / "emnist-letters-train-labels-idx1-ubyte").write_bytes(idx(np.array([1, 26, 3, 4, 5], np.uint8)))


def make_qmnist(root):
    folder = root / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, labels in (("qmnist-train", "idx2-int"), ("xnist", "idx2-int")):
        for what, content in ((f"{name}-images-idx3-ubyte", idx(noise(4, 28, 28))),
                              (f"{name}-labels-{labels}", idx(RNG.integers(0, 10, (4, 8)).astype(">i4"), 12))):
            (folder / what).write_bytes(content)


def make_caltech(root):
    for name, count in (("BACKGROUND_Google", 1), ("ant", 2), ("beaver", 3)):
        for i in range(1, count + 1):
            photograph(root / "caltech101" / "101_ObjectCategories" / name / f"image_{i:04}.jpg")


def make_pets(root):
    folder = root / "oxford-iiit-pet"
    lines = ["Abyssinian_1 1 1 1", "german_shorthaired_2 2 2 1", "Abyssinian_7 1 1 2"]
    (folder / "annotations" / "trimaps").mkdir(parents=True)
    (folder / "annotations" / "trainval.txt").write_text("\n".join(lines))
    for line in lines:
        photograph(folder / "images" / f"{line.split()[0]}.jpg")
        trimap = Image.fromarray(RNG.integers(1, 4, (9, 12), np.uint8))
        trimap.save(folder / "annotations" / "trimaps" / f"{line.split()[0]}.png")


def make_voc(root, name="train", pictures=("2007_000032", "2007_000039")):
    folder = root / "VOCdevkit" / "VOC2007"
    for place in "ImageSets/Segmentation", "SegmentationClass":
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "ImageSets" / "Segmentation" / f"{name}.txt").write_text("\n".join(pictures))
    for picture in pictures:
        photograph(folder / "JPEGImages" / f"{picture}.jpg")
        mask = Image.fromarray(RNG.integers(0, 21, (9, 12), np.uint8), mode="P")
        mask.putpalette(noise(768).tobytes())
        mask.save(folder / "SegmentationClass" / f"{picture}.png")


def make_flowers(root):
    scipy = pytest.importorskip("scipy.io")
    folder = root / "flowers-102"
    for i in range(1, 6):
        photograph(folder / "jpg" / f"image_{i:05}.jpg")
    scipy.savemat(folder / "setid.mat", {"trnid": [[2, 5]], "valid": [[1]], "tstid": [[3, 4]]})
    scipy.savemat(folder / "imagelabels.mat", {"labels": [[1, 102, 7, 8, 9]]})


def make_food(root):
    folder = root / "food-101"
    names = {"waffles": ["waffles/1", "waffles/2"], "apple_pie": ["apple_pie/3"]}
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "train.json").write_text(json.dumps(names))
    for name in sum(names.values(), []):
        photograph(folder / "images" / f"{name}.jpg")


def make_celeba(root):
    folder = root / "celeba"
    lines = ["000001.jpg  1 -1", "000002.jpg -1 -1", "000003.jpg  1  1"]
    for line in lines:
        photograph(folder / "img_align_celeba" / line.split()[0])
    (folder / "list_attr_celeba.txt").write_text("3\nBald Young\n" + "\n".join(lines))
    (folder / "list_eval_partition.txt").write_text("\n".join(f"{line.split()[0]} {i % 2}" for i, line in enumerate(lines)))
    for name, columns in (("identity_CelebA.txt", 1), ("list_bbox_celeba.txt", 4), ("list_landmarks_align_celeba.txt", 10)):
        head = "" if columns == 1 else "3\n" + " ".join("abcdefghij"[:columns]) + "\n"
        (folder / name).write_text(head + "\n".join(f"{line.split()[0]}{' 1' * columns}" for line in lines))


CASES = [(make_svhn, "SVHN", dict(split="test")), (make_stl10, "STL10", dict(split="train")),
         (make_stl10, "STL10", dict(split="train+unlabeled")), (make_stl10, "STL10", dict(split="unlabeled")),
         (make_stl10, "STL10", dict(split="train", folds=0)), (make_stl10, "STL10", dict(split="test")),
         (make_emnist, "EMNIST", dict(split="letters")), (make_qmnist, "QMNIST", dict(what="train")),
         (make_qmnist, "QMNIST", dict(train=True, compat=False)), (make_qmnist, "QMNIST", dict(what="nist")),
         (make_caltech, "Caltech101", {}), (make_pets, "OxfordIIITPet", {}),
         (make_pets, "OxfordIIITPet", dict(target_types=["category", "binary-category"])),
         (make_pets, "OxfordIIITPet", dict(target_types="segmentation")), (make_flowers, "Flowers102", dict(split="test")),
         (make_food, "Food101", {}), (make_voc, "VOCSegmentation", dict(year="2007")),
         (make_celeba, "CelebA", dict(split="train"))]


@pytest.mark.parametrize("make, name, options", CASES)
def test_files_are_read_as_torchvision_reads_them(theirs, make, name, options, tmp_path):
    make(tmp_path)
    ours, wanted = getattr(datasets, name)(tmp_path, **options), getattr(theirs, name)(str(tmp_path), **options)
    assert_same(ours, wanted)
    if name not in ("QMNIST", "Flowers102", "CelebA", "SVHN", "VOCSegmentation"):
        assert [*ours.classes] == [*getattr(wanted, "classes", getattr(wanted, "categories", None))]


@pytest.mark.parametrize("make, name, options", CASES)
def test_a_sample_is_a_picture_and_what_transforms_make_of_it(make, name, options, tmp_path):
    make(tmp_path)
    kind = getattr(datasets, name)
    plainly, changed = kind(tmp_path, **options), kind(tmp_path, transform=np.asarray, target_transform=repr, **options)
    for (x, y), (u, v) in zip(plainly, changed, strict=True):
        assert np.array_equal(np.asarray(x), u) and (v == repr(y) or isinstance(y, Image.Image) and isinstance(v, str))
    assert name in repr(plainly) and len(plainly) == len(changed) > 0


def test_the_digit_0_of_house_numbers_is_no_10(tmp_path):
    make_svhn(tmp_path)
    data = datasets.SVHN(tmp_path, "test")
    assert data.labels.tolist() == [0, 1, 9, 3] and data.data.shape == (4, 3, 32, 32)


def packed(path, folder, names):
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(folder / name, name)
            shutil.rmtree(folder / name)


def test_archives_are_unpacked(tmp_path):
    make_stl10(tmp_path)
    packed(tmp_path / "stl10_binary.tar.gz", tmp_path, ["stl10_binary"])
    assert len(datasets.STL10(tmp_path)) == 6
    make_food(tmp_path)
    packed(tmp_path / "food-101.tar.gz", tmp_path, ["food-101"])
    assert len(datasets.Food101(tmp_path)) == 3
    make_pets(tmp_path)
    folder = tmp_path / "oxford-iiit-pet"
    for name in "images", "annotations":
        packed(folder / f"{name}.tar.gz", folder, [name])
    assert len(datasets.OxfordIIITPet(tmp_path)) == 3
    make_caltech(tmp_path)
    folder = tmp_path / "caltech101"
    packed(folder / "inner.tar.gz", folder, ["101_ObjectCategories"])
    with zipfile.ZipFile(folder / "caltech-101.zip", "w") as archive:
        archive.write(folder / "inner.tar.gz", "caltech-101/101_ObjectCategories.tar.gz")
    assert len(datasets.Caltech101(tmp_path)) == 5


def test_an_archive_adds_to_a_folder_that_is_there(tmp_path):
    make_voc(tmp_path, "test", ["2007_000001"])
    packed(tmp_path / "VOCtest_06-Nov-2007.tar", tmp_path, ["VOCdevkit"])
    make_voc(tmp_path)
    assert len(datasets.VOCSegmentation(tmp_path, "2007")) == 2
    test = datasets.VOCSegmentation(tmp_path, "2007", "test")
    assert len(test) == 1 and test[0][1].mode == "P" and len(datasets.VOCSegmentation(tmp_path, "2007")) == 2


def test_emnist_is_read_from_its_archive_and_qmnist_packed(tmp_path):
    make_emnist(tmp_path)
    whole, folder = datasets.EMNIST(tmp_path, "letters"), tmp_path / "EMNIST" / "raw"
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for path in folder.glob("emnist*"):
            archive.writestr(f"gzip/{path.name}.gz", gzip.compress(path.read_bytes()))
            path.unlink()
    assert np.array_equal(datasets.EMNIST(tmp_path, "letters").data, whole.data)
    make_qmnist(tmp_path)
    whole, folder = datasets.QMNIST(tmp_path, "nist"), tmp_path / "QMNIST" / "raw"
    for path in folder.glob("xnist*"):
        path.with_name(f"{path.name}.xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()
    assert np.array_equal(datasets.QMNIST(tmp_path, "nist").labels, whole.labels)


def test_imagenet_is_unpacked_and_its_classes_named(tmp_path):
    scipy = pytest.importorskip("scipy.io")
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    synsets = np.array([(1, "n01", "tench, Tinca", 0), (2, "n02", "cat", 0), (3, "n03", "animal", 2)], kinds)
    content = io.BytesIO()
    scipy.savemat(content, {"synsets": synsets})
    with tarfile.open(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as kit:
        for name, data in (("meta.mat", content.getvalue()), ("ILSVRC2012_validation_ground_truth.txt", b"2\n1\n2\n")):
            member = tarfile.TarInfo(f"ILSVRC2012_devkit_t12/data/{name}")
            member.size = len(data)
            kit.addfile(member, io.BytesIO(data))
    with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as archive:
        for i in 1, 2, 3:
            photograph(tmp_path / "x" / f"ILSVRC2012_val_{i:08}.JPEG")
            archive.add(tmp_path / "x" / f"ILSVRC2012_val_{i:08}.JPEG", f"ILSVRC2012_val_{i:08}.JPEG")
    with tarfile.open(tmp_path / "ILSVRC2012_img_train.tar", "w") as archive:
        for wnid in "n02", "n01":
            photograph(tmp_path / "y" / f"{wnid}_1.JPEG")
            with tarfile.open(tmp_path / "y" / f"{wnid}.tar", "w") as inner:
                inner.add(tmp_path / "y" / f"{wnid}_1.JPEG", f"{wnid}_1.JPEG")
            archive.add(tmp_path / "y" / f"{wnid}.tar", f"{wnid}.tar")
    val, train = datasets.ImageNet(tmp_path, "val"), datasets.ImageNet(tmp_path)
    assert val.targets == [0, 1, 1] and train.targets == [0, 1] and val.wnids == ["n01", "n02"]
    assert val.classes == (("tench", "Tinca"), ("cat",)) and train.class_to_idx == {"tench": 0, "Tinca": 0, "cat": 1}
    assert [path.name[-6] for path, _ in val.samples] == ["2", "1", "3"] and train[0][0].size == (12, 9)


def test_fake_pictures_follow_from_their_numbers():
    a, b = datasets.FakeData(5, (3, 4, 6), 3), datasets.FakeData(9, (3, 4, 6), 3)
    for i in range(5):
        assert a[i][0].size == (6, 4) and np.array_equal(np.asarray(a[i][0]), np.asarray(b[i][0])) and a[i][1] == b[i][1]
    assert a[0][0].tobytes() != a[1][0].tobytes() != datasets.FakeData(5, (3, 4, 6), 3, random_offset=1)[1][0].tobytes()


@pytest.mark.parametrize("name, missing, source", [
    ("SVHN", "train_32x32.mat", "ufldl"), ("STL10", "stl10_binary.tar.gz", "stanford"), ("EMNIST", "gzip.zip", "nist"),
    ("QMNIST", "qmnist-train-images-idx3-ubyte.gz", "facebookresearch"), ("Caltech101", "caltech-101.zip", "caltech.edu"),
    ("OxfordIIITPet", "images.tar.gz", "robots.ox"), ("Flowers102", "102flowers.tgz", "robots.ox"),
    ("Food101", "food-101.tar.gz", "ethz"),
    ("VOCSegmentation", "VOCtrainval_11-May-2012.tar", "robots.ox"), ("CelebA", "img_align_celeba.zip", "mmlab"),
    ("ImageNet", "ILSVRC2012_img_train.tar", "image-net.org")])
def test_what_is_missing_is_named_with_its_source(name, missing, source, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{name}: .*{missing} is missing: get {missing} from http.*{source}"):
        getattr(datasets, name)(tmp_path)


@pytest.mark.parametrize("name, options, text", [
    ("SVHN", dict(split="val"), "split must be one of 'train', 'test', 'extra', got 'val'"),
    ("STL10", dict(folds=10), "folds must be one of"), ("EMNIST", dict(split="capitals"), "'capitals'"),
    ("OxfordIIITPet", dict(target_types=["breed"]), "'breed'"), ("ImageNet", dict(split="test"), "'train', 'val'")])
def test_what_there_is_not_is_refused(name, options, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        getattr(datasets, name)(tmp_path, **options)


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "food-101.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="food-101.tar.gz: the archive is damaged"):
        datasets.Food101(tmp_path)

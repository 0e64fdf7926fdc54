"""AlexNet, VGG, SqueezeNet, GoogLeNet and Inception v3 against references written with torch.nn.functional."""
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.model_reference import TF, check, picture  # noqa: E402
from tinycnn import models  # noqa: E402
from tinycnn.models.inception_v3 import (InceptionA, InceptionAux, InceptionB, InceptionC, InceptionD,  # noqa: E402
                                         InceptionE)
from tinycnn.models.vgg import CONFIGURATIONS, make_layers  # noqa: E402


def head(s, x, *names):
    for name in names[:-1]:
        x = TF.relu(s.linear(x, "classifier." + name))
    return s.linear(x, "classifier." + names[-1])


def test_alexnet():
    def reference(s, x):
        x = TF.relu(s.conv(x, "features.0", stride=4, padding=2))
        x = TF.relu(s.conv(TF.max_pool2d(x, 3, 2), "features.3", padding=2))
        x = TF.relu(s.conv(TF.max_pool2d(x, 3, 2), "features.6", padding=1))
        x = TF.relu(s.conv(x, "features.8", padding=1))
        x = TF.relu(s.conv(x, "features.10", padding=1))
        x = TF.adaptive_avg_pool2d(TF.max_pool2d(x, 3, 2), 6)
        return head(s, x.flatten(1), "1", "4", "6")

    check(models.alexnet(num_classes=7, hidden=12), reference, picture((95, 80)))


def test_alexnet_of_2012():
    def reference(s, x):
        def brightness(x):
            square = TF.pad(x * x, (0, 0, 0, 0, 2, 2))
            total = sum(square[:, i:i + x.shape[1]] for i in range(5))
            return x / (2 + 1e-4 * total) ** 0.75
        x = TF.max_pool2d(brightness(TF.relu(s.conv(x, "features.0", stride=4))), 3, 2)
        x = TF.max_pool2d(brightness(TF.relu(s.conv(x, "features.4", padding=2, groups=2))), 3, 2)
        x = TF.relu(s.conv(x, "features.8", padding=1))
        x = TF.relu(s.conv(x, "features.10", padding=1, groups=2))
        x = TF.max_pool2d(TF.relu(s.conv(x, "features.12", padding=1, groups=2)), 3, 2)
        return head(s, TF.adaptive_avg_pool2d(x, 6).flatten(1), "1", "4", "6")

    check(models.alexnet_2012(num_classes=7, hidden=12), reference, picture(67))


@pytest.mark.parametrize("name, convolutions", [
    ("vgg11", "0 P 3 P 6 8 P 11 13 P 16 18 P"), ("vgg11_bn", "0 P 4 P 8 11 P 15 18 P 22 25 P"),
    ("vgg16_1x1", "0 2 P 5 7 P 10 12 14 P 17 19 21 P 24 26 28 P")])
def test_vgg(name, convolutions):
    def reference(s, x):
        for i in convolutions.split():
            if i == "P":
                x = TF.max_pool2d(x, 2)
                continue
            w = s[f"features.{i}.weight"]
            x = s.conv(x, f"features.{i}", padding=w.shape[-1] // 2)
            x = TF.relu(s.norm(x, f"features.{int(i) + 1}") if name.endswith("bn") else x)
        return head(s, TF.adaptive_avg_pool2d(x, 7).flatten(1), "0", "3", "6")

    check(getattr(models, name)(num_classes=7, hidden=12), reference, picture(32))


@pytest.mark.parametrize("cfg, indices", [
    ("D", "0 2 5 7 10 12 14 17 19 21 24 26 28"), ("E", "0 2 5 7 10 12 14 16 19 21 23 25 28 30 32 34")])
def test_vgg16_and_19_have_the_published_names(cfg, indices):
    keys = make_layers(CONFIGURATIONS[cfg]).state_dict()
    assert [key for key in keys if key.endswith("weight")] == [f"{i}.weight" for i in indices.split()]


@pytest.mark.parametrize("version, fires, pools, kernel", [
    ("1_0", (3, 4, 5, 7, 8, 9, 10, 12), (2, 6, 11), 7), ("1_1", (3, 4, 6, 7, 9, 10, 11, 12), (2, 5, 8), 3)])
def test_squeezenet(version, fires, pools, kernel):
    def reference(s, x):
        assert s["features.0.weight"].shape[-1] == kernel
        x = TF.relu(s.conv(x, "features.0", stride=2))
        for i in range(2, 13):
            if i in pools:
                x = TF.max_pool2d(x, 3, 2, ceil_mode=True)
            else:
                assert i in fires
                narrow = TF.relu(s.conv(x, f"features.{i}.squeeze"))
                x = TF.relu(torch.cat([s.conv(narrow, f"features.{i}.expand1x1"),
                                       s.conv(narrow, f"features.{i}.expand3x3", padding=1)], 1))
        return TF.relu(s.conv(x, "classifier.1")).mean((2, 3))

    check(models.SqueezeNet(version, num_classes=7), reference, picture((40, 37)))


def unit(s, x, name, **options):
    return TF.relu(s.norm(s.conv(x, name + ".conv", **options), name + ".bn", eps=0.001))


def test_googlenet():
    def inception(s, x, name):
        def b(x, which, **options):
            return unit(s, x, f"{name}.branch{which}", **options)
        return torch.cat([b(x, "1"), b(b(x, "2.0"), "2.1", padding=1), b(b(x, "3.0"), "3.1", padding=1),
                          b(TF.max_pool2d(x, 3, 1, 1), "4.1")], 1)

    def aux(s, x, name):
        x = unit(s, TF.adaptive_avg_pool2d(x, 4), name + ".conv").flatten(1)
        return s.linear(TF.relu(s.linear(x, name + ".fc1")), name + ".fc2")

    def reference(s, x):
        std, mean = torch.tensor([[0.229, 0.224, 0.225], [0.485, 0.456, 0.406]], dtype=torch.float64).reshape(2, 3, 1, 1)
        x = ((x * std + mean) - 0.5) / 0.5
        x = unit(s, TF.max_pool2d(unit(s, x, "conv1", stride=2, padding=3), 3, 2, ceil_mode=True), "conv2")
        x = TF.max_pool2d(unit(s, x, "conv3", padding=1), 3, 2, ceil_mode=True)
        x = inception(s, inception(s, x, "inception3a"), "inception3b")
        side1 = x = inception(s, TF.max_pool2d(x, 3, 2, ceil_mode=True), "inception4a")
        side2 = x = inception(s, inception(s, inception(s, x, "inception4b"), "inception4c"), "inception4d")
        x = TF.max_pool2d(inception(s, x, "inception4e"), 2, 2, ceil_mode=True)
        x = inception(s, inception(s, x, "inception5a"), "inception5b")
        y = s.linear(x.mean((2, 3)), "fc")
        return (y, aux(s, side2, "aux2"), aux(s, side1, "aux1")) if s.training else y

    check(models.googlenet(num_classes=7, transform_input=True), reference, picture((70, 62), batch=4))


def pooled(x):
    return TF.avg_pool2d(x, 3, 1, 1)


ROW, COLUMN = dict(padding=(0, 3)), dict(padding=(3, 0))


def chain(s, x, prefix, *steps):
    """Units one after the other: `steps` are (name, options)."""
    for name, options in steps:
        x = unit(s, x, prefix + name, **options)
    return x


def inception_a(s, x, p=""):
    return torch.cat([unit(s, x, p + "branch1x1"), chain(s, x, p + "branch5x5_", ("1", {}), ("2", dict(padding=2))),
                      chain(s, x, p + "branch3x3dbl_", ("1", {}), ("2", dict(padding=1)), ("3", dict(padding=1))),
                      unit(s, pooled(x), p + "branch_pool")], 1)


def inception_b(s, x, p=""):
    return torch.cat([unit(s, x, p + "branch3x3", stride=2),
                      chain(s, x, p + "branch3x3dbl_", ("1", {}), ("2", dict(padding=1)), ("3", dict(stride=2))),
                      TF.max_pool2d(x, 3, 2)], 1)


def inception_c(s, x, p=""):
    return torch.cat([unit(s, x, p + "branch1x1"), chain(s, x, p + "branch7x7_", ("1", {}), ("2", ROW), ("3", COLUMN)),
                      chain(s, x, p + "branch7x7dbl_", ("1", {}), ("2", COLUMN), ("3", ROW), ("4", COLUMN), ("5", ROW)),
                      unit(s, pooled(x), p + "branch_pool")], 1)


def inception_d(s, x, p=""):
    return torch.cat([chain(s, x, p + "branch3x3_", ("1", {}), ("2", dict(stride=2))),
                      chain(s, x, p + "branch7x7x3_", ("1", {}), ("2", ROW), ("3", COLUMN), ("4", dict(stride=2))),
                      TF.max_pool2d(x, 3, 2)], 1)


def inception_e(s, x, p=""):
    def fork(x, name):
        return [unit(s, x, name + "a", padding=(0, 1)), unit(s, x, name + "b", padding=(1, 0))]
    return torch.cat([unit(s, x, p + "branch1x1"), *fork(unit(s, x, p + "branch3x3_1"), p + "branch3x3_2"),
                      *fork(chain(s, x, p + "branch3x3dbl_", ("1", {}), ("2", dict(padding=1))), p + "branch3x3dbl_3"),
                      unit(s, pooled(x), p + "branch_pool")], 1)


def side_head(s, x, p=""):
    x = unit(s, unit(s, TF.avg_pool2d(x, 5, 3), p + "conv0"), p + "conv1")
    return s.linear(x.mean((2, 3)), p + "fc")


@pytest.mark.parametrize("block, reference, channels, size", [
    (InceptionA(20, 8), inception_a, 20, 6), (InceptionB(20), inception_b, 20, 7), (InceptionC(20, 12), inception_c, 20, 6),
    (InceptionD(20), inception_d, 20, 7), (InceptionE(20), inception_e, 20, 4), (InceptionAux(20, 5), side_head, 20, 17)],
    ids=lambda a: type(a).__name__ if not callable(a) or hasattr(a, "forward") else "")
def test_inception_v3_blocks(block, reference, channels, size):
    check(block, reference, picture((size, size + 1), channels=channels))


def inception_v3(s, x):
    x = chain(s, x, "Conv2d_", ("1a_3x3", dict(stride=2)), ("2a_3x3", {}), ("2b_3x3", dict(padding=1)))
    x = chain(s, TF.max_pool2d(x, 3, 2), "Conv2d_", ("3b_1x1", {}), ("4a_3x3", {}))
    x = TF.max_pool2d(x, 3, 2)
    for letter, block in zip("bcd", [inception_a] * 3):
        x = block(s, x, f"Mixed_5{letter}.")
    for letter, block in zip("abcde", [inception_b] + [inception_c] * 4):
        x = block(s, x, f"Mixed_6{letter}.")
    side = side_head(s, x, "AuxLogits.") if s.training and s.has("AuxLogits") else None
    for letter, block in zip("abc", [inception_d, inception_e, inception_e]):
        x = block(s, x, f"Mixed_7{letter}.")
    y = s.linear(x.mean((2, 3)), "fc")
    return y if side is None else (y, side)


@pytest.mark.slow
def test_inception_v3():
    check(models.inception_v3(num_classes=5), inception_v3, picture(299))


def test_inception_v3_without_its_side_head():
    check(models.inception_v3(num_classes=5, aux_logits=False), inception_v3, picture((107, 75), batch=3))

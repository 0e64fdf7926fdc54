"""ResNet and its kin, and DenseNet, against references written with torch.nn.functional."""
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.model_reference import TF, check, picture  # noqa: E402
from tinycnn import models  # noqa: E402
from tinycnn.models.cifar_resnet import CifarResNet, PadShortcut  # noqa: E402
from tinycnn.models.preact_resnet import PreActBlock, PreActBottleneck, PreActResNet  # noqa: E402
from tinycnn.models.resnet import BasicBlock, Bottleneck, PlainBlock, ResNet, conv1x1  # noqa: E402


def shortcut(s, x, name, stride):
    if not s.has(name + ".downsample"):
        return x
    return s.norm(s.conv(x, name + ".downsample.0", stride=stride), name + ".downsample.1")


def basic(s, x, name, stride, groups, dilation):
    y = TF.relu(s.norm(s.conv(x, name + ".conv1", stride=stride, padding=1), name + ".bn1"))
    return TF.relu(s.norm(s.conv(y, name + ".conv2", padding=1), name + ".bn2") + shortcut(s, x, name, stride))


def plain(s, x, name, stride, groups, dilation):
    y = TF.relu(s.norm(s.conv(x, name + ".conv1", stride=stride, padding=1), name + ".bn1"))
    return TF.relu(s.norm(s.conv(y, name + ".conv2", padding=1), name + ".bn2"))


def bottleneck(s, x, name, stride, groups, dilation):
    y = TF.relu(s.norm(s.conv(x, name + ".conv1"), name + ".bn1"))
    y = s.conv(y, name + ".conv2", stride=stride, padding=dilation, dilation=dilation, groups=groups)
    y = s.norm(s.conv(TF.relu(s.norm(y, name + ".bn2")), name + ".conv3"), name + ".bn3")
    return TF.relu(y + shortcut(s, x, name, stride))


def preact_basic(s, x, name, stride, groups, dilation):
    a = TF.relu(s.norm(x, name + ".bn1"))
    y = s.conv(TF.relu(s.norm(s.conv(a, name + ".conv1", stride=stride, padding=1), name + ".bn2")), name + ".conv2",
               padding=1)
    return y + (s.conv(a, name + ".downsample", stride=stride) if s.has(name + ".downsample") else x)


def preact_bottleneck(s, x, name, stride, groups, dilation):
    a = TF.relu(s.norm(x, name + ".bn1"))
    y = s.conv(TF.relu(s.norm(s.conv(a, name + ".conv1"), name + ".bn2")), name + ".conv2", stride=stride, padding=1)
    y = s.conv(TF.relu(s.norm(y, name + ".bn3")), name + ".conv3")
    return y + (s.conv(a, name + ".downsample", stride=stride) if s.has(name + ".downsample") else x)


def resnet(block, layers, groups=1, dilate=(), last=None):
    def reference(s, x):
        x = TF.relu(s.norm(s.conv(x, "conv1", stride=2, padding=3), "bn1"))
        x, dilation = TF.max_pool2d(x, 3, 2, 1), 1
        for stage, blocks in enumerate(layers, 1):
            stride, first = (2 if stage > 1 else 1), dilation
            if stage in dilate:
                dilation, stride = dilation * 2, 1
            for i in range(blocks):
                x = block(s, x, f"layer{stage}.{i}", 1 if i else stride, groups, dilation if i else first)
        x = TF.relu(s.norm(x, last)) if last else x
        return s.linear(x.mean((2, 3)), "fc")
    return reference


def test_resnet_of_basic_blocks():
    check(ResNet(BasicBlock, [2, 1, 2, 1], num_classes=7), resnet(basic, [2, 1, 2, 1]), picture((40, 37)))


def test_plain_network():
    check(ResNet(PlainBlock, [1, 2, 1, 1], num_classes=7), resnet(plain, [1, 2, 1, 1]), picture((40, 37)))


@pytest.mark.parametrize("groups, width", [(1, 32), (8, 4)])
def test_resnet_of_bottlenecks(groups, width):
    model = ResNet(Bottleneck, [1, 2, 1, 1], num_classes=7, groups=groups, width_per_group=width)
    check(model, resnet(bottleneck, [1, 2, 1, 1], groups), picture((40, 37)))


def test_dilated_resnet():
    model = ResNet(Bottleneck, [1, 1, 2, 2], num_classes=7, width_per_group=16,
                   replace_stride_with_dilation=[False, True, True])
    check(model, resnet(bottleneck, [1, 1, 2, 2], dilate=(3, 4)), picture(40))


def test_preact_resnet():
    check(PreActResNet(PreActBlock, [2, 1, 1, 1], num_classes=7),
          resnet(preact_basic, [2, 1, 1, 1], last="norm"), picture((40, 37)))
    check(PreActResNet(PreActBottleneck, [1, 1, 2, 1], num_classes=7),
          resnet(preact_bottleneck, [1, 1, 2, 1], last="norm"), picture((40, 37)))


@pytest.mark.parametrize("block, ours, options", [
    (basic, BasicBlock, dict(shortcut=PadShortcut)), (basic, BasicBlock, {}),
    (bottleneck, Bottleneck, dict(groups=4, base_width=8, stem=32, width=32)),
    (preact_basic, PreActBlock, dict(shortcut=conv1x1, preact=True, width=24)),
    (preact_bottleneck, PreActBottleneck, dict(shortcut=conv1x1, preact=True, width=8))])
def test_residual_networks_for_small_pictures(block, ours, options):
    def reference(s, x):
        x = s.conv(x, "conv1", padding=1)
        x = x if "preact" in options else TF.relu(s.norm(x, "bn"))
        for stage in (1, 2, 3):
            for i in range(2):
                stride = 2 if stage > 1 and i == 0 else 1
                if options.get("shortcut") is PadShortcut and stride == 2:
                    name = f"layer{stage}.{i}"
                    skip = torch.cat([x[:, :, ::2, ::2], torch.zeros_like(x[:, :, ::2, ::2])], 1)
                    y = TF.relu(s.norm(s.conv(x, name + ".conv1", stride=2, padding=1), name + ".bn1"))
                    x = TF.relu(s.norm(s.conv(y, name + ".conv2", padding=1), name + ".bn2") + skip)
                else:
                    x = block(s, x, f"layer{stage}.{i}", stride, options.get("groups", 1), 1)
        x = TF.relu(s.norm(x, "bn")) if "preact" in options else x
        return s.linear(x.mean((2, 3)), "fc")

    check(CifarResNet(ours, 2, num_classes=7, **options), reference, picture((16, 13)))


def test_densenet():
    blocks = (2, 3, 1)

    def reference(s, x):
        x = TF.relu(s.norm(s.conv(x, "features.conv0", stride=2, padding=3), "features.norm0"))
        x = TF.max_pool2d(x, 3, 2, 1)
        for b, layers in enumerate(blocks, 1):
            seen = [x]
            for i in range(1, layers + 1):
                name = f"features.denseblock{b}.denselayer{i}."
                y = s.conv(TF.relu(s.norm(torch.cat(seen, 1), name + "norm1")), name + "conv1")
                seen.append(s.conv(TF.relu(s.norm(y, name + "norm2")), name + "conv2", padding=1))
            x = torch.cat(seen, 1)
            if b < len(blocks):
                name = f"features.transition{b}."
                x = TF.avg_pool2d(s.conv(TF.relu(s.norm(x, name + "norm")), name + "conv"), 2)
        return s.linear(TF.relu(s.norm(x, "features.norm5")).mean((2, 3)), "classifier")

    check(models.DenseNet(6, blocks, 10, num_classes=7), reference, picture((40, 37)))

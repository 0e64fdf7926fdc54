"""The networks for phones and the modern ones against references written with torch.nn.functional."""
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.model_reference import TF, check, picture  # noqa: E402
from tinycnn import models  # noqa: E402
from tinycnn.models.attention_resnet import CBAMBasicBlock, CBAMBottleneck, SEBasicBlock, SEBottleneck  # noqa: E402
from tinycnn.models.convnext import CNBlockConfig  # noqa: E402
from tinycnn.models.efficientnet import MBConvConfig  # noqa: E402


def cna(s, x, name, act=TF.relu, **options):
    """Convolution, norm, activation under the names 0 and 1."""
    x = s.norm(s.conv(x, name + ".0", **options), name + ".1")
    return act(x) if act else x


def depthwise(s, x, name, stride=1, act=TF.relu):
    k = s[name + ".0.weight"].shape[-1]
    return cna(s, x, name, act, stride=stride, padding=k // 2, groups=x.shape[1])


def shuffle(x, groups):
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def gate(s, x, name, act):
    """Squeeze-and-excitation."""
    return x * torch.sigmoid(s.conv(act(s.conv(x.mean((2, 3), keepdim=True), name + ".fc1")), name + ".fc2"))


def test_mobilenet_v1():
    def reference(s, x):
        x = cna(s, x, "features.0", stride=2, padding=1)
        for i, stride in enumerate([1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1], 1):
            x = cna(s, depthwise(s, x, f"features.{i}.0", stride), f"features.{i}.1")
        return s.linear(x.mean((2, 3)), "classifier")

    check(models.mobilenet_v1(num_classes=7, width_mult=0.25), reference, picture((64, 50)))


def test_mobilenet_v2():
    strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]

    def reference(s, x):
        x = cna(s, x, "features.0", TF.relu6, stride=2, padding=1)
        for i, stride in enumerate(strides, 1):
            y, name, step = x, f"features.{i}.conv.", 0
            if i > 1:
                y, step = cna(s, y, name + "0", TF.relu6), 1
            y = depthwise(s, y, f"{name}{step}", stride, TF.relu6)
            y = s.norm(s.conv(y, f"{name}{step + 1}"), f"{name}{step + 2}")
            x = x + y if x.shape == y.shape else y
        x = cna(s, x, "features.18", TF.relu6).mean((2, 3))
        return s.linear(x, "classifier.1")

    check(models.mobilenet_v2(num_classes=7, width_mult=0.25), reference, picture((64, 50)))


@pytest.mark.parametrize("groups", [1, 3])
def test_shufflenet_v1(groups):
    def reference(s, x):
        x = TF.max_pool2d(cna(s, x, "conv1", stride=2, padding=1), 3, 2, 1)
        for stage, units in ((2, 4), (3, 8), (4, 4)):
            for i in range(units):
                name, first = f"stage{stage}.{i}.", 1 if stage == 2 and i == 0 else groups
                y = shuffle(cna(s, x, name + "compress", groups=first), first)
                y = depthwise(s, y, name + "depthwise", 1 if i else 2, None)
                y = cna(s, y, name + "expand", None, groups=groups)
                x = TF.relu(x + y) if i else TF.relu(torch.cat([TF.avg_pool2d(x, 3, 2, 1), y], 1))
        return s.linear(x.mean((2, 3)), "fc")

    check(models.ShuffleNetV1(groups, 0.5, num_classes=7), reference, picture((64, 50)))


def test_shufflenet_v2():
    def reference(s, x):
        x = TF.max_pool2d(cna(s, x, "conv1", stride=2, padding=1), 3, 2, 1)
        for stage, units in ((2, 2), (3, 3), (4, 1)):
            for i in range(units):
                name, stride = f"stage{stage}.{i}.branch", 1 if i else 2
                c = x.shape[1] // 2
                left, right = (x[:, :c], x[:, c:]) if i else (x, x)
                if not i:
                    left = s.norm(s.conv(left, name + "1.0", stride=2, padding=1, groups=2 * c), name + "1.1")
                    left = TF.relu(s.norm(s.conv(left, name + "1.2"), name + "1.3"))
                right = TF.relu(s.norm(s.conv(right, name + "2.0"), name + "2.1"))
                right = s.norm(s.conv(right, name + "2.3", stride=stride, padding=1, groups=right.shape[1]), name + "2.4")
                right = TF.relu(s.norm(s.conv(right, name + "2.5"), name + "2.6"))
                x = shuffle(torch.cat([left, right], 1), 2)
        return s.linear(cna(s, x, "conv5").mean((2, 3)), "fc")

    check(models.ShuffleNetV2([2, 3, 1], [8, 12, 24, 48, 20], num_classes=7), reference, picture((64, 50)))


def test_mnasnet():
    momentum = 1 - 0.9997

    def conv_norm(s, x, name, i, act, **options):
        x = s.norm(s.conv(x, f"{name}{i}", **options), f"{name}{i + 1}", momentum=momentum)
        return TF.relu(x) if act else x

    def reference(s, x):
        x = conv_norm(s, x, "layers.", 0, True, stride=2, padding=1)
        x = conv_norm(s, x, "layers.", 3, True, padding=1, groups=x.shape[1])
        x = conv_norm(s, x, "layers.", 6, False)
        for stage, (k, stride, blocks) in enumerate([(3, 2, 3), (5, 2, 3), (5, 2, 3), (3, 1, 2), (5, 2, 4), (3, 1, 1)], 8):
            for i in range(blocks):
                name = f"layers.{stage}.{i}.layers."
                y = conv_norm(s, x, name, 0, True)
                y = conv_norm(s, y, name, 3, True, stride=1 if i else stride, padding=k // 2, groups=y.shape[1])
                y = conv_norm(s, y, name, 6, False)
                x = x + y if x.shape == y.shape else y
        return s.linear(conv_norm(s, x, "layers.", 14, True).mean((2, 3)), "classifier.1")

    check(models.MNASNet(0.25, num_classes=7), reference, picture((64, 50)))


def test_efficientnet():
    setting = [MBConvConfig(1, 3, 1, 8, 4, 1), MBConvConfig(6, 5, 2, 4, 8, 3), MBConvConfig(4, 3, 2, 8, 16, 2)]

    def reference(s, x):
        x = cna(s, x, "features.0", TF.silu, stride=2, padding=1)
        for stage, cnf in enumerate(setting, 1):
            for i in range(cnf.num_layers):
                y, step, name = x, 0, f"features.{stage}.{i}.block."
                if cnf.expand_ratio > 1:
                    y, step = cna(s, y, name + "0", TF.silu), 1
                y = depthwise(s, y, f"{name}{step}", 1 if i else cnf.stride, TF.silu)
                y = cna(s, gate(s, y, f"{name}{step + 1}", TF.silu), f"{name}{step + 2}", None)
                x = x + y if i else y
        return s.linear(cna(s, x, "features.4", TF.silu).mean((2, 3)), "classifier.1")

    check(models.EfficientNet(setting, dropout=0.3, num_classes=7), reference, picture((40, 33)))


def test_convnext():
    depths = (1, 2, 1)

    def channel_norm(s, x, name):
        return s.layer_norm(x.permute(0, 2, 3, 1), name).permute(0, 3, 1, 2)

    def reference(s, x):
        x = channel_norm(s, s.conv(x, "features.0.0", stride=4), "features.0.1")
        for stage, blocks in enumerate(depths):
            for i in range(blocks):
                name = f"features.{2 * stage + 1}.{i}."
                y = s.conv(x, name + "block.0", padding=3, groups=x.shape[1]).permute(0, 2, 3, 1)
                y = TF.gelu(s.linear(s.layer_norm(y, name + "block.2"), name + "block.3"))
                x = x + s[name + "layer_scale"] * s.linear(y, name + "block.5").permute(0, 3, 1, 2)
            if stage + 1 < len(depths):
                name = f"features.{2 * stage + 2}."
                x = s.conv(channel_norm(s, x, name + "0"), name + "1", stride=2)
        x = channel_norm(s, x.mean((2, 3), keepdim=True), "classifier.0")
        return s.linear(x.flatten(1), "classifier.2")

    widths = [8, 16, 24]
    setting = [CNBlockConfig(*c) for c in zip(widths, [16, 24, None], depths)]
    check(models.ConvNeXt(setting, 0.2, layer_scale=0.5, num_classes=7), reference, picture((41, 36)))


@pytest.mark.parametrize("se_ratio", [None, 0.25])
def test_regnet(se_ratio):
    params = [(16, 2, 8), (24, 1, 8)]

    def reference(s, x):
        x = cna(s, x, "stem", stride=2, padding=1)
        for stage, (width, blocks, group) in enumerate(params, 1):
            for i in range(blocks):
                name, stride = f"trunk_output.block{stage}.block{stage}-{i}.", 1 if i else 2
                y = cna(s, cna(s, x, name + "f.a"), name + "f.b", stride=stride, padding=1, groups=width // group)
                y = gate(s, y, name + "f.se", TF.relu) if se_ratio else y
                y = cna(s, y, name + "f.c", None)
                x = TF.relu(y + (x if i else cna(s, x, name + "proj", None, stride=stride)))
        return s.linear(x.mean((2, 3)), "fc")

    check(models.RegNet(params, num_classes=7, stem_width=8, se_ratio=se_ratio), reference, picture((24, 19)))


def test_repvgg():
    blocks = (1, 2, 1, 1)

    def block(s, x, name, stride):
        y = s.norm(s.conv(x, name + ".rbr_dense.conv", stride=stride, padding=1), name + ".rbr_dense.bn")
        y = y + s.norm(s.conv(x, name + ".rbr_1x1.conv", stride=stride), name + ".rbr_1x1.bn")
        return TF.relu(y + s.norm(x, name + ".rbr_identity") if stride == 1 else y)

    def reference(s, x):
        x = block(s, x, "stage0", 2)
        for stage, n in enumerate(blocks, 1):
            for i in range(n):
                x = block(s, x, f"stage{stage}.{i}", 1 if i else 2)
        return s.linear(x.mean((2, 3)), "linear")

    check(models.RepVGG(blocks, (0.25, 0.25, 0.125, 0.125), num_classes=7), reference, picture((64, 70)))


def channels_and_pixels(s, x, name):
    """CBAM."""
    def mlp(v):
        return s.conv(TF.relu(s.conv(v, name + ".mlp.0")), name + ".mlp.2")
    x = x * torch.sigmoid(mlp(TF.adaptive_avg_pool2d(x, 1)) + mlp(TF.adaptive_max_pool2d(x, 1)))
    maps = torch.stack([x.mean(1), x.max(1).values], 1)
    return x * torch.sigmoid(s.conv(maps, name + ".spatial", padding=3))


@pytest.mark.parametrize("block, attend, where", [
    (SEBasicBlock, lambda s, x, name: gate(s, x, name, TF.relu), "se"),
    (SEBottleneck, lambda s, x, name: gate(s, x, name, TF.relu), "se"),
    (CBAMBasicBlock, channels_and_pixels, "cbam"), (CBAMBottleneck, channels_and_pixels, "cbam")])
def test_residual_branches_with_attention(block, attend, where):
    deep = block.expansion == 4

    def reference(s, x):
        name = ""
        y = TF.relu(s.norm(s.conv(x, "conv1", padding=0 if deep else 1), "bn1"))
        y = s.norm(s.conv(y, "conv2", padding=1), "bn2")
        y = s.norm(s.conv(TF.relu(y), "conv3"), "bn3") if deep else y
        return TF.relu(attend(s, y, name + where) + x)

    check(block(32 * block.expansion, 32), reference, picture((7, 6), channels=32 * block.expansion))

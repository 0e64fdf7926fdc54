"""Networks for pixels and for clips against references written with torch.nn.functional."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.model_reference import TF, check, picture  # noqa: E402
from tinycnn import nn  # noqa: E402
from tinycnn.models import C3D, FCN, SlowFast, TwoStream, UNet, VideoResNet  # noqa: E402
from tinycnn.models.resnet3d import space_only, space_then_time, spacetime  # noqa: E402
from tinycnn.models.vgg import make_layers  # noqa: E402


def clip(*size, channels=3, batch=2):
    return np.random.default_rng(0).standard_normal((batch, channels, *size))


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_fcn(stride):
    def reference(s, x):
        pools, y = [], TF.pad(x, (99, 99, 99, 99))
        for i in "0 2 P 5 7 P 10 12 14 P 17 19 21 P 24 26 28 P".split():
            if i == "P":
                y = TF.max_pool2d(y, 2, ceil_mode=True)
                pools.append(y)
            else:
                y = TF.relu(s.conv(y, f"features.{i}", padding=1))
        y = s.conv(TF.relu(s.conv(TF.relu(s.conv(y, "fc6")), "fc7")), "score_fr")
        h, w = x.shape[2:]
        for name, up, scores, cut in (("score_pool4", "upscore2", 3, 5), ("score_pool3", "upscore_pool4", 2, 9)):
            if s.has(name):
                y = s.up(y, up, stride=2)
                y = y + s.conv(pools[scores], name)[:, :, cut:cut + y.shape[2], cut:cut + y.shape[3]]
        cut = {32: 19, 16: 27, 8: 31}[stride]
        return s.up(y, "upscore", stride=stride)[:, :, cut:cut + h, cut:cut + w]

    model = FCN(stride, num_classes=3, hidden=8)
    thin = make_layers([4, 4, "M", 4, 4, "M", 4, 4, 256, "M", 4, 4, 512, "M", 4, 4, 512, "M"])
    thin[0].padding = model.features[0].padding
    for ours, theirs in zip(thin, model.features, strict=True):
        if isinstance(ours, nn.MaxPool2d):
            ours.ceil_mode = theirs.ceil_mode
    model.features = thin
    for m in model.modules():
        if isinstance(m, nn.Conv2d) and not m.weight.array.any():
            m.reset_parameters()
    check(model, reference, picture((30, 21), batch=1))


@pytest.mark.parametrize("padding, batch_norm, size", [(0, False, (44, 52)), (1, True, (21, 18))])
def test_unet(padding, batch_norm, size):
    def double(s, x, name):
        for i in (0, 1):
            x = s.conv(x, f"{name}.{(3 if batch_norm else 2) * i}", padding=padding)
            x = TF.relu(s.norm(x, f"{name}.{3 * i + 1}") if batch_norm else x)
        return x

    def reference(s, x):
        a = double(s, x, "down.0")
        b = double(s, TF.max_pool2d(a, 2), "down.1")
        x = double(s, TF.max_pool2d(b, 2), "down.2")
        for i, level in enumerate((b, a)):
            more = tuple(size % 2 for size in level.shape[2:]) if padding else 0
            x = s.up(x, f"up.{i}", stride=2, output_padding=more)
            edge = [(big - small) // 2 for big, small in zip(level.shape[2:], x.shape[2:])]
            level = level[:, :, edge[0]:edge[0] + x.shape[2], edge[1]:edge[1] + x.shape[3]]
            x = double(s, torch.cat([level, x], 1), f"merge.{i}")
        return s.conv(x, "score")

    model = UNet(2, 3, width=4, depth=2, padding=padding, batch_norm=batch_norm)
    check(model, reference, picture(size, channels=2))


def test_c3d():
    def reference(s, x):
        for i in "0 P 3 P 6 8 P 11 13 P 16 18".split():
            if i == "P":
                x = TF.max_pool3d(x, (1, 2, 2) if x.shape[1] == 4 else 2)
            else:
                x = TF.relu(s.conv(x, f"features.{i}", padding=1))
        x = TF.adaptive_avg_pool3d(TF.max_pool3d(x, 2, 2, padding=(0, 1, 1)), (1, 4, 4)).flatten(1)
        x = TF.relu(s.linear(TF.relu(s.linear(x, "classifier.0")), "classifier.3"))
        return s.linear(x, "classifier.6")

    check(C3D(5, width=4, hidden=6), reference, clip(17, 30, 36))


@pytest.mark.parametrize("kind", ["r3d", "mc3", "r2plus1d"])
def test_video_resnet(kind):
    makers = dict(r3d=[spacetime] * 2, mc3=[spacetime, space_only], r2plus1d=[space_then_time] * 2)[kind]

    def conv(s, x, name, maker, stride):
        if maker is space_then_time:
            x = s.conv(x, name + ".0", stride=(1, stride, stride), padding=(0, 1, 1))
            return s.conv(TF.relu(s.norm(x, name + ".1")), name + ".3", stride=(stride, 1, 1), padding=(1, 0, 0))
        if maker is space_only:
            return s.conv(x, name, stride=(1, stride, stride), padding=(0, 1, 1))
        return s.conv(x, name, stride=stride, padding=1)

    def reference(s, x):
        x = TF.relu(s.norm(s.conv(x, "stem.0", stride=(1, 2, 2), padding=(1, 3, 3)), "stem.1"))
        for stage, maker in enumerate(makers):
            name, stride = f"layer{stage + 1}.0.", 2 if stage else 1
            y = TF.relu(s.norm(conv(s, x, name + "conv1.0", maker, stride), name + "conv1.1"))
            y = s.norm(conv(s, y, name + "conv2.0", maker, 1), name + "conv2.1")
            if stage:
                x = s.conv(x, name + "downsample.0", stride=(1, 2, 2) if maker is space_only else 2)
                x = s.norm(x, name + "downsample.1")
            x = TF.relu(y + x)
        return s.linear(x.mean((2, 3, 4)), "fc")

    first = nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False)
    model = VideoResNet(makers, (1, 1), nn.Sequential(first, nn.BatchNorm3d(64), nn.ReLU()), num_classes=5)
    model.layer3 = model.layer4 = nn.Identity()
    check(model, reference, clip(5, 10, 9))


def test_two_streams():
    def stream(s, x, name, second):
        def response(x):
            square = TF.pad(x * x, (0, 0, 0, 0, 2, 2))
            return x / (2 + 1e-4 * sum(square[:, i:i + x.shape[1]] for i in range(5))) ** 0.75
        x = TF.max_pool2d(response(TF.relu(s.conv(x, name + "features.0", stride=2))), 2)
        x = TF.relu(s.conv(x, name + "features.4", stride=2, padding=1))
        x = TF.max_pool2d(response(x) if second else x, 2)
        for i in (8, 10, 12):
            x = TF.relu(s.conv(x, f"{name}features.{i}", padding=1))
        x = TF.adaptive_avg_pool2d(TF.max_pool2d(x, 2), 6).flatten(1)
        x = TF.relu(s.linear(TF.relu(s.linear(x, name + "classifier.0")), name + "classifier.3"))
        return s.linear(x, name + "classifier.6").softmax(1)

    def reference(s, x, flow):
        return ((stream(s, x, "spatial.", True) + stream(s, flow, "temporal.", False)) / 2).log()

    model = TwoStream(5, frames=2, width=6, hidden=(8, 7))
    check(model, reference, picture((80, 70)), picture((80, 70), channels=4, seed=1))


def test_slowfast():
    alpha, layers = 2, (1, 2, 1, 1)

    def cn(s, x, name, padding, stride=(1, 1, 1), relu=True):
        x = s.norm(s.conv(x, name + ".0", stride=stride, padding=padding), name + ".1")
        return TF.relu(x) if relu else x

    def stem(s, x, name, t):
        return TF.max_pool3d(cn(s, x, name + ".stem.0", (t, 3, 3), (1, 2, 2)), (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def stage(s, x, name, i, t):
        for j in range(layers[i]):
            block, stride = f"{name}.stages.{i}.{j}.", (1, 2, 2) if i and not j else (1, 1, 1)
            y = cn(s, x, block + "residual.0", (t, 0, 0))
            y = cn(s, cn(s, y, block + "residual.1", (0, 1, 1), stride), block + "residual.2", 0, relu=False)
            x = TF.relu(y + (x if j else cn(s, x, block + "shortcut", 0, stride, False)))
        return x

    def reference(s, x):
        fast, slow = stem(s, x, "fast", 2), stem(s, x[:, :, ::alpha], "slow", 0)
        for i in range(4):
            slow = torch.cat([slow, cn(s, fast, f"lateral.{i}", (2, 0, 0), (alpha, 1, 1))], 1)
            slow, fast = stage(s, slow, "slow", i, 1 if i > 1 else 0), stage(s, fast, "fast", i, 1)
        return s.linear(torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], 1), "fc")

    check(SlowFast(5, alpha=alpha, beta=4, width=8, layers=layers), reference, clip(5, 40, 35))

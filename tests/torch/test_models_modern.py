"""Inception v4 and its kin, Xception, DPN, NASNet and the large kernels, against references with torch.nn.functional."""
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.model_reference import TF, check, picture  # noqa: E402
from tinycnn.models.dpn import DPN  # noqa: E402
from tinycnn.models.inception_v4 import InceptionResNetV2, InceptionV4  # noqa: E402
from tinycnn.models.nasnet import NASNet  # noqa: E402
from tinycnn.models.replknet import RepLKNet  # noqa: E402
from tinycnn.models.slak import SLaK  # noqa: E402
from tinycnn.models.xception import Xception  # noqa: E402


def unit(s, x, name, stride=1, same=True):
    """Convolution, norm, ReLU; strided ones have no padding."""
    k = s[name + ".conv.weight"].shape[2:]
    padding = (k[0] // 2, k[1] // 2) if same and stride == 1 else 0
    return TF.relu(s.norm(s.conv(x, name + ".conv", stride=stride, padding=padding), name + ".bn", eps=0.001))


def chain(s, x, name, strides):
    for i, stride in enumerate(strides):
        x = unit(s, x, f"{name}.{i}", stride)
    return x


def average(s, x, name):
    return unit(s, TF.avg_pool2d(x, 3, 1, 1, count_include_pad=False), name + ".1")


def shrink(s, x, name, *strides):
    """Chains with a stride at the end, and pooling."""
    ways = [chain(s, x, f"{name}.{i}", way) if len(way) > 1 else unit(s, x, f"{name}.{i}", way[0])
            for i, way in enumerate(strides)]
    return torch.cat([*ways, TF.max_pool2d(x, 3, 2)], 1)


def head(s, x):
    return s.linear(x.mean((2, 3)), "fc")


def test_inception_v4():
    def c_block(s, x, name):
        a = unit(s, x, name + ".1.0")
        b = chain(s, x, name + ".2.0", [1, 1, 1])
        return torch.cat([chain(s, x, name + ".0", [1]), unit(s, a, name + ".1.1.0"), unit(s, a, name + ".1.1.1"),
                          unit(s, b, name + ".2.1.0"), unit(s, b, name + ".2.1.1"), average(s, x, name + ".3")], 1)

    def reference(s, x):
        x = unit(s, unit(s, unit(s, x, "stem.0", 2), "stem.1", same=False), "stem.2")
        x = torch.cat([TF.max_pool2d(x, 3, 2), unit(s, x, "stem.3.1", 2)], 1)
        left = unit(s, unit(s, x, "stem.4.0.0"), "stem.4.0.1", same=False)
        right = unit(s, chain(s, x, "stem.4.1.0", [1, 1, 1]), "stem.4.1.1", same=False)
        x = torch.cat([left, right], 1)
        x = torch.cat([unit(s, x, "stem.5.0", 2), TF.max_pool2d(x, 3, 2)], 1)
        a = [chain(s, x, f"features.0.{i}", [1] * n) for i, n in enumerate((1, 2, 3))]
        x = torch.cat([*a, average(s, x, "features.0.3")], 1)
        x = shrink(s, x, "features.1", [2], [1, 1, 2])
        b = [chain(s, x, f"features.2.{i}", [1] * n) for i, n in enumerate((1, 3, 5))]
        x = torch.cat([*b, average(s, x, "features.2.3")], 1)
        x = shrink(s, x, "features.3", [1, 2], [1, 1, 1, 2])
        return head(s, c_block(s, x, "features.4"))

    check(InceptionV4(num_classes=5, blocks=(1, 1, 1)), reference, picture((107, 75), batch=3))


def test_inception_resnet_v2():
    def residual(s, x, name, ways, scale, last=False):
        y = torch.cat([chain(s, x, f"{name}.branches.{i}", [1] * n) for i, n in enumerate(ways)], 1)
        y = x + scale * s.conv(y, name + ".conv")
        return y if last else TF.relu(y)

    def reference(s, x):
        x = unit(s, unit(s, unit(s, x, "stem.0", 2), "stem.1", same=False), "stem.2")
        x = unit(s, unit(s, TF.max_pool2d(x, 3, 2), "stem.4"), "stem.5", same=False)
        x = TF.max_pool2d(x, 3, 2)
        x = torch.cat([unit(s, x, "stem.7.0"), chain(s, x, "stem.7.1", [1, 1]), chain(s, x, "stem.7.2", [1, 1, 1]),
                       average(s, x, "stem.7.3")], 1)
        x = residual(s, x, "features.0", (1, 2, 3), 0.17)
        x = shrink(s, x, "features.1", [2], [1, 1, 2])
        x = residual(s, x, "features.2", (1, 3), 0.1)
        x = shrink(s, x, "features.3", [1, 2], [1, 2], [1, 1, 2])
        x = residual(s, x, "features.4", (1, 3), 0.2)
        x = residual(s, x, "features.5", (1, 3), 1.0, last=True)
        return head(s, unit(s, x, "features.6"))

    check(InceptionResNetV2(num_classes=5, blocks=(1, 1, 1)), reference, picture((107, 75), batch=3))


def test_xception():
    def norm(s, x, name):
        return s.norm(x, name, eps=1e-3, momentum=0.01)

    def separable(s, x, name):
        return s.conv(s.conv(x, name + ".conv1", padding=1, groups=x.shape[1]), name + ".pointwise")

    def block(s, x, name, units, halve=True, first=True):
        y, at = x, 0
        for i in range(units):
            if i or first:
                y, at = TF.relu(y), at + 1
            y, at = norm(s, separable(s, y, f"{name}.rep.{at}"), f"{name}.rep.{at + 1}"), at + 2
        if not halve:
            return y + x
        return TF.max_pool2d(y, 3, 2, 1) + norm(s, s.conv(x, name + ".skip.0", stride=2), name + ".skip.1")

    def reference(s, x):
        x = TF.relu(norm(s, s.conv(x, "stem.0", stride=2), "stem.1"))
        x = TF.relu(norm(s, s.conv(x, "stem.3"), "stem.4"))
        for i in range(3):
            x = block(s, x, f"entry.{i}", 2, first=i > 0)
        x = block(s, x, "middle.0", 3, halve=False)
        x = block(s, x, "exit.0", 2)
        x = TF.relu(norm(s, separable(s, x, "exit.1"), "exit.2"))
        return head(s, TF.relu(norm(s, separable(s, x, "exit.4"), "exit.5")))

    check(Xception(num_classes=5, middle=1), reference, picture((50, 61), batch=3))


def test_dual_path_network():
    blocks, increments, width, groups = (1, 2), (4, 6), 16, 4

    def act(s, x, name, **options):
        return s.conv(TF.relu(s.norm(x, name + ".0", eps=0.001)), name + ".2", **options)

    def reference(s, x):
        x = TF.relu(s.norm(s.conv(x, "features.0", stride=2, padding=3), "features.1", eps=0.001))
        x, at = TF.max_pool2d(x, 3, 2, 1), 4
        for stage, n in enumerate(blocks):
            w = width * 2 ** stage
            for i in range(n):
                name, stride = f"features.{at}.", 2 if stage and not i else 1
                y = act(s, act(s, x, name + "layers.0"), name + "layers.1", stride=stride, padding=1, groups=groups)
                y = act(s, y, name + "layers.2")
                if not i:
                    x = act(s, x, name + "project", stride=stride)
                    assert x.shape[1] == w + 2 * increments[stage]
                summed, joined = x[:, :w] + y[:, :w], torch.cat([x[:, w:], y[:, w:]], 1)
                x, at = torch.cat([summed, joined], 1), at + 1
        x = TF.relu(s.norm(x, f"features.{at}", eps=0.001))
        return s.linear(x.mean((2, 3)), "classifier")

    check(DPN(blocks, increments, stem=8, narrow=8, groups=groups, width=width, num_classes=5), reference, picture((40, 33)))


@pytest.mark.parametrize("skip", [False, True])
def test_nasnet(skip):
    """The cells as the figure of the paper draws them, with h the cell before and p the one before that."""
    def norm(s, x, name):
        return s.norm(x, name, eps=0.001)

    def sep(s, x, name, stride=1):
        for first, step in ((0, stride), (4, 1)):
            k = s[f"{name}.{first + 1}.weight"].shape[-1]
            x = s.conv(TF.relu(x), f"{name}.{first + 1}", stride=step, padding=k // 2, groups=x.shape[1])
            x = norm(s, s.conv(x, f"{name}.{first + 2}"), f"{name}.{first + 3}")
        return x

    def fit(s, h, p, name):
        """Both inputs of a cell at its width and size."""
        small = norm(s, s.conv(TF.relu(h), name + "cur.1"), name + "cur.2")
        if p is None:
            return small, h
        if s.has(name + "prev.path1"):
            p = TF.relu(p)
            moved = TF.pad(p[:, :, 1:, 1:], (0, 1, 0, 1))
            halves = [s.conv(p[:, :, ::2, ::2], name + "prev.path1"), s.conv(moved[:, :, ::2, ::2], name + "prev.path2")]
            return small, norm(s, torch.cat(halves, 1), name + "prev.norm")
        return small, norm(s, s.conv(TF.relu(p), name + "prev.1"), name + "prev.2")

    def mean(x, stride=1):
        return TF.avg_pool2d(x, 3, stride, 1, count_include_pad=False)

    def normal(s, h, p, name):
        def op(i, x):
            return sep(s, x, f"{name}operations.{i}")
        h, p = fit(s, h, p, name)
        return torch.cat([p, op(0, h) + op(1, p), op(2, p) + op(3, p), mean(h) + p, 2 * mean(p), op(8, h) + h], 1)

    def reduction(s, h, p, name):
        def op(i, x, stride=2):
            return sep(s, x, f"{name}operations.{i}", stride)
        h, p = fit(s, h, p, name)
        first, largest = op(0, h) + op(1, p), TF.max_pool2d(h, 3, 2, 1)
        second, third = largest + op(3, p), mean(h, 2) + op(5, p)
        return torch.cat([second, third, mean(first) + second, op(8, first, 1) + largest], 1)

    def reference(s, x):
        out = [None, norm(s, s.conv(x, "conv0.0", stride=2), "conv0.1")]
        plan = [reduction, reduction, normal, normal, reduction, normal, normal, reduction, normal, normal]
        for i, cell in enumerate(plan):
            far = skip and i > 2 and cell is normal and plan[i - 1] is reduction
            out.append(cell(s, out[-1], out[-3] if far else out[-2], f"cells.{i}."))
        return head(s, TF.relu(out[-1]))

    check(NASNet(repeats=2, channels=8, stem=6, skip=skip, num_classes=5), reference, picture((75, 66)))


def test_large_kernels():
    def cb(s, x, name, act=True, **options):
        x = s.norm(s.conv(x, name + ".conv", **options), name + ".bn")
        return TF.relu(x) if act else x

    def block(s, x, name):
        c = x.shape[1]
        y = cb(s, s.norm(x, name + "0.prelkb_bn"), name + "0.pw1")
        y = (cb(s, y, name + "0.large_kernel.lkb_origin", False, padding=4, groups=c)
             + cb(s, y, name + "0.large_kernel.small_conv", False, padding=1, groups=c))
        x = x + cb(s, TF.relu(y), name + "0.pw2", False)
        y = TF.gelu(cb(s, s.norm(x, name + "1.preffn_bn"), name + "1.pw1", False))
        return x + cb(s, y, name + "1.pw2", False)

    def reference(s, x):
        x = cb(s, x, "stem.0", stride=2, padding=1)
        x = cb(s, cb(s, x, "stem.1", padding=1, groups=x.shape[1]), "stem.2")
        x = block(s, cb(s, x, "stem.3", stride=2, padding=1, groups=x.shape[1]), "stages.0.blocks.")
        x = cb(s, x, "transitions.0.0")
        x = block(s, cb(s, x, "transitions.0.1", stride=2, padding=1, groups=x.shape[1]), "stages.1.blocks.")
        return s.linear(s.norm(x, "norm").mean((2, 3)), "head")

    model = RepLKNet((9, 9), (1, 1), (6, 8), small_kernel=3, num_classes=5)
    check(model, reference, picture((40, 35)))


def test_large_kernels_taken_apart():
    def channel_norm(s, x, name):
        return s.layer_norm(x.permute(0, 2, 3, 1), name).permute(0, 3, 1, 2)

    def kernel(s, x, name):
        k = s[name + ".0.weight"].shape[2:]
        return s.norm(s.conv(x, name + ".0", padding=(k[0] // 2, k[1] // 2), groups=x.shape[1]), name + ".1")

    def reference(s, x):
        x = channel_norm(s, s.conv(x, "downsample_layers.0.0", stride=4), "downsample_layers.0.1")
        for stage in (0, 1):
            if stage:
                x = s.conv(channel_norm(s, x, "downsample_layers.1.0"), "downsample_layers.1.1", stride=2)
            name = f"stages.{stage}.0."
            assert s[name + "large_kernel.LoRA1.0.weight"].shape[2:] == ((11, 3) if stage == 0 else (7, 3))
            y = sum(kernel(s, x, f"{name}large_kernel.{which}") for which in ("LoRA1", "LoRA2", "small_conv"))
            y = s.linear(s.layer_norm(y.permute(0, 2, 3, 1), name + "mlp.1"), name + "mlp.2")
            x = x + s[name + "layer_scale"] * s.linear(TF.gelu(y), name + "mlp.4").permute(0, 3, 1, 2)
        return s.linear(s.layer_norm(x.mean((2, 3)), "norm"), "head")

    model = SLaK((1, 1), (6, 10), (11, 7), small=3, num_classes=5)
    for stage in model.stages:
        stage[0].layer_scale.array += 0.5
    check(model, reference, picture((44, 40)))

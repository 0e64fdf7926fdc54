"""SLaK: 51x51 kernels, taken apart and sparse.

The lecture's idea: beyond 31x31 larger kernels stop helping. Two steps bring them to 51x51: a kernel that is long in one
direction and short in the other, 51x5 and 5x51 side by side, with a 5x5 for what is near; and weights of which four tenths
are zero, in places that training itself chooses, which pays for a wider network at the same cost.

Source: S. Liu et al., "More ConvNets in the 2020s: scaling up kernels beyond 51x51 using sparsity" (2023). The network
around the kernels is ConvNeXt.
"""
from functools import partial

from .. import argsort, nn, no_grad, ones, rand
from .blocks import LayerNorm2d, Permute, StochasticDepth, check_size, initialise
from .registry import variant


def depthwise(channels, height, width):
    """A depthwise convolution height x width that keeps the size, and its norm."""
    return nn.Sequential(nn.Conv2d(channels, channels, (height, width), padding=(height // 2, width // 2), groups=channels,
                                   bias=False), nn.BatchNorm2d(channels))


class DecomposedKernel(nn.Module):
    """x (N, channels, H, W) -> (N, channels, H, W): kernels large x small, small x large and small x small, added."""

    def __init__(self, channels, large, small):
        super().__init__()
        if large % 2 == 0 or small % 2 == 0:
            raise ValueError(f"DecomposedKernel: kernels must have odd sizes, got {large} and {small}")
        self.LoRA1 = depthwise(channels, large, small)
        self.LoRA2 = depthwise(channels, small, large)
        self.small_conv = depthwise(channels, small, small)

    def forward(self, x):
        return self.LoRA1(x) + self.LoRA2(x) + self.small_conv(x)


class Block(nn.Module):
    """ConvNeXt's block with a decomposed large kernel in the place of the 7x7."""

    def __init__(self, dim, large, small, stochastic_depth_prob, layer_scale=1e-6):
        super().__init__()
        self.large_kernel = DecomposedKernel(dim, large, small)
        self.mlp = nn.Sequential(Permute((0, 2, 3, 1)), nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, 4 * dim), nn.GELU(),
                                 nn.Linear(4 * dim, dim), Permute((0, 3, 1, 2)))
        self.layer_scale = nn.Parameter(ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob)

    def forward(self, x):
        return x + self.stochastic_depth(self.layer_scale * self.mlp(self.large_kernel(x)))


class SLaK(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 32x32 on.

    Of each stage: blocks, channels, which are multiplied by `width_factor`, and the long side of the kernels, whose short
    side is `small`. Train it with `DynamicSparsity`.
    """

    def __init__(self, depths, dims, kernel_sizes, small=5, width_factor=1.3, stochastic_depth_prob=0.1, num_classes=1000):
        super().__init__()
        dims = [int(d * width_factor) for d in dims]
        self.least = 2 ** (len(depths) + 1)
        self.downsample_layers, self.stages = nn.ModuleList(), nn.ModuleList()
        total, done = sum(depths), 0
        for i, (blocks, dim, large) in enumerate(zip(depths, dims, kernel_sizes)):
            self.downsample_layers.append(
                nn.Sequential(LayerNorm2d(dims[i - 1], eps=1e-6), nn.Conv2d(dims[i - 1], dim, 2, stride=2)) if i else
                nn.Sequential(nn.Conv2d(3, dim, 4, stride=4), LayerNorm2d(dim, eps=1e-6)))
            probabilities = [stochastic_depth_prob * (done + j) / max(total - 1, 1) for j in range(blocks)]
            self.stages.append(nn.Sequential(*(Block(dim, large, small, p) for p in probabilities)))
            done += blocks
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        self.head = nn.Linear(dims[-1], num_classes)
        narrow = partial(nn.init.trunc_normal_, std=0.02)
        initialise(self, conv=narrow, linear=narrow)

    def forward(self, x):
        check_size(self, x, self.least)
        for downsample, stage in zip(self.downsample_layers, self.stages):
            x = stage(downsample(x))
        return self.head(self.norm(x.mean((2, 3))))


class DynamicSparsity:
    """Keeps a fraction `sparsity` of every weight matrix of `model` at 0, in places that change during training.

        sparse = DynamicSparsity(model, 0.4)
        ... optimizer.step(); sparse.apply()      # after every step
        ... sparse.exchange(0.3)                  # every hundred steps or so

    `exchange` gives up the smallest weights that there are, the fraction of them given, and lets as many others, chosen at
    random, grow from 0. Biases, norms and the last layer stay dense.
    """

    def __init__(self, model, sparsity=0.4):
        if not 0 <= sparsity < 1:
            raise ValueError(f"DynamicSparsity: sparsity must be in [0, 1), got {sparsity}")
        weights = [m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        self.weights, self.masks = weights[:-1], []
        for w in self.weights:
            mask = ones(w.shape, dtype=w.dtype, device=w.device)
            order = argsort(rand(w.numel(), device=w.device))
            mask.view(-1)[order[:round(sparsity * w.numel())]] = 0
            self.masks.append(mask)
        self.apply()

    def apply(self):
        """Set the weights outside the masks to 0."""
        with no_grad():
            for w, mask in zip(self.weights, self.masks):
                w.mul_(mask)

    def exchange(self, fraction=0.3):
        """Move `fraction` of the weights that there are to other places."""
        with no_grad():
            for w, mask in zip(self.weights, self.masks):
                flat, size = mask.view(-1), w.detach().abs().flatten()
                alive = int(flat.sum())
                moved = min(int(fraction * alive), w.numel() - alive)
                # places by what they are worth: none at all, then by size; free places come first, in random order
                worth = (size + 1) * flat - rand(w.numel(), device=w.device, dtype=w.dtype) * (1 - flat)
                order = argsort(worth)
                free = w.numel() - alive
                grown, given_up = order[:moved], order[free:free + moved]
                flat[grown] = 1
                flat[given_up] = 0
        self.apply()


_SMALL = dict(dims=(96, 192, 384, 768), kernel_sizes=(51, 49, 47, 13))
_BASE = dict(dims=(128, 256, 512, 1024), kernel_sizes=(51, 49, 47, 13))

slak_tiny = variant("slak_tiny", SLaK, depths=(3, 3, 9, 3), **_SMALL)
slak_small = variant("slak_small", SLaK, depths=(3, 3, 27, 3), stochastic_depth_prob=0.4, **_SMALL)
slak_base = variant("slak_base", SLaK, depths=(3, 3, 27, 3), stochastic_depth_prob=0.5, **_BASE)

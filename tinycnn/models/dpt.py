"""DPT: patches that go where the object is.

The lecture's idea: ViT cuts the picture as a knife would, through eyes and wheels alike. Let each patch look at itself first
and say where it had better be and how large, by four numbers: an offset of its centre and its height and width. Then k x k
points are read in that rectangle, between pixels where need be, and mapped to a token. Reading between pixels (bilinear
interpolation) has a gradient with respect to the place, so that all of it is learned; it starts as the ordinary grid.

Source: Z. Chen et al., "DPT: deformable patch-based transformer for visual recognition" (2021), section 3.
"""
from .. import arange, cat, nn, stack, tensor
from ..nn import functional as F
from .blocks import check_size
from .registry import variant
from .vit import EncoderBlock, LayerNorm


class DePatch(nn.Module):
    """x (N, C, H, W) -> tokens (N, dim, H / P, W / P) and the rectangles that were read, (N, H / P, W / P, 4).

    A rectangle is centre and half sides, x, y, w, h, in pixels. With (dx, dy, dw, dh) what a patch says of itself,

        centre = middle of the patch + P tanh(dx, dy),    half sides = relu(P / 2 + P (dw, dh)),

    and k x k points, the middles of k x k equal parts, are read in it; pixels outside the picture are 0.
    """

    def __init__(self, in_channels, dim, patch_size, points=None):
        super().__init__()
        self.patch_size, self.points = patch_size, points or patch_size
        self.predict = nn.Sequential(nn.Conv2d(in_channels, dim, patch_size, stride=patch_size), nn.GELU(),
                                     nn.Conv2d(dim, 4, 1))
        self.proj = nn.Linear(in_channels * self.points ** 2, dim)
        nn.init.zeros_(self.predict[2].weight)
        nn.init.zeros_(self.predict[2].bias)

    def forward(self, x):
        n, c, height, width = x.shape
        p, k = self.patch_size, self.points
        move = self.predict(x).permute(0, 2, 3, 1)
        rows, columns = move.shape[1:3]

        def middles(count):
            return (arange(count, device=x.device).to(x.dtype) + 0.5) * p
        middle = stack([middles(columns).expand(rows, columns), middles(rows)[:, None].expand(rows, columns)], -1)
        centre = middle + p * move[..., :2].tanh()
        half = F.relu(p / 2 + p * move[..., 2:])
        t = (arange(k, device=x.device).to(x.dtype) + 0.5) * (2 / k) - 1
        at = stack([t.expand(k, k), t[:, None].expand(k, k)], -1)
        places = centre[:, :, :, None, None] + half[:, :, :, None, None] * at
        size = tensor([width, height], dtype=x.dtype, device=x.device)
        grid = (places * (2 / size) - 1).reshape(n, rows * columns, k * k, 2)
        read = F.grid_sample(x, grid, align_corners=False)
        y = self.proj(read.permute(0, 2, 1, 3).flatten(2))
        return y.transpose(1, 2).reshape(n, y.shape[2], rows, columns), cat([centre, half], -1)


class DeformablePatchTransformer(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes), any size of at least `least` pixels.

    A pyramid: each stage reads deformable patches, of `patch_sizes` pixels of what comes before, and attends among them;
    `dims`, `depths` and `num_heads` give its size. Where patches are is told by a depthwise convolution, and the answer is
    read from the mean. With `return_patches=True` the rectangles of each stage are returned as well, see DePatch.
    """

    def __init__(self, dims, depths, num_heads, patch_sizes, mlp_ratio=4, num_classes=1000, in_channels=3):
        super().__init__()
        self.least, channels = 1, in_channels
        self.patches, self.positions, self.stages = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for dim, depth, heads, size in zip(dims, depths, num_heads, patch_sizes, strict=True):
            self.patches.append(DePatch(channels, dim, size))
            self.positions.append(nn.Conv2d(dim, dim, 3, padding=1, groups=dim))
            self.stages.append(nn.Sequential(*(EncoderBlock(heads, dim, mlp_ratio * dim) for _ in range(depth))))
            self.least, channels = self.least * size, dim
        self.norm, self.head = LayerNorm(channels), nn.Linear(channels, num_classes)

    def forward(self, x, return_patches=False):
        check_size(self, x, self.least)
        rectangles = []
        for patches, positions, stage in zip(self.patches, self.positions, self.stages):
            x, where = patches(x)
            rectangles.append(where)
            x = x + positions(x)
            size = x.shape[2:]
            x = stage(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(*x.shape[:2], *size)
        y = self.head(self.norm(x.flatten(2).mean(2)))
        return (y, rectangles) if return_patches else y


dpt_tiny = variant("dpt_tiny", DeformablePatchTransformer, (64, 128, 320, 512), (2, 2, 2, 2), (1, 2, 5, 8), (4, 2, 2, 2))
cifar_dpt = variant("cifar_dpt", DeformablePatchTransformer, (32, 64, 128), (1, 2, 2), (2, 4, 4), (2, 2, 2),
                    num_classes=10)

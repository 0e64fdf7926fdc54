"""Perceiver: a small memory that reads anything.

The lecture's idea: attention among M inputs costs M^2, too much for 50,000 pixels. So let N learned latent vectors, a few
hundred, ask the inputs (M N), and then think among themselves (N^2), again and again, with the same weights each time. The
size of the inputs and the depth of the network no longer have anything to do with each other, and nothing is left that
knows of pictures: a pixel is a vector of its colours and its position, which could as well be a sound or a point in space.

Source: A. Jaegle et al., "Perceiver: general perception with iterative attention" (2021), section 3 and appendix.
"""
import math

from .. import arange, cat, linspace, nn, pi, zeros
from ..nn import functional as F
from .registry import variant


def fourier_positions(sizes, num_bands, like):
    """Positions of a grid of `sizes` as vectors, (product of sizes, len(sizes) * (2 num_bands + 1)).

    Along each axis p runs from -1 to 1 and gives p, sin(pi f p) and cos(pi f p), for num_bands frequencies f from 1 to
    size / 2, at which neighbours have opposite signs.
    """
    parts = []
    for axis, size in enumerate(sizes):
        p = (arange(size, device=like.device).to(like.dtype) + 0.5) * (2 / size) - 1
        angles = p[:, None] * linspace(1, max(size / 2, 1), num_bands, dtype=like.dtype, device=like.device) * pi
        parts.append(cat([p[:, None], angles.sin(), angles.cos()], 1)
                     .reshape(*(size if i == axis else 1 for i in range(len(sizes))), -1)
                     .expand(*sizes, 2 * num_bands + 1))
    return cat(parts, -1).reshape(math.prod(sizes), -1)


class Attention(nn.Module):
    """Vectors x (N, L, dim) ask `source` (N or 1, S, source_dim), with heads in a space of `inner` channels: (N, L, dim)."""

    def __init__(self, dim, source_dim, inner, num_heads=1):
        super().__init__()
        if inner % num_heads:
            raise ValueError(f"Attention: channels must be a multiple of num_heads, got {inner} and {num_heads}")
        self.num_heads = num_heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(size, inner) for size in (dim, source_dim, source_dim))
        self.to_out = nn.Linear(inner, dim)

    def forward(self, x, source):
        q, k, v = (y.reshape(*y.shape[:2], self.num_heads, y.shape[2] // self.num_heads).transpose(1, 2)
                   for y in (self.to_q(x), self.to_k(source), self.to_v(source)))
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def multiply_adds(self, inputs, y):
        """Scores and means cost 2 S inner products for each of the L vectors."""
        x, source = inputs
        return 2 * x.shape[0] * x.shape[1] * source.shape[1] * self.to_q.out_features


class Feed(nn.Sequential):
    """norm, and two linear layers of one width with GELU between."""

    def __init__(self, dim):
        super().__init__(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))


class CrossBlock(nn.Module):
    """The latent vectors x read the inputs: x + attention(norm(x), norm(source)), then x + feed(x)."""

    def __init__(self, dim, source_dim, num_heads):
        super().__init__()
        self.norm, self.norm_source = nn.LayerNorm(dim), nn.LayerNorm(source_dim)
        self.attention, self.feed = Attention(dim, source_dim, source_dim, num_heads), Feed(dim)

    def forward(self, x, source):
        x = x + self.attention(self.norm(x), self.norm_source(source))
        return x + self.feed(x)


class SelfBlock(nn.Module):
    """The latent vectors think: x + attention(norm(x)), then x + feed(x)."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.norm, self.attention, self.feed = nn.LayerNorm(dim), Attention(dim, dim, dim, num_heads), Feed(dim)

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y)
        return x + self.feed(x)


class Perceiver(nn.Module):
    """x (N, in_channels, *S) with `axes` axes S, of any sizes -> scores (N, num_classes).

    `num_latents` vectors of `latent_dim` read the inputs `num_reads` times, each time followed by the same `num_layers`
    blocks of self-attention; all readings but the first have the same weights, too. Sound has 1 axis, pictures have 2,
    video has 3.
    """

    def __init__(self, num_latents=512, latent_dim=1024, num_reads=8, num_layers=6, cross_heads=1, self_heads=8,
                 num_bands=64, axes=2, in_channels=3, num_classes=1000):
        super().__init__()
        source_dim = in_channels + axes * (2 * num_bands + 1)
        self.num_reads, self.num_bands, self.axes, self.in_channels = num_reads, num_bands, axes, in_channels
        self.latents = nn.Parameter(nn.init.trunc_normal_(zeros(num_latents, latent_dim), std=0.02))
        self.first_read = CrossBlock(latent_dim, source_dim, cross_heads)
        self.read = CrossBlock(latent_dim, source_dim, cross_heads) if num_reads > 1 else None
        self.think = nn.Sequential(*(SelfBlock(latent_dim, self_heads) for _ in range(num_layers)))
        self.head = nn.Linear(latent_dim, num_classes)

    def forward(self, x):
        if x.ndim != self.axes + 2 or x.shape[1] != self.in_channels or 0 in x.shape[2:]:
            raise ValueError(f"Perceiver: expected inputs (N, {self.in_channels}, *S) with {self.axes} axes S of 1 or "
                             f"more, got shape {tuple(x.shape)}")
        n = x.shape[0]
        positions = fourier_positions(x.shape[2:], self.num_bands, x)
        source = cat([x.flatten(2).transpose(1, 2), positions.expand(n, -1, -1)], -1)
        latents = self.latents.expand(n, -1, -1)
        for i in range(self.num_reads):
            latents = self.think((self.read if i else self.first_read)(latents, source))
        return self.head(latents.mean(1))


perceiver = variant("perceiver", Perceiver)
cifar_perceiver = variant("cifar_perceiver", Perceiver, num_latents=64, latent_dim=128, num_reads=3, num_layers=2,
                          self_heads=4, num_bands=16, num_classes=10)

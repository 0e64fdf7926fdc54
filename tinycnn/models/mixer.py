"""MLP-Mixer: neither convolution nor attention.

The lecture's idea: what must a network for pictures do? Mix channels at each place, and mix places in each channel. Here two
plain networks of two layers do one each, in turn: the first sees the transposed table of patches and channels. Compared
with attention the mixing of places is fixed once learned, and bound to one size of pictures; given enough of them it comes
close nevertheless.

Source: I. Tolstikhin et al., "MLP-Mixer: an all-MLP architecture for vision" (2021), table 1. The weights are named as in
timm, which has the published ones.
"""
from .. import nn
from .registry import variant
from .vit import LayerNorm, check_patches, check_picture


class Mlp(nn.Module):
    """Two linear layers with GELU between: dim -> hidden -> dim, along the last dimension."""

    def __init__(self, dim, hidden, dropout=0.0):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim)
        self.drop = nn.Dropout(dropout)
        for fc in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(fc.weight)
            nn.init.normal_(fc.bias, std=1e-6)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class MixerBlock(nn.Module):
    """x (N, L, D) -> x + mlp(norm(x)^T)^T, places mixed; then x + mlp(norm(x)), channels mixed."""

    def __init__(self, seq_length, dim, tokens_dim, channels_dim, dropout=0.0):
        super().__init__()
        self.norm1, self.mlp_tokens = LayerNorm(dim), Mlp(seq_length, tokens_dim, dropout)
        self.norm2, self.mlp_channels = LayerNorm(dim), Mlp(dim, channels_dim, dropout)

    def forward(self, x):
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class Patches(nn.Module):
    """Pictures (N, C, H, W) -> tokens (N, H W / P^2, D): each patch through one linear map, `proj`."""

    def __init__(self, in_channels, dim, patch_size):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class MlpMixer(nn.Module):
    """x (N, in_channels, image_size, image_size) -> scores (N, num_classes).

    `mlp_ratio` gives the hidden widths, in units of `hidden_dim`, for mixing places and channels. ValueError
    for pictures of another size, or that patches do not fill.
    """

    def __init__(self, image_size, patch_size, num_layers, hidden_dim, mlp_ratio=(0.5, 4.0), dropout=0.0, num_classes=1000,
                 in_channels=3):
        super().__init__()
        self.image_size, self.in_channels = image_size, in_channels
        length = check_patches("MlpMixer", image_size, patch_size) ** 2
        self.stem = Patches(in_channels, hidden_dim, patch_size)
        widths = [int(ratio * hidden_dim) for ratio in mlp_ratio]
        self.blocks = nn.Sequential(*(MixerBlock(length, hidden_dim, *widths, dropout) for _ in range(num_layers)))
        self.norm = LayerNorm(hidden_dim)
        self.head = nn.Linear(hidden_dim, num_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        check_picture(self, x, self.in_channels, self.image_size, self.image_size)
        return self.head(self.norm(self.blocks(self.stem(x))).mean(1))


def _mixer(patch_size, num_layers, hidden_dim, image_size=224, **options):
    return MlpMixer(image_size, patch_size, num_layers, hidden_dim, **options)


mixer_s_32 = variant("mixer_s_32", _mixer, 32, 8, 512)
mixer_s_16 = variant("mixer_s_16", _mixer, 16, 8, 512)
mixer_b_32 = variant("mixer_b_32", _mixer, 32, 12, 768)
mixer_b_16 = variant("mixer_b_16", _mixer, 16, 12, 768)
mixer_l_32 = variant("mixer_l_32", _mixer, 32, 24, 1024)
mixer_l_16 = variant("mixer_l_16", _mixer, 16, 24, 1024)
cifar_mixer = variant("cifar_mixer", _mixer, 4, 8, 128, image_size=32, num_classes=10)

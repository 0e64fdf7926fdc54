"""Many pictures in one, and in a file."""
import numpy as np

from ..engine.arrays import array_module, to_numpy
from ..data.transforms.base import as_picture
from ..ops.rearrange import stack
from ..engine.checks import check_tensor
from ..engine.tensor import wrap

__all__ = ["make_grid", "save_image"]


def make_grid(tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0):
    """Pictures side by side, `nrow` in a row, with `padding` pixels of `pad_value` between and around them.

    tensor: (N, C, H, W), (C, H, W), (H, W), or a list of pictures of one size -> (C, H', W'); grey ones get three channels,
    and a single picture no frame. `normalize` brings `value_range` (low, high), by default from the least to the greatest
    value, with `scale_each` those of each picture, to 0 to 1.
    """
    tensor = stack(list(tensor)) if isinstance(tensor, (list, tuple)) else tensor
    check_tensor("make_grid", tensor=tensor)
    if tensor.ndim not in (2, 3, 4):
        raise ValueError(f"make_grid: expected pictures (N, C, H, W), (C, H, W) or (H, W), got shape {tensor.shape}")
    x = tensor.array.reshape((1,) * (4 - tensor.ndim) + tensor.shape)
    xp = array_module(x)
    x = xp.repeat(x, 3, 1) if x.shape[1] == 1 else x
    if normalize:
        x = x if x.dtype.kind == "f" else x.astype(np.float32)
        axes = (1, 2, 3) if scale_each else (0, 1, 2, 3)
        low, high = value_range or (x.min(axes, keepdims=True), x.max(axes, keepdims=True))
        x = (x.clip(low, high) - low) / xp.maximum(high - low, x.dtype.type(1e-5))
    if len(x) == 1:
        return wrap(x[0].copy())
    n, c, h, w = x.shape
    columns = min(nrow, n)
    rows = -(-n // columns)
    cells = xp.full((rows * columns, c, h + padding, w + padding), pad_value, x.dtype)  # with a frame above and to the left
    cells[:n, :, padding:, padding:] = x
    grid = xp.full((c, rows * (h + padding) + padding, columns * (w + padding) + padding), pad_value, x.dtype)
    cells = cells.reshape(rows, columns, c, h + padding, w + padding).transpose(2, 0, 3, 1, 4)
    grid[:, :rows * (h + padding), :columns * (w + padding)] = cells.reshape(c, rows * (h + padding), -1)
    return wrap(grid)


def save_image(tensor, fp, format=None, **options):
    """`make_grid(tensor, **options)` as a picture in the file `fp`, a path or an open file.

    Its numbers are from 0 to 1, or, of uint8, from 0 to 255, which torchvision would multiply by 255 modulo 256.
    """
    grid = make_grid(tensor, **options).array
    pixels = grid if grid.dtype == np.uint8 else (grid * 255.0 + 0.5).clip(0, 255).astype(np.uint8)
    as_picture(to_numpy(pixels)).save(fp, format=format)

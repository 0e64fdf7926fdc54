"""One convolution, step by step: windows become columns, and one matrix product does the rest."""
import numpy as np

from ..nn import functional as F
from ..engine.tensor import wrap
from .style import GREY, ORANGE, as_numpy, new_figure

COLOURS = ("Blues", "Greens", "Purples")  # a channel each


def convolution_steps(x, w, position=None, stride=1, padding=0):
    """How y = conv2d(x, w) comes about, drawn in numbers, for a small picture `x` (C, H, W) and kernels `w` (F, C, KH, KW).

    Above: the padded picture with the window at the output place `position` (row, column; default the middle), the kernels,
    the output. Below: every window written as a column, the kernels as rows, and their matrix product, whose rows are the
    output maps; the window's column, and what it becomes, are framed. Returns the Figure.
    """
    x, w = as_numpy(x), as_numpy(w)
    if x.ndim != 3 or w.ndim != 4 or x.shape[0] != w.shape[1] or x.shape[0] > len(COLOURS):
        raise ValueError(f"convolution_steps: expected x (C, H, W) and w (F, C, KH, KW) with C up to {len(COLOURS)}, got "
                         f"shapes {x.shape} and {w.shape}")
    x, w = x.astype(np.float64), w.astype(np.float64)
    y = as_numpy(F.conv2d(wrap(x[None]), wrap(w), stride=stride, padding=padding))[0]
    columns = as_numpy(F.unfold(wrap(x[None]), w.shape[2:], stride=stride, padding=padding))[0]
    if columns.size > 2000:
        raise ValueError(f"convolution_steps: {columns.shape[1]} windows of {columns.shape[0]} numbers cannot be read in "
                         "one figure: take a smaller picture")
    row, column = position or (y.shape[1] // 2, y.shape[2] // 2)
    if not (0 <= row < y.shape[1] and 0 <= column < y.shape[2]):
        raise ValueError(f"convolution_steps: position must lie within the output {y.shape[1:]}, got {(row, column)}")
    place = row * y.shape[2] + column
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    kh, kw = w.shape[2:]
    channels, kernels = len(x), len(w)
    figure = new_figure(11.5, 2.3 + 1.35 * max(channels, kernels) + 0.16 * len(columns))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.3 * max(channels, kernels) + 0.5, 0.17 * len(columns) + 1.2))
    above = top.subplots(max(channels, kernels), 2 + channels, squeeze=False)
    for ax in above.ravel():
        ax.set_axis_off()
    for c in range(channels):
        _numbers(above[c, 0], padded[c], COLOURS[c], f"picture, channel {c}" if channels > 1 else "picture")
        _frame(above[c, 0], row * stride, column * stride, kh, kw)
        for f in range(kernels):
            _numbers(above[f, 1 + c], w[f, c], COLOURS[c], f"kernel {f}" + (f", channel {c}" if channels > 1 else ""))
    for f in range(kernels):
        _numbers(above[f, -1], y[f], "Oranges", f"output map {f}")
        _frame(above[f, -1], row, column, 1, 1)
    left, middle, right = bottom.subplots(1, 3, width_ratios=(len(columns), columns.shape[1], columns.shape[1]))
    flat = w.reshape(kernels, -1)
    step = kh * kw
    _numbers(left, flat, [COLOURS[i // step] for i in range(len(columns))], "kernels as rows", by="column")
    _numbers(middle, columns, [COLOURS[i // step] for i in range(len(columns))], "times: windows as columns", by="row")
    _frame(middle, 0, place, len(columns), 1)
    _numbers(right, y.reshape(kernels, -1), "Oranges", "equals: output maps as rows")
    _frame(right, 0, place, kernels, 1)
    sums = " + ".join(f"{_factor(a)}\u00b7{_factor(b)}" for a, b in zip(flat[0], columns[:, place]) if a * b != 0) or "0"
    sums = sums if len(sums) < 110 else sums[:sums.rindex(" + ", 0, 110)] + " + ..."
    bottom.supxlabel(f"framed, kernel 0:  {sums} = {y[0, row, column]:g}", fontsize=10, color=ORANGE)
    figure.suptitle(f"conv2d of {'x'.join(map(str, x.shape))} with {kernels} kernel{'s' * (kernels > 1)} of {kh}x{kw}, "
                    f"stride {stride}, padding {padding}", fontsize=12)
    return figure


def _factor(value):
    """A number in a product."""
    return f"{value:g}" if value >= 0 else f"({value:g})"


def _numbers(ax, values, colours, title, by=None):
    """A table of numbers, coloured by size; `colours` is one colour map, or one for each row or column."""
    import matplotlib
    rows, columns = values.shape
    span = np.abs(values).max() or 1
    maps = [colours] if isinstance(colours, str) else colours
    tinted = np.stack([matplotlib.colormaps[m](0.05 + 0.45 * np.abs(values) / span) for m in dict.fromkeys(maps)])
    order = list(dict.fromkeys(maps))
    which = np.zeros((rows, columns), int)
    if by:
        which[...] = np.array([order.index(m) for m in maps])[:, None] if by == "row" else [order.index(m) for m in maps]
    ax.imshow(np.take_along_axis(tinted, which[None, ..., None], 0)[0])
    size = 8 if max(rows, columns) <= 10 else 6.5 if columns <= 16 else 5
    for r in range(rows):
        for c in range(columns):
            ax.text(c, r, f"{values[r, c]:.3g}", ha="center", va="center", fontsize=size)
    ax.set_axis_on()
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color=GREY, linewidth=0.5)
    ax.set_title(title, fontsize=9, pad=3)


def _frame(ax, row, column, height, width):
    """A frame around a part of a table."""
    from matplotlib.patches import Rectangle
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, edgecolor=ORANGE, linewidth=2, zorder=5))

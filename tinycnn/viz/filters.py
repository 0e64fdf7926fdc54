"""The kernels of a convolution, as pictures."""
import numpy as np

from .style import as_numpy, bare, new_figure


def filters(weight, title=None, columns=8, limit=64):
    """The kernels of a convolution layer, `weight` (F, C, height, width), one small picture each.

    Kernels that see one channel, or of which only the first is shown, are drawn in two colours, orange for negative and
    purple for positive weights, all on one scale. Kernels that see three channels are drawn as red, green and blue, each on
    a scale of its own, on which grey is 0: so the pattern of a weak one is seen as well. At most `limit` are shown. Returns
    the Figure.
    """
    from matplotlib.ticker import MaxNLocator
    weight = as_numpy(weight)
    if weight.ndim != 4:
        raise ValueError(f"filters: weight must be (F, C, height, width), got shape {weight.shape}")
    count = min(len(weight), limit)
    columns = min(columns, count)
    rows = -(-count // columns)
    coloured = weight.shape[1] == 3
    figure = new_figure(max(0.75 * columns + 1.0, 4.4 if coloured else 3.2), 0.75 * rows + 0.6 + 0.3 * coloured)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    top = float(np.abs(weight).max()) or 1.0
    picture = None
    for ax, kernel in zip(axes, weight[:count]):
        if coloured:
            ax.imshow(0.5 + kernel.transpose(1, 2, 0) / (2 * (np.abs(kernel).max() or 1.0)))
        else:
            picture = ax.imshow(kernel[0], cmap="PuOr", vmin=-top, vmax=top)
        bare(ax)
    for ax in axes[count:]:
        ax.set_axis_off()
    if picture is not None:
        bar = figure.colorbar(picture, ax=axes, shrink=0.8, ticks=MaxNLocator(5))
        bar.outline.set_visible(False)
        bar.set_label("weight")
    shown = "" if count == len(weight) else f", {count} of {len(weight)}"
    shown += "" if weight.shape[1] in (1, 3) else f", channel 0 of {weight.shape[1]}"
    if coloured:
        figure.supxlabel("red, green and blue weights, each kernel on its own scale; grey is 0", fontsize=8.5)
    figure.suptitle(title or f"{weight.shape[2]}x{weight.shape[3]} kernels{shown}", fontsize=11)
    return figure

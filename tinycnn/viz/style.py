"""What all pictures share: figures that need no window, and colours that everyone can tell apart."""
import io
from functools import partial

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5F5F5F"  # of Okabe and Ito's palette, and a grey


def new_figure(width, height):
    """An empty Figure of `width` by `height` inches that belongs to no window and no pyplot state."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    figure._repr_png_ = partial(_png, figure)  # notebooks ask for this; without pyplot they do not know Figures
    return figure


def _png(figure):
    """The bytes of a figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi, bbox_inches="tight")
    return file.getvalue()


def as_numpy(value):
    """An array, a Tensor or nested lists as a NumPy array."""
    return to_numpy(value.detach().array) if isinstance(value, Tensor) else np.asarray(value)


def tidy(ax):
    """Take away the frame lines that carry no information."""
    ax.spines[["top", "right"]].set_visible(False)


def logarithmic(ax):
    """A logarithmic y axis with plain numbers, 0.1, 0.2, 0.3, 0.5, 1; a linear one where fewer than three lie on it."""
    from matplotlib.ticker import LogLocator, NullLocator
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    low, high = ax.get_ylim()
    if sum(low <= value <= high for value in ax.get_yticks()) < 3:
        ax.set_yscale("linear")
    ax.yaxis.set_major_formatter("{x:g}")


def whole_numbers(ax):
    """Ticks of the x axis at whole numbers only, such as epochs, be there one or many."""
    from matplotlib.ticker import MaxNLocator
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def bare(ax):
    """Take away the scales of the axes and leave a pale frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color="#D8D8D8", linewidth=0.6)


def show(ax, picture, low=None, high=None, title=None):
    """Draw one picture (C, H, W), C 1 or 3, of any range: grey with paper white, or coloured."""
    low, high = picture.min() if low is None else low, picture.max() if high is None else high
    x = ((picture - low) / max(high - low, 1e-9)).clip(0, 1).transpose(1, 2, 0)
    ax.imshow(x if x.shape[2] == 3 else x[:, :, 0], cmap="gray_r", vmin=0, vmax=1)
    bare(ax)
    if title is not None:
        ax.set_title(title, fontsize=9, pad=3)


def check_picture(function, x):
    """`x`, one picture (C, H, W) or (1, C, H, W), as a NumPy array (C, H, W) of 1 or 3 channels; ValueError for others."""
    picture = as_numpy(x)
    picture = picture[0] if picture.ndim == 4 and len(picture) == 1 else picture
    if picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise ValueError(f"{function}: x must be one picture (1 or 3, H, W), got shape {as_numpy(x).shape}")
    return picture

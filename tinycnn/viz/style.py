"""What all pictures share: figures that need no window, and colours that everyone can tell apart."""
import numpy as np

from ..backend import to_numpy
from ..tensor import Tensor

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5F5F5F"  # of Okabe and Ito's palette, and a grey


def new_figure(width, height):
    """An empty Figure of `width` by `height` inches that belongs to no window and no pyplot state."""
    from matplotlib.figure import Figure
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def as_numpy(value):
    """An array, a Tensor or nested lists as a NumPy array."""
    return to_numpy(value.detach().array) if isinstance(value, Tensor) else np.asarray(value)


def tidy(ax):
    """Take away the frame lines that carry no information."""
    ax.spines[["top", "right"]].set_visible(False)


def bare(ax):
    """Take away the scales of the axes and leave a pale frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color="#D8D8D8", linewidth=0.6)

"""The confusion matrix."""
import math

import numpy as np

from .style import as_numpy, new_figure


def confusion(matrix, classes=None, ax=None):
    """What was taken for what: entry [t, p] of `matrix` (K, K) counts the samples of class t taken for class p.

    Right answers are blue, by their share of the row; mistakes are orange, by their number, so that a single one can be
    seen. `classes` are the K names. More than 30 classes have no numbers; their commonest mistakes stand in the title, and
    names stand only where there is room for them. Returns the Figure.
    """
    import matplotlib
    matrix = as_numpy(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"confusion: matrix must be square, got shape {matrix.shape}")
    k = len(matrix)
    classes = [str(c) for c in (range(k) if classes is None else classes)]
    if len(classes) != k:
        raise ValueError(f"confusion: classes must be {k} names, got {len(classes)}")
    if ax is None:
        side = max(4.5, min(0.52 * k + 1.2, 16))
        ax = new_figure(side, side).subplots()
    cell = 72 * 0.85 * min(ax.figure.get_size_inches()) / k  # about, in points
    right, wrong = np.diag(np.diag(matrix)), matrix - np.diag(np.diag(matrix))
    share = right / np.maximum(matrix.sum(1, keepdims=True), 1)
    colours = matplotlib.colormaps["Blues"](0.65 * share)
    heat = matplotlib.colormaps["Oranges"](0.2 + 0.6 * wrong / max(wrong.max(), 5))
    colours = np.where((wrong > 0)[..., None], heat, colours)
    colours[(matrix == 0) & ~np.eye(k, dtype=bool)] = 1
    ax.imshow(colours)
    if k <= 30:
        for t, p in zip(*np.nonzero(matrix)):
            dark = colours[t, p, :3] @ (0.3, 0.6, 0.1) < 0.55
            ax.text(p, t, f"{matrix[t, p]:,}", ha="center", va="center", fontsize=9 if matrix.max() < 10_000 else 7,
                    color="white" if dark else "black")
    every, size = math.ceil(8.5 / cell), min(10, max(6, 0.7 * cell))
    ax.set_xticks(range(0, k, every), classes[::every], fontsize=size, rotation=90 if max(map(len, classes)) > 3 else 0)
    ax.set_yticks(range(0, k, every), classes[::every], fontsize=size)
    ax.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#E4E4E4", lw=min(0.7, cell / 20))
    ax.tick_params(which="both", length=0)
    ax.set_xlabel("taken for")
    ax.set_ylabel("truth")
    total, hits = matrix.sum(), right.sum()
    title = f"{hits:,} of {total:,} right ({100 * hits / max(total, 1):.2f} %)"
    ax.set_title(title + (_commonest(wrong, classes) if k > 30 else ""), fontsize=11)
    return ax.figure


def _commonest(wrong, classes, count=3):
    """A line that names the most frequent mistakes."""
    places = np.argsort(-wrong, axis=None, kind="stable")[:count]
    named = [f"{classes[t]} taken for {classes[p]} ({wrong[t, p]:,})"
             for t, p in zip(*np.unravel_index(places, wrong.shape)) if wrong[t, p]]
    return "\nmost often " + ", ".join(named) if named else ""

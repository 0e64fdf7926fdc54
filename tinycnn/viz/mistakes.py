"""The pictures that a network got wrong."""
import numpy as np

from .style import ORANGE, as_numpy, bare, new_figure


def mistakes(pictures, truth, predicted, probability, classes=None, columns=6, limit=24):
    """The wrongly classified of `pictures` (N, C, H, W), each with its true class and what the network thought.

    `truth` and `predicted` (N,) are class numbers, `probability` (N,) what the network gave to its answer; the most certain
    mistakes come first, at most `limit`. `classes` are the names. Returns the Figure, which says so where nothing is wrong.
    """
    pictures, truth, predicted, probability = map(as_numpy, (pictures, truth, predicted, probability))
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(f"mistakes: pictures must be (N, 1 or 3, H, W), got shape {pictures.shape}")
    if not len(pictures) == len(truth) == len(predicted) == len(probability):
        raise ValueError(f"mistakes: got {len(pictures)} pictures, {len(truth)} truths, {len(predicted)} predictions and "
                         f"{len(probability)} probabilities")
    name = str if classes is None else lambda c: str(classes[c])
    wrong = np.flatnonzero(truth != predicted)
    shown = wrong[np.argsort(-probability[wrong].astype(np.float64), kind="stable")][:limit]
    columns = max(1, min(columns, len(shown)))
    rows = -(-len(shown) // columns)
    figure = new_figure(max(3, 1.45 * columns), 1.9 * rows + 0.5)
    figure.get_layout_engine().set(h_pad=0.08)
    if rows:
        figure.subplots(rows, columns, squeeze=False)
    for ax in figure.axes[len(shown):]:
        ax.set_axis_off()
    low, high = (pictures.min(), pictures.max()) if pictures.size else (0, 1)
    for ax, i in zip(figure.axes, shown):
        bare(ax)
        picture = (pictures[i].transpose(1, 2, 0) - low) / max(high - low, 1e-9)
        ax.imshow(picture if picture.shape[2] == 3 else picture[:, :, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(f"true {name(truth[i])}", fontsize=9, pad=3)
        ax.set_xlabel(f"taken for {name(predicted[i])}\n{100 * probability[i]:.0f} %", fontsize=9, color=ORANGE, labelpad=3)
    some = "" if len(shown) == len(wrong) else f", the {len(shown)} most certain shown"
    figure.suptitle(f"{len(wrong):,} of {len(truth):,} wrong{some}" if len(wrong) else f"none of {len(truth):,} wrong",
                    fontsize=11)
    return figure

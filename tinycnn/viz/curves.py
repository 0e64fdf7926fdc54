"""Learning curves."""
import math

from .style import BLUE, GREY, ORANGE, logarithmic, new_figure, tidy, whole_numbers


def curves(history, ax=None):
    """Loss (logarithmic where it changes much) and accuracy of every epoch, training and validation.

    `history` is what `fit` returned.

    The epoch of the lowest validation loss is marked. Where the validation loss ends more than a tenth above that, and above
    the training loss, the network went on to learn its examples by heart: that stretch is shaded. `ax` may be a pair of axes
    to draw into. Returns the Figure.
    """
    if not history:
        raise ValueError("curves: history has no epochs")
    own = ax is None
    if own:
        ax = new_figure(9, 3.9).subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    validated = all(row.get("val_loss") is not None for row in history)
    for axes, name, label, scale in ((ax[0], "loss", "loss", 1), (ax[1], "acc", "accuracy (%)", 100)):
        dots = dict(ms=3.5) if len(epochs) < 40 else dict(ms=0)
        axes.plot(epochs, [scale * row[f"train_{name}"] for row in history], color=BLUE, marker="o", **dots,
                  label="training (running mean)")
        if validated:
            axes.plot(epochs, [scale * row[f"val_{name}"] for row in history], color=ORANGE, ls="--", marker="s", **dots,
                      label="validation")
            _mark_best(axes, history)
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        whole_numbers(axes)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(True, color="#E4E4E4", lw=0.7)
        tidy(axes)
    logarithmic(ax[0])
    accuracies = [row[key] for row in history for key in ("train_acc", "val_acc") if row.get(key) is not None]
    worst = min((a for a in accuracies if not math.isnan(a)), default=0)
    ax[1].set_ylim(max(0, min(95, 100 * worst) - 2), 100.4)
    if own:
        ax[0].figure.legend(*ax[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False,
                            fontsize=9)
    else:
        ax[0].legend(frameon=False, fontsize=9)
    return ax[0].figure


def _mark_best(axes, history):
    """A line at the epoch of the lowest validation loss and, where over-fitting follows, the stretch after it shaded."""
    best, last = min(history, key=lambda row: (math.isnan(row["val_loss"]), row["val_loss"])), history[-1]
    axes.axvline(best["epoch"], color=GREY, lw=1, ls=":", zorder=0, label=f"lowest validation loss: epoch {best['epoch']}")
    if last["val_loss"] > max(1.1 * best["val_loss"], last["train_loss"]):
        axes.axvspan(best["epoch"], last["epoch"] + 0.5, color=ORANGE, alpha=0.12, lw=0, label="over-fitting")

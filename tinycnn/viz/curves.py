"""Learning curves."""
from .style import BLUE, GREY, ORANGE, new_figure, tidy


def curves(history, ax=None):
    """Loss and accuracy after each epoch, training and validation, with the epoch of the lowest validation loss marked.

    `history` is what `fit` or `read_history` returned. Where the two losses part and the validation loss rises again, the
    network learns its examples by heart: the rise is shaded. `ax` may be a pair of axes to draw into. Returns the Figure.
    """
    if not history:
        raise ValueError("curves: history has no epochs")
    own = ax is None
    if own:
        ax = new_figure(9, 3.9).subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    validated = all(row.get("val_loss") is not None for row in history)
    best = min(range(len(history)), key=lambda i: history[i]["val_loss"]) if validated else None
    for axes, name, label, scale in ((ax[0], "loss", "loss", 1), (ax[1], "acc", "accuracy (%)", 100)):
        marker = "o" if len(epochs) < 40 else None
        axes.plot(epochs, [scale * row[f"train_{name}"] for row in history], color=BLUE, marker=marker, ms=3.5,
                  label="training (running mean)")
        if validated:
            values = [scale * row[f"val_{name}"] for row in history]
            axes.plot(epochs, values, color=ORANGE, ls="--", marker=marker and "s", ms=3.5, label="validation")
            axes.axvline(epochs[best], color=GREY, lw=1, ls=":", zorder=0,
                         label=f"lowest validation loss: epoch {epochs[best]}")
            if name == "loss":
                axes.fill_between(epochs[best:], values[best], values[best:], color=ORANGE, alpha=0.18, lw=0,
                                  label="over-fitting" if max(values[best:]) > 1.1 * values[best] else None)
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(True, color="#E4E4E4", lw=0.7)
        tidy(axes)
    ax[0].set_ylim(bottom=0, top=1.05 * max(max(row["train_loss"], row.get("val_loss") or 0) for row in history))
    first_tenth = len(history) // 10
    ax[1].set_ylim(max(0, min(90, 100 * history[first_tenth]["train_acc"]) - 2), 100.4)
    if own:
        ax[0].figure.legend(*ax[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False,
                            fontsize=9)
    else:
        ax[0].legend(frameon=False, fontsize=9)
    return ax[0].figure

"""Runs side by side, and the search for a learning rate."""
from .style import BLUE, GREEN, GREY, ORANGE, logarithmic, new_figure, tidy, whole_numbers

# Okabe and Ito's colours that show on white, with a dash pattern each, for prints without colour
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), ("#CC79A7", ":"), ("#E69F00", (0, (5, 1, 1, 1, 1, 1))),
         ("#56B4E9", (0, (3, 1))), ("#000000", (0, (1, 1))))


def compare(histories, ax=None):
    """The loss and accuracy of several runs, {name: history}, one line each: of validation where all have it, else training.

    `ax` may be a pair of axes to draw into. Returns the Figure.
    """
    if not histories or not all(histories.values()):
        raise ValueError("compare: histories must be {name: history}, at least one, each with at least one epoch")
    if ax is None:
        ax = new_figure(9, 3.9).subplots(1, 2)
    part = "val" if all(row.get("val_loss") is not None for rows in histories.values() for row in rows) else "train"
    for axes, name, scale in ((ax[0], "loss", 1), (ax[1], "acc", 100)):
        for i, (run, history) in enumerate(histories.items()):
            colour, dashes = LINES[i % len(LINES)]
            axes.plot([row["epoch"] for row in history], [scale * row[f"{part}_{name}"] for row in history], color=colour,
                      ls=dashes, marker="o" if len(history) < 2 else None, label=run)
        axes.set_xlabel("epoch")
        whole_numbers(axes)
        axes.grid(True, color="#E4E4E4", lw=0.7)
        tidy(axes)
    word = {"val": "validation", "train": "training"}[part]
    ax[0].set_ylabel(f"{word} loss")
    ax[1].set_ylabel(f"{word} accuracy (%)")
    logarithmic(ax[0])
    ax[1].legend(frameon=False, fontsize=9)
    return ax[0].figure


def lr_curve(search, ax=None):
    """The loss against the learning rate that `tinycnn.train.find_lr` tried, with its suggestion. Returns the Figure."""
    if ax is None:
        ax = new_figure(5.6, 3.6).subplots()
    ax.plot(search["lr"], search["loss"], color=GREY, lw=0.8, alpha=0.6, label="loss of each batch")
    ax.plot(search["lr"], search["smooth"], color=BLUE, label="running mean")
    ax.axvline(search["suggestion"], color=ORANGE, ls="--", label=f"suggestion {search['suggestion']:.2g}")
    low, start = min(search["smooth"]), search["smooth"][0]
    ax.set_ylim(max(0, low - 0.15 * (start - low)), start + 0.6 * (start - low) or None)
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.grid(True, color="#E4E4E4", lw=0.7)
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax.figure

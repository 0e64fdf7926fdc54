"""The results as pictures."""
from . import report
from .growth import VALUES, slope


def draw(results, folder):
    """Write the pictures for which there are results into `folder`; returns their names."""
    drawn = []
    for name, part, make in (("networks", None, networks), ("growth", "growth", growth), ("cases", "cases", cases)):
        figure = make(results if part is None else results[part]["result"]) if part is None or part in results else None
        if figure is not None:
            folder.mkdir(exist_ok=True)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            drawn.append(name)
    return drawn


def networks(results):
    """The ratio of every workload, of time and of memory, on a doubly logarithmic scale about 1."""
    from tinycnn.viz.style import BLUE, GREY, ORANGE, new_figure, tidy
    rows = [(name, w) for name, w in report.workload_rows(results) if "torch" in w["libraries"]]
    if not rows:
        return None
    figure = new_figure(8, 0.35 * len(rows) + 1.2)
    ax = figure.subplots()
    for i, (_, w) in enumerate(rows):
        theirs = w["libraries"]["torch"]
        ax.plot([theirs["ratios"][0], theirs["ratios"][-1]], [i, i], color=BLUE, lw=1.5, alpha=0.5)
        ax.plot(theirs["ratio"], i, "o", color=BLUE, label="time" if i == 0 else None)
        ax.plot(theirs["memory_ratio"], i, "s", color=ORANGE, label="memory" if i == 0 else None)
        ax.plot(w["target"], i, "|", color=GREY, ms=12, label="target of time" if i == 0 else None)
    ax.axvline(1, color=GREY, lw=1, zorder=0)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.tick_params(axis="x", which="both", labelsize=8)
    ax.set_xlabel("tinycnn / PyTorch (left of 1: tinycnn is faster, or needs less)")
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, ncols=3, loc="outside upper center")
    tidy(ax)
    return figure


def growth(part):
    """The time of a step over batch, channels and size of the pictures; the slope is the power with which it grows."""
    from tinycnn.viz.style import BLUE, ORANGE, new_figure, tidy
    figure = new_figure(10, 3.4)
    axes = figure.subplots(1, len(VALUES), sharey=True)
    styles = {"tinycnn": dict(color=BLUE, marker="o"), "torch": dict(color=ORANGE, marker="s", ls="--")}
    for ax, (dimension, values) in zip(axes, VALUES.items()):
        for library in next(iter(part.values())):
            times = [part[f"{dimension} {value}"][library]["time"] * 1e3 for value in values]
            label = f"{report.NAMES[library]}, slope {slope(values, times):.2f}"
            ax.plot(values, times, label=label, **styles[library])
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(values, values)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_xlabel({"size": "pixels a side"}.get(dimension, dimension))
        ax.legend(frameon=False, fontsize=8)
        tidy(ax)
    axes[0].set_ylabel("ms a step")
    return figure


def cases(part):
    """The ratio of every call on tiny arrays, sorted: how far the overheads are apart."""
    from tinycnn.viz.style import BLUE, GREY, new_figure, tidy
    ratios = sorted(row["torch"]["ratio"] for row in part.values() if "torch" in row)
    if not ratios:
        return None
    figure = new_figure(6.5, 3.2)
    ax = figure.subplots()
    ax.plot([100 * (i + 0.5) / len(ratios) for i in range(len(ratios))], ratios, color=BLUE)
    ax.axhline(1, color=GREY, lw=1, zorder=0)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("% of the calls")
    ax.set_ylabel("tinycnn / PyTorch")
    tidy(ax)
    return figure

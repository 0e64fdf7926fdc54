"""Where the time of a network goes."""
from .style import BLUE, GREY, ORANGE, new_figure, tidy


def profile(prof, limit=15):
    """The slowest `limit` operations of a `tinycnn.profile()`, a bar each: forward blue, backward orange and hatched.

    Beside a bar stand its share of the whole time and, for matrix products, the speed reached. Returns the Figure.
    """
    rows = prof.rows[:limit]
    if not rows:
        raise ValueError("profile: no operation ran inside the profile")
    rest = max(prof.total - sum(row.time for row in rows), 0)
    names = [row.name for row in rows] + ["everything else"]
    forward = [row.forward * 1e3 for row in rows] + [0]
    backward = [row.backward * 1e3 for row in rows] + [0]
    figure = new_figure(8, 0.32 * len(names) + 1.1)
    ax = figure.subplots()
    places = range(len(names))
    ax.barh(places, forward, color=BLUE, label="forward")
    ax.barh(places, backward, left=forward, color=ORANGE, hatch="///", edgecolor="white", lw=0, label="backward")
    ax.barh(len(rows), rest * 1e3, color=GREY)
    for place, seconds in zip(places, [row.time for row in rows] + [rest]):
        text = f" {seconds / max(prof.total, 1e-12):.1%}"
        if place < len(rows) and rows[place].flops:
            text += f", {rows[place].rate / 1e9:.0f} GFLOP/s"
            text += f" ({rows[place].rate / prof.peak:.0%} of peak)" if prof.peak else ""
        ax.text(seconds * 1e3, place, text, va="center", fontsize=8)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.set_xlabel("ms")
    ax.legend(frameon=False, loc="lower right")
    tidy(ax)
    return figure

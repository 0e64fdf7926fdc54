"""What the checker found, in words a student can act on: the cause first, then the worst entry, then how to see it again."""
import numpy as np


class GradcheckError(RuntimeError):
    """Raised by the PyTorch form of `gradcheck`; the message is the report."""


class Report:
    """The result of a gradient check: true when everything is right, and `str(report)` explains what is not.

    Attributes: `ok`; `cause`, one sentence; `error`, the worst relative error; `kinks`, how many entries were judged between
    two slopes; `inputs`, one InputCheck for each gradient (with `analytic` and `numeric`, lists of two arrays, for the two
    upstream gradients `dy`); `broken`, the promises that backward breaks; `remarks`, what is worth knowing though all is
    right; `seed`.
    """

    def __init__(self, title, inputs, broken, dy, seed, command):
        self.title, self.inputs, self.broken, self.dy, self.seed, self.command = title, inputs, broken, dy, seed, command
        self.grave, self.remarks, self.note = [], [], ""
        self.known = None  # a sentence of the caller's that explains it

    @property
    def ok(self):
        """Whether every gradient is right and every promise kept."""
        return all(check.ok for check in self.inputs) and not self.broken

    def __bool__(self):
        return self.ok

    @property
    def error(self):
        """The worst relative error of any gradient."""
        return max((check.error for check in self.inputs), default=0.0)

    @property
    def kinks(self):
        """How many entries lie at a kink, where any value between the slopes is right."""
        return sum(int(check.kinks.sum()) for check in self.inputs)

    @property
    def jumps(self):
        """How many entries were not judged, because the function jumps there and has no derivative."""
        return sum(int(check.jumps.sum()) for check in self.inputs)

    @property
    def cause(self):
        """The first thing that is wrong, as one sentence; empty when nothing is."""
        wrong = [check for check in self.inputs if not check.ok]
        if self.known and not self.grave:
            return self.known
        if self.grave or self.broken and all(check.vague for check in wrong):
            return (self.grave or self.broken)[0]
        first = next((check for check in wrong if not check.vague), wrong[0]) if wrong else None
        return f"{first.shown} {first.cause}" if first else ""

    def worst(self, check):
        """(index, analytic, numeric, relative error) of the worst entry of one input, None where none was measured."""
        a, n, scale = check.analytic[0], check.numeric[0], check.scales[0]
        if check.misshapen is not None or not check.wrong.any():
            return None
        with np.errstate(all="ignore"):
            off = np.where(check.wrong, np.abs(a - n), -1.0)
            off[check.wrong & ~np.isfinite(off)] = np.inf
            index = np.unravel_index(off.argmax(), off.shape)
            return tuple(map(int, index)), float(a[index]), float(n[index]), float(off[index] / scale if scale else np.inf)

    def __str__(self):
        if self.ok:
            names = ", ".join(check.shown for check in self.inputs)
            kinks = f"; entries at kinks, between the slopes: {self.kinks}" if self.kinks else ""
            kinks += f"; entries at jumps, not judged: {self.jumps}" if self.jumps else ""
            return (f"{self.title}: right. {names}: worst relative error {self.error:.1e}, two random upstream gradients "
                    f"from seed {self.seed}{kinks}" + "".join(f"\n  remark: {sentence}" for sentence in self.remarks))
        lines = [f"{self.title}: {self.cause}"] + [f"  {self.note}"] * bool(self.note)
        lines += [line for check in self.inputs for line in self._about(check)]
        lines += [f"  promise broken: {sentence}" for sentence in self.broken if sentence != self.cause]
        lines.append(f"  again: {self.command} (upstream gradients from seed {self.seed})")
        return "\n".join(lines)

    __repr__ = __str__

    def _about(self, check):
        """The lines on one input."""
        if check.ok:
            kinks = f", entries at kinks: {int(check.kinks.sum())}" if check.kinks.any() else ""
            return [f"  {check.shown}: right, relative error {check.error:.1e}{kinks}"]
        lines = []
        if check.cause and f"{check.shown} {check.cause}" != self.cause:
            lines.append(f"  {check.shown} {check.cause}")
        worst = self.worst(check)
        if worst:
            index, a, n, error = worst
            place = f"[{', '.join(map(str, index))}]" if index else ""
            lines.append(f"  {check.shown}{place}: yours {a:.10g}, finite differences {n:.10g}, relative error {error:.1e}; "
                         f"{int(check.wrong.sum())} of {int(check.measured.sum())} entries are wrong")
        return lines

    def plot(self):
        """A matplotlib Figure: for every gradient that was measured, yours, finite differences, and their difference."""
        from matplotlib.figure import Figure

        rows = [check for check in self.inputs if check.measured.any() and check.misshapen is None]
        if not rows:
            raise ValueError("plot: no gradient was measured entry by entry; check with full=True")
        figure = Figure(figsize=(9, 2.6 * len(rows)), layout="constrained")
        for axes, check in zip(figure.subplots(len(rows), 3, squeeze=False), rows):
            yours, numeric = (_as_image(a[0]) for a in (check.analytic, check.numeric))
            both = np.abs(np.concatenate([yours, numeric], axis=None))
            limit = max(both[np.isfinite(both)].max(initial=0), 1e-300)
            error = yours - numeric
            finite = np.abs(error[np.isfinite(error)])
            for ax, image, words, top in zip(axes, (yours, numeric, error), ("yours", "finite differences", "difference"),
                                             (limit, limit, max(finite.max(initial=0), 1e-300))):
                shown = ax.imshow(image, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
                ax.set_title(f"{check.shown}: {words}" if words == "yours" else words, fontsize=9)
                figure.colorbar(shown, ax=ax)
        figure.suptitle(f"{self.title}: {self.cause or 'right'}", fontsize=9, wrap=True)
        return figure


def _as_image(array):
    """Two dimensions: the last stays, all others lie one below the other."""
    return array.reshape(1, -1) if array.ndim < 2 else array.reshape(-1, array.shape[-1])

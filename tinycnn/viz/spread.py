"""How the weights and gradients of a network are spread: at one moment, and while it learns."""
import numpy as np

from .style import BLUE, GREY, ORANGE, as_numpy, new_figure, tidy

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


def histograms(model, limit=12):
    """Histograms of the weights (left, blue) and, where there are any, the gradients (right, orange) of each parameter.

    Parameters with one dimension (biases, norms) are left out. At most `limit`, evenly chosen. Gradients that are all close
    to zero in the first layers, or weights that pile up at one value, can be seen at once. Returns the Figure.
    """
    named = _weights(model)
    chosen = np.unique(np.linspace(0, len(named) - 1, min(limit, len(named))).round().astype(int))
    named = [named[i] for i in chosen]
    figure = new_figure(7.5, 0.95 * len(named) + 0.7)
    axes = figure.subplots(len(named), 2, squeeze=False)
    for (name, p), row in zip(named, axes):
        grad = None if p.grad is None else as_numpy(p.grad)
        for ax, values, colour in zip(row, (as_numpy(p), grad), (BLUE, ORANGE)):
            tidy(ax)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            ax.tick_params(labelsize=7)
            if values is None:
                ax.text(0.5, 0.5, "no gradient", ha="center", va="center", color=GREY, transform=ax.transAxes)
                continue
            ax.hist(values.ravel(), bins=60, color=colour)
            ax.axvline(0, color=GREY, lw=0.7)
            ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, 3))
            ax.xaxis.get_offset_text().set_fontsize(7)
        row[0].set_ylabel(f"{name}\n{'x'.join(map(str, p.shape))}", rotation=0, ha="right", va="center", fontsize=8)
    axes[0, 0].set_title("weights", fontsize=10)
    axes[0, 1].set_title("gradients", fontsize=10)
    return figure


class Spread:
    """Notes how weights and gradients are spread, every `every` steps: `noted = Spread(model); fit(..., after_step=noted)`.

    `steps` are the numbers of the noted steps, `weights` and `gradients` the QUANTILES of each parameter, {name: [...]}.
    """

    def __init__(self, model, every=10):
        if every < 1:
            raise ValueError(f"Spread: every must be at least 1 step, got {every}")
        self.named, self.every, self.count = _weights(model), every, 0
        self.steps, self.weights, self.gradients = [], {n: [] for n, _ in self.named}, {n: [] for n, _ in self.named}

    def __call__(self, info):
        self.count += 1
        if (self.count - 1) % self.every:
            return
        self.steps.append(self.count)
        for name, p in self.named:
            self.weights[name].append(np.quantile(as_numpy(p), QUANTILES))
            self.gradients[name].append(np.full(len(QUANTILES), np.nan) if p.grad is None
                                        else np.quantile(as_numpy(p.grad), QUANTILES))


def spread(noted, limit=8):
    """The course of the weights and gradients that a `Spread` noted: the median, and bands that hold a half and 98 %.

    Returns the Figure.
    """
    if not noted.steps:
        raise ValueError("spread: nothing was noted yet")
    names = list(noted.weights)
    names = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(limit, len(names))).round().astype(int))]
    figure = new_figure(8.5, 1.3 * len(names) + 0.7)
    axes = figure.subplots(len(names), 2, squeeze=False, sharex=True)
    for name, row in zip(names, axes):
        for ax, values, colour in zip(row, (noted.weights[name], noted.gradients[name]), (BLUE, ORANGE)):
            low, lower, middle, upper, high = np.array(values).T
            ax.fill_between(noted.steps, low, high, color=colour, alpha=0.2, lw=0)
            ax.fill_between(noted.steps, lower, upper, color=colour, alpha=0.4, lw=0)
            ax.plot(noted.steps, middle, color=colour, lw=1.2)
            ax.tick_params(labelsize=7)
            ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))
            ax.yaxis.get_offset_text().set_fontsize(7)
            tidy(ax)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    axes[0, 0].set_title("weights: median, half, 98 %", fontsize=10)
    axes[0, 1].set_title("gradients", fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("step", fontsize=9)
    return figure


def _weights(model):
    named = [(name, p) for name, p in model.named_parameters() if p.ndim > 1]
    if not named:
        raise ValueError(f"the {type(model).__name__} has no parameters of more than one dimension")
    return named

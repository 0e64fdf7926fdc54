# %% [markdown]
# # Optimizers racing on one surface
#
# The gradient says which way is down, here. It does not say how far to go, nor what comes after the next bend. Optimizers
# differ in what they make of the gradients they have seen so far.
#
# This lesson lets six of them race down a narrow valley and away from a saddle, where one can see what each does well and
# badly. Then they train a small network on digits, with many learning rates, to see what of it matters there.

# %%
import math

import numpy as np
from matplotlib import pyplot as plt

import tinycnn
from tinycnn import nn
from tinycnn.data import DataLoader, Digits
from tinycnn.optim import SGD, Adagrad, Adam, RMSprop
from tinycnn.train import evaluate, fit
from tinycnn.viz.compare import LINES
from tinycnn.viz.style import ORANGE, tidy

# %% [markdown]
# ## Why a narrow valley is hard
#
# The simplest valley is $f(a, b) = \frac{1}{2} (a^2 + 100\, b^2)$: 100 times as steep across as along. Gradient descent
# with the rate $\eta$ treats each direction by itself. With curvature $\lambda$ the gradient is $\lambda a$, and a step
# gives
#
# $$a \leftarrow a - \eta \lambda a = (1 - \eta \lambda)\, a .$$
#
# So the distance shrinks by the factor $|1 - \eta \lambda|$, and grows where $\eta > 2 / \lambda$. The steep direction
# limits the rate, and the flat one has to live with it.


# %%
def valley(p):
    """Steep in b, flat in a."""
    return 0.5 * (p[0] ** 2 + 100 * p[1] ** 2)


def descend(surface, start, make, steps):
    """The path (steps + 1, 2) from `start` of the optimizer that make(parameters) builds."""
    p = tinycnn.tensor(start, dtype=tinycnn.float64, requires_grad=True)
    optimizer, path = make([p]), [np.array(start, float)]
    for _ in range(steps):
        optimizer.zero_grad()
        surface(p).backward()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.array(path)


print("rate    factor along, across   f after 100 steps")
for rate in (0.002, 0.01, 2 / 101, 0.02, 0.0205):
    path = descend(valley, [4.0, 1.0], lambda p: SGD(p, lr=rate), 100)
    print(f"{rate:.4f}  {abs(1 - rate):12.4f}, {abs(1 - 100 * rate):.4f}   {valley(path[-1]):.2g}")

# %% [markdown]
# With the best rate, $2 / (\lambda_1 + \lambda_2)$, both factors are $(\kappa - 1) / (\kappa + 1)$, where $\kappa = 100$
# is the ratio of the curvatures, the *condition number*. In networks it is in the thousands.
#
# ## The six
#
# With the gradient $g$, all of them elementwise:
#
# | | keeps | step |
# |---|---|---|
# | SGD | nothing | $-\eta g$ |
# | momentum | $v \leftarrow \beta v + g$ | $-\eta v$ |
# | Nesterov | $v \leftarrow \beta v + g$ | $-\eta (g + \beta v)$ |
# | AdaGrad | $s \leftarrow s + g^2$ | $-\eta g / \sqrt{s}$ |
# | RMSProp | $s \leftarrow \alpha s + (1 - \alpha) g^2$ | $-\eta g / \sqrt{s}$ |
# | Adam | means $m$ of $g$ and $s$ of $g^2$ | $-\eta m / \sqrt{s}$ |
#
# The first three move in the direction of gradients: momentum adds up what is the same in all of them, the way along the
# valley, and lets cancel what alternates, the way across. The other three divide by the size that gradients have had, each
# coordinate by its own. To be fair, each runs with the rate that brings it lowest.

# %%
OPTIMIZERS = {
    "SGD": lambda p, lr: SGD(p, lr=lr),
    "momentum": lambda p, lr: SGD(p, lr=lr, momentum=0.9),
    "Nesterov": lambda p, lr: SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "AdaGrad": lambda p, lr: Adagrad(p, lr=lr),
    "RMSProp": lambda p, lr: RMSprop(p, lr=lr, alpha=0.9),
    "Adam": lambda p, lr: Adam(p, lr=lr),
}
RATES = np.geomspace(0.001, 1, 31)


def height(surface, path):
    """How high above the bottom a path ends: the highest of its last five points, so that passing by does not count."""
    return max(surface(p) for p in path[-5:])


def best(surface, start, make, steps):
    """(rate, path) of the rate that ends lowest."""
    paths = [(rate, descend(surface, start, lambda p: make(p, rate), steps)) for rate in RATES]
    return paths[int(np.nanargmin([height(surface, path) for _, path in paths]))]


def race(surface, start, steps):
    """{name: (rate, path)} of all six."""
    return {name: best(surface, start, make, steps) for name, make in OPTIMIZERS.items()}


STEPS = 100
with np.errstate(over="ignore", invalid="ignore"):  # rates that are too large are among those tried
    on_valley = race(valley, [4.0, 1.0], STEPS)


# %%
def draw(results, surface, extent, levels):
    """The path of each on the contours of the surface, in six small pictures."""
    left, right, low, high = extent
    a, b = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 150))
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 4), sharex=True, sharey=True, layout="constrained")
    for ax, (name, (rate, path)) in zip(axes.flat, results.items()):
        ax.contour(a, b, surface((a, b)), levels=levels, colors="#C4C4C4", linewidths=0.7)
        ax.plot(*path.T, "o-", color=ORANGE, ms=2.5, lw=1)
        ax.plot(*path[0], "ks", ms=5)
        ax.set(xlim=(left, right), ylim=(low, high))
        ax.set_title(f"{name}, rate {rate:.2g}: {height(surface, path):.1e}", fontsize=9)
    figure.supxlabel("a", fontsize=9)
    figure.supylabel("b", fontsize=9)
    return figure


draw(on_valley, valley, (-2.5, 4.8, -1.4, 1.4), np.geomspace(0.05, 100, 11))
plt.show()

# %% [markdown]
# The number is how high above the bottom each ends. Gradient descent zigzags across, and then creeps. Momentum swings to and
# fro, and gains all the same. AdaGrad and RMSProp go nearly straight for the bottom: divided by the size of its gradients,
# each direction is as steep as the other. Adam has momentum as well, and overshoots.

# %%
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for (name, (rate, path)), (colour, dashes) in zip(on_valley.items(), LINES):
    ax.semilogy([valley(p) for p in path], color=colour, ls=dashes, label=name)
ax.set_ylim(1e-9, 200)
ax.set(xlabel="step", ylabel="height above the bottom", title="The same race, step by step")
ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)
plt.show()

# %% [markdown]
# RMSProp shows its weakness late: near the bottom past gradients are tiny, and what is divided by them becomes large again.
# AdaGrad, which forgets nothing, is safe from that.
#
# ## Turned by 45 degrees
#
# The division is done coordinate by coordinate. What if the valley does not follow an axis? For SGD and momentum nothing
# changes, since they know no axes.


# %%
def turned(p):
    """The same valley, turned by 45 degrees."""
    a, b = (p[0] + p[1]) / math.sqrt(2), (p[1] - p[0]) / math.sqrt(2)
    return valley((a, b))


start = [(4 - 1) / math.sqrt(2), (4 + 1) / math.sqrt(2)]  # the same point of the valley
with np.errstate(over="ignore", invalid="ignore"):
    on_turned = race(turned, start, STEPS)
print(f"{'height after 100 steps':24}" + "".join(f"{name:>10}" for name in OPTIMIZERS))
for words, surface, results in (("along the axes", valley, on_valley), ("turned", turned, on_turned)):
    print(f"{words:24}" + "".join(f"{height(surface, path):10.1e}" for _, path in results.values()))

# %% [markdown]
# What looked like insight into the valley was luck with the axes. In a network the axes are not without meaning, though: the
# weights of one layer have gradients of another size than those of the next, and to even that out is worth much.
#
# ## A saddle
#
# $f(a, b) = \frac{1}{2} a^2 - \frac{1}{2} b^2 + \frac{1}{4} b^4$ has two valleys, at $b = \pm 1$, and between them a
# saddle at the origin. The start lies nearly on the ridge, $b = 0.001$, where the slope towards the valley is almost
# nothing. Who gets away? Here all have the same time, and the rate 0.1.


# %%
def saddle(p):
    """Two valleys, and a saddle between them."""
    return 0.5 * p[0] ** 2 - 0.5 * p[1] ** 2 + 0.25 * p[1] ** 4


on_saddle = {name: (0.1, descend(saddle, [1.5, 0.001], lambda p: make(p, 0.1), 60)) for name, make in OPTIMIZERS.items()}
draw(on_saddle, saddle, (-1.2, 1.8, -0.4, 1.5), np.linspace(-0.25, 1.5, 15))
plt.show()

# %% [markdown]
# Gradient descent runs to the saddle and has hardly left it when the time is over: the step is proportional to a gradient
# that is tiny there. Momentum gathers speed, overshoots, and arrives. Those that divide by the size of past gradients
# take a step of about the rate however small the gradient is; at first only its sign counts, and they leave at once.
# AdaGrad divides by a sum that only grows, and becomes slow.
#
# ## Adam, by hand
#
# $m$ and $s$ begin at 0 and would be too small at first; dividing by $1 - \beta^t$ corrects that. The result against the
# library, and what follows for a loss that is multiplied by 1000:


# %%
def adam(gradient, p, lr, steps, beta1=0.9, beta2=0.999, eps=1e-8):
    """The point after `steps` steps of Adam."""
    m, s = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradient(p)
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g * g
        p = p - lr * (m / (1 - beta1 ** t)) / (np.sqrt(s / (1 - beta2 ** t)) + eps)
    return p


slope = lambda p: p * np.array([1.0, 100.0])
library = descend(valley, [4.0, 1.0], lambda p: Adam(p, lr=0.1), 50)[-1]
print("equal to tinycnn.optim.Adam:", np.allclose(adam(slope, np.array([4.0, 1.0]), 0.1, 50), library))
print("after 50 steps at", library.round(6))
print("loss times 1000: ", adam(lambda p: 1000 * slope(p), np.array([4.0, 1.0]), 0.1, 50).round(6))

# %% [markdown]
# Adam does not notice the factor. For SGD it is a rate 1000 times as large. This is why one rate, 0.001, is a fair first
# guess for Adam in so many networks, while the rate of SGD must be found anew.
#
# ## On digits
#
# A small network, three epochs of 8x8 digits, six optimizers with eleven rates each. Which is best, and how exactly must the
# rate be known?


# %%
loader = DataLoader(Digits("train"), 64, shuffle=True)
whole = DataLoader(Digits("train"), 633)
DIGIT_RATES = np.geomspace(1e-4, 10, 11)


def train(make, rate):
    """The training loss after three epochs; NaN where the training failed."""
    tinycnn.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10))
    try:
        fit(model, loader, epochs=3, optimizer=make(model.parameters(), rate), progress=False)
    except FloatingPointError:
        return np.nan
    return evaluate(model, whole)[0]


with np.errstate(over="ignore", invalid="ignore"):
    losses = {name: np.array([train(make, rate) for rate in DIGIT_RATES]) for name, make in OPTIMIZERS.items()}
for name, values in losses.items():
    near = DIGIT_RATES[values < 2 * np.nanmin(values)]
    print(f"{name:9} best {np.nanmin(values):.3f} with rate {DIGIT_RATES[np.nanargmin(values)]:.2g}; "
          f"within twice that: {near.min():.2g} to {near.max():.2g}")

# %%
figure, ax = plt.subplots(figsize=(7.6, 3.6), layout="constrained")
for (name, values), (colour, dashes), mark in zip(losses.items(), LINES, "os^Dv*"):
    ax.loglog(DIGIT_RATES, values, color=colour, ls=dashes, marker=mark, ms=4, label=name)
ax.axhline(math.log(10), color="#B0B0B0", lw=1)
ax.text(0.02, math.log(10) * 1.08, "guessing", fontsize=8, color="#5F5F5F")
ax.set(xlabel="learning rate", ylabel="training loss", title="After three epochs of 8x8 digits", ylim=(0.03, 20))
ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)
plt.show()

# %%
print("loss with momentum, and without at ten times the rate:")
for i in range(5):
    print(f"{DIGIT_RATES[i]:.1g}: {losses['momentum'][i]:.2f}   {DIGIT_RATES[i + 2]:.1g}: {losses['SGD'][i + 2]:.2f}")

# %% [markdown]
# Where a curve ends, the loss was no longer a finite number. Each optimizer fails with a wrong rate, and the curves are
# narrow: the rate matters more than the name. What differs is *where* the good rates begin. With $\beta = 0.9$ a steady
# gradient adds up to ten times its size, so momentum at small rates does what SGD does at ten times the rate. Adam and
# RMSProp are at work at rates at which the others have not begun.
#
# `tinycnn.train.find_lr` looks for a rate by trying rising ones during a single epoch, and the lesson on LeNet lets the rate
# change during the training, which all six profit from.
#
# ## Exercises
#
# - `tinycnn exercises start momentum`: gradient descent, momentum, Nesterov
# - `tinycnn exercises start adaptive_rates`: AdaGrad and RMSProp
# - `tinycnn exercises start adam`: Adam and AdamW
# - `tinycnn exercises start learning_rate_schedule`: rates that change with time

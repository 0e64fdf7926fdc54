# %% [markdown]
# # A tape in 40 lines
#
# `loss.backward()` finds the derivative of one number, the loss, with respect to a million weights, for about twice the
# price of computing the loss. There is little magic in it: every number remembers what it was made of.
#
# This lesson builds it for single numbers, in 40 lines. It shows why the order of the walk back matters, with the smallest
# example there is, $b = a + a,\; c = b + b$. And it trains a network on the 40 lines, step by step beside tinycnn.

# %%
import math

import numpy as np
from matplotlib import pyplot as plt

import tinycnn
from tinycnn import viz
from tinycnn.viz.style import BLUE, GREY, ORANGE, tidy

# %% [markdown]
# ## The chain rule, one operation at a time
#
# Let $y$ be the final number, and write $\bar v = \partial y / \partial v$ for what an intermediate number $v$ means to it.
# If $v$ is used in the operations $u_1, u_2, \dots$, then
#
# $$\bar v = \sum_i \bar u_i \, \frac{\partial u_i}{\partial v} .$$
#
# Each factor $\partial u_i / \partial v$ concerns one operation only: 1 for a sum, the other factor for a product,
# $1 - u^2$ for $u = \tanh v$. So an operation needs a small function that takes the $\bar u$ of its result and *adds* its
# share to each of its inputs. We call it `pull`, and create it where the operation happens, when all it needs is at hand.


# %%
class Number:
    """A number that knows its parents, the numbers that it was made of, and how to hand them their gradients."""

    def __init__(self, data, parents=(), pull=lambda: None):
        self.data, self.parents, self.pull, self.grad = data, parents, pull, 0.0

    def __add__(self, other):
        def pull():
            self.grad += y.grad
            other.grad += y.grad
        y = Number(self.data + other.data, (self, other), pull)
        return y

    def __mul__(self, other):
        def pull():
            self.grad += y.grad * other.data
            other.grad += y.grad * self.data
        y = Number(self.data * other.data, (self, other), pull)
        return y

    def tanh(self):
        def pull():
            self.grad += y.grad * (1 - y.data ** 2)
        y = Number(math.tanh(self.data), (self,), pull)
        return y

    def backward(self):
        order, seen = [], set()

        def visit(number):
            if number not in seen:
                seen.add(number)
                for parent in number.parents:
                    visit(parent)
                order.append(number)

        visit(self)
        self.grad = 1.0
        for number in reversed(order):
            number.pull()


# %% [markdown]
# That is all of it. A first expression, in which $a$ is used twice:

# %%
a, b, c = Number(2.0), Number(-3.0), Number(10.0)
d = a * b
e = d + c
y = e * a
y.backward()
print(f"y = (a b + c) a = {y.data:g}")
print(f"dy/da: {a.grad:g}, by hand 2 a b + c = {2 * 2 * -3 + 10}")
print(f"dy/db: {b.grad:g}, by hand a^2 = {2 ** 2}")
print(f"dy/dc: {c.grad:g}, by hand a = {2}")

# %% [markdown]
# How did the gradients get there? Values flow from left to right, gradients from right to left. What arrives at $a$ on two
# ways is added.


# %%
def draw(ax, nodes, title):
    """Numbers as boxes with value and gradient, each at its place: {name: (number, x, y)}."""
    places = {number: (x, y) for number, x, y in nodes.values()}
    for name, (number, x, y) in nodes.items():
        leaf = not number.parents
        ax.text(x, y, f"${name} = {number.data:g}$\ngradient {number.grad:g}", ha="center", va="center", fontsize=9,
                bbox=dict(boxstyle="round" if leaf else "square", fc="#FBE9DD" if leaf else "#DCEBF5",
                          ec=ORANGE if leaf else BLUE))
        for i, parent in enumerate(number.parents):
            bend = 0.3 * (2 * i - 1) if number.parents.count(parent) > 1 else 0
            ax.annotate("", (x, y), places[parent], zorder=0, arrowprops=dict(
                arrowstyle="-|>", color=GREY, shrinkA=38, shrinkB=38, connectionstyle=f"arc3,rad={bend}"))
    x, y = np.array(list(places.values())).T
    ax.set(xlim=(x.min() - 0.6, x.max() + 0.6), ylim=(y.min() - 0.5, y.max() + 0.5))
    ax.set_axis_off()
    ax.set_title(title, fontsize=10)


figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
draw(ax, {"a": (a, 0, 2), "b": (b, 0, 1), "c": (c, 1, 0), "d": (d, 1, 1), "e": (e, 2, 0.5), "y": (y, 3, 1.2)},
     "y = (a b + c) a, after backward")
plt.show()

# %% [markdown]
# ## Why the order matters
#
# The smallest hard case is
#
# $$b = a + a, \qquad c = b + b, \qquad \text{so } c = 4a \text{ and } \bar a = 4 .$$
#
# The obvious recursion is: pull, then do the same for the parents. It gives a wrong answer.


# %%
def hasty(number):
    """Pull, then go on with each parent, whether or not it has received all of its gradient."""
    number.pull()
    for parent in number.parents:
        hasty(parent)


def diamonds(count):
    """A number a, and the end of a chain b = a + a, c = b + b, ... of `count` sums."""
    numbers = [Number(1.0)]
    for _ in range(count):
        numbers.append(numbers[-1] + numbers[-1])
    return numbers


figure, axes = plt.subplots(1, 2, figsize=(8, 1.4), layout="constrained")
for ax, walk in zip(axes, (hasty, Number.backward)):
    a, b, c = diamonds(2)
    c.grad = 1.0
    walk(c)
    draw(ax, {"a": (a, 0, 0), "b": (b, 1.2, 0), "c": (c, 2.4, 0)}, f"{walk.__name__}: the gradient of a is {a.grad:g}")
plt.show()

# %% [markdown]
# `hasty` comes to $b$ twice, because $b$ is a parent of $c$ twice. On its second visit $b$ hands on everything again,
# including what it had handed on before.
#
# There are two ways to mend it. One is to hand on only what has just arrived. That is right, and hopeless: it walks every
# *path*, and paths double with each sum. The other is to wait: let a number pull only when all numbers made of it have
# pulled. Then every number pulls once.
#
# What does the difference cost?


# %%
def path_by_path(number, arrived=1.0):
    """Hand on what has just arrived, along every path; returns the number of visits. (All slopes here are 1.)"""
    number.grad += arrived
    return 1 + sum(path_by_path(parent, arrived) for parent in number.parents)


counts = range(1, 15)
visits = []
for count in counts:
    numbers = diamonds(count)
    visits.append(path_by_path(numbers[-1]))
    if numbers[0].grad != 2 ** count:
        print("wrong gradient for", count)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.semilogy(counts, visits, "o-", color=ORANGE, label="path by path")
ax.semilogy(counts, [count + 1 for count in counts], "s-", color=BLUE, label="each number once, when it is complete")
ax.set(xlabel="sums in the chain", ylabel="visits", title="What the walk back costs")
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# An order in which every number comes after all that was made of it is a *topological order*, reversed. `backward` above
# gets one by appending a number only after its parents: then parents stand before children, and the list is walked from its
# end.
#
# tinycnn numbers its operations as they happen. What was made later cannot be a parent of what was made earlier, so newest
# first is such an order as well, and nothing has to be searched (`_walk` in `tinycnn/engine/autograd.py`). Sixty sums, which
# would take $2^{60}$ visits path by path:

# %%
a = tinycnn.tensor(1.0, dtype=tinycnn.float64, requires_grad=True)
y = a
for _ in range(60):
    y = y + y
y.backward()
print("gradient is 2^60:", a.grad.item() == 2 ** 60)

# %% [markdown]
# ## A network of single numbers
#
# Sums, products and tanh are enough for a network. The task is XOR, four points that no straight line separates: the answer
# is 1 where exactly one of the inputs is. Two inputs, four hidden units, one output; the loss is the sum of the squared
# errors.

# %%
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
T = np.array([0, 1, 1, 0], float)
chance = np.random.default_rng(1)
START = [chance.normal(0, 1, (2, 4)), np.zeros(4), chance.normal(0, 1, 4), np.zeros(1)]  # w1, b1, w2, b2


def answer(x, w1, b1, w2, b2):
    """The output for one point x; all arguments are lists of Numbers, w1 a list of such lists."""
    y = b2[0]
    for j in range(4):
        hidden = (x[0] * w1[0][j] + x[1] * w1[1][j] + b1[j]).tanh()
        y = y + hidden * w2[j]
    return y


def loss_of(weights):
    """The sum of the squared errors over the four points."""
    total = Number(0.0)
    for x, t in zip(X, T):
        error = answer([Number(v) for v in x], *weights) + Number(-t)
        total = total + error * error
    return total


# %% [markdown]
# Training is what it always is: compute the loss, walk back, go a small step against the gradient.

# %%
weights = [np.vectorize(Number)(w) for w in START]
flat = [number for w in weights for number in w.ravel()]
losses = []
for step in range(250):
    loss = loss_of(weights)
    for number in flat:
        number.grad = 0.0
    loss.backward()
    for number in flat:
        number.data -= 0.04 * number.grad
    losses.append(loss.data)
print(f"loss {losses[0]:.1e} at first, {losses[-1]:.1e} after {len(losses)} steps")

# %% [markdown]
# The same in tinycnn, where a node is not a number but an array: the four points go through the network together. The losses
# of all steps should agree, up to rounding.

# %%
w1, b1, w2, b2 = tensors = [tinycnn.tensor(w, requires_grad=True) for w in START]
x, t = tinycnn.from_numpy(X), tinycnn.from_numpy(T)
optimizer = tinycnn.optim.SGD(tensors, lr=0.04)
same = []
for step in range(250):
    loss = (((x @ w1 + b1).tanh() @ w2 + b2 - t) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    same.append(loss.item())
print("largest difference of the losses:", f"{np.abs(np.subtract(losses, same)).max():.0e}")
made, stack = set(), [loss_of(weights)]
while stack:
    number = stack.pop()
    if number not in made:
        made.add(number)
        stack += number.parents
print(f"nodes of the graph: {len(made)} single numbers, {viz.graph_mermaid(loss).count('<br/>')} arrays in tinycnn")

# %% [markdown]
# What has the network made of the four points?

# %%
u = np.linspace(-0.4, 1.4, 80)
grid = np.stack(np.meshgrid(u, u), -1)
with tinycnn.no_grad():
    surface = ((tinycnn.from_numpy(grid) @ w1 + b1).tanh() @ w2 + b2).numpy()
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
axes[0].semilogy(losses, color=BLUE, lw=3, alpha=0.5, label="40 lines")
axes[0].semilogy(same, color=ORANGE, ls="--", label="tinycnn")
axes[0].set(xlabel="step", ylabel="loss", title="Learning XOR")
axes[0].legend(frameon=False)
tidy(axes[0])
image = axes[1].pcolormesh(u, u, surface - 0.5, cmap="PuOr", vmin=-1, vmax=1)
axes[1].contour(u, u, surface, levels=[0.5], colors=GREY)
for kind, mark in ((0, "o"), (1, "s")):
    axes[1].plot(*X[T == kind].T, mark, color="white", mec="black", ms=9, label=f"answer {kind}")
axes[1].set(xlabel="first input", ylabel="second input", title="output - 0.5, and where it is 0")
axes[1].legend(loc="center", fontsize=8)
figure.colorbar(image, ax=axes[1])
plt.show()

# %% [markdown]
# ## From numbers to arrays
#
# The 40 lines are an engine already. What the real one adds is not a new idea:
#
# - A node is an operation on whole arrays; its `pull` is called `backward` and is a few lines of NumPy. That is what makes
#   it fast, and it is the art of the other lessons: what is the gradient of a matrix product, of a convolution?
# - Where a small array was repeated to fit a large one, its gradient is the *sum* over the repetitions: the rule for numbers
#   that are used several times, once more.
# - Arrays that `backward` does not need are let go as early as possible.
#
# ## Exercises
#
# - `tinycnn exercises start value`: a number with its slopes, written by you
# - `tinycnn exercises start unbroadcast`: broadcasting backwards
# - `tinycnn exercises start tape`: the walk over arrays, each node once

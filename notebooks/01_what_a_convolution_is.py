# %% [markdown]
# # What a convolution is
#
# A convolution slides a small window over a picture. At each place it multiplies the pixels in the window by a small table
# of weights, the *kernel*, and adds up. The sums form a new picture, the *map*: it is large where the picture looks like
# the kernel.
#
# This lesson does that with loops, on one digit. It looks at what some well-known kernels answer to, adds stride, padding
# and channels, and ends with seven nested loops that agree with `conv2d`.

# %%
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import models, viz
from tinycnn.data import Digits
from tinycnn.viz.style import BLUE, ORANGE, bare

digits = Digits("train")
x = digits.data[4, 0].astype(float)
print(f"a {digits.targets[4]} of {x.shape[0]}x{x.shape[1]} pixels from {x.min():.0f} (paper) to {x.max():.0f} (ink)")

# %% [markdown]
# ## A window slides over a digit
#
# With a kernel $w$ of $K \times K$ weights, the map $y$ is
#
# $$y_{ij} = \sum_{a=0}^{K-1} \sum_{b=0}^{K-1} w_{ab}\; x_{i+a,\,j+b}$$
#
# where $i, j$ is the place of the window's upper left corner. Two loops go through the places, and one sum does the rest.


# %%
def slide(x, w):
    """The map of the picture x (H, W) and the kernel w (KH, KW)."""
    kh, kw = w.shape
    y = np.zeros((x.shape[0] - kh + 1, x.shape[1] - kw + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = (w * x[i:i + kh, j:j + kw]).sum()
    return y


w = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], float)
y = slide(x, w)
print(f"picture {x.shape}, kernel {w.shape}, map {y.shape}")

# %% [markdown]
# The map is smaller than the picture: a 3x3 window has six places in a row of eight pixels. What does one of the sums look
# like? The framed window becomes the framed number.


# %%
def table(ax, values, title, colours="gray_r", frame=None):
    """Draw a table of numbers, with a frame (row, column, height, width) around some of them."""
    top = np.abs(values).max()
    signed = values.min() < 0
    ax.imshow(values, cmap="PuOr" if signed else colours, vmin=-1.6 * top if signed else 0, vmax=1.6 * top)
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, f"{value:g}", ha="center", va="center", fontsize=8)
    bare(ax)
    ax.set_title(title, fontsize=10)
    if frame:
        i, j, height, width = frame
        ax.add_patch(Rectangle((j - 0.5, i - 0.5), width, height, fill=False, edgecolor=ORANGE, linewidth=2.5, zorder=5))


figure, axes = plt.subplots(1, 3, figsize=(8, 3.2), width_ratios=(8, 3, 6), layout="constrained")
i, j = 2, 4
table(axes[0], x, "picture $x$", frame=(i, j, 3, 3))
table(axes[1], w, "kernel $w$")
table(axes[2], y, "map $y$", frame=(i, j, 1, 1))
plt.show()
terms = [f"{a:g}*{b:g}" for a, b in zip(w.ravel(), x[i:i + 3, j:j + 3].ravel()) if a]
print(f"y[{i}, {j}] = {' + '.join(terms).replace('+ -', '- ')} = {y[i, j]:g}")

# %% [markdown]
# This kernel subtracts the left column of the window from the right one. So the map is positive (purple) where ink begins
# from left to right, negative (orange) where it ends, and near zero where nothing changes in that direction. It finds
# vertical edges.
#
# The library's `conv2d` does the same. It expects a batch of pictures with channels, `(N, C, H, W)`, and a kernel for each
# output map and channel, `(F, C, KH, KW)`; here three of these four are 1.

# %%
library = F.conv2d(tinycnn.from_numpy(x[None, None]), tinycnn.from_numpy(w[None, None]))
print("conv2d gives", tuple(library.shape), "and the same numbers:", np.allclose(library.numpy()[0, 0], y))

# %% [markdown]
# In mathematics this sum is called a cross-correlation; a convolution runs through the kernel backward, $x_{i-a,\,j-b}$. For
# weights that are learnt it makes no difference which of the two is meant, since the learnt kernel is then the reversed one.

# %% [markdown]
# ## What kernels answer to
#
# Five kernels that people found long before networks did. Which parts of a picture does each of them pick out?

# %%
picture = viz.augment.landscape(72, 96).astype(float) / 255
grey = picture.mean(0)
KERNELS = {
    "blur": np.ones((3, 3)) / 9,
    "vertical edges": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4,
    "horizontal edges": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 4,
    "points and outlines": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 4,
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}
figure, axes = plt.subplots(2, 3, figsize=(8.4, 4.5), layout="constrained")
for ax, (name, kernel) in zip(axes.flat, {"the picture": np.ones((1, 1)), **KERNELS}.items()):
    y = slide(grey, kernel)
    signed = kernel.sum() == 0
    ax.imshow(y, cmap="PuOr" if signed else "gray", vmin=-0.5 if signed else 0, vmax=0.5 if signed else 1,
              interpolation="nearest")
    ax.set_title(f"{name}\nsum of the weights: {kernel.sum():.0f}", fontsize=9)
    bare(ax)
plt.show()

# %% [markdown]
# The sum of the weights says half of it. Where it is 0, an even area gives 0, however bright it is: such a kernel answers to
# change only. Where it is 1, an even area stays as it is.
#
# The walls and the door posts stand upright: the map of vertical edges has them. The eaves, the ground and the ridges of the
# hills are in the map of horizontal edges. The last map but one has both, thin, and all the noise of the picture too.

# %% [markdown]
# ## The same weights everywhere
#
# A kernel has no idea where it is. If the picture moves, the map moves along and does not change otherwise: the convolution
# is *equivariant* to shifts. A network need not learn anew, for every place, what a stroke looks like. And it saves weights.

# %%
moved = np.pad(x, ((0, 0), (2, 0)))  # two columns of paper on the left: the digit moves to the right
print("the map moved by two as well:", np.array_equal(slide(moved, w)[:, 2:], slide(x, w)))
print(f"weights of the kernel: {w.size}; of a linear layer with as many inputs and outputs: {x.size * slide(x, w).size:,}")

# %% [markdown]
# ## Stride and padding
#
# The window need not stop at every place. With *stride* $S$ it goes $S$ pixels at a time, and the map gets smaller. With
# *padding* $P$ the picture first gets a border of $P$ zeros on each side, and the window may hang over the edge. For $N$
# pixels in a row, the number of places is
#
# $$O = \left\lfloor \frac{N + 2P - K}{S} \right\rfloor + 1 .$$
#
# Where do the middles of a 3x3 window lie in a picture of 7x7 pixels?

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 3.1), layout="constrained")
for ax, (stride, padding) in zip(axes, ((1, 0), (1, 1), (2, 1))):
    ax.imshow(np.pad(np.ones((7, 7)), padding), cmap="Greys", vmin=0, vmax=5)
    ax.set_xticks(np.arange(8 + 2 * padding) - 0.5, [])
    ax.set_yticks(np.arange(8 + 2 * padding) - 0.5, [])
    ax.grid(color="#C8C8C8")
    ax.tick_params(length=0)
    places = np.arange(0, 7 + 2 * padding - 3 + 1, stride) + 1
    ax.plot(*np.meshgrid(places, places), "o", color=BLUE, ms=5)
    ax.add_patch(Rectangle((-0.5, -0.5), 3, 3, fill=False, edgecolor=ORANGE, linewidth=2.5, zorder=5, clip_on=False))
    ax.set_title(f"stride {stride}, padding {padding}:\n{len(places)}x{len(places)} places", fontsize=10)
plt.show()

# %% [markdown]
# Stride 1 with padding $(K - 1) / 2$ keeps the size, which is why kernels are mostly odd. Stride 2 halves it. The formula
# against the library, for some sizes:

# %%
for size, k, stride, padding in ((28, 5, 1, 0), (28, 5, 1, 2), (32, 3, 2, 1), (224, 7, 2, 3), (7, 4, 3, 0)):
    formula = (size + 2 * padding - k) // stride + 1
    y = F.conv2d(tinycnn.zeros(1, 1, size, size), tinycnn.zeros(1, 1, k, k), stride=stride, padding=padding)
    print(f"{size:3} pixels, kernel {k}, stride {stride}, padding {padding}: {formula:3}, conv2d gives {y.shape[-1]:3}")

# %% [markdown]
# ## Channels
#
# A coloured picture has three channels. A kernel then has three layers of weights, one for each, and *everything* is added
# up into one map. So a kernel can weigh colours against each other. A layer has many kernels, and what they return are the
# channels that the next layer sees.
#
# Can one 3x3 kernel find the red roof, another what is green?

# %%
blur = np.ones((3, 3)) / 9
red = np.stack([blur, -blur / 2, -blur / 2])     # red minus the mean of the other two
green = np.stack([-blur / 2, blur, -blur / 2])
w = np.stack([red, green])
y = F.conv2d(tinycnn.from_numpy(picture[None]), tinycnn.from_numpy(w), padding=1).numpy()[0]
figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.3), layout="constrained")
axes[0].imshow(picture.transpose(1, 2, 0), interpolation="nearest")
axes[0].set_title("three channels", fontsize=10)
for ax, values, name in zip(axes[1:], y, ("red minus green and blue", "green minus red and blue")):
    image = ax.imshow(values, cmap="PuOr", vmin=-0.5, vmax=0.5, interpolation="nearest")
    ax.set_title(f"map: {name}", fontsize=10)
for ax in axes:
    bare(ax)
figure.colorbar(image, ax=axes, label="sum", shrink=0.9)
plt.show()
print(f"picture {picture.shape}, kernels {w.shape}, maps {y.shape}")

# %% [markdown]
# ## All of it in seven loops
#
# Batch $n$, filter $f$, place $i, j$; channel $c$ and offset $a, b$ within the window. With the picture padded before,
#
# $$y_{n f i j} = b_f + \sum_{c, a, b} w_{f c a b}\; x_{n,\, c,\, iS + a,\, jS + b}$$
#
# and nothing is left out: this is what the layer `Conv2d` computes.


# %%
def convolution(x, w, b, stride, padding):
    """x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW), with a loop for every index."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    (n_, c_, h_, w_), (f_, _, kh, kw) = x.shape, w.shape
    y = np.zeros((n_, f_, (h_ - kh) // stride + 1, (w_ - kw) // stride + 1))
    for n, f, i, j in np.ndindex(y.shape):
        y[n, f, i, j] = b[f]
        for c, p, q in np.ndindex(c_, kh, kw):
            y[n, f, i, j] += w[f, c, p, q] * x[n, c, i * stride + p, j * stride + q]
    return y


chance = np.random.default_rng(0)
x, w, b = chance.normal(size=(2, 3, 9, 8)), chance.normal(size=(4, 3, 3, 3)), chance.normal(size=4)
for stride, padding in ((1, 0), (1, 1), (2, 1), (3, 2)):
    loops = convolution(x, w, b, stride, padding)
    library = F.conv2d(*map(tinycnn.from_numpy, (x, w, b)), stride=stride, padding=padding).numpy()
    print(f"stride {stride}, padding {padding}: {loops.shape}, largest difference {np.abs(loops - library).max():.0e}")

# %% [markdown]
# ## Who chooses the weights?
#
# Nobody. A network starts with random kernels and changes them until its answers are right. What has LeNet-5, trained on
# 28x28 digits, found useful as its first layer?

# %%
network = models.lenet5(weights="mnist")
figure = viz.filters(network.features[0].weight, title="the first six kernels of a trained LeNet-5", columns=6)
figure.set_dpi(90)
figure

# %% [markdown]
# Purple stands beside orange: these, too, compare one part of the window with another, each in its own direction. Edge
# filters are not put into a network; it finds them.
#
# ## Exercises
#
# - `tinycnn exercises start conv_forward`: the seven loops, and then without them
# - `tinycnn exercises start conv_stride_padding`: the same with stride and padding
# - `tinycnn exercises start grouped_conv`: kernels that see some of the channels only

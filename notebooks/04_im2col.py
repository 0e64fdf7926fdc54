# %% [markdown]
# # im2col: why convolution is a matrix product
#
# Nobody computes a convolution in seven loops. The windows are copied out of the picture, each becomes a column of a
# matrix, and one matrix product does all sums at once. That is the operation which processors, and those who write programs
# for them, have optimised for decades.
#
# This lesson builds the columns, looks at them, multiplies, and finds the way back: *col2im*, which is not the inverse of
# im2col but its adjoint. At the end the three ways are timed, and there is a look at how to multiply less.

# %%
import linecache
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from numpy.lib.stride_tricks import sliding_window_view

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import viz
from tinycnn.data import Digits
from tinycnn.ops import conv, unfold
from tinycnn.viz.style import bare

chance = np.random.default_rng(0)
digit = Digits("train").data[4].astype(float)  # (1, 8, 8)

# %% [markdown]
# ## Windows as columns
#
# A part of a digit and two kernels, all numbers shown. What becomes of one window?

# %%
kernels = np.array([[[[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]], [[[-1, -1, -1], [0, 0, 0], [1, 1, 1]]]], float)
figure = viz.convolution_steps(digit[:, 2:7, 2:7], kernels, position=(0, 2))
figure.set_dpi(70)
figure

# %% [markdown]
# In letters, with a row for each weight $(c, p, q)$ of a kernel and a column for each place $(i, j)$ of a window:
#
# $$\mathrm{cols}_{(cpq),(ij)} = x_{c,\,i+p,\,j+q}, \qquad
# y_{f,(ij)} = \sum_{(cpq)} w_{f,(cpq)}\, \mathrm{cols}_{(cpq),(ij)} .$$
#
# The sum is a matrix product. In a program:


# %%
def im2col(x, k):
    """x (C, H, W) -> cols (C k k, OH OW), a column for every window of k x k."""
    c, h, w = x.shape
    columns = [x[:, i:i + k, j:j + k].ravel() for i in range(h - k + 1) for j in range(w - k + 1)]
    return np.stack(columns, axis=1)


cols = im2col(digit, 3)
y = kernels.reshape(2, -1) @ cols
library = F.conv2d(tinycnn.from_numpy(digit[None]), tinycnn.from_numpy(kernels)).numpy()[0]
print("cols", cols.shape, "y", y.shape, "equal to conv2d:", np.allclose(y.reshape(2, 6, 6), library))
print("equal to the library's unfold:", np.array_equal(F.unfold(tinycnn.from_numpy(digit[None]), 3).numpy()[0], cols))

# %% [markdown]
# ## What the matrix looks like
#
# A column is a window. What is a row?

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), width_ratios=(3, 1), layout="constrained")
axes[0].imshow(cols, cmap="gray_r", aspect="auto")
axes[0].set(xlabel="window (i, j)", ylabel="weight (p, q)", title="the columns of a digit, 9 x 36")
axes[0].set_yticks(range(9), [f"{p}, {q}" for p, q in np.ndindex(3, 3)], fontsize=7)
framed = [np.pad(row.reshape(6, 6), 1, constant_values=8) for row in cols]
axes[1].imshow(np.block([framed[:3], framed[3:6], framed[6:]]), cmap="gray_r")
bare(axes[1])
axes[1].set_title("its rows, folded to 6 x 6", fontsize=10)
plt.show()

# %% [markdown]
# Row $(p, q)$ is the whole picture, shifted by $p$ and $q$. So there is a second way to build the matrix: not a loop over
# places but one over the few weights, each copying a large piece. Or none at all: NumPy can *view* an array as its windows
# by its strides, and copies when `reshape` asks for a matrix.


# %%
def im2col_by_weights(x, k):
    """As `im2col`: a shifted picture for every weight."""
    c, h, w = x.shape
    cols = np.empty((c, k, k, h - k + 1, w - k + 1))
    for p, q in np.ndindex(k, k):
        cols[:, p, q] = x[:, p:p + h - k + 1, q:q + w - k + 1]
    return cols.reshape(c * k * k, -1)


def im2col_by_view(x, k):
    """As `im2col`: NumPy's view of the windows, (C, OH, OW, k, k), in the order of the matrix."""
    return sliding_window_view(x, (k, k), (1, 2)).transpose(0, 3, 4, 1, 2).reshape(len(x) * k * k, -1)


x = chance.normal(size=(3, 20, 20))
print("all three agree:", all(np.array_equal(im2col(x, 5), f(x, 5)) for f in (im2col_by_weights, im2col_by_view)))
size = im2col(x, 5).size
print(f"the picture has {x.size:,} numbers, its columns {size:,}: {size / x.size:.0f} times as many")

# %% [markdown]
# The price is memory: a pixel is copied into every window that holds it, up to $K^2$ times. Libraries therefore make the
# columns piece by piece, use them while they are in the cache, and forget them.
#
# ## The way back
#
# With $W$ the kernels as rows, $Y = W\, \mathrm{cols}$. Both gradients of a matrix product are matrix products:
#
# $$dW = dY\, \mathrm{cols}^T, \qquad d\mathrm{cols} = W^T\, dY .$$
#
# What remains is to go from $d\mathrm{cols}$ to $dx$. A pixel was copied to several places, so it is used several times, so
# its gradient is the *sum* of the gradients of its copies. Where im2col reads, col2im adds.


# %%
def col2im(cols, shape, k):
    """cols (C k k, OH OW) -> x of `shape` (C, H, W): every pixel is the sum of its copies."""
    c, h, w = shape
    x = np.zeros(shape)
    cols = cols.reshape(c, k, k, h - k + 1, w - k + 1)
    for p, q in np.ndindex(k, k):
        x[:, p:p + h - k + 1, q:q + w - k + 1] += cols[:, p, q]
    return x


# %% [markdown]
# How often is each pixel copied? Columns of ones, sent back, count it.

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for ax, (k, stride) in zip(axes, ((3, 1), (3, 2), (2, 2))):
    places = (8 - k) // stride + 1
    ones = tinycnn.ones(1, k * k, places ** 2)
    counts = F.fold(ones, (8, 8), k, stride=stride).numpy()[0, 0]
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=14)
    for (i, j), value in np.ndenumerate(counts):
        ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8)
    ax.set_title(f"window {k}x{k}, stride {stride}", fontsize=10)
    bare(ax)
plt.show()
print("col2im of ones is the library's fold:", np.array_equal(
    col2im(np.ones((9, 36)), (1, 8, 8), 3)[0], F.fold(tinycnn.ones(1, 9, 36), (8, 8), 3).numpy()[0, 0]))

# %% [markdown]
# In the middle $K^2$ times, in a corner once. So col2im does not undo im2col, unless the windows do not overlap. What it is
# instead is the *adjoint*. im2col is linear; for every $x$ and every matrix $c$,
#
# $$\langle \mathrm{im2col}(x),\, c \rangle = \langle x,\, \mathrm{col2im}(c) \rangle .$$
#
# Both sides sum over the same pairs, a pixel and the number at one of its copies. The identity needs no derivative and no
# step size, and it holds to rounding: the sharpest test there is for the backward of something linear.

# %%
x, c = chance.normal(size=(3, 9, 8)), chance.normal(size=(27, 42))
left, right = (im2col(x, 3) * c).sum(), (x * col2im(c, x.shape, 3)).sum()
print(f"{left:.12f}\n{right:.12f}")

# %%
w, dy = chance.normal(size=(4, 3, 3, 3)), chance.normal(size=(4, 7, 6))
W, dY = w.reshape(4, -1), dy.reshape(4, -1)
tx, tw = tinycnn.tensor(x[None], requires_grad=True), tinycnn.tensor(w, requires_grad=True)
F.conv2d(tx, tw).backward(tinycnn.from_numpy(dy[None]))
print("dw:", np.allclose((dY @ im2col(x, 3).T).reshape(w.shape), tw.grad.numpy()))
print("dx:", np.allclose(col2im(W.T @ dY, x.shape, 3), tx.grad.numpy()[0]))

# %% [markdown]
# ## Watching the library do it
#
# The library does the same in `tinycnn/ops/conv.py` and `tinycnn/ops/unfold.py`. Inside `with tinycnn.plainly():` exactly
# what stands there is what runs, and Python can tell which lines that are: it calls a function that was given to
# `sys.settrace` before each of them. Here are those of one step forward and backward, each once, without the helpers that
# check arguments and turn axes.

# %%
MATHEMATICS = ("forward", "backward", "convolve", "input_gradient", "weight_gradient", "im2col", "col2im", "add_windows")


def lines_run(work):
    """The lines of the mathematics in conv.py and unfold.py, in the order in which `work()` first comes to them."""
    found = {}

    def trace(frame, event, _):
        file = frame.f_code.co_filename
        if file in (conv.__file__, unfold.__file__) and frame.f_code.co_name in MATHEMATICS:
            if event == "line":
                found[f"{Path(file).name}:{frame.f_lineno}"] = linecache.getline(file, frame.f_lineno).strip()
            return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return found


def step():
    F.conv2d(tx, tw).sum().backward()


with tinycnn.plainly():
    plain = lines_run(step)
for place, line in plain.items():
    print(f"{place:13} {line}")

# %% [markdown]
# `convolve` is the product with the columns, `input_gradient` that with $W^T$ and the way back, `weight_gradient` that with
# $\mathrm{cols}^T$. And without `plainly`?

# %%
faster = lines_run(step)
for place, line in faster.items():
    print(f"{place:13} {line}")
print(f"{len(faster)} of {len(plain)} lines")

# %% [markdown]
# The operation still begins and ends here, but the three products are computed elsewhere, by *roads*: faster ways to the
# same numbers, which `tinycnn/cpu/` lays around the formulas. `tinycnn roads` lists them.
#
# ## The matrix behind it
#
# A convolution with fixed kernel is a linear map from pictures to maps, so it *is* a matrix: its columns are the maps of the
# pictures with a single 1. What does it look like for a 3x3 kernel on 6x6 pixels?

# %%
units = np.eye(36).reshape(36, 1, 6, 6)
kernel = np.arange(1.0, 10).reshape(1, 1, 3, 3)
T = F.conv2d(tinycnn.from_numpy(units), tinycnn.from_numpy(kernel)).numpy().reshape(36, 16).T
figure, ax = plt.subplots(figsize=(6.5, 3.1), layout="constrained")
image = ax.imshow(T, cmap="Blues")
ax.set(xlabel="pixel of the picture", ylabel="pixel of the map", title="a 3x3 convolution as a matrix, 16 x 36")
figure.colorbar(image, ax=ax, label="entry: a weight, or 0", shrink=0.8)
plt.show()
print(f"{T.size} entries, {np.count_nonzero(T)} of them not 0, {len(np.unique(T)) - 1} different weights")

# %% [markdown]
# A band for each row of the kernel, and the same nine weights in each line. A linear layer has a matrix of the same size
# with nothing in common between its entries; a convolution is a linear layer with most weights 0 and the others shared.
#
# Its transpose carries gradients back. Used forward, it is the layer called *transposed convolution*.

# %%
small = chance.normal(size=(1, 1, 4, 4))
larger = F.conv_transpose2d(tinycnn.from_numpy(small), tinycnn.from_numpy(kernel)).numpy()
print("4x4 becomes", larger.shape[2:], "by the transposed matrix:", np.allclose(T.T @ small.ravel(), larger.ravel()))

# %% [markdown]
# ## How much faster?
#
# The same convolution in loops over places, by columns, and by the library: 4 pictures of 16x16 pixels with 8 channels, 16
# kernels of 3x3. The figures are ratios, and depend on the machine.


# %%
def by_loops(x, w):
    """x (N, C, H, W), w (F, C, k, k) -> y: one sum for every number of the output."""
    k = w.shape[2]
    y = np.zeros((len(x), len(w), x.shape[2] - k + 1, x.shape[3] - k + 1))
    for n, f, i, j in np.ndindex(y.shape):
        y[n, f, i, j] = (w[f] * x[n, :, i:i + k, j:j + k]).sum()
    return y


def by_columns(x, w):
    """The same with a matrix product for each picture."""
    k = w.shape[2]
    size = x.shape[2] - k + 1, x.shape[3] - k + 1
    return np.stack([(w.reshape(len(w), -1) @ im2col_by_view(picture, k)).reshape(-1, *size) for picture in x])


def by_library(x, w):
    return F.conv2d(tinycnn.from_numpy(x), tinycnn.from_numpy(w)).numpy()


def seconds(function, *args, repeats):
    """The best of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return min(times)


x, w = chance.normal(size=(4, 8, 16, 16)), chance.normal(size=(16, 8, 3, 3))
print("equal:", np.allclose(by_loops(x, w), by_columns(x, w)) and np.allclose(by_loops(x, w), by_library(x, w)))
slow = seconds(by_loops, x, w, repeats=3)
ratios = {f.__name__: slow / seconds(f, x, w, repeats=30) for f in (by_columns, by_library)}
for name, ratio in ratios.items():
    print(f"{name}: {ratio:.0f} times as fast as by_loops")

# %%
for images, channels, side, filters in ((32, 3, 64, 32), (32, 16, 32, 16), (16, 32, 32, 64)):
    x = chance.normal(size=(images, channels, side, side)).astype(np.float32)
    w = chance.normal(size=(filters, channels, 3, 3)).astype(np.float32)
    ratio = seconds(by_columns, x, w, repeats=5) / seconds(by_library, x, w, repeats=9)
    print(f"{channels} channels of {side}x{side}, {filters} kernels: the library is {ratio:.1f} times as fast as by_columns")

# %% [markdown]
# The step from loops to columns is the large one. In the small layer the library is behind, because it also checks its
# arguments and prepares the way back. What its roads add for larger layers depends on the machine: caches, threads, memory
# layout. The first page of `tinycnn/cpu/numpy_only/conv.py` lists what makes them fast, and what each idea gains.
#
# ## Fewer products
#
# One of these ideas is of another kind. Two neighbouring outputs of a kernel of three weights,
#
# $$y_0 = x_0 w_0 + x_1 w_1 + x_2 w_2, \qquad y_1 = x_1 w_0 + x_2 w_1 + x_3 w_2,$$
#
# take six products. Winograd (1980) needs four, and some additions; those of the weights are made once for all places:

# %%
x, w = chance.normal(size=4), chance.normal(size=3)
m1, m2 = (x[0] - x[2]) * w[0], (x[1] + x[2]) * ((w[0] + w[1] + w[2]) / 2)
m4, m3 = (x[1] - x[3]) * w[2], (x[2] - x[1]) * ((w[0] - w[1] + w[2]) / 2)
print("four products:", m1 + m2 + m3, m2 - m3 - m4)
print("six products: ", x[:3] @ w, x[1:] @ w)

# %% [markdown]
# In two dimensions, on tiles of 2x2 outputs, 16 products take the place of 36; on tiles of 4x4 outputs 36 that of 144. The
# additions cost as well, and the gain is what is left: `tinycnn/cpu/winograd.py` takes this road where it pays, for kernels
# with many channels, and says where such formulas come from.
#
# ## Exercises
#
# - `tinycnn exercises start im2col`: the columns, with stride and padding
# - `tinycnn exercises start col2im`: the way back
# - `tinycnn exercises start conv_forward`, `tinycnn exercises start conv_backward`: the layer made of them
# - `tinycnn exercises start conv_transpose`: the transposed matrix as a layer
# - `tinycnn exercises start nhwc_conv`: the same with the channels last

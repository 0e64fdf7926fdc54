# %% [markdown]
# # CPU, GPU, and where the time goes
#
# Training a network is a few kinds of operations, many million times. Which of them take the time, how fast could they be at
# best, and what stands between? This lesson measures: a step of a small network, matrix products, three ways to convolve,
# small tensors, threads, and memory. The last part shows what a GPU does differently, in the code that runs there.
#
# All times are those of the machine that ran this notebook. The ratios are what to look at; run it on yours.

# %%
import importlib.util
import inspect
import time
import tracemalloc
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import nn
from tinycnn.cpu import direct
from tinycnn.gpu.launch import FILES
from tinycnn.models import SimpleCNN
from tinycnn.optim import Adam
from tinycnn.utils.checkpoint import checkpoint_sequential
from tinycnn.viz.style import BLUE, GREY, ORANGE, tidy


def seconds(work, repeats=7):
    """The best of a few: the other times were longer because of something else."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


# %% [markdown]
# ## A step, operation by operation
#
# The network for handwritten digits and a batch of 64 pictures of 28x28. (They are noise: time does not depend on what they
# show.) `tinycnn.profile` looks at the clock before and after every operation, forward and backward.

# %%
tinycnn.manual_seed(0)
model = SimpleCNN(num_classes=10, in_channels=1, image_size=28, channels=(16, 32), kernel_size=5, padding=2)
optimizer = Adam(model.parameters(), 0.001)
x, y = tinycnn.randn(64, 1, 28, 28), tinycnn.randint(10, (64,))


def step():
    """Forward, backward, and a change of the weights."""
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


step()  # the first one also fills caches
with tinycnn.profile(peak=True) as prof:
    step()
print(prof.table())

# %% [markdown]
# The same as a picture. What is worth making faster, and what is not?

# %%
figure = prof.plot(limit=6)
figure.set_dpi(80)
figure

# %% [markdown]
# If an operation with the share $s$ of the time cost nothing at all, the whole would be $1 / (1 - s)$ times as fast. (This
# is Amdahl's law.) It says where an effort pays:

# %%
for row in prof.rows[:5]:
    share = row.time / prof.total
    print(f"a step without the cost of {row.name:12} would be {1 / (1 - share):.2f} times as fast")

# %% [markdown]
# The last columns of the table tell how near a convolution comes to the *peak*, the speed of large matrix products on this
# machine.
#
# ## The peak
#
# A product of two $n \times n$ matrices has $2 n^3$ operations on $3 n^2$ numbers. The larger $n$, the more is done with
# each number that was fetched. How large must it be?

# %%
sizes, rates = (8, 16, 32, 64, 128, 256, 512, 1024), []
for n in sizes:
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    rates.append(2 * n**3 / seconds(lambda: a @ a) / 1e9)
figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.loglog(sizes, rates, color=BLUE, marker="o")
ax.set_xticks(sizes, map(str, sizes))
ax.minorticks_off()
ax.set_xlabel("rows of the matrices")
ax.set_ylabel("GFLOP/s")
ax.set_title("matrix products on one core", fontsize=10)
tidy(ax)
plt.show()
print(f"{rates[0]:.1f} GFLOP/s with {sizes[0]} rows, {max(rates):.0f} at best")

# %% [markdown]
# ## Who runs the loop
#
# The definition of convolution is seven loops: pictures, filters, two for the place, channels, two for the offset. In Python
# each multiplication costs the interpreter's work. `im2col` writes every window as a column and makes one matrix product of
# it all; the library's formula in `tinycnn/ops/conv.py` does that, and `plainly()` takes it as it stands.


# %%
def loops(x, w):
    """x (N, C, H, W), w (F, C, K, K) -> y (N, F, H - K + 1, W - K + 1)."""
    (N, C, H, W), (filters, _, K, _) = x.shape, w.shape
    y = np.zeros((N, filters, H - K + 1, W - K + 1), x.dtype)
    for n, f, i, j in np.ndindex(y.shape):
        for c in range(C):
            for a in range(K):
                for b in range(K):
                    y[n, f, i, j] += w[f, c, a, b] * x[n, c, i + a, j + b]
    return y


def library(x, w):
    """The same by conv2d, on whichever road serves here."""
    return F.conv2d(tinycnn.tensor(x), tinycnn.tensor(w)).numpy()


@tinycnn.plainly()
def columns(x, w):
    """The same by conv2d as its formula stands: im2col and a matrix product."""
    return library(x, w)


chance = np.random.default_rng(0)
w = chance.standard_normal((32, 16, 3, 3), dtype=np.float32)
small, large = (chance.standard_normal(shape, dtype=np.float32) for shape in ((1, 16, 4, 4), (32, 16, 28, 28)))
print("all agree:", np.allclose(loops(small, w), columns(small, w), atol=1e-3),
      np.allclose(columns(small, w), library(small, w), atol=1e-3))

# %% [markdown]
# Numba makes machine code of loops in Python. Here are the same seven loops, in Python, compiled, and what the library does,
# all on one core:

# %%
cores, ways = tinycnn.get_num_threads(), [("seven loops", loops, small)]
if importlib.util.find_spec("numba"):
    from numba import njit
    ways.append(("compiled", njit(loops), large))
ways += [("im2col", columns, large), ("library", library, large)]
tinycnn.set_num_threads(1)
rates = {}
for name, way, x in ways:
    products = len(x) * len(w) * (x.shape[2] - 2) ** 2 * w[0].size
    rates[name] = 2 * products / seconds(lambda: way(x, w), 5)
    print(f"{name:12} {rates[name] / 1e9:10.4f} GFLOP/s, {rates[name] / rates['seven loops']:9,.0f} times the loops")
tinycnn.set_num_threads(cores)

# %% [markdown]
# Nothing was computed differently: the same products, the same sums. What changed is who runs the loop. But why are the
# compiled loops, which no interpreter holds up, so far from the peak? Because they fetch two numbers from memory for every
# product. The library's loops know how a processor is made. The file that explains it begins like this:

# %%
explained = Path(direct.__file__).with_name("registers.py").read_text()
print(explained[3:explained.index("Here the tile is")])

# %% [markdown]
# With that one step, the convolution is a loop again, and a short one. It is compiled in the same way as the seven loops
# above, and it is what just ran, where Numba is installed. (Else columns in pieces that fit the cache do, in
# `tinycnn/cpu/numpy_only/conv.py`; and from 32 channels on, 3x3 kernels save products by additions, in
# `tinycnn/cpu/winograd.py`.)

# %%
text = inspect.getsource(direct.convolution)
print(text[text.index("    def run"):text.index("    return compiled")])

# %% [markdown]
# So much less is fetched for a product:

# %%
if "compiled" in rates:
    from tinycnn.cpu.registers import lanes
    J, V = direct.tile_for(26, len(w), w.dtype)
    print(f"a tile of {J} rows of {V} vectors of {lanes(w.dtype)} numbers: {J * V * lanes(w.dtype)} sums; "
          f"{J} numbers and {V} vectors are loaded for {J * V * lanes(w.dtype)} products")

# %% [markdown]
# `tinycnn roads` prints for every formula which roads there are, which of them serve on your machine, and why the others do
# not. Each is compared with its formula, for all the cases on which gradients are checked.
#
# ## Small tensors
#
# How long does a ReLU take, for tensors from one number to ten million? A straight line would be time in proportion to the
# work.

# %%
sizes, times = np.logspace(0, 7, 15).astype(int), []
for n in sizes:
    values = tinycnn.randn(int(n))
    times.append(1e6 * seconds(lambda: F.relu(values)))
figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.loglog(sizes, times, color=BLUE, marker="o", label="measured")
ax.loglog(sizes, times[-1] / sizes[-1] * sizes, color=GREY, ls="--", label="in proportion to the size")
ax.set_ylim(min(times) / 3, None)
ax.set_xlabel("numbers")
ax.set_ylabel("microseconds")
ax.set_title("a ReLU", fontsize=10)
ax.legend(frameon=False)
tidy(ax)
plt.show()
print(f"one number: {times[0]:.1f} microseconds; {sizes[-1]:,} numbers: {times[-1]:,.0f}")

# %% [markdown]
# On the left the line is flat: the time is that of Python, which checks arguments and makes a node for the graph, and the
# numbers themselves cost nothing. On the right it is memory. That is why batches exist, and the more so on a GPU, where the
# flat part reaches much further.

# %%
print(f"{'batch':>6} {'ms a step':>10} {'us a picture':>13}")
for batch in (1, 4, 16, 64, 256):
    pictures, labels = tinycnn.randn(batch, 1, 28, 28), tinycnn.randint(10, (batch,))
    taken = seconds(lambda: F.cross_entropy(model(pictures), labels).backward(), 3)
    print(f"{batch:6} {1e3 * taken:10.2f} {1e6 * taken / batch:13.0f}")

# %% [markdown]
# ## Threads
#
# Work that can be cut into parts can be shared out to cores: here the pictures of a batch. NumPy and compiled loops let go of
# Python's lock while they compute, so threads really run side by side. Waking one takes some ten microseconds, so small work stays on one
# core.

# %%
weight = tinycnn.tensor(w)
for name, batch in (("small", tinycnn.tensor(small)), ("large", tinycnn.tensor(large))):
    times = {}
    for n in dict.fromkeys((1, cores)):
        tinycnn.set_num_threads(n)
        times[n] = seconds(lambda: F.conv2d(batch, weight, padding=1))
    print(f"{name} convolution:", ", ".join(f"{n} thread{'s' * (n > 1)} {1e3 * t:.2f} ms" for n, t in times.items()))
tinycnn.set_num_threads(cores)

# %% [markdown]
# ## Memory
#
# Backward needs what forward computed, so every layer keeps something until backward has come by. `summary` counts it for
# one picture:

# %%
print(tinycnn.summary(model, (1, 28, 28)))

# %% [markdown]
# Where memory is short, time can be paid for it: keep only what enters each of $k$ *segments* and compute the rest again in
# backward, one segment at a time. With $n$ layers that is about $k + n/k$ activations, least at $k = \sqrt n$; the price is
# a second forward pass. Is it so? Twenty-four layers, the highest memory at any moment of a step, and its time:

# %%
deep = nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Tanh()) for _ in range(24)])
pictures = tinycnn.randn(16, 8, 32, 32)
segments, peaks, times = (1, 2, 3, 4, 6, 8, 12, 24), [], []
for k in segments:
    def run():
        """A step in k segments."""
        checkpoint_sequential(deep, k, pictures).square().mean().backward()
    times.append(seconds(run, 3))
    tracemalloc.start()
    run()
    peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
    tracemalloc.stop()

figure, axes = plt.subplots(1, 2, figsize=(7, 2.7), layout="constrained")
for ax, values, colour, label in ((axes[0], peaks, BLUE, "highest memory (MB)"), (axes[1], times, ORANGE, "seconds a step")):
    ax.plot(segments, values, color=colour, marker="o")
    ax.set_xlabel("segments")
    ax.set_ylabel(label)
    ax.set_ylim(0, 1.15 * max(values))
    tidy(ax)
figure.suptitle("24 layers, recomputed in segments", fontsize=10)
plt.show()
print(f"least memory with {segments[int(np.argmin(peaks))]} segments: {min(peaks) / peaks[0]:.0%} of that without; "
      f"time {times[int(np.argmin(peaks))] / times[0]:.2f} times as long")

# %% [markdown]
# ## What changes on a GPU
#
# A GPU has thousands of small cores that all run the same program, a *kernel*, each with another number. It is told apart by
# that number alone. Here is the convolution with one filter a channel (depthwise, as in MobileNet) as it runs there, from
# `tinycnn/gpu/depthwise.cu`:

# %%
text = FILES["depthwise"].read_text()
start = text.index("// y[n, c, oh, ow]")
print(text[start:text.index("// dx[n, c, h, w]")])

# %% [markdown]
# `FOR_EACH(i, count)` deals the numbers below `count` out to the threads. Each turns its number into a picture, a channel
# and a place, and computes one result. Neighbouring threads have neighbouring `ow`, and so read and write neighbouring
# memory, which a GPU fetches in one go. The same program, with a Python loop in place of the threads:


# %%
def thread(i, x, w, y, padding):
    """What thread number i does."""
    N, C, H, W = x.shape
    OH, OW = y.shape[2:]
    plane, place = divmod(i, OH * OW)
    n, c = divmod(plane, C)
    oh, ow = divmod(place, OW)
    total = 0
    for kh in range(w.shape[2]):
        for kw in range(w.shape[3]):
            h, v = oh + kh - padding, ow + kw - padding
            if 0 <= h < H and 0 <= v < W:
                total += w[c, 0, kh, kw] * x[n, c, h, v]
    y[n, c, oh, ow] = total


x, w = chance.standard_normal((2, 3, 5, 6)), chance.standard_normal((3, 1, 3, 3))
y = np.empty((2, 3, 5, 6))
for i in chance.permutation(y.size):  # in any order: nobody waits for anybody
    thread(int(i), x, w, y, 1)
expected = F.conv2d(tinycnn.tensor(x), tinycnn.tensor(w), padding=1, groups=3).numpy()
print("the same as conv2d:", np.allclose(y, expected))

# %% [markdown]
# No thread writes where another one writes, so their order does not matter, and the result is the same every time. Backward
# keeps to that rule by turning the question around: not "where does my gradient go?" but "which gradients are mine?".
#
# With many filters a pixel is needed many times, and a thread that read it anew for each of its results would mostly wait.
# There the columns and the matrix product come back, but the columns are never written down: the threads of a block gather
# a small tile of them, share it, and multiply it at once (`gpu/conv.cu`, `gpu/product.cuh`).
#
# For the user one word changes. A model and its data have to live on the same device:

# %%
device = "cuda" if tinycnn.cuda.is_available() else "cpu"
model = model.to(device)
scores = model(tinycnn.randn(64, 1, 28, 28, device=device))
print(f"computed on {scores.device}")

# %% [markdown]
# What else is different there:
#
# - **Work is queued.** A call returns before the result is there; `.item()` and `print` wait for it. A clock around a call
#   measures the queueing, unless `tinycnn.cuda.synchronize()` stands before the second look at it. The profiler does that.
# - **Every call has a fixed price**, some microseconds for the launch. The flat part of the ReLU's curve is longer, small
#   networks leave the GPU idle, and large batches cost nothing extra.
# - **Copies between the memories are slow** next to everything else. Data goes over once, in batches, ahead of its use
#   (`pin_memory=True` and `non_blocking=True`).
# - **Memory is small**, so recomputing, accumulating gradients over several batches and 16-bit numbers matter more.
#
# ## What to take home
#
# - Measure before you optimise: one operation usually has most of the time.
# - Two limits: operations a second and bytes a second. Which one holds depends on how often a fetched number is used.
# - Give the inner loop to something that is fast at loops: a matrix product, or machine code that uses a number often while it
#   is in a register.
# - Python costs microseconds a call, so make few calls with much work.
# - Time and memory can be exchanged.
#
# ## Exercises
#
# - `tinycnn exercises start im2col`: the windows as columns, without a loop over pixels.
# - `tinycnn exercises start nhwc_conv`: the same convolution for pictures whose channels come last.
# - Profile a network of your own, with a batch of 1 and of 256. Which operations change places?
# - `tinycnn profile --help` does the first part of this lesson for every model of the zoo.

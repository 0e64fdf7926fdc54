# %% [markdown]
# # MobileNet: what a convolution costs
#
# A network for a telephone has to be small and fast. MobileNet takes the convolution apart: first every channel is filtered
# by itself, then the channels are mixed pixel by pixel. That saves nearly nine tenths of the multiplications. How much of
# the *time* does it save?
#
# This lesson counts multiply-adds by hand and with `tinycnn.summary`, measures what they take, and explains the difference.
# At the end small networks of both kinds compete for the best accuracy with the fewest weights.

# %%
import time

import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import models, nn
from tinycnn.data import DataLoader, Digits
from tinycnn.models.blocks import conv_norm, initialise
from tinycnn.models.mobilenet_v1 import separable
from tinycnn.optim import Adam
from tinycnn.profiler import matrix_peak
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import BLUE, GREEN, GREY, ORANGE, tidy

# %% [markdown]
# ## Counting
#
# A dense convolution with $K \times K$ kernels computes, for each of $H W$ places and $F$ filters, a sum over $C$ channels
# and $K^2$ offsets. The separable one does a $K \times K$ sum in each channel, then a sum over $C$ channels for each filter:
#
# $$\text{dense: } HW \cdot F\,C K^2, \qquad \text{separable: } HW \cdot (C K^2 + F C), \qquad
#   \text{ratio: } \frac{1}{F} + \frac{1}{K^2}.$$

# %%
C, filters, K, H, W = 64, 128, 3, 28, 28
dense = nn.Conv2d(C, filters, K, padding=1, bias=False)
depthwise = nn.Conv2d(C, C, K, padding=1, groups=C, bias=False)
pointwise = nn.Conv2d(C, filters, 1, bias=False)
by_hand = H * W * filters * C * K * K, H * W * (C * K * K + filters * C)
print(tinycnn.summary(nn.Sequential(depthwise, pointwise), (C, H, W)))
counted = [tinycnn.summary(net, (C, H, W)).multiply_adds for net in (dense, nn.Sequential(depthwise, pointwise))]
print(f"\ndense {counted[0]:,}, separable {counted[1]:,}; by hand {by_hand[0]:,} and {by_hand[1]:,}")
print(f"ratio {counted[1] / counted[0]:.4f}, 1/F + 1/K^2 = {1 / filters + 1 / K**2:.4f}")

# %% [markdown]
# ## Groups
#
# The depthwise convolution is the extreme case of a *grouped* one: with $G$ groups, channels and filters fall into $G$ equal
# parts, and a filter sees the channels of its own part only. That is a dense convolution whose weights are zero outside of
# blocks. With eight channels and four groups, which filter sees which channel?

# %%
x, w = tinycnn.randn(2, 8, 6, 6), tinycnn.randn(8, 2, 3, 3)
blocks = np.zeros((8, 8, 3, 3), np.float32)
for f in range(8):
    first = f // 2 * 2  # the first channel of the group
    blocks[f, first:first + 2] = w.numpy()[f]
same = np.allclose(F.conv2d(x, w, groups=4).numpy(), F.conv2d(x, tinycnn.tensor(blocks)).numpy(), atol=1e-5)
print("four groups are a dense convolution with zeros:", same)

figure, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
for ax, groups in zip(axes, (1, 4, 8)):
    sees = np.kron(np.eye(groups), np.ones((8 // groups, 8 // groups)))
    ax.imshow(sees, cmap="Blues", vmin=0, vmax=1.6)
    ax.set_title(f"{groups} group{'s' * (groups > 1)}: {int(sees.sum())} kernels", fontsize=10)
    ax.set_xlabel("channel")
axes[0].set_ylabel("filter")
plt.show()

# %% [markdown]
# The depthwise convolution needs no matrix product at all. For each offset of the kernel: shift the picture, multiply every
# channel by its weight, add up.


# %%
def depthwise_by_hand(x, w):
    """x (N, C, H, W), w (C, 1, K, K) -> y (N, C, H, W), with as many zeros around as keep the size."""
    K = w.shape[2]
    h, w_ = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (K // 2, K // 2), (K // 2, K // 2)))
    y = np.zeros_like(x)
    for i in range(K):
        for j in range(K):
            y += w[:, 0, i, j, None, None] * padded[:, :, i:i + h, j:j + w_]
    return y


x = tinycnn.randn(4, C, H, W)
with tinycnn.no_grad():
    y = depthwise_by_hand(x.numpy(), depthwise.weight.detach().numpy())
    print("as the library:", np.allclose(y, depthwise(x).numpy(), atol=1e-5))

# %% [markdown]
# ## Where a MobileNet spends its multiply-adds
#
# The whole network for 224x224 pixels. Which kind of layer has the most, and which the most weights?

# %%
model = models.mobilenet_v1()
mobilenet, modules = tinycnn.summary(model, (3, 224, 224)), dict(model.named_modules())


def kind_of(module):
    """What sort of layer `module` is."""
    if isinstance(module, nn.Conv2d):
        return {1: "pointwise 1x1", 3: "depthwise 3x3"}[module.kernel_size[0]] if module.in_channels > 3 else "first layer"
    return "linear layer" if isinstance(module, nn.Linear) else "norms and ReLU"


print(f"{mobilenet.parameters:,} weights, {mobilenet.multiply_adds:,} multiply-adds")
print(f"{'':15} {'weights':>14} {'multiply-adds':>14}")
for kind in ("first layer", "depthwise 3x3", "pointwise 1x1", "norms and ReLU", "linear layer"):
    rows = [row for row in mobilenet.rows if kind_of(modules[row.name]) == kind]
    work, weights = sum(r.multiply_adds for r in rows), sum(r.parameters for r in rows)
    print(f"{kind:15} {weights / mobilenet.parameters:14.1%} {work / mobilenet.multiply_adds:14.1%}")

# %% [markdown]
# The depthwise layers seem to cost nothing. A clock says otherwise.
#
# ## Multiply-adds and time
#
# The same input of 64 channels goes through three convolutions and, for comparison, through a ReLU. A multiply-add counts as
# two operations, a comparison in the ReLU as one.


# %%
def milliseconds(work, repeats=9):
    """The best of a few."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


C, batch = 64, 8
x = tinycnn.randn(batch, C, H, W)
layers = {"dense 3x3": nn.Conv2d(C, C, 3, padding=1, bias=False), "pointwise 1x1": nn.Conv2d(C, C, 1, bias=False),
          "depthwise 3x3": nn.Conv2d(C, C, 3, padding=1, groups=C, bias=False), "ReLU": nn.ReLU()}
measured = {}
for name, layer in layers.items():
    flops = 2 * batch * H * W * sum(p.numel() for p in layer.parameters()) or x.numel()
    with tinycnn.no_grad():
        taken = milliseconds(lambda: layer(x))
    moved = 2 * x.array.nbytes  # the input is read once, the output written once, at the least
    measured[name] = flops / moved, flops / taken / 1e6
    print(f"{name:14} {flops / 1e6:7.1f} million operations, {taken:6.2f} ms, {flops / taken / 1e6:6.1f} GFLOP/s, "
          f"{flops / moved:6.1f} operations a byte")

# %% [markdown]
# The last column is the reason. Numbers have to come from memory before anything can be computed with them. A dense
# convolution uses every number that it fetches hundreds of times; the depthwise one nine times; the ReLU once. A processor
# that could multiply without end would still have to wait for the bytes.
#
# Such a picture is called a *roofline*: the speed that a layer reaches against its operations a byte. The slanted line is
# what memory allows (taken from the copying of a large array), the level one what the processor can compute (taken from
# large matrix products).

# %%
large = np.ones(8_000_000, np.float32)
target = np.empty_like(large)
bandwidth = 2 * large.nbytes / milliseconds(lambda: np.copyto(target, large)) / 1e6  # GB/s
peak = matrix_peak() / 1e9
figure, ax = plt.subplots(figsize=(6.5, 3.3), layout="constrained")
intensity = np.logspace(-1.5, 2.7, 50)
ax.loglog(intensity, np.minimum(peak, bandwidth * intensity), color=GREY, label=f"{bandwidth:.0f} GB/s, {peak:.0f} GFLOP/s")
for (name, (operations, rate)), colour, mark in zip(measured.items(), (BLUE, GREEN, ORANGE, GREY), "os^D"):
    ax.loglog(operations, rate, color=colour, marker=mark, ls="", label=name)
ax.set_xlabel("floating-point operations a byte")
ax.set_ylabel("GFLOP/s")
ax.legend(frameon=False, fontsize=9)
tidy(ax)
ax.set_title("what memory allows, and what the processor can do", fontsize=10)
plt.show()

# %% [markdown]
# A layer under the slanted part is *memory-bound*: fewer multiplications would not make it faster. The depthwise convolution
# is there. It even stays below the line, because it goes through its input not once but once for each of the nine offsets.
# So it is quick, but far from as quick as its share of the multiply-adds promises. On a GPU it is the same: there the corner
# of the roof lies still further to the right.
#
# How does the time fall with the number of groups in between? If it followed the multiply-adds, both lines would be one.

# %%
groups, C = (1, 2, 4, 8, 16, 32, 128), 128
x = tinycnn.randn(8, C, 14, 14)
with tinycnn.no_grad():
    times = []
    for g in groups:
        layer = nn.Conv2d(C, C, 3, padding=1, groups=g, bias=False)
        times.append(milliseconds(lambda: layer(x)))
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.loglog(groups, np.array(times) / times[0], color=ORANGE, marker="^", label="time")
ax.loglog(groups, 1 / np.array(groups), color=BLUE, marker="o", label="multiply-adds")
ax.set_xticks(groups, map(str, groups))
ax.minorticks_off()
ax.set_xlabel("groups")
ax.set_ylabel("share of the dense one")
ax.set_title(f"a 3x3 convolution of {C} channels in groups", fontsize=10)
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# A matrix product is fast when its matrices are large. Many groups mean many small products, so small that the library does
# several of them as one, with zeros between: as many multiplications as before, and the line is flat. At the right end, with
# one channel a group, it changes to the way of `depthwise_by_hand`.
#
# ## The width multiplier
#
# MobileNet comes with a knob: all widths times $\alpha$. The pointwise layers dominate, and their cost is a product of two
# widths. So it should fall with $\alpha^2$:

# %%
print(f"{'width':>6} {'weights':>11} {'multiply-adds':>15} {'share':>7} {'width^2':>8}")
tables = {alpha: tinycnn.summary(models.mobilenet_v1(width_mult=alpha), (3, 128, 128)) for alpha in (1.0, 0.75, 0.5, 0.25)}
for alpha, table in tables.items():
    share = table.multiply_adds / tables[1.0].multiply_adds
    print(f"{alpha:6} {table.parameters:11,} {table.multiply_adds:15,} {share:7.3f} {alpha**2:8.3f}")

# %% [markdown]
# ## What the weights are worth
#
# Fewer weights and fewer multiplications are no merit if accuracy falls as much. Two families of small networks for the
# digits, equal but for the kind of their convolutions, each in several widths, trained alike:


# %%
def network(kind, width):
    """Three convolutions of one kind after a first dense one; (N, 1, 8, 8) -> scores (N, 10)."""
    step = separable if kind == "separable" else lambda C, F, stride: conv_norm(C, F, stride=stride)
    model = nn.Sequential(conv_norm(1, width), step(width, 2 * width, 2), step(2 * width, 2 * width, 1),
                          step(2 * width, 2 * width, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10))
    initialise(model)
    return model


train, test = DataLoader(Digits("train"), 64, shuffle=True), DataLoader(Digits("test"), 353)
points = {"dense": [], "separable": []}
for kind, widths in (("dense", (2, 4, 8, 16)), ("separable", (4, 8, 16, 32))):
    for width in widths:
        scores = []
        for seed in (0, 1):
            tinycnn.manual_seed(seed)
            model = network(kind, width)
            fit(model, train, epochs=6, optimizer=Adam(model.parameters(), 0.01), progress=False)
            scores.append(100 * evaluate(model, test)[1])
        points[kind].append((sum(p.numel() for p in model.parameters()), np.mean(scores)))
    print(f"{kind:10}", ", ".join(f"{weights:,} weights {score:.1f} %" for weights, score in points[kind]))

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for (kind, values), colour, mark in zip(points.items(), (ORANGE, BLUE), "^o"):
    ax.semilogx(*zip(*values), color=colour, marker=mark, label=kind)
ax.set_xlabel("weights")
ax.set_ylabel("test accuracy (%)")
ax.set_title("digits: accuracy and size, mean of two runs", fontsize=10)
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# At the same number of weights the two kinds are close here: a separable network affords more channels, a dense one more
# connections. With so few filters the saving $1/F + 1/K^2$ is far from its limit, and it grows with the width: that is why
# such layers are found in large networks for photographs.
#
# ## What to take home
#
# - A separable convolution costs $1/F + 1/K^2$ of a dense one, in multiply-adds and in weights.
# - Multiply-adds are not time. What counts besides is how often a number is used once it has been fetched.
# - Pointwise convolutions are matrix products, the thing that computers do best. That most of MobileNet is in them is what
#   makes it fast.
# - When you report a cost, say which: weights, multiply-adds, milliseconds on which machine, or bytes.
#
# ## Exercises
#
# - `tinycnn exercises start grouped_conv`: forward and backward of a convolution in groups.
# - Replace ReLU by nothing between depthwise and pointwise. Does accuracy suffer?
# - Measure the depthwise convolution with kernels of 3, 5 and 7. Does the time grow with $K^2$?
# - Compare `models.mobilenet_v2`: where does it spend its multiply-adds?

# %% [markdown]
# # VGG, ResNet, DenseNet: depth and skips
#
# Deeper networks can compute more. For years they learnt *less*: not because they overfitted, but because the training did
# not get anywhere. This lesson goes through three answers of three years. VGG: make the kernels small, and stack them.
# ResNet: let every block learn a change of its input, not a new output. DenseNet: keep everything that was computed.

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import models, nn
from tinycnn.data import DataLoader, Digits
from tinycnn.models.blocks import initialise
from tinycnn.models.densenet import DenseBlock
from tinycnn.models.resnet import BasicBlock, Bottleneck, PlainBlock, conv3x3
from tinycnn.models.vgg import CONFIGURATIONS, make_layers
from tinycnn.optim import SGD
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import BLUE, GREEN, GREY, ORANGE, tidy


def weights_of(module):
    """How many numbers `module` learns."""
    return sum(p.numel() for p in module.parameters())


# %% [markdown]
# ## VGG: two small kernels for a large one
#
# Two convolutions of 3x3, one on top of the other, look at 5x5 pixels; three look at 7x7. What do they cost, with $C$
# channels in and out? $2 \cdot 9\,C^2$ against $25\,C^2$, and $27\,C^2$ against $49\,C^2$:

# %%
C = 64
for large, count in ((5, 2), (7, 3)):
    one = nn.Conv2d(C, C, large, padding=large // 2, bias=False)
    stack = nn.Sequential(*[nn.Conv2d(C, C, 3, padding=1, bias=False) for _ in range(count)])
    print(f"{large}x{large}: {weights_of(one):,} weights; {count} of 3x3: {weights_of(stack):,}, "
          f"{weights_of(stack) / weights_of(one):.0%} of that")

# %% [markdown]
# Do they really see the same pixels? The gradient tells: an output depends on the pixels where its derivative is not zero.
# The absolute derivative of the output in the middle, for random weights:

# %%
tinycnn.manual_seed(0)
figure, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
for ax, (size, count) in zip(axes, ((5, 1), (3, 2), (3, 3))):
    stack = nn.Sequential(*[nn.Conv2d(8, 8, size, padding=size // 2) for _ in range(count)])
    x = tinycnn.randn(1, 8, 9, 9, requires_grad=True)
    stack(x)[0, 0, 4, 4].backward()
    ax.imshow(x.grad[0].abs().sum(0).numpy(), cmap="Blues")
    reach = int((x.grad[0].abs().sum(0).numpy()[4] > 0).sum())
    ax.set_title(f"{count} convolution{'s' * (count > 1)} of {size}x{size}: sees {reach}x{reach}", fontsize=9)
    ax.set(xticks=range(9), yticks=range(9), xlabel="column")
axes[0].set_ylabel("row")
plt.show()

# %% [markdown]
# Two small ones see as far as the large one, look more at the middle than at the rim, have fewer weights and one ReLU more.
# VGG is nothing but this, with halvings between. Where are its weights?

# %%
convolutions = weights_of(make_layers(CONFIGURATIONS["D"]))
linear = [(inputs + 1) * outputs for inputs, outputs in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000))]
print(f"VGG-16: {convolutions:,} in 13 convolutions, {sum(linear):,} in 3 linear layers, {linear[0]:,} of them in the first")
print(f"{sum(linear) / (sum(linear) + convolutions):.0%} of {sum(linear) + convolutions:,} weights are in the linear layers")

# %% [markdown]
# Later networks take the mean of each map in place of the first linear layers. What remained was depth: with 16 layers VGG
# was at its end. More of them made it *worse*.
#
# ## What happens to the gradient
#
# A plain block computes $y = \mathrm{relu}(F(x))$ with two convolutions and batch norm in $F$. A residual block computes $y
# = \mathrm{relu}(F(x) + x)$. Backward,
#
# $$\frac{\partial L}{\partial x} = \Big(\frac{\partial F}{\partial x}\Big)^{\!T} g \qquad\text{or}\qquad
#   \frac{\partial L}{\partial x} = \Big(\frac{\partial F}{\partial x}\Big)^{\!T} g + g,$$
#
# with $g$ the gradient behind the ReLU. In the plain net the gradient is a product of as many matrices as there are layers,
# and a product of many factors goes to zero or to infinity. The sum always has the term that goes straight through. If $F$
# is zero, for instance because its last batch norm multiplies by zero, a residual block is the identity:

# %%
block = BasicBlock(4, 4)
nn.init.zeros_(block.bn2.weight)
x = tinycnn.rand(2, 4, 5, 5, requires_grad=True)  # not negative, so that the last ReLU changes nothing
g = tinycnn.randn(2, 4, 5, 5)
y = block(x)
y.backward(g)
print("y = x:", tinycnn.equal(y, x), "  dx = g:", tinycnn.equal(x.grad, g))

# %% [markdown]
# Now 41 convolutions on the 8x8 digits, at initialisation. How large is the gradient of the weights, layer by layer?


# %%
def network(block, count, width=16):
    """A convolution, `count` blocks of two, the mean of each map, and a linear layer."""
    model = nn.Sequential(conv3x3(1, width), nn.BatchNorm2d(width), nn.ReLU(), *[block(width, width) for _ in range(count)],
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
    initialise(model)
    return model


train, test = Digits("train"), Digits("test")
x, y = train.batch(np.arange(64))
norms = {}
for name, block in (("plain", PlainBlock), ("residual", BasicBlock)):
    tinycnn.manual_seed(0)
    model = network(block, 20)
    F.cross_entropy(model(x), y).backward()
    norms[name] = [p.grad.norm().item() for p in model.parameters() if p.ndim == 4]
    print(f"{name:9} first layer {norms[name][0]:8.3f}, last layer {norms[name][-1]:.3f}, "
          f"ratio {norms[name][0] / norms[name][-1]:.0f}")

# %%
figure, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for (name, values), colour, mark in zip(norms.items(), (ORANGE, BLUE), "^o"):
    ax.semilogy(range(1, len(values) + 1), values, color=colour, marker=mark, ms=4, label=name)
ax.set_xlabel("convolution, from the picture to the loss")
ax.set_ylabel("length of the gradient")
ax.set_title("gradients of the weights before the first step", fontsize=10)
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# Seen from the loss, backwards, the gradient of the plain net grows by a nearly constant factor a layer: a straight line on
# the logarithmic axis, the signature of a product. (Without batch norm it would shrink or grow with the size of the
# weights.) No step is right for all layers: what moves the last ones blows up the first. With skips the first layer and the
# last differ far less.
#
# ## Does it matter?
#
# Both kinds with 5, 13 and 25 convolutions, trained alike. What counts here is the *training* loss: a deep network that
# cannot even fit what it is shown has a problem of optimisation, and not of too much capacity.

# %%
histories = {}
for count in (2, 6, 12):
    for name, block in (("plain", PlainBlock), ("residual", BasicBlock)):
        tinycnn.manual_seed(0)
        model = network(block, count)
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        histories[name, count] = fit(model, DataLoader(train, 64, shuffle=True), epochs=4, optimizer=optimizer,
                                     progress=False)
        print(f"{name:9} {1 + 2 * count:2} convolutions, {weights_of(model):7,} weights: "
              f"training loss {histories[name, count][-1]['train_loss']:.2f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, layout="constrained")
styles = {2: (GREY, ":", "s"), 6: (BLUE, "--", "o"), 12: (ORANGE, "-", "^")}
for ax, name in zip(axes, ("plain", "residual")):
    for count, (colour, dashes, mark) in styles.items():
        losses = [row["train_loss"] for row in histories[name, count]]
        ax.plot(range(1, 5), losses, color=colour, ls=dashes, marker=mark, ms=4, label=f"{1 + 2 * count} convolutions")
    ax.set_title(name, fontsize=10)
    ax.set_xlabel("epoch")
    ax.set_xticks(range(1, 5))
    tidy(ax)
axes[0].set_ylabel("training loss")
axes[1].legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# The same weights, the same computation but for an addition that costs nothing. Without it deeper is worse, with it deeper
# is no harm. `models.cifar_plain56` and `models.cifar_resnet56` show the same on photographs.
#
# ## The bottleneck
#
# With 256 channels two 3x3 convolutions are expensive. ResNet-50 first narrows with 1x1, works at 64 channels, and widens
# again. ResNeXt works at 128 channels in 32 groups of 4, at nearly the same price, and learns 32 small paths. Counted by
# hand and by the library, without batch norm:

# %%
by_hand = {"two 3x3 convolutions": 2 * 9 * 256 * 256, "bottleneck (ResNet)": 256 * 64 + 9 * 64 * 64 + 64 * 256,
           "bottleneck in 32 groups (ResNeXt)": 256 * 128 + 9 * 128 * (128 // 32) + 128 * 256}
blocks = (BasicBlock(256, 256), Bottleneck(256, 64), Bottleneck(256, 64, groups=32, base_width=4))
for (name, expected), block in zip(by_hand.items(), blocks):
    counted = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    print(f"{name:35} {expected:9,} {counted:9,}")

# %% [markdown]
# ## DenseNet: join, do not add
#
# A dense layer makes $k$ new channels, its *growth rate*, and puts them beside all that came before. Nothing is overwritten,
# so a layer can be narrow: it adds to the common knowledge, and need not carry it.

# %%
block = DenseBlock(num_layers=4, in_channels=16, bn_size=4, growth_rate=12, drop_rate=0)
x = tinycnn.randn(2, 16, 8, 8)
y = block(x)
print(f"{x.shape[1]} channels in, {y.shape[1]} = 16 + 4 * 12 out")
print("the first 16 are the input itself:", tinycnn.equal(y[:, :16], x))
for name, layer in block.named_children():
    print(f"{name}: sees {layer.conv1.in_channels} channels, {weights_of(layer):,} weights")

# %% [markdown]
# How does the gradient come back? Through concatenation it is cut into pieces, one for each part, unchanged. So a loss that
# looks at the end of a block speaks directly to each of its layers. Here is a small dense network, trained as those above:

# %%
tinycnn.manual_seed(0)
layers, width, growth = 8, 16, 8
dense = nn.Sequential(conv3x3(1, width), DenseBlock(layers, width, 4, growth, 0), nn.BatchNorm2d(width + layers * growth),
                      nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width + layers * growth, 10))
initialise(dense)
fit(dense, DataLoader(train, 64, shuffle=True), epochs=4, optimizer=SGD(dense.parameters(), lr=0.1, momentum=0.9),
    progress=False)
unseen = DataLoader(test, 353)
whole, share = evaluate(dense, unseen)
print(f"{weights_of(dense):,} weights, {100 * share:.1f} % of the test pictures, loss {whole:.2f}")

# %% [markdown]
# Are the old channels really used again, or only carried along? Cut the connections, one at a time: set the weights with
# which one layer reads the channels of another to zero, and see how far the loss on the test pictures rises.

# %%
matrix = np.full((layers, layers), np.nan)  # row: who is heard, column: who listens
with tinycnn.no_grad():
    for i, layer in enumerate(dense[1].children()):
        w = layer.conv1.weight
        before = w.clone()
        for j in range(i + 1):
            start = 0 if j == 0 else width + (j - 1) * growth
            w[:, start:width + j * growth] = 0
            matrix[j, i] = evaluate(dense, unseen)[0] - whole
            w.copy_(before)

# %%
figure, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
ax.imshow(matrix, cmap="Oranges", vmin=0, vmax=2, aspect="auto")
for (j, i), rise in np.ndenumerate(matrix):
    if j <= i:
        ax.text(i, j, f"{rise:.2f}", ha="center", va="center", fontsize=8)
ax.set_xticks(range(layers), range(1, layers + 1))
ax.set_yticks(range(layers), ["input", *range(1, layers)])
ax.set_xlabel("layer that listens")
ax.set_ylabel("layer that is heard")
ax.set_title("by how much the loss rises when a connection is cut", fontsize=10)
plt.show()

# %% [markdown]
# The first layer hears nothing but the input, so that cut is fatal. The next layers are hurt by losing old channels too, not
# only the newest. The last ones hardly notice any single cut.
#
# ## Sizes
#
# What do the architectures of the papers weigh, for 1000 classes?

# %%
sizes = {"VGG-16": convolutions + sum(linear)}
for name in ("resnet18", "resnet50", "resnext50_32x4d", "densenet121"):
    sizes[name] = weights_of(models.get_model(name))
figure, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
bars = ax.barh(list(sizes), [size / 1e6 for size in sizes.values()], color=[ORANGE, BLUE, BLUE, BLUE, GREEN])
ax.bar_label(bars, [f" {size:,}" for size in sizes.values()], fontsize=8)
ax.invert_yaxis()
ax.set_xlim(0, 175)
ax.set_xlabel("million weights")
ax.set_title("weights of networks for ImageNet", fontsize=10)
tidy(ax)
plt.show()

# %% [markdown]
# ## What to take home
#
# - Small kernels, stacked, see as much as large ones for less.
# - A plain deep network fails in *training*: its gradient is a product. A skip adds a term that comes through whole.
# - Bottlenecks make depth affordable; groups share the same cost out to many paths.
# - Adding (ResNet) and joining (DenseNet) are two ways to keep a short path from the loss to every layer.
#
# ## Exercises
#
# - `tinycnn exercises start residual_block`: forward and backward of a residual block, in NumPy.
# - `tinycnn exercises start initialisation`: how large weights must be for the signal to live through many layers.
# - Start the last batch norm of every residual block at zero (`nn.init.zeros_(block.bn2.weight)`). What becomes of the
#   gradients before the first step, and of the first epoch?
# - Put the norm and the ReLU before the convolutions (`models.preact_resnet`). Which way is now free of any function?

# %% [markdown]
# # What filters and feature maps show
#
# A trained network is a list of numbers. This lesson looks into one from four sides: the filters themselves, the maps that
# they make of a picture, the pictures that they would like best, and the pixels on which an answer depends.
#
# The network is LeNet-5, trained on MNIST, which comes along with the library. It looks at digits that it has never seen:
# the 8x8 digits, enlarged. A second network, trained here for a few seconds, answers the question of the last part: where in
# a picture with two shapes is the circle?

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import models, nn, viz
from tinycnn.data import MNIST, DataLoader, Digits, Shapes, TensorDataset
from tinycnn.optim import Adam
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import bare

# %% [markdown]
# ## A network, and pictures for it
#
# LeNet-5 wants 28x28 pixels, in which the digit fills 20x20. So the small digits are enlarged and framed. How well does it
# read the writing of other people, scanned by other machines?

# %%
lenet = models.lenet5(weights="mnist").eval()
digits = Digits("test")
large = F.interpolate(tinycnn.tensor(digits.pictures / np.float32(16)), 20, mode="bicubic").clamp(0, 1)
x = F.pad(large, (4, 4, 4, 4))
x = tinycnn.tensor(MNIST.FORMAT.normalise(255 * x.numpy()))
y = tinycnn.tensor(digits.labels)
print(f"{100 * evaluate(lenet, DataLoader(TensorDataset(x, y), 100))[1]:.1f} % of {len(x)} pictures")

figure, axes = plt.subplots(1, 8, figsize=(7, 1.2), layout="constrained")
answers = lenet(x[:8]).argmax(1)
for ax, picture, answer, label in zip(axes, x.numpy(), answers.numpy(), digits.labels):
    ax.imshow(picture[0], cmap="gray_r")
    ax.set_title(f"{label}: {answer}", fontsize=9)
    bare(ax)
figure.suptitle("label: answer", fontsize=10)
plt.show()

# %% [markdown]
# ## The filters
#
# The first convolution has six kernels of 5x5 weights. It sees pixels, so its kernels are pictures. What do they look for?

# %%
viz.filters(lenet.features[0].weight, title="the kernels of the first convolution", columns=6)

# %% [markdown]
# Purple weights want ink, orange ones want paper. Kernels with a purple side and an orange side answer to edges and strokes
# of one direction.
#
# A kernel of the second convolution is 6x5x5 numbers, one slice for each map of the first: nothing that an eye can read. A
# better question for it: of all pictures, which *parts* excite it most? One number of its map has seen 14x14 pixels: five
# numbers of the pooled maps, each of which saw six pixels, two apart, so $6 + 4 \cdot 2 = 14$.

# %%
seen = F.pad(x, (6, 6, 6, 6), value=x.min().item()).numpy()[:, 0]  # so that windows at the border exist
with tinycnn.no_grad():
    maps = lenet.features[:4](x).numpy()
print("maps of the second convolution:", maps.shape)

figure, axes = plt.subplots(4, 9, figsize=(7, 3.2), layout="constrained")
for unit, row in zip((0, 3, 6, 9), axes):
    best = maps[:, unit].reshape(len(x), -1)
    pictures = np.argsort(-best.max(1))[:9]  # one part a picture at most
    for ax, n in zip(row, pictures):
        i, j = divmod(int(best[n].argmax()), maps.shape[3])
        ax.imshow(seen[n, 2 * i:2 * i + 14, 2 * j:2 * j + 14], cmap="gray_r")
        bare(ax)
    row[0].set_ylabel(f"map {unit}", fontsize=9)
figure.suptitle("the parts of 14x14 pixels that excite a map of the second convolution most", fontsize=10)
plt.show()

# %% [markdown]
# Each row has a theme: a bend, an end, a crossing. The second layer puts strokes together to parts of digits.
#
# ## The maps
#
# What becomes of one picture on its way? Each row below is a layer, each picture a map, dark where it is large.

# %%
picture = x[4]
figure = viz.feature_maps(lenet, picture, ["features.0", "features.2", "features.3", "features.5"], columns=6)
figure.set_dpi(75)
figure

# %% [markdown]
# The first maps are the digit, seen through six kernels. Pooling halves them. In the last ones the digit cannot be read any
# more: 16 maps of 7x7 say which parts there are, and roughly where. From these the linear layers decide.
#
# ## What the classes would like to see
#
# Turn the question around: which picture gives a class the highest score? Start from faint noise and climb the gradient with
# respect to the *pixels*, while the weights stay as they are.

# %%
figure = viz.activation_maximisation(lenet, (1, 28, 28), units=list(range(10)), columns=5)
figure.set_dpi(75)
figure

# %% [markdown]
# Strokes in the right places, but nobody writes so. The network has learnt what tells the digits apart, not what digits look
# like: whatever all of them share, it need not know.
#
# ## Which pixels matter: saliency
#
# A score $s(x)$ is, close to a picture, nearly linear: $s(x + \delta) \approx s(x) + \sum_p \frac{\partial s}{\partial x_p}
# \delta_p$. So $|\partial s / \partial x_p|$ says how strongly pixel $p$ moves the score. One backward pass gives it, the same
# that gives the gradients of the weights.

# %%
pixels = picture[None].clone().requires_grad_()
score = lenet(pixels)[0].max()
score.backward()
by_hand = pixels.grad[0].abs().amax(0).numpy()
print("as the library computes it:", np.allclose(by_hand, viz.saliency_map(lenet, picture)))

nudge = 0.001 * tinycnn.randn(1, 1, 28, 28)
foreseen, real = (pixels.grad * nudge).sum().item(), (lenet(pixels + nudge)[0].max() - score).item()
print(f"a small random change of all pixels moves the score by {real:.5f}, the gradient foresaw {foreseen:.5f}")

# %% [markdown]
# ## Which pixels matter: occlusion
#
# The gradient speaks of small changes. Occlusion makes large ones: it covers a patch, and sees how far the score falls. That
# costs a forward pass for each place, and no derivative. Each fall is noted in the middle of its patch.

# %%
size, covered = 5, picture.min().item()
falls = np.zeros((28, 28))
with tinycnn.no_grad():
    for i in range(24):
        row = np.repeat(picture.numpy()[None], 24, 0)
        for j in range(24):
            row[j, :, i:i + size, j:j + size] = covered
        falls[i + 2, 2:26] = score.item() - lenet(tinycnn.tensor(row))[:, int(answers[4])].numpy()

# %% [markdown]
# Do the two agree, and do they agree with what you would look at?

# %%
figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
top = np.abs(falls).max()
for ax, values, colours, title, limits in (
        (axes[0], picture.numpy()[0], "gray_r", f"the picture: a {digits.labels[4]}", (None, None)),
        (axes[1], by_hand, "Oranges", "saliency", (0, None)),
        (axes[2], falls, "PuOr_r", f"fall of the score, {size}x{size} covered", (-top, top))):
    drawn = ax.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1])
    ax.set_title(title, fontsize=10)
    bare(ax)
    if ax is not axes[0]:
        figure.colorbar(drawn, ax=ax, shrink=0.8)
plt.show()

# %% [markdown]
# Saliency is a scatter of single pixels: the score is a sum of many edges, and neighbouring pixels pull in opposite
# directions. Occlusion is smoother, and has a sign: where it is orange the strokes speak for the answer, where it is purple
# the answer becomes surer without them.
#
# ## Where: Grad-CAM
#
# Now a network of three convolutions that ends with the mean of each map over all places. It learns to tell circles, squares
# and triangles apart, one shape a picture, and is told nothing about places.

# %%
train, test = Shapes(size=32), Shapes(size=32, split="validation")
tinycnn.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 3))
fit(net, DataLoader(train, 20, shuffle=True), epochs=10, optimizer=Adam(net.parameters(), 0.005), progress=False)
print(f"{100 * evaluate(net, DataLoader(test, 360))[1]:.1f} % of {len(test)} test pictures")

# %% [markdown]
# Because of the mean at the end it takes pictures of any size, so it can be shown two shapes side by side. With $A_k$ the
# maps of the last convolution and $s_c$ the score of class $c$, Grad-CAM weighs the maps by how much they matter for the
# class and keeps what speaks *for* it:
#
# $$w_k = \frac{1}{HW} \sum_{i,j} \frac{\partial s_c}{\partial A_{kij}}, \qquad L = \mathrm{relu}\Big(\sum_k w_k A_k\Big).$$

# %%
pair = tinycnn.cat([test[0][0], test[2][0]], 2)  # a circle on the left, a triangle on the right


def grad_cam(net, picture, target):
    """Where the maps of the last convolution speak for the class `target`, enlarged to the picture (C, H, W)."""
    maps = net[:7](picture[None]).detach().requires_grad_()  # cut here: maps are where this graph begins
    net[7:](maps)[0, target].backward()
    weights = maps.grad.mean((2, 3), keepdim=True)
    cam = (weights * maps.detach()).sum(1, keepdim=True).relu()
    return F.interpolate(cam, picture.shape[1:], mode="bilinear").numpy()[0, 0]


for target, name in enumerate(test.classes):
    print(f"{name:9} as the library computes it:", np.allclose(grad_cam(net, pair, target),
                                                               viz.grad_cam_map(net, pair, target), atol=1e-6))

# %% [markdown]
# One picture, three questions. Where is the circle, where the square, where the triangle?

# %%
figure, axes = plt.subplots(1, 4, figsize=(8, 1.6), layout="constrained")
pixels = np.concatenate([test.pictures[0], test.pictures[2]], 2).transpose(1, 2, 0)
axes[0].imshow(pixels)
axes[0].set_title("the picture", fontsize=10)
cams = [grad_cam(net, pair, target) for target in range(3)]
for ax, cam, name, score in zip(axes[1:], cams, test.classes, net(pair[None])[0].tolist()):
    ax.imshow(pixels.mean(2), cmap="gray", vmin=-100, vmax=255)
    ax.imshow(cam, cmap="Oranges", alpha=0.75, vmin=0, vmax=max(map(np.max, cams)))
    ax.set_title(f"{name}: score {score:.1f}", fontsize=10)
for ax in axes:
    bare(ax)
plt.show()
shares = [cam[:, :32].sum() / max(cam.sum(), 1e-9) for cam in cams]
print(", ".join(f"{share:.0%} of the map for {name} lies on the left" for share, name in zip(shares, test.classes)))

# %% [markdown]
# The network was never told where anything is, and still it knows: a map is large where its filter fired, and the gradient
# says which filters count for the class. Nearly all modern pictures of "what the network looks at" are relatives of this.
#
# ## What to take home
#
# - First-layer filters can be read. For later ones, ask which inputs excite them.
# - Maximising a score shows what a class *depends on*, which is not what the class looks like.
# - Saliency is one backward pass, and noisy. Occlusion asks directly, and pays with a forward pass for every place. Grad-CAM
#   is coarse, cheap, and tells classes apart.
# - An explanation is a hint and no proof: a network that looks at the right place may still be wrong, and the reverse.
#
# ## Exercises
#
# - `tinycnn exercises start grad_cam`: Grad-CAM in NumPy.
# - Give `viz.grad_cam` the first convolution, `layer="0"`. What is lost, and what is gained?
# - Repeat saliency for a copy of LeNet with random weights. Does the map change? It should.
# - Put a square and a circle of the same colour side by side. Does the network still tell them apart?

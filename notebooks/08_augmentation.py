# %% [markdown]
# # Augmentation: more from little data
#
# A triangle that is moved by two pixels is still a triangle. Someone who has twenty pictures of triangles has, in this
# sense, many more. Augmentation changes every picture at random, each time it is shown, in ways that leave its label true.
#
# This lesson shows what the usual changes do to a picture, writes one of them in NumPy, and measures with a few coloured
# shapes what augmentation is worth, and with digits what it costs where the change does not leave the label true. At the end
# pictures are mixed, and their labels with them.

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import viz
from tinycnn.data import DataLoader, Digits, Shapes, Subset, transforms
from tinycnn.models import SimpleCNN
from tinycnn.optim import Adam
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import BLUE, GREY, ORANGE, bare, tidy

# %% [markdown]
# ## One picture, and many
#
# A transform has a range, and draws anew for every picture. With `RandomAffine(15, ...)` the angle lies between -15 and 15
# degrees. The first picture below is a digit of 8x8 pixels as it is, the others are draws. Would you name all of them alike?

# %%
digits, paper = Digits("train"), Digits.FORMAT.background
turned = transforms.RandomAffine(15, (0.1, 0.1), (0.85, 1.15), 10, interpolation="bilinear", fill=paper)

tinycnn.manual_seed(0)
x, y = digits.batch(np.array([3] * 9))
changed = turned(x).numpy()
changed[0] = x[0].numpy()
figure, axes = plt.subplots(1, 9, figsize=(7, 1.2), layout="constrained")
for ax, picture in zip(axes, changed):
    ax.imshow(picture[0], cmap="gray_r")
    bare(ax)
figure.suptitle(f"a {digits.classes[y[0].item()]}, and eight random changes of it", fontsize=10)
plt.show()

# %% [markdown]
# ## What each change does
#
# The transforms of the library have torchvision's names. Changes of place: parts of the picture, mirror images, turned and
# slanted pictures. Changes of colour: brightness, contrast, hue. Changes that destroy: noise, blur, a hole. What does each
# of them leave, and what does it take?

# %%
shown = {"CenterCrop", "RandomCrop, padding", "RandomResizedCrop", "RandomHorizontalFlip", "RandomAffine",
         "RandomPerspective", "brightness", "contrast", "hue", "Grayscale", "RandomSolarize", "GaussianBlur",
         "GaussianNoise", "RandomErasing", "RandAugment"}
figure = viz.augmentations(transforms=[pair for pair in viz.augment.gallery() if pair[0] in shown], columns=4)
figure.set_dpi(85)
figure

# %% [markdown]
# ## A rotation by hand
#
# To turn a picture by the angle $\varphi$, do not ask where each pixel goes: some places would be hit twice, others never.
# Ask for each pixel of the *result* where it comes from. That place is found by the inverse rotation around the middle,
#
# $$\binom{x'}{y'} = \begin{pmatrix} \cos\varphi & -\sin\varphi \\ \sin\varphi & \cos\varphi \end{pmatrix} \binom{x}{y},$$
#
# with $x$ to the right, $y$ down, and the nearest pixel read there. Every change of place works like this; they differ in
# the matrix.


# %%
def rotate(picture, degrees):
    """picture (C, H, W) turned counter-clockwise, with zeros from outside."""
    h, w = picture.shape[1:]
    y, x = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2]).reshape(2, 1, 1)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    column = np.rint(cos * x - sin * y + (w - 1) / 2).astype(int)
    row = np.rint(sin * x + cos * y + (h - 1) / 2).astype(int)
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    return np.where(inside, picture[:, row.clip(0, h - 1), column.clip(0, w - 1)], 0)


picture = Shapes(size=64, count=12).pictures[2]
mine, library = rotate(picture, 30), transforms.RandomRotation((30, 30))(picture)
print("the same as RandomRotation:", np.array_equal(mine, library))

# %% [markdown]
# ## Few pictures, with and without
#
# The task: circles, squares and triangles of random colour, place and size, 24x24 pixels, with 5, 12 or 36 training pictures
# of each class. The same network and the same number of steps, twice: with the pictures **as they are**, the same in every
# epoch; and **changed** anew in every epoch, shifted by up to four pixels and, every second one, mirrored.

# %%
train, test = Shapes(size=24), Shapes(size=24, split="validation")
changes = transforms.Compose([transforms.RandomCrop(24, 4, padding_mode="edge"), transforms.RandomHorizontalFlip()])


def few(dataset, count, seed):
    """`count` pictures of each class, drawn by `seed`."""
    chance, classes = np.random.default_rng(seed), range(len(dataset.classes))
    rows = [chance.choice(np.flatnonzero(dataset.labels == c), count, replace=False) for c in classes]
    return Subset(dataset, np.concatenate(rows))


def learn(count, seed, steps=240, **options):
    """(the network, its history) after so many steps with `count` pictures a class."""
    tinycnn.manual_seed(seed)
    model = SimpleCNN(num_classes=3, image_size=24, channels=(8, 16), kernel_size=3, padding=1)
    loader = DataLoader(few(train, count, seed), 12, shuffle=True)
    optimizer = Adam(model.parameters(), 0.003)
    return model, fit(model, loader, epochs=steps // len(loader), optimizer=optimizer, progress=False, **options)


# %%
def accuracies(count, **options):
    """The per cent of 360 test pictures named rightly, for three draws of `count` training pictures a class."""
    return np.array([100 * evaluate(learn(count, seed, **options)[0], DataLoader(test, 360))[1] for seed in (0, 1, 2)])


COUNTS = (5, 12, 36)
plain = np.array([accuracies(count) for count in COUNTS])
changed = np.array([accuracies(count, augment=changes) for count in COUNTS])
print(f"{'pictures a class':18}{'as they are':>18}{'changed':>18}")
for count, left, right in zip(COUNTS, plain, changed):
    print(f"{count:<18}{left.mean():11.1f} +- {left.std():3.1f}{right.mean():11.1f} +- {right.std():3.1f}")

# %% [markdown]
# The table as a picture: how many pictures is the augmentation worth?

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for values, name, colour, mark in ((plain, "as they are", GREY, "o"), (changed, "changed", BLUE, "s")):
    ax.plot(COUNTS, values.mean(1), color=colour, marker=mark, ms=5, label=name)
    ax.fill_between(COUNTS, values.min(1), values.max(1), color=colour, alpha=0.15, lw=0)
ax.set_xscale("log")
ax.set_xticks(COUNTS, map(str, COUNTS))
ax.minorticks_off()
ax.set_xlabel("training pictures a class")
ax.set_ylabel("test accuracy (%)")
tidy(ax)
ax.legend(frameon=False, loc="lower right")
ax.set_title("mean and range of three draws", fontsize=10)
plt.show()

# %% [markdown]
# Each draw of twelve pictures is a different luck, so the bands are wide where pictures are few. Read along a horizontal
# line: the changed pictures reach an accuracy with far fewer of them.
#
# ## Where the gain comes from
#
# Twelve pictures a class, one run of each kind. How do the loss on the training pictures and the loss on unseen ones move?

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, layout="constrained")
for ax, name, options in zip(axes, ("as they are", "changed"), ({}, {"augment": changes})):
    history = learn(12, 0, val=DataLoader(test, 360), **options)[1]
    epochs = [row["epoch"] for row in history]
    ax.plot(epochs, [row["train_loss"] for row in history], color=BLUE, label="training")
    ax.plot(epochs, [row["val_loss"] for row in history], color=ORANGE, ls="--", label="unseen")
    ax.set_xlabel("epoch")
    ax.set_title(name, fontsize=10)
    tidy(ax)
    last = history[-1]
    print(f"{name:12} at the end: training loss {last['train_loss']:.3f}, unseen {last['val_loss']:.3f}")
axes[0].set_ylabel("loss")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# Without augmentation the training loss goes to zero while the other one stays: the network knows its 36 pictures by heart,
# and nothing is left to learn from them. With augmentation no picture comes twice. The training loss falls more slowly, the
# loss on unseen pictures falls with it, and the gradient has something to say until the end.
#
# ## A claim about labels
#
# An augmentation is a claim: the label does not change under it. The mirror image of a square is a square. The mirror image
# of a 4 is nothing that anybody writes. What does the false claim cost? Forty 8x8 digits of each class, one network each:

# %%
unseen = DataLoader(Digits("test"), 353)
for name, change in (("as they are", None), ("mirrored, every second one", transforms.RandomHorizontalFlip())):
    tinycnn.manual_seed(0)
    model = SimpleCNN(num_classes=10, in_channels=1, image_size=8, channels=(16, 32), kernel_size=3, padding=1)
    loader = DataLoader(few(digits, 40, 0), 25, shuffle=True)
    fit(model, loader, epochs=12, optimizer=Adam(model.parameters(), 0.003), augment=change, progress=False)
    print(f"{name:28} {100 * evaluate(model, unseen)[1]:.1f} % of the test pictures")

# %% [markdown]
# The network now spends its weights on pictures that never come, and takes some digits for the mirror images of others.
#
# ## Mixing pictures
#
# MixUp and CutMix go further: the new picture is no longer of one class, and the label says so. With $\lambda \sim
# \mathrm{Beta}(\alpha, \alpha)$ and a partner $(x', y')$ from the same batch, the labels as rows of probabilities,
#
# $$\text{MixUp:}\quad \tilde x = \lambda x + (1-\lambda) x', \qquad \tilde y = \lambda y + (1-\lambda) y'.$$
#
# CutMix puts a rectangle of the partner into the picture; then $1 - \lambda$ is the share of its area.

# %%
large = Shapes(size=48, count=120, seed=1)
y = tinycnn.tensor(large.labels[:4])
x = tinycnn.tensor(large.pictures[:4] / np.float32(255))
tinycnn.manual_seed(4)
mixes = {"as they are": None, "MixUp": transforms.MixUp(2.0, num_classes=3), "CutMix": transforms.CutMix(2.0, num_classes=3)}
figure, axes = plt.subplots(3, 4, figsize=(6.4, 5.6), dpi=70, layout="constrained")
for row, (name, mix) in zip(axes, mixes.items()):
    mixed, shares = mix(x, y) if mix else (x, F.one_hot(y, 3))
    for ax, picture, share in zip(row, mixed.numpy(), shares.numpy()):
        ax.imshow(picture.transpose(1, 2, 0))
        bare(ax)
        ax.set_title("\n".join(f"{s:.0%} {c}" for s, c in zip(share, large.classes) if s), fontsize=9)
    row[0].set_ylabel(name)
plt.show()

# %% [markdown]
# MixUp in NumPy is two lines; the partner is the picture before it in the batch. Cross-entropy takes the probabilities as
# they are. It is linear in them, so the loss is $\lambda$ times the loss for $y$ plus $1-\lambda$ times that for $y'$.

# %%
x_mixed, y_mixed = transforms.MixUp(1.0, num_classes=3)(x, y)
one_hot = np.eye(3)[y.numpy()]
lam = y_mixed[1, y[1].item()].item()
print(f"lambda {lam:.3f}")
pictures_by_hand = lam * x.numpy() + (1 - lam) * np.roll(x.numpy(), 1, 0)
labels_by_hand = lam * one_hot + (1 - lam) * np.roll(one_hot, 1, 0)
print("the pictures by hand:", np.allclose(x_mixed.numpy(), pictures_by_hand, atol=1e-6))
print("the labels by hand:", np.allclose(y_mixed.numpy(), labels_by_hand))

scores = tinycnn.randn(4, 3)
apart = lam * F.cross_entropy(scores, y) + (1 - lam) * F.cross_entropy(scores, y.roll(1))
print("the loss of mixed labels is the mixed loss:", np.allclose(F.cross_entropy(scores, y_mixed).item(), apart.item()))

# %% [markdown]
# In a training, `fit(..., mix=...)` mixes every batch. Again twelve pictures a class and three draws: what does mixing give
# alone, and what on top of the changes?

# %%
mix = transforms.MixUp(0.4, num_classes=3)
mixed, both = accuracies(12, mix=mix), accuracies(12, augment=changes, mix=mix)
for name, values in (("as they are", plain[1]), ("MixUp", mixed), ("changed", changed[1]), ("changed, and MixUp", both)):
    print(f"{name:20} {values.mean():5.1f} +- {values.std():3.1f} % of the test pictures")

# %% [markdown]
# ## What to take home
#
# - Augmentation tells a network what must *not* matter. It is worth most where pictures are few.
# - It is a claim about labels. Look at augmented pictures before training: would you still name them so?
# - It belongs to training only. Test pictures stay as they are.
# - The task becomes harder, so training takes longer. Where the training loss is as high as the loss on unseen pictures
#   already, stronger augmentation only costs.
#
# ## Exercises
#
# - `tinycnn exercises start augmentation`: mirror image, random crop and a hole, for batches, in NumPy.
# - Mirrored digits: which ones suffer most? `viz.confusion` of `train.confusion_matrix` shows it.
# - Replace the shift of the shapes by a turn of up to 10 degrees, the tilt that they have anyway. Is it worth as much?
# - Let the network train four times as long, with and without changes. Which of the two still gains?

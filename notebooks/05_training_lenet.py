# Lesson 5. It needs MNIST in the data folder: `tinycnn train --dataset mnist` fetches it.
# data: mnist

# %% [markdown]
# # Training LeNet on handwritten digits
#
# LeNet-5 read the digits on bank cheques in the nineties. Here it learns to read 28x28 pixels of MNIST: 60,000 digits to
# learn from, 10,000 to be judged by.
#
# This lesson goes through a whole training, from looking at the data to looking at the mistakes. To be done in seconds it
# uses a tenth of the pictures; at the end stands what it takes to get more than 99 %.

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
from tinycnn import models, viz
from tinycnn.data import MNIST, DataLoader, Subset
from tinycnn.optim import Adam
from tinycnn.optim.lr_scheduler import OneCycleLR
from tinycnn.train import confusion_matrix, evaluate, fit, per_class, predict, summary
from tinycnn.viz.style import BLUE, ORANGE, bare, tidy

# %% [markdown]
# ## Look at the data first
#
# What does the network get, and what is it asked for? And are there as many of each class?

# %%
mnist, test = MNIST(), MNIST(train=False)
figure, axes = plt.subplots(3, 12, figsize=(8, 2.3), layout="constrained")
for i, ax in enumerate(axes.flat):
    ax.imshow(mnist.data[i].numpy(), cmap="gray_r")
    ax.set_title(int(mnist.targets[i]), fontsize=8, pad=2)
    bare(ax)
plt.show()
print("pictures of each class:", np.bincount(mnist.targets.numpy()).tolist())

# %% [markdown]
# ## Three parts
#
# The network learns from the *training* part. The *validation* part says, while we choose the learning rate, the number of
# epochs and everything else, how good it is on digits it has not seen. The *test* part is looked at once, at the end: had we
# chosen by it, it would tell us what we hope and not what is true.

# %%
order = np.random.default_rng(0).permutation(len(mnist))
train, validation = Subset(mnist, order[:6000]), Subset(mnist, order[6000:8000])
loader = DataLoader(train, batch_size=50, shuffle=True)
validation_loader = DataLoader(validation, batch_size=500)
x, y = next(iter(loader))
print(f"a batch: pictures {tuple(x.shape)}, classes {tuple(y.shape)}")
print(f"mean of the pixels {x.mean().item():.2f}, standard deviation {x.std().item():.2f}")

# %% [markdown]
# The pixels are brought to mean 0 and deviation 1 beforehand, with the same two numbers for all pictures: the first layer
# then gets inputs of the size for which initial weights are made.
#
# ## The network
#
# Two convolutions, each with ReLU and pooling, find strokes and their combinations; three linear layers decide.

# %%
tinycnn.manual_seed(0)
model = models.lenet5()
print(summary(model, (1, 28, 28)))

# %% [markdown]
# Before any training, all ten classes should look alike to it: a loss of about $\log 10$, an accuracy of about a tenth. If
# it is not so, something is wrong, and the time to find it is now.

# %%
loss, accuracy = evaluate(model, validation_loader)
print(f"before training: loss {loss:.3f}, log 10 = {np.log(10):.3f}, accuracy {100 * accuracy:.1f} %")

# %% [markdown]
# Another test that costs little: can it learn ten pictures by heart? A network that cannot has a bug.

# %%
tinycnn.manual_seed(0)
scratch = models.lenet5()
ten = DataLoader(Subset(mnist, order[:10]), batch_size=10)
rows = fit(scratch, ten, epochs=40, optimizer=Adam(scratch.parameters(), 0.002), progress=False)
print(f"ten pictures, 40 steps: loss {rows[-1]['train_loss']:.4f}, accuracy {100 * rows[-1]['train_acc']:.0f} %")

# %% [markdown]
# ## Training
#
# Adam, five epochs, and a learning rate that rises for a while and then falls to nearly zero: large steps as long as there
# is far to go, small ones to settle. `fit` is the loop of every textbook: forward, loss, backward, step.

# %%
EPOCHS = 5
optimizer = Adam(model.parameters(), lr=0.001)
schedule = OneCycleLR(optimizer, max_lr=0.004, total_steps=EPOCHS * len(loader))
history = fit(model, loader, validation_loader, epochs=EPOCHS, optimizer=optimizer, schedule=schedule, progress=False)
for row in history:
    print(f"epoch {row['epoch']}: training loss {row['train_loss']:.3f}, validation loss {row['val_loss']:.3f}, "
          f"accuracy {100 * row['val_acc']:.2f} %")

# %% [markdown]
# Does it still learn, and does it learn by heart? The first shows in the validation curve, the second in the gap between the
# two.

# %%
figure = viz.curves(history)
figure.set_dpi(75)
figure

# %% [markdown]
# The training curve is a mean over each epoch, while the network changed; the validation curve is taken at its end. That is
# why in the first epochs the validation is the *better* of the two.
#
# ## The test, once
#
# What is taken for what?

# %%
probability, truth = predict(model, DataLoader(test, batch_size=500))
taken = probability.argmax(1)
print(f"test accuracy {100 * (taken == truth).mean():.2f} %: {(taken != truth).sum()} of {len(truth):,} are wrong")
figure = viz.confusion(confusion_matrix(truth, taken))
figure.set_size_inches(5.6, 5.6)
figure.set_dpi(80)
figure

# %%
shares = per_class(truth, taken)
for digit in np.argsort(shares["f1"])[:3]:
    print(f"hard: {digit}. {100 * shares['recall'][digit]:.1f} % of them are found; "
          f"of what is taken for one, {100 * shares['precision'][digit]:.1f} % are one")

# %% [markdown]
# ## The mistakes
#
# The most instructive picture of a training. Are these digits hard, are their labels doubtful, or does the network miss
# something obvious? The ones of which it was most certain come first.

# %%
pictures = test.batch(np.arange(len(test)))[0]
figure = viz.mistakes(pictures, truth, taken, probability.max(1), columns=8, limit=16)
figure.set_dpi(65)
figure

# %% [markdown]
# ## How sure may it be?
#
# A network that says 90 % should be right in nine of ten such cases. Is it? And what would we gain if it could say "I do not
# know" for the digits of which it is least sure?

# %%
order = np.argsort(-probability.max(1), kind="stable")
right = (taken == truth)[order]
answered = np.arange(1, len(right) + 1) / len(right)
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].plot(100 * answered, 100 * (1 - np.cumsum(right) / np.arange(1, len(right) + 1)), color=BLUE)
axes[0].set(xlabel="digits that are answered (%)", ylabel="of these wrong (%)", title="The surest first")
edges = np.linspace(0.4, 1, 7)
sure = probability.max(1)
middle = [(sure[k].mean(), (taken == truth)[k].mean(), k.sum())
          for k in ((sure > a) & (sure <= b) for a, b in zip(edges, edges[1:])) if k.sum() > 20]
axes[1].plot([40, 100], [40, 100], color="#B0B0B0", lw=1, ls="--", label="as sure as right")
axes[1].plot(*(100 * np.array([m[:2] for m in middle]).T), "o-", color=ORANGE, label="this network")
axes[1].set(xlabel="what it says (%)", ylabel="how often it is right (%)", title="Said and done")
axes[1].legend(frameon=False)
for ax in axes:
    tidy(ax)
plt.show()
print(f"wrong of all: {100 * (1 - right.mean()):.2f} %, of the surest nine tenths: {100 * (1 - right[:9000].mean()):.2f} %")

# %% [markdown]
# ## More than 99 %
#
# What is missing here is mostly pictures: this network has seen a tenth of them, a few times. The command
#
#     tinycnn train --dataset mnist
#
# trains the same network on all of them for 15 epochs, a few minutes on two cores, shifts each digit a little at random (see
# the lesson on augmentation), and ends above 99 %; `benchmarks/TRAINING.md` has its log. `tinycnn evaluate runs/mnist` shows
# it class by class, `tinycnn predict runs/mnist my_picture.png` reads your own handwriting. The trained weights come along:

# %%
trained = models.lenet5(weights="mnist")
print(f"the network that comes along: {100 * evaluate(trained, DataLoader(test, batch_size=500))[1]:.2f} % of the test")

# %% [markdown]
# ## Exercises
#
# - `tinycnn exercises start learning_rate_schedule`: rates that rise and fall
# - `tinycnn exercises start initialisation`: weights with which a loss starts at $\log 10$
# - `tinycnn exercises start augmentation`: more pictures from the same ones

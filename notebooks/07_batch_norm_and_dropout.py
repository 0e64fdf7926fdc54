# %% [markdown]
# # Batch norm and dropout, with and without
#
# Two layers that compute nothing a network needs in order to answer, and that are there only for the training. Batch norm
# keeps the numbers inside a deep network at the same size, so that it can be trained at all, and faster. Dropout throws away
# half of what a layer says, at random, so that the others cannot rely on it.
#
# This lesson writes both in a few lines of NumPy, and then trains the same networks with and without them.

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, TensorDataset
from tinycnn.gradcheck import check_functions
from tinycnn.optim import SGD, Adam
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import BLUE, GREY, ORANGE, tidy

# %% [markdown]
# ## What happens to numbers on their way down
#
# A network of six convolutions of 3x3 with 16 maps, ReLU after each, one pooling, and a linear layer; with or without batch
# norm between convolution and ReLU. How much do the numbers after each convolution still differ from picture to picture and
# from place to place, before any training?


# %%
def deep(norm, depth=6, width=16):
    """The network, with batch norm or without."""
    layers = []
    for i in range(depth):
        layers += [nn.Conv2d(width if i else 1, width, 3, padding=1, bias=not norm)]
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)] if i == 1 else [nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * width, 10))


def spreads(model, x):
    """The standard deviation within the channels of what each ReLU gets."""
    found = []
    for layer in model:
        if isinstance(layer, nn.ReLU):
            found.append(x.std((0, 2, 3)).mean().item())
        x = layer(x)
    return found


train, test = Digits("train"), Digits("test")
x, y = train.batch(np.arange(256))
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for norm, colour, mark, name in ((False, ORANGE, "s--", "without"), (True, BLUE, "o-", "with batch norm")):
    tinycnn.manual_seed(0)
    with tinycnn.no_grad():
        before = spreads(deep(norm), x)
    ax.semilogy(range(1, 7), before, mark, color=colour, label=name)
    print(f"{name}: from {before[0]:.3f} to {before[-1]:.4f}")
ax.set(xlabel="layer", ylabel="standard deviation", title="Size of the numbers before each ReLU, at the start")
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# Without, the differences shrink from layer to layer: at the end all pictures look nearly the same to the network, and
# the gradients shrink likewise on their way back. Other initial weights (He's) prevent it at the start. Batch norm
# prevents it in every step.
#
# ## Batch norm
#
# For each channel, over all places of all pictures of the batch: subtract the mean, divide by the standard deviation.
# Then two weights a channel, $\gamma$ and $\beta$, may set any other size and mean, if that should be better:
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = \gamma \hat x + \beta .$$
#
# The way back is more than $dy\, \gamma / \sigma$, because $\mu$ and $\sigma$ depend on all $m$ inputs of the channel. With
# $g = \gamma\, dy$,
#
# $$dx = \frac{1}{\sqrt{\sigma^2 + \varepsilon}} \left( g - \overline{g} - \hat x\; \overline{g\, \hat x} \right),$$
#
# where the bars are means over the channel. The two subtracted terms say: a gradient that asks to shift the channel, or to
# stretch it, has no effect, since the normalisation takes both back.

# %%
AXES, EPS = (0, 2, 3), 1e-5


def batch_norm(x, gamma, beta):
    """x (N, C, H, W), gamma (1, C, 1, 1), beta (1, C, 1, 1) -> y."""
    deviation = np.sqrt(x.var(AXES, keepdims=True) + EPS)
    normal = (x - x.mean(AXES, keepdims=True)) / deviation
    return gamma * normal + beta, (normal, deviation, gamma)


def batch_norm_backward(dy, cache):
    normal, deviation, gamma = cache
    mean = lambda a: a.mean(AXES, keepdims=True)
    total = lambda a: a.sum(AXES, keepdims=True)
    g = gamma * dy
    return (g - mean(g) - normal * mean(g * normal)) / deviation, total(dy * normal), total(dy)


chance = np.random.default_rng(0)
a, gamma, beta = chance.normal(2, 3, (4, 3, 5, 5)), chance.normal(size=(1, 3, 1, 1)), chance.normal(size=(1, 3, 1, 1))
print(check_functions(batch_norm, batch_norm_backward, a, gamma, beta, names=["x", "gamma", "beta"]))
library = F.batch_norm(tinycnn.from_numpy(a), None, None, tinycnn.from_numpy(gamma.ravel()),
                       tinycnn.from_numpy(beta.ravel()), training=True)
print("equal to the library's:", np.allclose(batch_norm(a, gamma, beta)[0], library.numpy()))

# %% [markdown]
# ## At several rates
#
# Four epochs of 8x8 digits for both networks, plain SGD, batches of 64. Which rates work?


# %%
def learn(norm, rate, epochs=4):
    """The test accuracy after `epochs`, in per cent; NaN where the loss ran away."""
    tinycnn.manual_seed(0)
    model = deep(norm)
    try:
        fit(model, DataLoader(train, 64, shuffle=True), epochs=epochs, optimizer=SGD(model.parameters(), lr=rate),
            progress=False)
    except FloatingPointError:
        return np.nan
    return 100 * evaluate(model, DataLoader(test, 500))[1]


RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
with np.errstate(over="ignore", invalid="ignore"):
    results = {norm: np.array([learn(norm, rate) for rate in RATES]) for norm in (False, True)}
print(f"{'rate':18}" + "".join(f"{rate:9}" for rate in RATES))
for norm, values in results.items():
    print(f"{'with' if norm else 'without':18}" + "".join(f"{value:9.1f}" for value in values))

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.semilogx(RATES, results[True], "o-", color=BLUE, label="with batch norm")
ax.semilogx(RATES, results[False], "s--", color=ORANGE, label="without")
ax.axhline(10, color=GREY, lw=0.8)
ax.text(RATES[0], 13, "guessing", fontsize=8, color=GREY)
ax.set(xlabel="learning rate", ylabel="test accuracy (%)", title="Six convolutions, four epochs", ylim=(0, 102))
ax.legend(frameon=False, loc="center left")
tidy(ax)
plt.show()

# %% [markdown]
# With batch norm the network learns in a wide range of rates. Without it, four epochs are too short to begin. The deeper the
# network, the larger the difference; the lesson on depth adds skip connections, the other remedy.
#
# ## In use it is another function
#
# In training, what comes out for one picture depends on the others in the batch. In use there may be one picture only. So
# batch norm keeps running means of $\mu$ and $\sigma^2$, and `model.eval()` makes it use these. What happens to those who
# forget it?

# %%
tinycnn.manual_seed(0)
model = deep(True)
fit(model, DataLoader(train, 64, shuffle=True), epochs=4, optimizer=SGD(model.parameters(), lr=0.1), progress=False)
pictures, truth = test.batch(np.arange(len(test)))
share = lambda scores: 100 * (scores.numpy().argmax(-1) == truth.numpy()).mean()
with tinycnn.no_grad():
    right = share(model.eval()(pictures))
    model.train()
    parts = {size: share(tinycnn.cat([model(part) for part in pictures.split(size)])) for size in (353, 32, 8, 2, 1)}
print(f"eval mode: {right:.1f} %")
for size, value in parts.items():
    print(f"training mode, batches of {size:3}: {value:.1f} %")

# %% [markdown]
# With large batches nobody notices. With small ones the means and deviations are those of a few pictures, and the answer
# for a picture depends on the company it comes in.
#
# ## Dropout
#
# In training, each number is set to 0 with probability $p$, and those that stay are divided by $1 - p$, so that the mean
# remains what it was. In use nothing happens. Backward, the gradient takes the same mask:


# %%
def dropout(x, p, chance):
    """x, the share p that is dropped, and a random generator -> y, and the mask for backward."""
    mask = (chance.random(x.shape) >= p) / (1 - p)
    return x * mask, mask


y, mask = dropout(np.ones((1000, 1000)), 0.4, np.random.default_rng(0))
library = F.dropout(tinycnn.ones(1000, 1000), 0.4, training=True).numpy()
for name, values in (("ours", y), ("library", library)):
    print(f"{name:8} mean {values.mean():.3f}, share of zeros {(values == 0).mean():.3f}, others {values.max():.4f}")

# %% [markdown]
# ## The gap
#
# 300 pictures, of which about a fifth bear a wrong label, as happens in life; and a network with 200 hidden units in each of
# two layers. It can learn everything by heart, the wrong labels as well. How far apart are the pictures that it knows and
# those that it does not, with dropout of none, a half, and three quarters of the hidden units?

# %%
x, labels = train.batch(np.arange(300))
chance = np.random.default_rng(0)
wrong = chance.random(300) < 0.2
labels = np.where(wrong, chance.integers(0, 10, 300), labels.numpy())
few = DataLoader(TensorDataset(x, tinycnn.from_numpy(labels)), 50, shuffle=True)
new = DataLoader(test, 353)
EPOCHS = 40


def fully_connected(p):
    """Two hidden layers of 200 units, with dropout after each."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Dropout(p),
                         nn.Linear(200, 200), nn.ReLU(), nn.Dropout(p), nn.Linear(200, 10))


def course(p, seed):
    """(loss, accuracy) on the known and on the new pictures after each epoch, in evaluation mode: (epochs, 2, 2)."""
    tinycnn.manual_seed(seed)
    model, rows = fully_connected(p), []
    note = lambda history: rows.append([evaluate(model, few), evaluate(model, new)])
    fit(model, few, epochs=EPOCHS, optimizer=Adam(model.parameters(), lr=0.002), progress=False, after_epoch=note)
    return rows


SHARES = (0.0, 0.5, 0.75)
courses = {p: np.mean([course(p, seed) for seed in range(2)], 0) for p in SHARES}
for p, rows in courses.items():
    (loss, accuracy), (new_loss, new_accuracy) = rows[-1]
    print(f"dropout {p:4}: known pictures, loss {loss:.2f}, {100 * accuracy:.0f} % as labelled; "
          f"new ones, loss {new_loss:.2f}, {100 * new_accuracy:.1f} % right")

# %%
figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.9), sharey=True, layout="constrained")
for ax, (p, rows) in zip(axes, courses.items()):
    known, unknown = rows[:, :, 0].T
    ax.fill_between(range(1, EPOCHS + 1), known, unknown, color=GREY, alpha=0.15, lw=0, label="the gap")
    ax.semilogy(range(1, EPOCHS + 1), known, color=BLUE, label="known pictures")
    ax.semilogy(range(1, EPOCHS + 1), unknown, color=ORANGE, ls="--", label="new pictures")
    ax.set(xlabel="epoch", title=f"dropout {p:g}")
    tidy(ax)
axes[0].set_ylabel("loss (mean of 2 runs)")
axes[0].legend(frameon=False, fontsize=8, loc="lower left")
plt.show()

# %% [markdown]
# Where known pictures cost more than new ones, their wrong labels have not been learnt, and that is as it should be.
#
# Without dropout the network first learns what the digits have in common, and then the exceptions, one by one: on new
# pictures it gets worse again. Dropout makes learning by heart hard, because what a single unit knows is there in half of
# the steps only. Its place is in large linear layers and in transformers; in convolutional networks batch norm and
# augmentation have mostly taken over.
#
# ## Exercises
#
# - `tinycnn exercises start batch_norm`: batch norm in training and in use
# - `tinycnn exercises start batch_norm_backward`: its gradient
# - `tinycnn exercises start layer_norm`: the same over another axis, with no batch in it
# - `tinycnn exercises start initialisation`: what becomes of the signal
# - `tinycnn exercises start dropout`: dropout

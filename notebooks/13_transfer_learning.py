# %% [markdown]
# # Transfer learning: what a network learnt elsewhere
#
# A network that tells the digits 0 to 4 apart has never seen a 7. But the edges, curves and corners that its convolutions
# look for are those of all digits. How many pictures of the digits 5 to 9 does that save us?
#
# Three ways to learn the new digits from a few pictures of each:
#
# 1. **from scratch**: the same network, with random weights;
# 2. **fixed features**: keep the convolutions as they are and train a new linear layer only;
# 3. **fine-tuning**: start from the old weights and let all of them change, the old ones slowly.

# %%
import time

import numpy as np
from matplotlib import pyplot as plt

import tinycnn
from tinycnn import nn
from tinycnn.data import MNIST, DataLoader, Digits, Subset, TensorDataset
from tinycnn.models import SimpleCNN
from tinycnn.optim import Adam
from tinycnn.train import evaluate, fit

# %% [markdown]
# ## The two tasks
#
# MNIST, or where it is not here and cannot be fetched, the small digits of 8x8 pixels that come along. The labels 5 to 9 of
# the new task become 0 to 4, because the new network has five scores as well.

# %%
try:
    known, unseen = MNIST(download=True), MNIST(train=False, download=True)
except (OSError, RuntimeError) as error:
    print(f"the 8x8 digits instead of MNIST: {error}")
    known, unseen = Digits("train"), Digits("test")
SIZE = known.format.size


def task(dataset, first, limit):
    """The pictures of the digits `first` to `first` + 4, at most `limit`, with labels from 0."""
    rows = np.flatnonzero((dataset.labels >= first) & (dataset.labels < first + 5))[:limit]
    x, y = dataset.batch(rows)
    return TensorDataset(x, y - first)


old_train, old_test = task(known, 0, 12000), task(unseen, 0, 1000)
new_pool, new_test = task(known, 5, 6000), task(unseen, 5, 1000)
print(f"old task: {len(old_train)} pictures, new task: up to {len(new_pool)}, test: {len(new_test)}")

# %% [markdown]
# ## Learning the old digits
#
# Two convolutions with pooling, and a linear layer.


# %%
def new_network():
    """The network of the lectures for small grey pictures, with five scores."""
    return SimpleCNN(num_classes=5, in_channels=1, image_size=SIZE, channels=(16, 32), kernel_size=5, padding=2)


tinycnn.manual_seed(0)
teacher = new_network()
fit(teacher, DataLoader(old_train, 64, shuffle=True), epochs=2, optimizer=Adam(teacher.parameters(), 0.002), progress=False)
print(f"digits 0 to 4: {100 * evaluate(teacher, DataLoader(old_test, 500))[1]:.1f} % of the test pictures")

# %% [markdown]
# ## Fixed features
#
# Everything but the last layer is one function, from pictures to numbers. It does not change any more, so we compute these
# numbers **once** for all pictures; after that, training is logistic regression on a table, and takes milliseconds.


# %%
def body_of(model):
    """All layers but the last, as a network; the weights are shared."""
    return nn.Sequential(*list(model)[:-1])


def features_of(model, dataset):
    """What the last layer of `model` sees of each picture, with the labels."""
    body = body_of(model).eval()
    with tinycnn.no_grad():
        parts = [(body(x), y) for x, y in DataLoader(dataset, 500)]
    return TensorDataset(*(tinycnn.cat(part) for part in zip(*parts)))


table, test_table = features_of(teacher, new_pool), features_of(teacher, new_test)
print(f"{table.tensors[0].shape[1]} features a picture")

# %% [markdown]
# ## Freezing
#
# The other way to keep weights is to say that they need no gradient: `p.requires_grad_(False)`. Then nothing is recorded
# for them. Where *all* that comes before a layer is frozen, the backward pass ends there: the convolutions cost their
# forward pass and nothing else, and none of what they computed is kept in memory.


# %%
def step_time(model, x, y, steps=5):
    """Milliseconds for forward and backward, the best of a few."""
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        nn.functional.cross_entropy(model(x), y).backward()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


x, y = next(iter(DataLoader(new_pool, 64)))
free, frozen = new_network(), new_network()
for p in body_of(frozen).parameters():
    p.requires_grad_(False)
print(f"a step with all weights: {step_time(free, x, y):.1f} ms; with frozen convolutions: {step_time(frozen, x, y):.1f} ms")
print("recorded before the last layer:", body_of(free)(x).grad_fn, "and", body_of(frozen)(x).grad_fn)

# %% [markdown]
# ## Fine-tuning
#
# A new last layer, the old weights below it, and **two learning rates**: the new layer starts from nothing and may run, the
# old weights are good already and must not be thrown away in the first steps, when the gradients of the random last layer
# mean little.


# %%
def fine_tuned(model):
    """A copy of `model` with a new last layer, and its optimizer."""
    student = new_network()
    weights = {name: value for name, value in model.state_dict().items() if not name.startswith("7.")}
    student.load_state_dict(weights, strict=False)
    groups = [{"params": body_of(student).parameters(), "lr": 0.001}, {"params": student[-1].parameters(), "lr": 0.002}]
    return student, Adam(groups)


def from_scratch():
    """A network with random weights, and its optimizer."""
    student = new_network()
    return student, Adam(student.parameters(), 0.002)


def linear_layer():
    """A last layer alone, for the table of features, and its optimizer."""
    layer = nn.Linear(table.tensors[0].shape[1], 5)
    return layer, Adam(layer.parameters(), 0.002)


# %% [markdown]
# ## The comparison
#
# For each number of pictures a class, several draws of which pictures these are: with five pictures, luck matters much. All
# three ways get the same pictures and the same number of steps.


# %%
def draw(dataset, count, seed):
    """`count` pictures of each class, drawn by `seed`."""
    chance, labels = np.random.default_rng(seed), dataset.tensors[1].numpy()
    return np.concatenate([chance.choice(np.flatnonzero(labels == c), count, replace=False) for c in range(5)])


def learn(build, dataset, test, rows, seed, steps=100, batch=25):
    """The test accuracy, in per cent, after `steps` batches of the samples `rows`."""
    tinycnn.manual_seed(seed)
    model, optimizer = build()
    loader = DataLoader(Subset(dataset, rows), batch, shuffle=True)
    fit(model, loader, epochs=-(-steps // len(loader)), optimizer=optimizer, progress=False)
    return 100 * evaluate(model, DataLoader(test, 500))[1]


COUNTS, SEEDS = (5, 10, 30, 100), (0, 1, 2)
WAYS = {"from scratch": (from_scratch, new_pool, new_test),
        "fixed features": (linear_layer, table, test_table),
        "fine-tuning": (lambda: fine_tuned(teacher), new_pool, new_test)}
start = time.perf_counter()
results = {way: np.array([[learn(*given, draw(new_pool, count, seed), seed) for seed in SEEDS] for count in COUNTS])
           for way, given in WAYS.items()}
print(f"{len(WAYS) * len(COUNTS) * len(SEEDS)} trainings in {time.perf_counter() - start:.0f} s")
print(f"{'pictures a class':16}" + "".join(f"{way:>22}" for way in WAYS))
for i, count in enumerate(COUNTS):
    print(f"{count:16}" + "".join(f"{values[i].mean():15.1f} +- {values[i].std():3.1f}" for values in results.values()))

# %%
figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for (way, values), colour, mark in zip(results.items(), ("#5F5F5F", "#0072B2", "#D55E00"), "os^"):
    ax.plot(COUNTS, values.mean(1), color=colour, marker=mark, ms=4, label=way)
    ax.fill_between(COUNTS, values.min(1), values.max(1), color=colour, alpha=0.15, lw=0)
ax.set_xscale("log")
ax.set_xticks(COUNTS, map(str, COUNTS))
ax.minorticks_off()
ax.set_xlabel("pictures a class")
ax.set_ylabel("test accuracy on the digits 5 to 9 (%)")
ax.grid(True, color="#E4E4E4", lw=0.7)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
ax.set_title("mean and range of three draws", fontsize=10)
plt.show()

# %% [markdown]
# ## What to take home
#
# - With few pictures, old features beat new ones by far: the fewer pictures, the larger the gain. What the network learnt
#   from 12,000 pictures of other digits is worth two to three times as many pictures of these.
# - Fixed features cost next to nothing, one forward pass a picture, ever, and with few pictures they are hard to beat: the
#   only thing that can overfit is a linear layer. Try them first.
# - Fine-tuning draws level, and further ahead the more pictures say in which direction the old features should change. Give
#   the old weights a smaller learning rate than the new layer.
# - What is not worth keeping must not be fixed. With the 8x8 digits the old network saw 636 pictures only, on which four
#   pixels a side are left after the first pooling: there fixed features stay ten points *behind* a network from scratch, and
#   only fine-tuning is no loss.
# - A frozen network with batch norm should also be put into evaluation mode (`body.eval()`): its running means change in
#   every forward pass in training mode, whether its weights are frozen or not.
#
# ## Exercises
#
# - `tinycnn exercises start transfer`: keep the body, replace the head
# - Swap the tasks: learn 5 to 9 first.
# - Freeze only the first convolution.
# - Replace the teacher by one that has seen nothing but noise. How much of the gain is left, and why is it not zero?

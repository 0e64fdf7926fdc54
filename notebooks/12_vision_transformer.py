# %% [markdown]
# # ViT: from patches to attention maps
#
# A convolution looks at neighbours. A transformer knows nothing of neighbours: it gets a set of vectors, the *tokens*, and
# lets each of them look at all others. To feed it a picture, cut the picture into patches and make each a token.
#
# This lesson builds the parts one after the other, each by hand and then from the library: patches, positions, attention
# with one head and with several. Then a small Vision Transformer learns the digits, and shows where it looks.

# %%
import numpy as np
from matplotlib import pyplot as plt

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, TensorDataset
from tinycnn.models import SimpleCNN, VisionTransformer, sine_positions
from tinycnn.optim import Adam
from tinycnn.train import evaluate, fit
from tinycnn.viz.style import BLUE, ORANGE, bare, tidy

train, test = Digits("train"), Digits("test")
x, y = test.batch(np.arange(len(test)))

# %% [markdown]
# ## Patches, and why they are a convolution
#
# A digit of 8x8 pixels, cut into 16 patches of 2x2. What does a transformer get to see of it?

# %%
P = 2
figure = plt.figure(figsize=(6, 2.6), layout="constrained")
left, right = figure.subfigures(1, 2)
ax = left.subplots()
ax.imshow(x[3, 0].numpy(), cmap="gray_r")
bare(ax)
left.suptitle("the picture", fontsize=10)
for n, ax in enumerate(right.subplots(4, 4).ravel()):
    i, j = divmod(n, 4)
    ax.imshow(x[3, 0, P * i:P * i + P, P * j:P * j + P].numpy(), cmap="gray_r", vmin=x.min().item(), vmax=x.max().item())
    bare(ax)
right.suptitle("16 patches: a sentence of 16 words", fontsize=10)
plt.show()

# %% [markdown]
# Each patch of $P \times P$ pixels and $C$ channels is a row of $P^2 C$ numbers, and one linear map takes it to a token of
# $D$ numbers. The same map for every patch: that is a convolution whose stride is as large as its kernel.

# %%
D = 32
tinycnn.manual_seed(0)
conv = nn.Conv2d(1, D, P, stride=P)
with tinycnn.no_grad():
    tokens = conv(x).flatten(2).transpose(1, 2)  # (N, D, 4, 4) -> (N, 16, D)

rows = x.numpy().reshape(-1, 4, P, 4, P).transpose(0, 1, 3, 2, 4).reshape(-1, 16, P * P)
by_hand = rows @ conv.weight.detach().numpy().reshape(D, P * P).T + conv.bias.detach().numpy()
print("tokens:", tuple(tokens.shape), " the same by hand:", np.allclose(by_hand, tokens.numpy(), atol=1e-5))

# %% [markdown]
# ## Positions
#
# For what follows, tokens are a set: nothing says which patch was where. So a vector is added to each token that tells. One
# may learn these vectors, or take waves, as a number has digits: some channels change from place to place, others slowly.
# Below, the waves for a grid of 8x8 places, and for one place the product of its vector with those of all others. Near
# places should be alike: are they?

# %%
positions = sine_positions(8, 8, D).numpy()
figure, axes = plt.subplots(1, 4, figsize=(8, 2.6), width_ratios=(1.3, 1, 1, 1), layout="constrained")
axes[0].imshow(positions, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
axes[0].set(xlabel="channel", ylabel="place, row by row", title="the vectors")
for ax, place in zip(axes[1:], (0, 27, 39)):
    ax.imshow((positions @ positions[place]).reshape(8, 8), cmap="Blues")
    ax.plot(place % 8, place // 8, "+", color=ORANGE, ms=10, mew=2)
    ax.set_title(f"likeness to ({place // 8}, {place % 8})", fontsize=10)
    bare(ax)
plt.show()

# %% [markdown]
# They are. The fastest wave repeats after $2\pi$ places, so the far side is a little alike again; the slower waves tell the
# two apart.
#
# ## Attention
#
# Each token asks a question $q$, offers a key $k$, and has something to say, $v$; all three are linear maps of it. The
# product of a question and a key says how well they fit, softmax makes shares of these numbers, and each token gets the mean
# of what all say, weighted by its shares:
#
# $$A = \mathrm{softmax}\Big(\frac{Q K^T}{\sqrt{d}}\Big), \qquad Y = A V.$$


# %%
def softmax(z):
    """The shares along the last axis."""
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v):
    """q (..., L, d), k (..., S, d), v (..., S, e) -> the result (..., L, e) and who looks at whom (..., L, S)."""
    shares = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return shares @ v, shares


q, k, v = (tinycnn.randn(2, 16, D) for _ in range(3))
mine, shares = attention(q.numpy(), k.numpy(), v.numpy())
print("as the library:", np.allclose(mine, F.scaled_dot_product_attention(q, k, v).numpy(), atol=1e-5))
print("every row of shares sums to 1:", np.allclose(shares.sum(-1), 1))

# %% [markdown]
# Why divide by $\sqrt d$? The product of two random vectors is a sum of $d$ terms of variance 1, so its deviation is $\sqrt
# d$. Large scores make softmax put everything on one token, and then its gradient is nearly zero.

# %%
print(f"{'d':>5} {'deviation of q k':>17} {'largest share: plain':>21} {'divided':>8}")
chance = np.random.default_rng(0)
for d in (4, 16, 64, 256):
    q, k = chance.standard_normal((2, 1000, 16, d))
    scores = q @ k.swapaxes(-1, -2)
    plain, divided = (softmax(z).max(-1).mean() for z in (scores, scores / np.sqrt(d)))
    print(f"{d:5} {scores.std():17.2f} {plain:21.2f} {divided:8.2f}")

# %% [markdown]
# ## Several heads
#
# One set of shares is one opinion on what matters. Several heads have several: each works in its own part of the $D$
# channels, with its own questions and keys, and a last linear map joins what they found.


# %%
def heads(z, count):
    """(N, L, D) -> (N, count, L, D / count)."""
    return z.reshape(*z.shape[:2], count, -1).swapaxes(1, 2)


layer = nn.MultiheadAttention(D, 4, batch_first=True).eval()
state = {name: value.numpy() for name, value in layer.state_dict().items()}
q, k, v = np.split(tokens.numpy() @ state["in_proj_weight"].T + state["in_proj_bias"], 3, axis=-1)
mine, shares = attention(heads(q, 4), heads(k, 4), heads(v, 4))
mine = mine.swapaxes(1, 2).reshape(tokens.shape) @ state["out_proj.weight"].T + state["out_proj.bias"]
with tinycnn.no_grad():
    theirs, weights = layer(tokens, tokens, tokens, average_attn_weights=False)
print("the result by hand:", np.allclose(mine, theirs.numpy(), atol=1e-5))
print("the shares by hand:", np.allclose(shares, weights.numpy(), atol=1e-5))

# %% [markdown]
# ## A transformer that reads digits
#
# A block is attention and then a small network for each token, both with a skip and a norm. Before the first block one more
# token is put in front, the *class token*, which belongs to no patch: what it has gathered at the end decides. Two blocks,
# four heads, 32 channels:

# %%
tinycnn.manual_seed(0)
vit = VisionTransformer(image_size=8, patch_size=P, num_layers=2, num_heads=4, hidden_dim=D, mlp_dim=64, num_classes=10,
                        in_channels=1)
loader = DataLoader(train, 64, shuffle=True)
unseen = DataLoader(test, len(test))
history = fit(vit, loader, unseen, epochs=20, optimizer=Adam(vit.parameters(), 0.003), progress=False)

tinycnn.manual_seed(0)
cnn = SimpleCNN(num_classes=10, in_channels=1, image_size=8, channels=(16, 64), kernel_size=3, padding=1)
conv_history = fit(cnn, loader, unseen, epochs=20, optimizer=Adam(cnn.parameters(), 0.003), progress=False)
for name, model, rows in (("ViT", vit, history), ("CNN", cnn, conv_history)):
    count = sum(p.numel() for p in model.parameters())
    print(f"{name}: {count:,} weights, {100 * rows[-1]['val_acc']:.1f} % of the test pictures")

# %%
figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
for rows, name, colour, dashes in ((conv_history, "convolutions", ORANGE, "--"), (history, "transformer", BLUE, "-")):
    ax.plot([row["epoch"] for row in rows], [100 * row["val_acc"] for row in rows], color=colour, ls=dashes, label=name)
ax.set_xticks(range(0, 21, 5))
ax.set_xlabel("epoch")
ax.set_ylabel("test accuracy (%)")
ax.set_title("which learns faster from 1,266 pictures?", fontsize=10)
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# The convolutions know from the start that neighbours belong together and that a stroke is a stroke wherever it is. The
# transformer has to find that in the pictures, and there are few of them: it is slower, and at the end still behind. With
# millions of pictures the lack of prejudice becomes a merit.
#
# ## Where it looks
#
# The shares of the class token in the last block, one map of 4x4 patches for each head, over the digit. Orange patches are
# those that it listens to.

# %%
vit.eval()
with tinycnn.no_grad():
    scores, maps = vit(x, need_weights=True)
last = maps[-1].numpy()
print("shares of a block (N, heads, tokens, tokens):", last.shape)

figure, axes = plt.subplots(4, 5, figsize=(6, 4.9), layout="constrained")
for row, n in zip(axes, (0, 1, 4, 14)):
    row[0].imshow(x[n, 0].numpy(), cmap="gray_r")
    row[0].set_title(f"a {y[n].item()}, taken for {scores[n].argmax().item()}", fontsize=9)
    for h, ax in enumerate(row[1:]):
        ax.imshow(x[n, 0].numpy(), cmap="gray_r", extent=(0, 8, 8, 0))
        ax.imshow(last[n, h, 0, 1:].reshape(4, 4), cmap="Oranges", alpha=0.65, vmin=0, vmax=0.4, extent=(0, 8, 8, 0))
        ax.set_title(f"head {h + 1}" if n == 0 else "", fontsize=9)
    for ax in row:
        bare(ax)
plt.show()

# %% [markdown]
# The heads look at different patches, and for different digits at different ones: unlike the weights of a convolution, the
# shares depend on the picture.
#
# ## Does it need the positions?
#
# Shuffle the patches of all test pictures, the same way. A person could not read them. What does the network do, and what
# would it do if its position vectors were zero?


# %%
def shuffled(x, order):
    """The pictures x (N, 1, 8, 8) with their patches in another order."""
    patches = x.numpy().reshape(-1, 1, 4, P, 4, P).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 16, 1, P, P)[:, order]
    return tinycnn.tensor(patches.reshape(-1, 4, 4, 1, P, P).transpose(0, 3, 1, 4, 2, 5).reshape(-1, 1, 8, 8))


mixed = shuffled(x, np.random.default_rng(0).permutation(16))
for name, pictures in (("as they are", x), ("shuffled", mixed)):
    print(f"{name:12} {100 * evaluate(vit, DataLoader(TensorDataset(pictures, y), 353))[1]:.1f} %")

with tinycnn.no_grad():
    vit.encoder.pos_embedding.zero_()
    print("without positions both are the same to it:", np.allclose(vit(x).numpy(), vit(mixed).numpy(), atol=1e-4))

# %% [markdown]
# All that it knows of places stands in the position vectors, which were random before the training.
#
# ## What to take home
#
# - A patch embedding is a convolution with its stride as large as its kernel.
# - Attention is a mean with weights that the tokens choose themselves; every token sees every other from the first block on.
#   Its cost grows with the square of their number.
# - Without positions a picture is a bag of patches.
# - What a convolution has built in, a transformer learns, from many pictures.
#
# ## Exercises
#
# - `tinycnn exercises start attention`: scaled dot-product attention, forward and backward.
# - `tinycnn exercises start positional_encoding`: the waves, and why products depend on the distance only.
# - `tinycnn exercises start vit_block`: a whole block with norms and skips.
# - Train with patches of 4x4, and with `positions="sine"`. What changes?

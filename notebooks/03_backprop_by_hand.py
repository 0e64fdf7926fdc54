# %% [markdown]
# # Backpropagation through a convolutional network, by hand
#
# Five layers in plain NumPy: convolution, ReLU, max-pooling, a linear layer, and softmax with cross-entropy. For each we
# derive what goes backward, write it down in a line or two, and have the gradient checker compare it with finite
# differences. Then we make the most common mistake on purpose, see what the checker says, and train the network.
#
# The rule is the same for every layer. The layer gets $dy$, the derivative of the loss with respect to each entry of its
# output, and returns $dx$, that with respect to each entry of its input (and its weights):
#
# $$dx_i = \sum_o dy_o \frac{\partial y_o}{\partial x_i}, \qquad
# \text{the sum over all outputs } o \text{ in which } x_i \text{ is used.}$$

# %%
import numpy as np
from matplotlib import pyplot as plt
from numpy.lib.stride_tricks import sliding_window_view

import tinycnn
import tinycnn.nn.functional as F
from tinycnn.data import Digits
from tinycnn.gradcheck import check_functions
from tinycnn.viz.style import BLUE, ORANGE, bare, tidy

chance = np.random.default_rng(0)

# %% [markdown]
# Every layer is a pair of functions: `forward(inputs) -> y, cache`, where the cache is what backward will need, and
# `backward(dy, cache) -> gradients`, one for each input.
#
# ## The linear layer
#
# $y_{nk} = \sum_d x_{nd} w_{dk} + b_k$. An entry $x_{nd}$ is used in all $y_{nk}$ of its row, beside $w_{dk}$. A weight
# $w_{dk}$ is used once for each sample, beside $x_{nd}$; the bias $b_k$ as well, beside 1:
#
# $$dx_{nd} = \sum_k dy_{nk} w_{dk}, \qquad dw_{dk} = \sum_n x_{nd}\, dy_{nk}, \qquad db_k = \sum_n dy_{nk} .$$


# %%
def linear(x, w, b):
    """x (N, D), w (D, K), b (K) -> y (N, K)."""
    return x @ w + b, (x, w)


def linear_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


print(check_functions(linear, linear_backward, chance.normal(size=(5, 6)), chance.normal(size=(6, 4)),
                      chance.normal(size=4), names=["x", "w", "b"]))

# %% [markdown]
# The checker changes the inputs a little, looks what that does to the outputs, and compares with what backward says. The
# upstream gradient `dy` is random: with ones in its place, errors may cancel.
#
# ## ReLU
#
# $y = \max(x, 0)$: the slope is 1 where $x > 0$, else 0.


# %%
def relu(x):
    return np.maximum(x, 0), x > 0


def relu_backward(dy, positive):
    return dy * positive


print(check_functions(relu, relu_backward, chance.normal(size=(2, 3, 4, 4))))

# %% [markdown]
# ## Max-pooling
#
# The maximum of each 2x2 block. Only the winner of a block reaches the output, so only the winner gets the gradient. The
# block is laid out as a row of four numbers, to have one axis to search.


# %%
def blocks(x):
    """x (N, C, 2 H, 2 W) -> (N, C, H, W, 4), the four pixels of each block in a row."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4).reshape(n, c, h // 2, w // 2, 4)


def unblocks(rows):
    """The inverse of `blocks`."""
    n, c, h, w, _ = rows.shape
    return rows.reshape(n, c, h, w, 2, 2).swapaxes(3, 4).reshape(n, c, 2 * h, 2 * w)


def max_pool(x):
    winner = blocks(x).argmax(-1)[..., None]
    return np.take_along_axis(blocks(x), winner, -1)[..., 0], winner


def max_pool_backward(dy, winner):
    rows = np.zeros((*dy.shape, 4))
    np.put_along_axis(rows, winner, dy[..., None], -1)
    return unblocks(rows)


print(check_functions(max_pool, max_pool_backward, chance.normal(size=(2, 3, 4, 6))))

# %% [markdown]
# Which way does a gradient take through these two layers? Forward from left to right, and below it the way back.

# %%
x = chance.normal(size=(1, 1, 6, 6))
positive_part, positive = relu(x)
y, winner = max_pool(positive_part)
dy = chance.normal(size=y.shape)
d_relu = max_pool_backward(dy, winner)
dx = relu_backward(d_relu, positive)
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.4), layout="constrained")
for ax, values, title in zip(axes.flat, (x, positive_part, y, dx, d_relu, dy),
                             ("x", "after ReLU", "after pooling", "dx", "after the way back\nthrough pooling", "dy")):
    ax.imshow(values[0, 0], cmap="PuOr", vmin=-2.5, vmax=2.5)
    side = values.shape[-1]
    for edge in np.arange(0, side + 1, 2 if side == 6 else 1) - 0.5:
        ax.axhline(edge, color="#8A8A8A", lw=0.8)
        ax.axvline(edge, color="#8A8A8A", lw=0.8)
    for (i, j), value in np.ndenumerate(values[0, 0]):
        ax.text(j, i, f"{round(value, 1) + 0:g}", ha="center", va="center", fontsize=7)
    bare(ax)
    ax.set_title(title, fontsize=10)
plt.show()
print(f"{int((dx != 0).sum())} of {dx.size} pixels get a gradient")

# %% [markdown]
# ## Softmax and cross-entropy
#
# With the probabilities $p_{nk} = e^{z_{nk}} / \sum_j e^{z_{nj}}$ and the true class $t_n$, the loss is
# $L = -\frac{1}{N} \sum_n \log p_{n t_n}$. The two together have a gradient so simple that they are always taken together:
#
# $$dz_{nk} = \frac{1}{N} \left(p_{nk} - [k = t_n]\right) dL .$$
#
# That is: what the network said minus what it should have said.


# %%
def cross_entropy(z, t):
    """z (N, K), t (N,) -> the loss."""
    z = z - z.max(1, keepdims=True)  # exp cannot overflow; the probabilities stay the same
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(t))
    return -np.log(p[rows, t]).mean(), (p, t)


def cross_entropy_backward(dy, cache):
    p, t = cache
    dz = p.copy()
    dz[np.arange(len(t)), t] -= 1
    return dz * dy / len(t), None


print(check_functions(cross_entropy, cross_entropy_backward, chance.normal(size=(5, 10)), chance.integers(0, 10, 5)))

# %% [markdown]
# ## Convolution
#
# $y_{nfij} = b_f + \sum_{cpq} w_{fcpq}\, x_{n,c,i+p,j+q}$. The weight $w_{fcpq}$ is used at every place $(i, j)$ of every
# picture, so
#
# $$dw_{fcpq} = \sum_{nij} dy_{nfij}\, x_{n,c,i+p,j+q}, \qquad db_f = \sum_{nij} dy_{nfij} .$$
#
# The pixel $x_{ncab}$ is used in $y_{nfij}$ wherever $i + p = a$ and $j + q = b$, so at $i = a - p,\; j = b - q$:
#
# $$dx_{ncab} = \sum_{fpq} w_{fcpq}\, dy_{n,f,a-p,b-q} .$$
#
# Mind the minus signs. This is again a sliding window, now over $dy$ with a border of $K - 1$ zeros around it, and with the
# kernel *turned by 180 degrees*.


# %%
def conv(x, w, b):
    """x (N, C, H, W), w (F, C, K, K), b (F) -> y (N, F, H - K + 1, W - K + 1)."""
    windows = sliding_window_view(x, w.shape[2:], (2, 3))  # (N, C, OH, OW, K, K), a view: nothing is copied
    y = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3)))   # (N, OH, OW, F)
    return y.transpose(0, 3, 1, 2) + b[:, None, None], (windows, w)


def conv_backward(dy, cache):
    windows, w = cache
    k = w.shape[2] - 1
    turned = w[:, :, ::-1, ::-1]
    dy_windows = sliding_window_view(np.pad(dy, ((0, 0), (0, 0), (k, k), (k, k))), w.shape[2:], (2, 3))
    dx = np.tensordot(dy_windows, turned, ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    dw = np.tensordot(dy, windows, ((0, 2, 3), (0, 2, 3)))
    return dx, dw, dy.sum((0, 2, 3))


INPUTS = chance.normal(size=(2, 3, 6, 7)), chance.normal(size=(4, 3, 3, 3)), chance.normal(size=4)
print(check_functions(conv, conv_backward, *INPUTS, names=["x", "w", "b"]))

# %% [markdown]
# ## A planted bug
#
# The most popular mistake is to forget the turn. The shapes are right, and the numbers have the right size. What does the
# checker say?


# %%
def conv_backward_unturned(dy, cache):
    windows, w = cache
    dx, dw, db = conv_backward(dy, (windows, w[:, :, ::-1, ::-1]))  # turned twice: not at all
    return dx, dw, db


report = check_functions(conv, conv_backward_unturned, *INPUTS, names=["x", "w", "b"])
print(report)

# %% [markdown]
# The first line names the cause. It also says what is *not* wrong: `dw` and `db`. Another one, a mean where a sum belongs,
# and a third, a gradient that forgets the batch size:

# %%
print(check_functions(conv, lambda dy, cache: (*conv_backward(dy, cache)[:2], dy.mean((0, 2, 3))), *INPUTS,
                      names=["x", "w", "b"]))
print()
print(check_functions(cross_entropy, lambda dy, cache: (len(cache[1]) * cross_entropy_backward(dy, cache)[0], None),
                      chance.normal(size=(5, 10)), chance.integers(0, 10, 5), names=["z", "t"]))

# %% [markdown]
# Where are the errors of the missing turn? The gradient of one channel of one picture, by both versions:

# %%
y, cache = conv(*INPUTS)
dy = chance.normal(size=y.shape)
right, wrong = conv_backward(dy, cache)[0][0, 0], conv_backward_unturned(dy, cache)[0][0, 0]
top = np.abs(np.stack([right, wrong])).max()
figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.3), layout="constrained")
for ax, values, title in zip(axes, (right, wrong, wrong - right), ("right", "kernel not turned", "difference")):
    image = ax.imshow(values, cmap="PuOr", vmin=-top, vmax=top)
    ax.set_title(f"dx: {title}", fontsize=10)
    bare(ax)
figure.colorbar(image, ax=axes, label="gradient")
plt.show()

# %% [markdown]
# ## The whole network
#
# 8x8 digits, four kernels of 3x3, so maps of 6x6; pooling leaves 3x3; the linear layer sees 36 numbers. Backward is forward
# read from its end.


# %%
def network(x, w, b, v, c, t):
    """The loss of the pictures x (N, 1, 8, 8) with the classes t (N,), and what backward needs."""
    maps, conv_cache = conv(x, w, b)
    maps, positive = relu(maps)
    maps, winner = max_pool(maps)
    z, linear_cache = linear(maps.reshape(len(x), -1), v, c)
    loss, loss_cache = cross_entropy(z, t)
    return loss, (conv_cache, positive, winner, maps.shape, linear_cache, loss_cache, z)


def network_backward(dy, cache, pool_backward=max_pool_backward):
    conv_cache, positive, winner, shape, linear_cache, loss_cache, _ = cache
    dz, _ = cross_entropy_backward(dy, loss_cache)
    dmaps, dv, dc = linear_backward(dz, linear_cache)
    dmaps = pool_backward(dmaps.reshape(shape), winner)
    dmaps = relu_backward(dmaps, positive)
    dx, dw, db = conv_backward(dmaps, conv_cache)
    return dx, dw, db, dv, dc, None


weights = [chance.normal(0, 0.4, (4, 1, 3, 3)), np.zeros(4), chance.normal(0, 0.2, (36, 10)), np.zeros(10)]
noise = chance.normal(size=(3, 1, 8, 8))
classes = np.array([3, 1, 4])
print(check_functions(network, network_backward, noise, *weights, classes, names=["x", "w", "b", "v", "c", "t"]))

# %% [markdown]
# And tinycnn's `backward()`, which finds the same gradients without anyone writing them in order:

# %%
tensors = [tinycnn.tensor(w, requires_grad=True) for w in weights]
w, b, v, c = tensors
z = F.max_pool2d(F.relu(F.conv2d(tinycnn.from_numpy(noise), w, b)), 2).flatten(1) @ v + c
F.cross_entropy(z, tinycnn.from_numpy(classes)).backward()
loss, cache = network(noise, *weights, classes)
for name, ours, theirs in zip("wbvc", network_backward(1.0, cache)[1:], tensors):
    print(f"d{name}: equal {np.allclose(ours, theirs.grad.numpy())}")

# %% [markdown]
# ## Does it learn?
#
# Plain gradient descent with batches of about 32 real digits of 8x8 pixels. And beside it the same with one more mistake:
# the way back through the pooling gives the gradient to all four pixels of a block. Can the curves tell which is which?


# %%
def train(backward, epochs=8, rate=0.2):
    """The accuracy on the validation pictures after each epoch, in per cent."""
    (x, t), (vx, vt) = (tuple(a.numpy() for a in d.batch(np.arange(len(d)))) for d in (Digits(), Digits("validation")))
    chance, ours, result = np.random.default_rng(1), [w.copy() for w in weights], []
    for _ in range(epochs):
        for rows in np.array_split(chance.permutation(len(x)), len(x) // 32):
            _, cache = network(x[rows], *ours, t[rows])
            for w, dw in zip(ours, backward(1.0, cache)[1:]):
                w -= rate * dw
        scores = network(vx, *ours, vt)[1][-1]
        result.append(100 * (scores.argmax(1) == vt).mean())
    return result


def to_all_four(dy, winner):
    """What `max_pool_backward` must not do."""
    return unblocks(np.repeat(dy[..., None], 4, -1))


good = train(network_backward)
bad = train(lambda dy, cache: network_backward(dy, cache, pool_backward=to_all_four))
print(f"right: {good[-1]:.1f} %, with the mistake: {bad[-1]:.1f} %")

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(range(1, 9), good, "o-", color=BLUE, label="right gradients")
ax.plot(range(1, 9), bad, "s--", color=ORANGE, label="pooling gives its gradient to all four")
ax.set(xlabel="epoch", ylabel="validation accuracy (%)", title="Right and wrong gradients on 8x8 digits")
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %% [markdown]
# They cannot. The wrong gradient still points downhill, more or less, and the network learns; nobody would look for a
# mistake behind that curve. This is why gradients are checked, and not judged by what comes out.

# %%
print(check_functions(max_pool, to_all_four, chance.normal(size=(2, 3, 4, 6))))

# %% [markdown]
# ## See it happen
#
# [explore.html](explore.html) is a page on which a trained network runs forward and backward in the browser, without an
# installation: draw a digit, choose "Backward", press a number, then a weight of its kernel. What stands there is the sum
# derived above, place by place, and "Check it" compares it with a finite difference. Its part "Break it" plants the same
# kind of mistake as this lesson. `tinycnn explore RUN` opens such a page for a network of your own.
#
# ## Exercises
#
# - `tinycnn exercises start linear`, `tinycnn exercises start activations`, `tinycnn exercises start softmax_cross_entropy`,
#   `tinycnn exercises start max_pool`: the layers of this lesson, in general
# - `tinycnn exercises start conv_backward`: the three gradients of a convolution
# - `tinycnn exercises start numerical_gradient`: the checker's half of the work
# - `tinycnn exercises start find_the_bug`: mistakes of others

"""The MNIST net in other libraries on NumPy, as their users would write it: training steps to be timed.

Each function takes pictures x (N, 1, 28, 28) and labels (N,) and returns a step: forward, cross-entropy, backward, SGD with
momentum. What is not installed is not measured: `pip install mygrad autograd dezero`.
"""
import numpy as np


def weights():
    """{name: array} of the network."""
    rng = np.random.default_rng(0)
    shapes = dict(w1=(16, 1, 5, 5), b1=(16,), w2=(32, 16, 5, 5), b2=(32,), w3=(1568, 10), b3=(10,))
    return {name: (rng.standard_normal(s) * 0.05).astype(np.float32) for name, s in shapes.items()}


def momentum_sgd(values, gradients, velocities, lr=0.01, momentum=0.9):
    """One step, in place."""
    for name, w in values.items():
        velocities[name] = momentum * velocities.get(name, 0) + gradients[name]
        w -= np.float32(lr) * velocities[name]


def mygrad(x, labels):
    """MyGrad: https://github.com/rsokl/MyGrad."""
    from mygrad import tensor
    from mygrad.nnet import conv_nd, max_pool, softmax_crossentropy
    from mygrad.nnet.activations import relu
    p, velocities = {name: tensor(w) for name, w in weights().items()}, {}

    def step():
        y = max_pool(relu(conv_nd(x, p["w1"], stride=1, padding=2) + p["b1"].reshape(1, -1, 1, 1)), (2, 2), 2)
        y = max_pool(relu(conv_nd(y, p["w2"], stride=1, padding=2) + p["b2"].reshape(1, -1, 1, 1)), (2, 2), 2)
        softmax_crossentropy(y.reshape(len(x), -1) @ p["w3"] + p["b3"], labels).backward()
        gradients = {name: t.grad for name, t in p.items()}
        momentum_sgd({name: t.data for name, t in p.items()}, gradients, velocities)

    return step


def autograd(x, labels):
    """HIPS autograd, with the convolution and pooling of its own example: https://github.com/HIPS/autograd."""
    import autograd.numpy as np
    from autograd import grad
    from autograd.scipy.signal import convolve
    values, velocities, chosen = weights(), {}, np.arange(len(x))

    def layer(x, w, b):
        x = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), "constant")
        w = w[:, :, ::-1, ::-1]  # which it calls a convolution, and turns
        y = convolve(x, w, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid") + b.reshape(1, -1, 1, 1)
        y = np.maximum(y, 0)
        n, c, height, width = y.shape
        return np.max(np.max(y.reshape(n, c, height // 2, 2, width // 2, 2), axis=5), axis=3)

    def loss(p):
        y = layer(layer(x, p["w1"], p["b1"]), p["w2"], p["b2"]).reshape(len(x), -1) @ p["w3"] + p["b3"]
        y = y - np.max(y, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(y), axis=1)) - y[chosen, labels])

    gradient = grad(loss)
    return lambda: momentum_sgd(values, gradient(values), velocities)


def dezero(x, labels):
    """DeZero, the framework of a textbook: https://github.com/oreilly-japan/deep-learning-from-scratch-3."""
    np.int = int  # which NumPy no longer has, and DeZero needs when it is imported
    import dezero.functions as F
    from dezero import Parameter
    p, velocities = {name: Parameter(w) for name, w in weights().items()}, {}

    def step():
        for t in p.values():
            t.cleargrad()
        y = F.pooling(F.relu(F.conv2d(x, p["w1"], p["b1"], 1, 2)), 2, 2)
        y = F.pooling(F.relu(F.conv2d(y, p["w2"], p["b2"], 1, 2)), 2, 2)
        F.softmax_cross_entropy(F.linear(F.reshape(y, (len(x), -1)), p["w3"], p["b3"]), labels).backward()
        momentum_sgd({name: t.data for name, t in p.items()}, {name: t.grad.data for name, t in p.items()}, velocities)

    return step


PEERS = {"mygrad": mygrad, "autograd": autograd, "dezero": dezero}

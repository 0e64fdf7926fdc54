"""The residual block, and why it can be deep

For years networks got worse beyond some twenty layers, even on the data they were trained on. What helped was an addition.
A residual block does not replace its input, it corrects it:

    x (N, D), w1 (H, D), b1 (H), w2 (D, H), b2 (D) -> y (N, D)

    a = x w1^T + b1,     h = relu(a)
    f = h w2^T + b2                       the correction
    y = relu(x + f)                       the skip carries x past both layers

The sum comes first and the last ReLU behind it. If the layers learn nothing, with f = 0, the block still hands on what it
got. And the gradient has the same short cut. Call ds the gradient with respect to the sum s = x + f. x enters s twice, once
as itself and once through f, and the gradients of all uses add up:

    dx = (what comes along the skip) + (what comes back through both layers)

The first part reaches x without having met a single weight. Lost in one block, it is lost for all below; a chain of 50 then
multiplies 50 small factors, which is what had failed before.

Backward walks the forward pass from the end to the start: y -> s -> f -> h -> a -> x. You know each step: a ReLU lets dy
through where *its own* input was positive, and a linear layer is the exercise "linear". There are two ReLUs here, with two
masks. Write down the shape of every gradient on the way.
"""
import numpy as np


def residual_block(x, w1, b1, w2, b2):
    """x (N, D), w1 (H, D), b1 (H), w2 (D, H), b2 (D) -> y (N, D)."""
    ### BEGIN SOLUTION
    h = np.maximum(x @ w1.T + b1, 0)
    return np.maximum(x + h @ w2.T + b2, 0)
    ### END SOLUTION


def residual_block_backward(dy, x, w1, b1, w2, b2):
    """dy (N, D) and the inputs of forward -> dx (N, D), dw1 (H, D), db1 (H), dw2 (D, H), db2 (D)."""
    ### BEGIN SOLUTION
    a = x @ w1.T + b1
    h = np.maximum(a, 0)
    s = x + h @ w2.T + b2
    ds = dy * (s > 0)
    dw2, db2 = ds.T @ h, ds.sum(axis=0)
    dh = ds @ w2
    da = dh * (a > 0)
    dw1, db1 = da.T @ x, da.sum(axis=0)
    dx = ds + da @ w1
    return dx, dw1, db1, dw2, db2
    ### END SOLUTION

"""RMS norm from a part of the row

Layer norm takes the mean away and divides by the standard deviation. Take away only the second: large language models do,
they train as well without the mean. What is left divides each row by its root mean square, and Zhang and Sennrich (2019)
noticed that a *part* of the row is enough to estimate that. You will find this version in hardly any library:

    x (N, D), w (D) -> y (N, D),       the first k numbers of each row, 1 <= k <= D

    r[n] = 1 / sqrt( (1/k) sum_{j < k} x[n, j]^2 + eps )
    y[n, d] = (1 + w[d]) x[n, d] r[n]

All D numbers are divided, only k are looked at. The weight is written 1 + w, so that w = 0 is the neutral start, and weight
decay pulls towards that.

There is no code to copy the gradient from, so derive it. Write g[n, d] = (1 + w[d]) dy[n, d]. Every x[n, d] enters its own
y[n, d] directly, and if d < k it also enters r[n], and through it *all* of the row, also those that lie beyond k:

    dx[n, d] = g[n, d] r[n]  +  (sum_e g[n, e] x[n, e]) (d r[n] / d x[n, d])

Find d r / d x[n, d], by the chain rule from r = s^(-1/2); express it with r. Which sums run over k numbers and which over D?
And dw is shorter. As a check: for eps = 0 and k = D doubling a row does not change y, so dx is orthogonal to x.
"""
import numpy as np


def rms_norm(x, w, k, eps):
    """x (N, D), w (D), 1 <= k <= D -> y (N, D)."""
    ### BEGIN SOLUTION
    r = 1 / np.sqrt((x[:, :k]**2).mean(axis=1, keepdims=True) + eps)
    return (1 + w) * x * r
    ### END SOLUTION


def rms_norm_backward(dy, x, w, k, eps):
    """dy (N, D) and the inputs of forward -> dx (N, D), dw (D)."""
    ### BEGIN SOLUTION
    r = 1 / np.sqrt((x[:, :k]**2).mean(axis=1, keepdims=True) + eps)
    dw = (dy * x * r).sum(axis=0)
    g = (1 + w) * dy
    along = (g * x).sum(axis=1, keepdims=True)
    dx = g * r
    dx[:, :k] -= along * x[:, :k] * r**3 / k
    return dx, dw
    ### END SOLUTION

"""Layer normalisation, forward and backward

Batch normalisation compares an example with the others of its batch. Layer normalisation asks nobody else: each row of
numbers, a word or a patch with its D features, is normalised by its own mean and (biased) variance. There are no running
statistics and no difference between training and use, and a batch of one is as good as any; transformers live on it.

    x (..., D), w (D), b (D) -> y (..., D)
    xhat = (x - mean) / sigma,   sigma = sqrt(var + eps),   y = w xhat + b      mean and var over the last axis

The dots stand for any number of axes in front: (N, D) and (N, T, D) must both work.

Each feature has a weight, and the same weights serve all rows. So two kinds of sums occur in backward, over different axes,
and to mix them up is the mistake of this exercise: what belongs to a weight adds up over the rows, what belongs to a row
adds up over its features.

For x: with g[d] the gradient with respect to xhat[d], every x of a row moves the row's mean and sigma besides itself, so

    dx[d] = (1 / sigma) ( g[d] - (the part of g that moves the mean) - (the part of g along xhat) )

which you may derive as for batch normalisation: d mean / d x[d] = 1/D, d sigma / d x[d] = xhat[d] / D. Mind that g is not
dy: the weight stands between them, and it differs from feature to feature, so it cannot wait until the end.
"""
import numpy as np


def layer_norm(x, w, b, eps):
    """x (..., D), w (D), b (D) -> y (..., D)."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=-1, keepdims=True)
    sigma = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    return w * (x - mean) / sigma + b
    ### END SOLUTION


def layer_norm_backward(dy, x, w, b, eps):
    """dy (..., D) and the inputs of forward -> dx (..., D), dw (D), db (D)."""
    ### BEGIN SOLUTION
    sigma = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    xhat = (x - x.mean(axis=-1, keepdims=True)) / sigma
    rows = tuple(range(x.ndim - 1))
    dw = (dy * xhat).sum(axis=rows)
    db = dy.sum(axis=rows)
    g = w * dy
    along_xhat = (g * xhat).mean(axis=-1, keepdims=True)
    dx = (g - g.mean(axis=-1, keepdims=True) - xhat * along_xhat) / sigma
    return dx, dw, db
    ### END SOLUTION

"""Find the bug

Four backward functions, written by someone in a hurry. All of them run, all return arrays of the right shape, networks even
learn with them, a little worse than they should. In each is one mistake of a kind that has cost people weeks. Find it and
mend it; the forward functions and all comments are right.

Reading alone will find some. What finds all of them is a measurement: move one number of the input by a little h, see how
the output moves, and compare. For an output y and random numbers dy in its shape,

    (d/dx) sum(y * dy)    is what backward(dy, x) claims to be

`numerical_gradient` below does it for you, for a function of one array. Three pieces of advice for looking where the
mistake can be seen:

  * Take dy at random. With dy = 1 everywhere many a wrong gradient is right: that of a normalisation is then zero anyway.
  * Take sizes that are all different, and inputs with all that the function may meet: both signs, the same number twice.
  * A function can also be wrong in what it does besides returning the right number.

The functions:

    leaky_relu:   y = x where x > 0, slope x elsewhere                        x of any shape
    embedding:    y[n] = table[ids[n]], row ids[n] of a table                 ids (N), table (V, D) -> y (N, D)
    softmax:      y[n, k] = exp(x[n, k]) / sum_l exp(x[n, l])                 x (N, K) -> y (N, K)
    standardise:  y[n, d] = (x[n, d] - mean[n]) / sqrt(var[n] + eps)          x (N, D) -> y (N, D)
"""
import numpy as np


def numerical_gradient(f, x, dy, h=1e-5):
    """The gradient of sum(f(x) * dy) with respect to x, by central differences. Right, and given."""
    x = x.copy()
    dx = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        old = x[at]
        x[at] = old + h
        above = (f(x) * dy).sum()
        x[at] = old - h
        below = (f(x) * dy).sum()
        x[at] = old
        dx[at] = (above - below) / (2 * h)
    return dx


def leaky_relu(x, slope):
    """x -> y of the same shape. Right."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(dy, x, slope):
    """dy and x of the same shape -> dx of that shape."""
    ### BEGIN SOLUTION
    dx = dy.copy()
    dx[x <= 0] *= slope
    return dx
    ### STUB
    # dx = dy
    # dx[x <= 0] *= slope
    # return dx
    ### END SOLUTION


def embedding(ids, table):
    """ids (N) of integers, table (V, D) -> y (N, D). Right."""
    return table[ids]


def embedding_backward(dy, ids, table):
    """dy (N, D) and the inputs of forward -> dtable (V, D)."""
    ### BEGIN SOLUTION
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids, dy)     # a row that was used twice gets both gradients
    return dtable
    ### STUB
    # dtable = np.zeros_like(table)
    # dtable[ids] += dy
    # return dtable
    ### END SOLUTION


def softmax(x):
    """x (N, K) -> y (N, K), whose rows add up to 1. Right."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dy, x):
    """dy (N, K), x (N, K) -> dx (N, K)."""
    ### BEGIN SOLUTION
    y = softmax(x)
    along = (dy * y).sum(axis=1, keepdims=True)
    return y * (dy - along)
    ### STUB
    # y = softmax(x)
    # along = (dy * y).sum(axis=0, keepdims=True)
    # return y * (dy - along)
    ### END SOLUTION


def standardise(x, eps):
    """x (N, D) -> y (N, D), each row with mean 0 and variance 1. Right."""
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + eps)


def standardise_backward(dy, x, eps):
    """dy (N, D), x (N, D) -> dx (N, D)."""
    ### BEGIN SOLUTION
    sigma = np.sqrt(x.var(axis=1, keepdims=True) + eps)
    y = (x - x.mean(axis=1, keepdims=True)) / sigma
    along = (dy * y).mean(axis=1, keepdims=True)
    return (dy - dy.mean(axis=1, keepdims=True) - y * along) / sigma
    ### STUB
    # sigma = np.sqrt(x.var(axis=1, keepdims=True) + eps)
    # y = (x - x.mean(axis=1, keepdims=True)) / sigma
    # along = (dy * y).mean(axis=1, keepdims=True)
    # return (dy - y * along) / sigma
    ### END SOLUTION

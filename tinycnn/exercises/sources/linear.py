"""The linear layer, forward and backward

Every network ends in a linear layer, and most of what a convolution does is one in disguise. Here is a batch of N
examples with D numbers each, and each of M outputs is a weighted sum of the D numbers, plus a bias:

    x (N, D), w (M, D), b (M) -> y (N, M)        y[n, m] = sum_d x[n, d] w[m, d] + b[m]

w has one row an output, as in PyTorch. Write the sum as one matrix product.

Backward receives dy (N, M), the derivative of the loss with respect to every y[n, m], and must return that with respect to
x, w and b. Start from the chain rule: an entry of w is used in many entries of y, and the gradients of all its uses add up,

    dw[m, d] = sum over n' and m' of  dy[n', m'] * (d y[n', m'] / d w[m, d])

Of all these terms only those with m' = m are not zero, because w[m, d] appears in no other output; there the derivative is
x[n', d]. So

    dw[m, d] = sum_n dy[n, m] x[n, d]

which is a matrix product again: find the one whose shape comes out as (M, D). Do the same for x and for b. Ask for each: in
which entries of y is it used, and over what must be summed?

Nothing here needs a Python loop.
"""
import numpy as np  # noqa: F401


def linear_forward(x, w, b):
    """x (N, D), w (M, D), b (M) -> y (N, M)."""
    ### BEGIN SOLUTION
    return x @ w.T + b
    ### END SOLUTION


def linear_backward(dy, x, w, b):
    """dy (N, M) and the inputs of forward -> dx (N, D), dw (M, D), db (M)."""
    ### BEGIN SOLUTION
    dx = dy @ w          # y[n, m] uses x[n, d] once for every m: the sum runs over the outputs
    dw = dy.T @ x        # over the examples
    db = dy.sum(axis=0)  # over the examples: one bias serves the whole batch
    return dx, dw, db
    ### END SOLUTION

"""Max pooling that shares at ties

Where several pixels of a window are equally large, the maximum has a kink, and no gradient in the usual sense. Libraries
let the first one take all. That is a choice, and it has a direction: behind a ReLU, where whole windows are zero, the upper
left corner of every such window is favoured. In this exercise, which you will find in no library, the winners share:

    k[n, c, i, j] = how many pixels of window (i, j) are equal to its maximum y[n, c, i, j]
    each of them gets  dy[n, c, i, j] / k[n, c, i, j]

A flipped picture then has exactly the flipped gradient, and all that goes in comes out: the sum of dx is the sum of dy.

The windows have size x size places and move by `stride`; only those count that lie wholly in the picture, and they may
overlap (forward is given). A pixel can tie in one window and win alone in the next, so k belongs to the window and not to
the pixel: first count the winners of every window, for which you need one walk over the places (p, q), then hand out the
shares in a second one.
"""
import numpy as np


def max_pool(x, size, stride):
    """x (N, C, H, W) -> y (N, C, OH, OW), the largest of each window. Given."""
    views = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return views[:, :, ::stride, ::stride].max(axis=(4, 5))


def winner_counts(x, size, stride):
    """x (N, C, H, W) -> k (N, C, OH, OW): how many pixels of each window equal its maximum."""
    ### BEGIN SOLUTION
    y = max_pool(x, size, stride)
    OH, OW = y.shape[2:]
    k = np.zeros(y.shape, int)
    for p in range(size):
        for q in range(size):
            k += x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] == y
    return k
    ### END SOLUTION


def max_pool_backward(dy, x, size, stride):
    """dy (N, C, OH, OW) and the inputs of forward -> dx (N, C, H, W), ties sharing evenly."""
    ### BEGIN SOLUTION
    y = max_pool(x, size, stride)
    OH, OW = y.shape[2:]
    share = dy / winner_counts(x, size, stride).astype(dy.dtype)
    dx = np.zeros_like(x)
    for p in range(size):
        for q in range(size):
            place = np.s_[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride]
            dx[place] += (x[place] == y) * share
    return dx
    ### END SOLUTION

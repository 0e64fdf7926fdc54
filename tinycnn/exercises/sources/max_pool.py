"""Max pooling

A pooling layer makes pictures smaller. Max pooling keeps of each window the largest number: what was found somewhere in the
window counts, and where exactly does not. There is nothing to learn in it, and every channel is by itself:

    x (N, C, H, W) -> y (N, C, OH, OW)        y[n, c, i, j] = max over p, q < size of  x[n, c, i stride + p, j stride + q]

The window has size x size places and moves by `stride` pixels; only windows that lie wholly in the picture count. With
size = stride the windows tile the picture, with size > stride they overlap. How many fit? For H pixels the last window
starts at the largest multiple of stride that is not above H - size.

As in a convolution, loop over the places (p, q) of the window, not over the pixels: for each place, the pixels that it
meets in all windows at once are one slice of x, with a step.

Backward. The maximum of a window is a copy of one of its pixels, the winner. Moving the winner a little moves y just as
much, and moving another pixel does nothing:

    d y[n, c, i, j] / d x[n, c, k, l] = 1 if (k, l) is the winner of window (i, j), else 0

Every window hands its dy to its winner. Two questions remain for you. A pixel can win in several windows, when they
overlap: what is its gradient? And several pixels of a window can be equally large, where the maximum has a kink: here the
first of them wins, in the order of reading (p = 0 before p = 1, and q = 0 before q = 1 within a row), and the others get
nothing.
"""
import numpy as np


def max_pool(x, size, stride):
    """x (N, C, H, W) -> y (N, C, OH, OW), the largest of each window."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    OH, OW = (H - size) // stride + 1, (W - size) // stride + 1
    y = np.full((N, C, OH, OW), -np.inf, x.dtype)
    for p in range(size):
        for q in range(size):
            y = np.maximum(y, x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride])
    return y
    ### END SOLUTION


def max_pool_backward(dy, x, size, stride):
    """dy (N, C, OH, OW) and the inputs of forward -> dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    y = max_pool(x, size, stride)
    OH, OW = y.shape[2:]
    dx, open_windows = np.zeros_like(x), np.ones(y.shape, bool)
    for p in range(size):
        for q in range(size):
            place = np.s_[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride]
            wins = (x[place] == y) & open_windows
            dx[place] += wins * dy      # a pixel may win in several windows
            open_windows &= ~wins       # and a window has one winner
    return dx
    ### END SOLUTION

"""Average pooling, with padding that does not count

Average pooling replaces each window by its mean:

    x (N, C, H, W) -> y (N, C, OH, OW),     OH = (H + 2 padding - size) // stride + 1,   OW likewise

The picture gets a border of `padding` zeros on every side, so that windows may hang over its edge. Such a window holds
fewer pixels than size * size. Dividing its sum by size * size all the same would pull every mean at the edge towards zero,
a dark frame around each feature map, which the next layer sees as a feature. So divide by the number of *real* pixels:

    y[n, c, i, j] = (sum of the window) / m[i, j],      m[i, j] = how many pixels of window (i, j) lie in the picture

(PyTorch's count_include_pad=False.) The window of row i covers the rows i stride - padding + p of the picture, p < size;
those below 0 or from H on are padding. m is a matrix (OH, OW) that depends on the sizes alone. It may be counted directly,
or got from a picture of ones.

Backward. y is linear in x, and each of the m[i, j] pixels of a window has the same share in its mean:

    d y[n, c, i, j] / d x[n, c, k, l] = 1 / m[i, j] if pixel (k, l) lies in window (i, j), else 0

Sum over all windows that hold the pixel. The loop over the places (p, q) of the window does it the way forward does, with
the slice on the other side of the +=; what falls onto the border is cut off at the end.

size > padding, so every window holds at least one pixel.
"""
import numpy as np


def pixel_counts(H, W, size, stride, padding):
    """How many pixels each window holds, padding not counted: m (OH, OW)."""
    ### BEGIN SOLUTION
    counts = []
    for length in (H, W):
        start = np.arange((length + 2 * padding - size) // stride + 1) * stride - padding
        counts.append(np.minimum(start + size, length) - np.maximum(start, 0))
    rows, columns = counts
    return rows[:, None] * columns
    ### END SOLUTION


def average_pool(x, size, stride, padding):
    """x (N, C, H, W) -> y (N, C, OH, OW), the mean of the pixels of each window."""
    ### BEGIN SOLUTION
    m = pixel_counts(*x.shape[2:], size, stride, padding)
    OH, OW = m.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    y = np.zeros((*x.shape[:2], OH, OW), x.dtype)
    for p in range(size):
        for q in range(size):
            y += padded[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride]
    return y / m.astype(x.dtype)
    ### END SOLUTION


def average_pool_backward(dy, x, size, stride, padding):
    """dy (N, C, OH, OW) and the inputs of forward -> dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    m = pixel_counts(H, W, size, stride, padding)
    OH, OW = m.shape
    share = dy / m.astype(dy.dtype)
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding), dy.dtype)
    for p in range(size):
        for q in range(size):
            padded[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] += share
    return padded[:, :, padding:padding + H, padding:padding + W]
    ### END SOLUTION

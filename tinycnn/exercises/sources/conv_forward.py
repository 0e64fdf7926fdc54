"""Convolution, forward

A convolutional layer slides a small window over the picture and computes in every place the same linear layer: C channels of
KH x KW pixels go in, F numbers come out. Here the window moves by one pixel and never leaves the picture:

    x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW)

    y[n, f, i, j] = b[f] + sum over c, p, q of  x[n, c, i + p, j + q] * w[f, c, p, q]

The window has room for OH = H - KH + 1 positions from top to bottom and OW = W - KW + 1 from left to right.

Mathematicians flip the window before they multiply, w[f, c, KH - 1 - p, KW - 1 - q], and call only that a convolution; what
stands above is a cross-correlation. Networks learn their windows and do not care, so every library computes the cross-
correlation and calls it convolution. Do so too.

Seven nested loops would do, one for each index of the formula, and take a minute for what should take a millisecond. Here is
the way to two. Exchange the sums: hold the place (p, q) *within the window* fixed and ask what it contributes to all of y at
once. It multiplies the same weights w[:, :, p, q], a matrix (F, C), with a picture that has merely been shifted,

    shifted[n, c, i, j] = x[n, c, i + p, j + q],        i < OH, j < OW

which is a slice of x. So y is a sum of KH * KW matrix products over the channels, and loops over p and q remain, which are
few. `np.einsum` or `np.tensordot` write such a product; mind where the axes end up.
"""
import numpy as np


def conv2d(x, w, b):
    """x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, H - KH + 1, W - KW + 1)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    F, C, KH, KW = w.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, F, OH, OW), x.dtype)
    for p in range(KH):
        for q in range(KW):
            shifted = x[:, :, p:p + OH, q:q + OW]
            y += np.einsum("ncij,fc->nfij", shifted, w[:, :, p, q])
    return y + b[:, None, None]
    ### END SOLUTION

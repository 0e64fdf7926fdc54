"""Convolution, backward

The forward pass was

    x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW)        OH = H - KH + 1, OW = W - KW + 1

    y[n, f, i, j] = b[f] + sum over c, p, q of  x[n, c, i + p, j + q] * w[f, c, p, q]

Now dy (N, F, OH, OW) arrives, and dx, dw and db are wanted. The rule is the same for all three: for every entry, find
*all* uses of it in y, multiply dy there by what stands beside the entry, and add up.

The bias b[f] is used in every y[n, f, i, j], beside a 1. The weight w[f, c, p, q] is used in every y[n, f, i, j] as
well, beside x[n, c, i + p, j + q]:

    dw[f, c, p, q] = sum over n, i, j of  dy[n, f, i, j] x[n, c, i + p, j + q]

For a fixed (p, q) that is a product of matrices, of dy with the shifted picture that the forward pass has used.

The pixel x[n, c, a, b] is the interesting one. It is used in y[n, f, i, j] at those positions where it lies in the
window, so where i + p = a and j + q = b for some place (p, q) of the window, beside w[f, c, p, q]:

    dx[n, c, a, b] = sum over f and over all p, q of  dy[n, f, a - p, b - q] w[f, c, p, q]

as far as (a - p, b - q) lies within y. Mind the minus: read as a sliding window, the window is now flipped, and that is
the true convolution of the mathematicians. But there is no need to flip anything. As in the forward pass hold (p, q)
fixed, and ask: which slice of dx gets what from dy and w[:, :, p, q]? All places (p, q) contribute to the same dx.
"""
import numpy as np


def conv2d_backward(dy, x, w, b):
    """dy (N, F, OH, OW) and the inputs of the convolution -> dx (N, C, H, W), dw (F, C, KH, KW), db (F)."""
    ### BEGIN SOLUTION
    _, _, KH, KW = w.shape
    _, _, OH, OW = dy.shape
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(KH):
        for q in range(KW):
            shifted = x[:, :, p:p + OH, q:q + OW]
            dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, shifted)
            dx[:, :, p:p + OH, q:q + OW] += np.einsum("nfij,fc->ncij", dy, w[:, :, p, q])
    db = dy.sum(axis=(0, 2, 3))
    return dx, dw, db
    ### END SOLUTION

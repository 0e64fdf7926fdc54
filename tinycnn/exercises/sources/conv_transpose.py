"""Transposed convolution

A decoder must make a small picture large again. The transposed convolution does what the backward pass of a convolution
does to its input, but as a forward operation: where the convolution gathers a window into one number, it scatters one
number over a window. Each pixel x[n, c, i, j] stamps the window w[c, f], multiplied by itself, into the output, and the
next pixel does so `stride` = S pixels further on. Where stamps overlap, they add up:

    x (N, C, H, W), w (C, F, KH, KW), b (F) -> y (N, F, OH, OW)

    stamped[n, f, i S + p, j S + q]  gets, from every c, p, q, i, j, the part  x[n, c, i, j] * w[c, f, p, q]

Count the rows of `stamped`: the last pixel begins at row (H - 1) S and stamps KH rows. The padding P does here the
opposite of what it does for a convolution, it cuts P rows and columns off on every side:

    y[n, f, a, b] = b[f] + stamped[n, f, a + P, b + P]        OH = (H - 1) S + KH - 2 P, OW alike

Note the order of w: the channels of x come first, because w is that of the convolution which it transposes.

A loop over the places (p, q) of the window suffices: for a fixed place, all pixels together write to one slice of
`stamped`, with the step S.

And backward? What forward writes to a slice, backward reads from the same slice of the gradient of `stamped`, which is
dy with its border put back: no gradient comes from what was cut off. So dx is an ordinary convolution of it with w,
with stride S,

    dx[n, c, i, j] = sum over f, p, q of  dstamped[n, f, i S + p, j S + q] * w[c, f, p, q]

and dw has the same slice once more. Derive it: beside what does w[c, f, p, q] stand?
"""
import numpy as np


def conv_transpose2d(x, w, b, stride, padding):
    """x (N, C, H, W), w (C, F, KH, KW), b (F) -> y (N, F, OH, OW)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    C, F, KH, KW = w.shape
    rows, cols = (H - 1) * stride + KH, (W - 1) * stride + KW
    stamped = np.zeros((N, F, rows, cols), x.dtype)
    for p in range(KH):
        for q in range(KW):
            part = np.einsum("ncij,cf->nfij", x, w[:, :, p, q])
            stamped[:, :, p:p + stride * H:stride, q:q + stride * W:stride] += part
    return stamped[:, :, padding:rows - padding, padding:cols - padding] + b[:, None, None]
    ### END SOLUTION


def conv_transpose2d_backward(dy, x, w, b, stride, padding):
    """dy (N, F, OH, OW) and the arguments of conv_transpose2d -> dx (N, C, H, W), dw (C, F, KH, KW), db (F)."""
    ### BEGIN SOLUTION
    _, _, H, W = x.shape
    _, _, KH, KW = w.shape
    dstamped = np.pad(dy, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(KH):
        for q in range(KW):
            seen = dstamped[:, :, p:p + stride * H:stride, q:q + stride * W:stride]
            dx += np.einsum("nfij,cf->ncij", seen, w[:, :, p, q])
            dw[:, :, p, q] = np.einsum("ncij,nfij->cf", x, seen)
    return dx, dw, dy.sum(axis=(0, 2, 3))
    ### END SOLUTION

"""Stride and padding

A window that moves by one pixel and never leaves the picture makes pictures that are nearly as large and shrink a
little with every layer. Two numbers give control. The *padding* P puts P rows and columns of zeros around the picture,
so that the border can be the centre of a window; the *stride* S moves the window by S pixels at once, which makes small
pictures:

    x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW)

    y[n, f, i, j] = b[f] + sum over c, p, q of  padded[n, c, i S + p, j S + q] * w[f, c, p, q]

How many positions are there? The window's first row i S runs from 0 as long as its last row, i S + KH - 1, lies within
the H + 2 P rows of the padded picture. Count the i; where S does not divide evenly, some rows at the end are in no
window.

Which P keeps the size for a window of 3 x 3 pixels and S = 1?

In backward nothing is new but the indices: an entry's gradient is the sum over all its uses. For a fixed place (p, q)
of the window forward has read the slice of the padded picture with the rows p, p + S, p + 2 S, ...; so

    dw[f, c, p, q] = sum over n, i, j of  dy[n, f, i, j] * padded[n, c, i S + p, j S + q]

and the gradient of the padded picture gets, at the same slice, dy times w[:, :, p, q]. Rows that no window has seen
stay zero. The zeros of the padding have a gradient as well, but nobody wants it: what belongs to x is in the middle.
"""
import numpy as np


def output_size(size, kernel, stride, padding):
    """The number of positions of a window of `kernel` pixels along a side of `size` pixels."""
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


def conv2d(x, w, b, stride, padding):
    """x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    F, C, KH, KW = w.shape
    OH, OW = output_size(H, KH, stride, padding), output_size(W, KW, stride, padding)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    y = np.zeros((N, F, OH, OW), x.dtype)
    for p in range(KH):
        for q in range(KW):
            seen = padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride]
            y += np.einsum("ncij,fc->nfij", seen, w[:, :, p, q])
    return y + b[:, None, None]
    ### END SOLUTION


def conv2d_backward(dy, x, w, b, stride, padding):
    """dy (N, F, OH, OW) and the arguments of conv2d -> dx (N, C, H, W), dw (F, C, KH, KW), db (F)."""
    ### BEGIN SOLUTION
    _, _, H, W = x.shape
    _, _, KH, KW = w.shape
    _, _, OH, OW = dy.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for p in range(KH):
        for q in range(KW):
            place = np.s_[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride]
            dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, padded[place])
            dpadded[place] += np.einsum("nfij,fc->ncij", dy, w[:, :, p, q])
    dx = dpadded[:, :, padding:padding + H, padding:padding + W]
    return dx, dw, dy.sum(axis=(0, 2, 3))
    ### END SOLUTION

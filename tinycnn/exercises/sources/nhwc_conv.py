"""Convolution with the channels last

PyTorch keeps pictures as (N, C, H, W), channel after channel. TensorFlow, most phones and the matrix units of graphics
cards prefer (N, H, W, C): all channels of a pixel lie side by side in memory, and so the innermost product of a
convolution, over the channels, runs through neighbours. You know the convolution; here it is in the other order, and
nothing to be copied will fit:

    x (N, H, W, C), w (KH, KW, C, F), b (F) -> y (N, OH, OW, F)

    y[n, i, j, f] = b[f] + sum over p, q, c of  padded[n, i S + p, j S + q, c] * w[p, q, c, f]

    OH = floor((H + 2 P - KH) / S) + 1, OW alike

with the stride S, and the padding P of zeros around the *pixels*. Look at the shapes once more: for a fixed place (p,
q) of the window the slice of the padded picture ends with C, w[p, q] is a matrix (C, F), and NumPy's @ multiplies the
last axis of the one with the first of the other, whatever stands before. No einsum is needed, and the bias broadcasts
as it is.

Backward, from dy (N, OH, OW, F): the rules are those of any linear layer y = x @ w + b, once for each place of the
window,

    dx = dy @ w^T        dw = x^T @ dy        db = sum of dy

where the rows of the matrices are all positions of all pictures: (N, OH, OW) together. Which of these go to a slice,
which are added up over the places, and over which axes is db summed?
"""
import numpy as np


def conv2d(x, w, b, stride, padding):
    """x (N, H, W, C), w (KH, KW, C, F), b (F) -> y (N, OH, OW, F)."""
    ### BEGIN SOLUTION
    N, H, W, C = x.shape
    KH, KW, C, F = w.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    y = np.zeros((N, OH, OW, F), x.dtype)
    for p in range(KH):
        for q in range(KW):
            y += padded[:, p:p + stride * OH:stride, q:q + stride * OW:stride] @ w[p, q]
    return y + b
    ### END SOLUTION


def conv2d_backward(dy, x, w, b, stride, padding):
    """dy (N, OH, OW, F) and the arguments of conv2d -> dx (N, H, W, C), dw (KH, KW, C, F), db (F)."""
    ### BEGIN SOLUTION
    _, H, W, C = x.shape
    KH, KW, C, F = w.shape
    _, OH, OW, _ = dy.shape
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for p in range(KH):
        for q in range(KW):
            place = np.s_[:, p:p + stride * OH:stride, q:q + stride * OW:stride]
            dpadded[place] += dy @ w[p, q].T
            dw[p, q] = padded[place].reshape(-1, C).T @ dy.reshape(-1, F)
    dx = dpadded[:, padding:padding + H, padding:padding + W]
    return dx, dw, dy.sum(axis=(0, 1, 2))
    ### END SOLUTION

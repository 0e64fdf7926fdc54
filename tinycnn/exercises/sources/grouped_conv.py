"""Groups, and depthwise convolution

In a convolution each output channel looks at all input channels, which costs F C KH KW weights. With `groups` = G the
channels are dealt out: the C input channels form G groups of C/G *consecutive* ones, the F output channels G groups of
F/G consecutive ones, and each group of outputs looks at its own group of inputs alone. That is G small convolutions
side by side, with a G-th of the weights and of the work:

    x (N, C, H, W), w (F, C/G, KH, KW), b (F) -> y (N, F, OH, OW)        OH = H - KH + 1, OW = W - KW + 1

    y[n, f, i, j] = b[f] + sum over c < C/G, p, q of  x[n, g C/G + c, i + p, j + q] * w[f, c, p, q]

with g = floor(f / (F/G)), the group of output f. With G = 1 it is the convolution that you know. With G = C it is
*depthwise*: every channel has a window of its own, and nothing is mixed; a convolution of 1 x 1 pixels behind it mixes
the channels. MobileNet is built of such pairs. Count with `parameters` what a pair costs against a full convolution,
for C = F = 64 and a window of 3 x 3 pixels.

A tidy way to write it: reshape x to (N, G, C/G, H, W), w to (G, F/G, C/G, KH, KW) and y to (N, G, F/G, OH, OW). For a
fixed place (p, q) of the window each group then is a matrix product with its own matrix, and einsum takes the group
along as one more index that is not summed.

Backward is that of the convolution, group by group: which pictures of dy have seen the channel g C/G + c, and beside
which weights?
"""
import numpy as np


def parameters(C, F, KH, KW, groups):
    """The number of weights and biases together."""
    ### BEGIN SOLUTION
    return F * (C // groups) * KH * KW + F
    ### END SOLUTION


def conv2d(x, w, b, groups):
    """x (N, C, H, W), w (F, C/G, KH, KW), b (F) -> y (N, F, OH, OW)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    F, _, KH, KW = w.shape
    OH, OW = H - KH + 1, W - KW + 1
    x = x.reshape(N, groups, C // groups, H, W)
    w = w.reshape(groups, F // groups, C // groups, KH, KW)
    y = np.zeros((N, groups, F // groups, OH, OW), x.dtype)
    for p in range(KH):
        for q in range(KW):
            y += np.einsum("ngcij,gfc->ngfij", x[..., p:p + OH, q:q + OW], w[..., p, q])
    return y.reshape(N, F, OH, OW) + b[:, None, None]
    ### END SOLUTION


def conv2d_backward(dy, x, w, b, groups):
    """dy (N, F, OH, OW) and the arguments of conv2d -> dx (N, C, H, W), dw (F, C/G, KH, KW), db (F)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    F, _, KH, KW = w.shape
    OH, OW = H - KH + 1, W - KW + 1
    grouped = x.reshape(N, groups, C // groups, H, W)
    weights = w.reshape(groups, F // groups, C // groups, KH, KW)
    up = dy.reshape(N, groups, F // groups, OH, OW)
    dx, dw = np.zeros_like(grouped), np.zeros_like(weights)
    for p in range(KH):
        for q in range(KW):
            dw[..., p, q] = np.einsum("ngfij,ngcij->gfc", up, grouped[..., p:p + OH, q:q + OW])
            dx[..., p:p + OH, q:q + OW] += np.einsum("ngfij,gfc->ngcij", up, weights[..., p, q])
    return dx.reshape(x.shape), dw.reshape(w.shape), dy.sum(axis=(0, 2, 3))
    ### END SOLUTION

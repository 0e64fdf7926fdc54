"""im2col: a convolution is a matrix product

The fastest thing that a computer can do with numbers is to multiply large matrices. So collect everything that a
convolution multiplies into one: cut out the window at each of its positions, write its pixels as a column, and set the
columns side by side. Then all outputs are one product of the weights, a row for each output channel, with that matrix.

The window of KH x KW pixels moves by `stride` pixels, over a picture with `padding` rows and columns of zeros around
it:

    OH = floor((H + 2 padding - KH) / stride) + 1        OW alike        positions from top to bottom, from left to right

    x (N, C, H, W) -> columns (N, C KH KW, OH OW)

    columns[n, (c KH + p) KW + q, i OW + j] = padded[n, c, i stride + p, j stride + q]

The formula for the row says: channel first, then the row p within the window, then its column q, which is the order in
which w (F, C, KH, KW) lies when it is written as a matrix (F, C KH KW). That for the column says: position (i, j), row
after row. Both are what `reshape` makes of an array with the axes (N, C, KH, KW, OH, OW). So fill one of this shape:
for a fixed place (p, q) of the window, the pixels that meet it at all positions are one slice of the padded picture,
with a step. Where does it begin, and how long is it?

Then write the convolution with it: reshape the weights, multiply, reshape what comes out.
"""
import numpy as np


def im2col(x, KH, KW, stride, padding):
    """x (N, C, H, W) -> columns (N, C KH KW, OH OW)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    columns = np.empty((N, C, KH, KW, OH, OW), x.dtype)
    for p in range(KH):
        for q in range(KW):
            columns[:, :, p, q] = padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride]
    return columns.reshape(N, C * KH * KW, OH * OW)
    ### END SOLUTION


def conv2d(x, w, b, stride, padding):
    """x (N, C, H, W), w (F, C, KH, KW), b (F) -> y (N, F, OH, OW), by im2col and one matrix product."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    F, C, KH, KW = w.shape
    y = w.reshape(F, -1) @ im2col(x, KH, KW, stride, padding) + b[:, None]
    return y.reshape(N, F, (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1)
    ### END SOLUTION

"""col2im: the way back from the columns

im2col cuts the windows out of a picture. On the way back a gradient arrives for every entry of the columns, and must be
handed to the pixel that it was copied from. A pixel lies in several windows, so several entries are copies of it, and
the gradients of all of them add up. That sum is col2im:

    columns (N, C KH KW, OH OW) -> x (N, C, H, W)

    x[n, c, a, b] = sum over all (p, q, i, j) with  i stride + p - padding = a  and  j stride + q - padding = b  of
                    columns[n, (c KH + p) KW + q, i OW + j]

    OH = floor((H + 2 padding - KH) / stride) + 1        OW alike

It is not the inverse of im2col: cut a picture of ones into windows and put it together again, and each pixel becomes
the number of windows that see it. It is the transpose: for all x and c,

    sum(im2col(x) * c) = sum(x * col2im(c))

which is just what a gradient must be, and a good test for yourself.

The formula asks, for a pixel, which windows see it. Programs do better to ask the opposite: for a fixed place (p, q) of
the window, where do its entries go? To a slice of the padded picture, the one that im2col has taken them from. So begin
with a padded picture of zeros, add, and remove the padding at the end. Do different positions of the *same* place (p,
q) ever meet in one pixel? Do those of different places? (That decides where = would do and where only += does.)

H and W are given, because the columns do not tell: where the stride does not divide evenly, the last rows are in no
window.
"""
import numpy as np


def col2im(columns, shape, KH, KW, stride, padding):
    """columns (N, C KH KW, OH OW) and the shape (N, C, H, W) of the picture -> x of that shape."""
    ### BEGIN SOLUTION
    N, C, H, W = shape
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    columns = columns.reshape(N, C, KH, KW, OH, OW)
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding), columns.dtype)
    for p in range(KH):
        for q in range(KW):
            padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride] += columns[:, :, p, q]
    return padded[:, :, padding:padding + H, padding:padding + W]
    ### END SOLUTION

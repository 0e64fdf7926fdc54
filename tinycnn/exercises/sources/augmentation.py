"""Augmentation: flip, crop and cut out

A cat that looks to the left is as much a cat as one that looks to the right. Pictures changed in ways that leave their
label alone are the cheapest new data. Three such changes have carried CIFAR-10 for ten years; here each is a function on a
batch (N, C, H, W), in which every picture has its own luck. Chance comes in as arguments, so that the functions can be
tested and repeated.

flip: picture n is mirrored left to right where which[n] is True. A cat on its head is another matter.

random_crop: every picture gets a frame of `padding` zeros on all four sides, and a window of the old size H x W is cut
out of it, whose upper left corner lies at offsets[n] = (row, column) of the *padded* picture, each from 0 to 2 padding.
So the offsets (padding, padding) give back the picture itself; smaller ones show more of the frame above or to the left.

cutout: a square of size x size pixels is set to zero in all channels, so that the network must not rely on one telling
spot. It covers the rows r - size // 2, ..., r - size // 2 + size - 1 around centres[n] = (r, column), and the columns
likewise. Parts of it beyond the picture are ignored, which makes the visible square smaller. Mind what a negative start
means in a NumPy slice.

All three return a new array of the same shape and dtype, and leave the one they were given alone: the next epoch needs it.
A loop over the N pictures is fine.
"""
import numpy as np


def flip(x, which):
    """x (N, C, H, W), which (N) of booleans -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    y = x.copy()
    y[which] = x[which][:, :, :, ::-1]
    return y
    ### END SOLUTION


def random_crop(x, offsets, padding):
    """x (N, C, H, W), offsets (N, 2) of integers in 0 ... 2 padding -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    H, W = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    y = np.empty_like(x)
    for n, (row, column) in enumerate(offsets):
        y[n] = padded[n, :, row:row + H, column:column + W]
    return y
    ### END SOLUTION


def cutout(x, centres, size):
    """x (N, C, H, W), centres (N, 2) of integers, rows and columns -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    y = x.copy()
    for n, (row, column) in enumerate(centres):
        top, left = row - size // 2, column - size // 2
        y[n, :, max(top, 0):top + size, max(left, 0):left + size] = 0
    return y
    ### END SOLUTION

"""Sines that tell where

Attention treats its tokens as a bag: exchange two of them, and the outputs are exchanged likewise. Where a token stands must
therefore be written into it. The first transformers add to token t a vector of sines and cosines, some fast and some slow,
like the hands of a clock: the wavelengths grow from 2 pi to 10000 * 2 pi. With an even width D and i = 0 ... D/2 - 1,

    r[i] = 10000^(-2 i / D)                 the speed of hand i, in radians for each step
    pe[t, 2 i]     = sin(t r[i])
    pe[t, 2 i + 1] = cos(t r[i])            t = 0 ... T - 1

so that sine and cosine of a hand stand next to each other.

Why both? Because with both a step of k tokens is the same linear map wherever one starts. Turn hand i on by the angle
k r[i] and use

    sin(a + c) = sin(a) cos(c) + cos(a) sin(c)
    cos(a + c) = cos(a) cos(c) - sin(a) sin(c)

to find the matrix M (D, D) with pe[t + k] = M pe[t] for every t. It is zero but for D/2 blocks of 2 x 2 on its diagonal. A
layer that learns M can look k tokens back from everywhere, and this is what the encoding was made for.
"""
import numpy as np


def positional_encoding(T, D):
    """The encodings (T, D) of the positions 0 ... T - 1; D is even."""
    ### BEGIN SOLUTION
    speeds = 10000.0 ** (-np.arange(0, D, 2) / D)
    angles = np.arange(T)[:, None] * speeds
    pe = np.empty((T, D))
    pe[:, 0::2] = np.sin(angles)
    pe[:, 1::2] = np.cos(angles)
    return pe
    ### END SOLUTION


def shift_matrix(k, D):
    """The matrix M (D, D) that moves every encoding by k positions: pe[t + k] = M @ pe[t]."""
    ### BEGIN SOLUTION
    M = np.zeros((D, D))
    for i in range(D // 2):
        c = k * 10000.0 ** (-2 * i / D)
        block = np.array([[np.cos(c), np.sin(c)], [-np.sin(c), np.cos(c)]])
        M[2 * i:2 * i + 2, 2 * i:2 * i + 2] = block
    return M
    ### END SOLUTION

"""Dropout

In training dropout switches off each number of a layer with probability p, anew in every step. No neuron can rely on its
neighbours being there, so none can learn only to correct another's errors. In use nothing is dropped.

A number that is dropped with probability p has the mean (1 - p) x. The next layer would see smaller numbers in training than
in use. *Inverted* dropout, which every library has, makes up for that at once, in training, so that there is nothing at all
to do in use:

    training:   y = x / (1 - p)  where it is kept,  0 where it is dropped
    in use:     y = x

Chance comes in as an argument: u, in the shape of x, holds numbers drawn evenly from [0, 1). A number is *dropped where
u < p*, which happens with probability p, and kept where u >= p. With p = 1 everything is dropped, and y is 0, not 0/0.

Backward must use the same mask as forward. That is why u is handed to it again: who draws new numbers there, gives a
gradient to neurons that took no part. Where y is a multiple of x, what is dx?
"""
import numpy as np


def dropout(x, u, p, training):
    """x and u of the same shape, p in [0, 1] -> y of that shape."""
    ### BEGIN SOLUTION
    if not training:
        return x.copy()
    if p == 1:
        return np.zeros_like(x)
    return x * (u >= p) / (1 - p)
    ### END SOLUTION


def dropout_backward(dy, u, p, training):
    """dy in the shape of y, and what forward was given -> dx of that shape."""
    ### BEGIN SOLUTION
    if not training:
        return dy.copy()
    if p == 1:
        return np.zeros_like(dy)
    mask = u >= p
    return dy * mask / (1 - p)
    ### END SOLUTION

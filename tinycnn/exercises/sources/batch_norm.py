"""Batch normalisation, in training and in use

Batch normalisation gives every channel mean 0 and variance 1, and then lets the network choose a new mean b and a new
standard deviation w:

    x (N, C, H, W), w (C), b (C) -> y (N, C, H, W)       y = w (x - mean) / sqrt(var + eps) + b

What makes it the layer with the most mistakes is the question *whose* mean and variance.

In training they are those of the batch: for each channel over all pictures and all pixels, n = N H W numbers. The variance
that normalises is the biased one, divided by n. Meanwhile a running mean and a running variance of each channel follow
slowly what the batches show,

    running = (1 - momentum) running + momentum (statistic of this batch)

so that with the usual momentum = 0.1 the *new* number has the small weight (in an optimiser the word means the opposite).
The running variance estimates that of pictures yet unseen, so the *unbiased* variance of the batch goes into it, divided
by n - 1. PyTorch does both, and who loads its weights must do so too.

In use (training=False) a picture must not be judged by the company it comes in, and a batch of one must work: the running
statistics normalise, and nothing is updated.

Return y and the new running statistics; the arrays you were given stay as they are. In use, hand the same numbers back.
Put the numbers of a channel where they broadcast: mean[:, None, None] has shape (C, 1, 1).
"""
import numpy as np


def batch_norm(x, w, b, running_mean, running_var, training, momentum, eps):
    """x (N, C, H, W); w, b, running_mean, running_var (C) -> y (N, C, H, W), new running_mean (C), new running_var (C)."""
    ### BEGIN SOLUTION
    mean, var = running_mean, running_var
    if training:
        n = x.size // x.shape[1]
        mean = x.mean(axis=(0, 2, 3))
        var = x.var(axis=(0, 2, 3))
        unbiased = var * n / (n - 1)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * unbiased
    mean, var, w, b = (a[:, None, None] for a in (mean, var, w, b))
    y = w * (x - mean) / np.sqrt(var + eps) + b
    return y, running_mean, running_var
    ### END SOLUTION

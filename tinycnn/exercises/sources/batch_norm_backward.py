"""The gradient of batch normalisation

In training every channel is normalised by its own mean and (biased) variance over the n = N H W numbers that it holds:

    x (N, C, H, W), w (C), b (C) -> y (N, C, H, W)
    xhat = (x - mean) / sigma,    sigma = sqrt(var + eps),    y = w xhat + b

For w and b it is a linear layer with one weight and one bias a channel; ask over what their gradients add up.

For x the difficulty is that each x[i] of a channel enters y in three ways: directly, through the mean, and through the
variance. Whoever follows only the first gets a plausible gradient, with which networks even learn, badly. Take one channel
with its n numbers, and call g = w dy the gradient with respect to xhat. The chain rule through all outputs j says

    dx[i] = sum_j g[j] (d xhat[j] / d x[i])

and the product rule

    d xhat[j] / d x[i] = ( [i = j] - d mean / d x[i] ) / sigma  -  (x[j] - mean) / sigma^2 * (d sigma / d x[i])

Two derivatives are left to you. That of the mean is short. For that of sigma begin with var = (1/n) sum_j (x[j] - mean)^2;
moving the mean does not change it to first order, as the deviations add up to zero. Put them in, write (x[j] - mean) / sigma
as xhat[j] wherever it stands, and carry out the sum over j. What remains is of the form

    dx[i] = (1 / sigma) ( g[i] - (something with g, one number a channel) - xhat[i] (another number a channel) )

and says: of g, that part is taken away which moves the mean, and that part which stretches the channel. Normalisation
undoes both, so they cannot matter to the loss.
"""
import numpy as np


def batch_norm_backward(dy, x, w, b, eps):
    """dy (N, C, H, W) and the inputs of forward -> dx (N, C, H, W), dw (C), db (C)."""
    ### BEGIN SOLUTION
    axes = (0, 2, 3)
    sigma = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / sigma
    dw = (dy * xhat).sum(axes)
    db = dy.sum(axes)
    g = dy * w[:, None, None]
    along_mean = g.mean(axes, keepdims=True)
    along_xhat = (g * xhat).mean(axes, keepdims=True)
    dx = (g - along_mean - xhat * along_xhat) / sigma
    return dx, dw, db
    ### END SOLUTION

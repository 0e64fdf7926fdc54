"""Activations and their derivatives

Without something bent between them, a hundred linear layers are one linear layer. What bends is applied to each number
alone,

    relu(x)        max(x, 0)                            what most networks use
    leaky_relu(x)  x where x > 0, slope * x elsewhere   no unit is ever quite dead
    sigmoid(x)     1 / (1 + exp(-x))                    between 0 and 1, a probability
    tanh(x)        (e^x - e^-x) / (e^x + e^-x)          between -1 and 1
    softplus(x)    log(1 + exp(x))                      a smooth relu

and so is its derivative: dx = dy * f'(x), element by element, with no sums at all. Some derivatives are cheap in terms
of the result. For the sigmoid s = 1 / (1 + exp(-x)),

    s'(x) = exp(-x) / (1 + exp(-x))^2 = s * (exp(-x) / (1 + exp(-x)))

Go on: express the second factor by s as well. What is the derivative of softplus?

At x = 0 relu and leaky_relu have a kink; take the slope of the left side there, as PyTorch does.

The formulas are true for real numbers, but a computer has others: exp(1000) is infinity, infinity / infinity is not a
number, and 1 + exp(-40) is 1. So the second task is to make all of this exact for *every* x between -1000 and 1000,
without an infinity on the way into the result. Hints of what helps: exp of a negative number never overflows; log(1 +
exp(x)) = x + log(1 + exp(-x)), of which one side is harmless for large x and the other for small; and NumPy has
log1p(t) = log(1 + t), which is exact where t is tiny.
"""
import numpy as np


def relu(x):
    """x, any shape -> max(x, 0), element by element."""
    ### BEGIN SOLUTION
    return np.maximum(x, 0)
    ### END SOLUTION


def relu_backward(dy, x):
    """dy and x, one shape -> dx."""
    ### BEGIN SOLUTION
    return np.where(x > 0, dy, 0)
    ### END SOLUTION


def leaky_relu(x, slope):
    """x where x > 0, slope * x elsewhere; slope is a number."""
    ### BEGIN SOLUTION
    return np.where(x > 0, x, slope * x)
    ### END SOLUTION


def leaky_relu_backward(dy, x, slope):
    """dy and x, one shape -> dx."""
    ### BEGIN SOLUTION
    return np.where(x > 0, dy, slope * dy)
    ### END SOLUTION


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    ### BEGIN SOLUTION
    e = np.exp(-np.abs(x))
    return np.where(x > 0, 1, e) / (1 + e)
    ### END SOLUTION


def sigmoid_backward(dy, x):
    """dy and x, one shape -> dx."""
    ### BEGIN SOLUTION
    s = sigmoid(x)
    return dy * s * (1 - s)
    ### END SOLUTION


def tanh_backward(dy, x):
    """dy and x, one shape -> dx. The forward is NumPy's `np.tanh`."""
    ### BEGIN SOLUTION
    y = np.tanh(x)
    return dy * (1 - y * y)
    ### END SOLUTION


def softplus(x):
    """log(1 + exp(x)), without overflow and without losing small results."""
    ### BEGIN SOLUTION
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    ### END SOLUTION


def softplus_backward(dy, x):
    """dy and x, one shape -> dx."""
    ### BEGIN SOLUTION
    return dy * sigmoid(x)
    ### END SOLUTION

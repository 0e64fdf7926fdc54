"""Softmax and cross-entropy

A classifier ends with K numbers for each picture, its logits x (N, K), one a class, and the larger the likelier. The
softmax makes probabilities of them,

    p[n, k] = exp(x[n, k]) / sum_j exp(x[n, j])

and the loss of a picture whose class is labels[n] is the surprise to learn the truth, -log p[n, labels[n]]: 0 for a
sure and right answer, large for a sure and wrong one. The loss of the batch is the mean,

    loss = -1/N sum_n log p[n, labels[n]]

Written like this it breaks: exp(1000) is infinity, and the logarithm of a probability that was rounded to 0 is minus
infinity. So never take the logarithm of a softmax; write it as one function,

    log p[n, k] = x[n, k] - log sum_j exp(x[n, j])

and use that nothing changes when one number is added to all logits of a picture (why?). Which number makes sure that no
exp overflows, and that at least one of them is 1? Each picture has its own.

For backward, differentiate log p[n, y] with respect to x[n, k]. The first term gives 1 where k = y and 0 elsewhere. For
the second,

    d/dx[n, k]  log sum_j exp(x[n, j])  =  exp(x[n, k]) / sum_j exp(x[n, j])

which is an old friend. Put it together; do not forget the minus, the mean, and the gradient dy of the loss itself, a
number, by which everything is multiplied.
"""
import numpy as np


def log_softmax(x):
    """x (N, K) -> log p (N, K), without overflow."""
    ### BEGIN SOLUTION
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    ### END SOLUTION


def cross_entropy(x, labels):
    """x (N, K) and labels (N) of integers below K -> the loss, a number."""
    ### BEGIN SOLUTION
    return -log_softmax(x)[np.arange(len(x)), labels].mean()
    ### END SOLUTION


def cross_entropy_backward(dy, x, labels):
    """dy, a number (an array of shape ()), and the arguments of cross_entropy -> dx (N, K)."""
    ### BEGIN SOLUTION
    dx = np.exp(log_softmax(x))
    dx[np.arange(len(x)), labels] -= 1
    return dx * (dy / len(x))
    ### END SOLUTION

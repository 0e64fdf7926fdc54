"""Scaled dot-product attention, with its gradient

Attention is a dictionary in which one finds a little of everything. Each of T queries is compared with S keys, and gets the
mean of their S values, weighted by how well each key fits:

    q (N, T, D), k (N, S, D), v (N, S, E) -> y (N, T, E)

    scores   s[n, t, j] = (sum_d q[n, t, d] k[n, j, d]) / sqrt(D)
    weights  p[n, t, :] = softmax of s[n, t, :], over the keys j
    output   y[n, t, :] = sum_j p[n, t, j] v[n, j, :]

Why the root? Where the entries of q and k have variance 1, their scalar product has variance D, and a softmax of large
numbers is nearly a maximum, with hardly a gradient. Divided by sqrt(D) the variance is 1 again.

A mask (T, S) of booleans says who may see whom: True lets key j count for query t, False shuts it out, with weight exactly
0 and the others adding up to 1 all the same. So it must act before the softmax: a score of -inf has weight exp(-inf) = 0.
mask is None where everyone sees all; you may rely on each query seeing at least one key. Scores can be large: subtract the
largest of each row before exp, which changes nothing but the overflow.

Backward. Three steps, each a known one, from the end:

    y = p v           a matrix product for each n: dp and dv (ask over what to sum, as in the linear layer)
    p = softmax(s)    every p[j] depends on all s[i] of its row: d p[j] / d s[i] = p[j] ([i = j] - p[i]). Carry out
                      ds[i] = sum_j dp[j] (d p[j] / d s[i]); two terms remain
    s = q k^T / sqrt(D)

The mask needs nothing more: where p is 0, what is ds?
"""
import numpy as np


def attention_weights(q, k, mask=None):
    """q (N, T, D), k (N, S, D), mask (T, S) of booleans or None -> p (N, T, S), whose rows add up to 1."""
    ### BEGIN SOLUTION
    scores = q @ k.swapaxes(1, 2) / q.shape[2]**0.5
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    e = np.exp(scores - scores.max(axis=2, keepdims=True))
    return e / e.sum(axis=2, keepdims=True)
    ### END SOLUTION


def attention(q, k, v, mask=None):
    """q (N, T, D), k (N, S, D), v (N, S, E), mask (T, S) or None -> y (N, T, E)."""
    ### BEGIN SOLUTION
    return attention_weights(q, k, mask) @ v
    ### END SOLUTION


def attention_backward(dy, q, k, v, mask=None):
    """dy (N, T, E) and the inputs of forward -> dq (N, T, D), dk (N, S, D), dv (N, S, E)."""
    ### BEGIN SOLUTION
    p = attention_weights(q, k, mask)
    dv = p.swapaxes(1, 2) @ dy
    dp = dy @ v.swapaxes(1, 2)
    ds = p * (dp - (p * dp).sum(axis=2, keepdims=True))
    scale = q.shape[2]**-0.5
    dq = ds @ k * scale
    dk = ds.swapaxes(1, 2) @ q * scale
    return dq, dk, dv
    ### END SOLUTION

"""From a picture to a transformer block

A vision transformer cuts a picture into patches and treats them as the words of a sentence. Here you put the front and one
block of it together; the small pieces, layer norm, GELU and attention with one head, are given.

patches: the picture x (N, C, H, W) falls into (H/P) x (W/P) squares of P x P pixels, which become the rows of (N, T, C P P).
The squares are read like a page, left to right and then down. Within a row the C channels come first, then the P rows of
the square, then its P columns, just as x lies in memory. It can be done without a loop: split H into H/P times P and W into
W/P times P with a reshape, bring the axes into the right order with transpose, and only then join them.

tokens: each patch meets the same linear layer, w (D, C P P) and b (D). A learned class token cls (D), which will collect the
answer, is put in front as token 0 of each picture. Then positions (T + 1, D) are added, to the class token as well.

multi_head: queries, keys and values are q = t wq^T, k = t wk^T, v = t wv^T, each (N, T, D). The D numbers of a token are
cut into `heads` neighbouring groups of D / heads; head h attends with group h of q, k and v alone, among the tokens of the
same picture. The results are joined in the same order, and wo (D, D) mixes them: y = joined wo^T.

block: two corrections, each with its own skip, pre-norm: the norm comes before the piece, in the branch, so that the skip
runs from the bottom of the network to the top untouched.

    a = t + multi_head(norm1(t))
    y = a + mlp(norm2(a)),       mlp(z) = gelu(z w1^T + b1) w2^T + b2

The parameters come as a dict p with "wq", "wk", "wv", "wo" (D, D), the norms' "g1", "c1", "g2", "c2" (D) and the MLP's
"w1" (M, D), "b1" (M), "w2" (D, M), "b2" (D).
"""
import math

import numpy as np


def layer_norm(t, g, c, eps=1e-6):
    """t (..., D), g (D), c (D) -> (..., D). Given."""
    mean, var = t.mean(axis=-1, keepdims=True), t.var(axis=-1, keepdims=True)
    return g * (t - mean) / np.sqrt(var + eps) + c


def gelu(z):
    """z times the probability that a standard normal number lies below it, in the usual approximation. Given."""
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def attention(q, k, v):
    """q, k, v (..., T, D) -> (..., T, D), one head; any axes in front. Given."""
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v


def patches(x, P):
    """x (N, C, H, W), H and W multiples of P -> (N, (H/P) (W/P), C P P)."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    x = x.reshape(N, C, H // P, P, W // P, P)
    x = x.transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(N, (H // P) * (W // P), C * P * P)
    ### END SOLUTION


def tokens(rows, w, b, cls, positions):
    """rows (N, T, C P P), w (D, C P P), b (D), cls (D), positions (T + 1, D) -> (N, T + 1, D)."""
    ### BEGIN SOLUTION
    t = rows @ w.T + b
    first = np.broadcast_to(cls, (len(t), 1, len(cls)))
    return np.concatenate([first, t], axis=1) + positions
    ### END SOLUTION


def multi_head(t, wq, wk, wv, wo, heads):
    """t (N, T, D), the weights (D, D) -> (N, T, D)."""
    ### BEGIN SOLUTION
    N, T, D = t.shape
    q, k, v = ((t @ w.T).reshape(N, T, heads, D // heads).transpose(0, 2, 1, 3) for w in (wq, wk, wv))
    joined = attention(q, k, v).transpose(0, 2, 1, 3).reshape(N, T, D)
    return joined @ wo.T
    ### END SOLUTION


def block(t, p, heads):
    """t (N, T, D), p a dict of parameters -> (N, T, D)."""
    ### BEGIN SOLUTION
    z = layer_norm(t, p["g1"], p["c1"])
    a = t + multi_head(z, p["wq"], p["wk"], p["wv"], p["wo"], heads)
    z = layer_norm(a, p["g2"], p["c2"])
    return a + gelu(z @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]
    ### END SOLUTION

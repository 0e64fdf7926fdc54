"""Checks of the vision transformer's front and block."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise
from .attention import attention
from .layer_norm import layer_norm

exercise = Exercise(
    title="From a picture to a transformer block", lecture=9, minutes=60,
    hints=("A reshape never moves a number in memory: it may split an axis or join neighbours. To bring axes together that "
           "are not neighbours, transpose first. Name the six axes of the split picture: N, C, row of the patch, p, column "
           "of the patch, q.",
           "patches: the order is (N, patch row, patch column, C, p, q). Heads: (N, T, D) becomes (N, T, heads, D / heads), "
           "then heads go in front of T; behind the attention the same way back.",
           "x.reshape(N, C, H // P, P, W // P, P).transpose(0, 2, 4, 1, 3, 5), and for the heads transpose(0, 2, 1, 3), "
           "there and back. In the block the norm is inside: t + multi_head(layer_norm(t)), then a + mlp(layer_norm(a))."))


def patches(x, P, down_first=False, channels_last=False):
    """The oracle, a pixel after the other; the options are two other orders."""
    N, C, H, W = x.shape
    rows = np.zeros((N, (H // P) * (W // P), C * P * P))
    for n, c, i, j in np.ndindex(*x.shape):
        (row, p), (column, q) = divmod(i, P), divmod(j, P)
        number = column * (H // P) + row if down_first else row * (W // P) + column
        rows[n, number, (p * P + q) * C + c if channels_last else (c * P + p) * P + q] = x[n, c, i, j]
    return rows


def tokens(rows, w, b, cls, positions):
    """The oracle."""
    out = np.zeros((len(rows), rows.shape[1] + 1, len(w)))
    for n, t in np.ndindex(*out.shape[:2]):
        out[n, t] = (cls if t == 0 else [w[d] @ rows[n, t - 1] + b[d] for d in range(len(w))]) + positions[t]
    return out


def multi_head(t, wq, wk, wv, wo, heads):
    """The oracle, a head after the other."""
    D = t.shape[2] // heads
    q, k, v = (t @ w.T for w in (wq, wk, wv))
    joined = np.zeros(t.shape)
    for h in range(heads):
        group = slice(h * D, (h + 1) * D)
        joined[:, :, group] = attention(q[:, :, group], k[:, :, group], v[:, :, group])
    return joined @ wo.T


def gelu(z):
    """The same approximation as the one that is given."""
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def norm(t, p, i):
    """Norm 1 or 2."""
    return layer_norm(t, p[f"g{i}"], p[f"c{i}"], 1e-6)


def heads_of(t, p, heads):
    """The attention of the block."""
    return multi_head(t, p["wq"], p["wk"], p["wv"], p["wo"], heads)


def mlp(t, p, activation=gelu):
    """The two layers of the block."""
    return activation(t @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]


def block(t, p, heads):
    """The oracle."""
    a = t + heads_of(norm(t, p, 1), p, heads)
    return a + mlp(norm(a, p, 2), p)


def draw(rng, N=2, T=3, D=4, M=5):
    """t and the parameters of a block."""
    shapes = {"g1": (D,), "c1": (D,), "g2": (D,), "c2": (D,), "wq": (D, D), "wk": (D, D), "wv": (D, D), "wo": (D, D),
              "w1": (M, D), "b1": (M,), "w2": (D, M), "b2": (D,)}
    return rng.standard_normal((N, T, D)), {name: rng.standard_normal(shape) for name, shape in shapes.items()}


@exercise.check(points=25, name="patches")
def patches_of(student, rng):
    for shape, P in (((2, 3, 4, 6), 2), ((1, 2, 6, 6), 3), ((2, 2, 4, 4), 2), ((2, 3, 2, 3), 1)):
        x = rng.standard_normal(shape)
        right = patches(x, P)
        expect.close("rows of patches", student.patches(x, P), right, mistaken=None if P == 1 else {
            "are cut by reshape alone, without a transpose: each holds whole rows of the picture": x.reshape(right.shape),
            "have the patches in columns: read them left to right, then down": patches(x, P, down_first=True),
            "have the channels last: the order within a patch is channel, row, column": patches(x, P, channels_last=True),
            "have rows and columns exchanged within the patch": patches(x.swapaxes(2, 3), P, down_first=True),
            "have the patches in columns and the channels last": patches(x, P, True, True)})


@exercise.check(points=20, name="tokens")
def tokens_of(student, rng):
    N, T, K, D = 2, 3, 5, 4
    rows, w, b, cls, positions = (rng.standard_normal(s) for s in ((N, T, K), (D, K), D, D, (T + 1, D)))
    right, zero = tokens(rows, w, b, cls, positions), np.zeros(D)
    expect.close("tokens", student.tokens(rows, w, b, cls, positions), right, mistaken={
        "have the class token at the end: it comes first":
            np.concatenate([right[:, 1:] - positions[1:], right[:, :1] - positions[0]], 1) + positions,
        "lack the positions": right - positions,
        "lack the bias b": tokens(rows, w, zero, cls, positions),
        "have the positions of the patches one too early, and none at the class token: put it in front, then add":
            right - positions + np.concatenate([0 * positions[:1], positions[:-1]]),
        "have no position at the class token: put it in front first, then add positions to all":
            right - positions + np.concatenate([0 * positions[:1], positions[1:]]),
        "put the bias b on the class token too": right + np.concatenate([b[None], 0 * positions[1:]])})


@exercise.check(points=25, name="attention with several heads")
def several_heads(student, rng):
    for heads, sizes in ((1, {}), (2, {}), (2, {"T": 2, "D": 4}), (3, {"D": 6, "T": 4}), (4, {})):
        t, p = draw(rng, **sizes)
        N, T, D = t.shape
        four = tuple(p[name] for name in ("wq", "wk", "wv", "wo"))
        q, k, v = (t @ w.T for w in four[:3])

        def joined(split, join):
            return join(attention(*(split(a).reshape(-1, T, D // heads) for a in (q, k, v)))) @ four[3].T
        good = lambda a: a.reshape(N, T, heads, D // heads).transpose(0, 2, 1, 3)
        back = lambda a: a.reshape(N, heads, T, D // heads).transpose(0, 2, 1, 3).reshape(N, T, D)
        turned = lambda a: a.reshape(N, T, D // heads, heads).transpose(0, 3, 1, 2)
        known = {} if heads == 1 else {
            "splits the heads with a reshape alone, which mixes tokens: reshape to (N, T, heads, D / heads), then transpose":
                joined(lambda a: a, lambda a: a.reshape(N, T, D)),
            "splits the heads with a reshape to (N, heads, T, D / heads), which mixes tokens: reshape to (N, T, heads, "
            "D / heads), then transpose": joined(lambda a: a, back),
            "joins the heads with a reshape alone: transpose them back first, to (N, T, heads, D / heads)":
                joined(good, lambda a: a.reshape(N, T, D)),
            "gives head h every heads-th number of a token: neighbours belong together, reshape to heads, D / heads":
                joined(turned, lambda a: a.reshape(N, heads, T, D // heads).transpose(0, 2, 3, 1).reshape(N, T, D)),
            "has one head only": multi_head(t, *four, 1),
            "divides the scores by the root of D, where a head has D / heads numbers":
                multi_head(t, four[0] / heads**0.5, *four[1:], heads)}
        right = multi_head(t, *four, heads)
        expect.close(f"y of multi_head with {heads} head{'s' * (heads > 1)}", student.multi_head(t, *four, heads), right,
                     mistaken=known | {
            "lacks the last layer wo": right @ np.linalg.inv(four[3].T),
            "uses wo without its transpose": right @ np.linalg.inv(four[3].T) @ four[3],
            "uses wq, wk and wv without their transpose": multi_head(t, *(w.T for w in four[:3]), four[3], heads)})


@exercise.check(points=20, name="the block")
def whole_block(student, rng):
    for heads, sizes in ((2, {}), (1, {"T": 4, "D": 3, "M": 2})):
        t, p = draw(rng, **sizes)
        a = t + heads_of(norm(t, p, 1), p, heads)
        post = norm(t + heads_of(t, p, heads), p, 1)
        z = norm(t, p, 1)
        expect.close("y", student.block(t, p, heads), block(t, p, heads), mistaken={
            "is post-norm: the norm belongs into the branch, before attention and MLP": norm(post + mlp(post, p), p, 2),
            "lacks the skip around the MLP": mlp(norm(a, p, 2), p),
            "lacks the skip around the attention": (s := heads_of(z, p, heads)) + mlp(norm(s, p, 2), p),
            "lacks the second norm, before the MLP": a + mlp(a, p),
            "lacks the first norm, before the attention":
                (s := t + heads_of(t, p, heads)) + mlp(norm(s, p, 2), p),
            "uses the first norm's g1 and c1 for both norms": a + mlp(norm(a, p, 1), p),
            "lets the skip start behind the first norm: it carries t itself":
                (s := z + heads_of(z, p, heads)) + mlp(norm(s, p, 2), p),
            "lets the second skip start behind the norm: it carries a itself": norm(a, p, 2) + mlp(norm(a, p, 2), p),
            "feeds the MLP with t, and not with what the attention has made of it": a + mlp(norm(t, p, 2), p),
            "adds t in the second skip, and not a: the correction by the attention is lost": t + mlp(norm(a, p, 2), p),
            "lacks the GELU between the two layers": a + mlp(norm(a, p, 2), p, lambda z: z)})


@exercise.check(points=10, name="the arguments stay as they were")
def contract(student, rng):
    x = rng.standard_normal((2, 3, 4, 4))
    rows = expect.unchanged(student.patches, x, 2)
    t, p = draw(rng)
    expect.unchanged(student.tokens, rows, np.ones((4, 12)), p["g1"], p["c1"], np.ones((5, 4)))
    expect.unchanged(student.multi_head, t, p["wq"], p["wk"], p["wv"], p["wo"], 2)
    expect.unchanged(student.block, t, p, 2)
    expect.in_float32(student.patches, x, 2)
    expect.in_float32(student.tokens, rows, np.ones((4, 12)), p["g1"], p["c1"], np.ones((5, 4)))
    expect.in_float32(student.multi_head, t, p["wq"], p["wk"], p["wv"], p["wo"], 2)
    expect.in_float32(student.block, t, p, 2)


exercise.mistake("patches by reshape alone", old="    x = x.transpose(0, 2, 4, 1, 3, 5)\n", new="", says="reshape alone")
exercise.mistake("patches down first", old="transpose(0, 2, 4, 1, 3, 5)", new="transpose(0, 4, 2, 1, 3, 5)",
                 says="patches in columns: read")
exercise.mistake("channels last", old="transpose(0, 2, 4, 1, 3, 5)", new="transpose(0, 2, 4, 3, 5, 1)",
                 says="channels last")
exercise.mistake("the class token at the end", old="[first, t]", new="[t, first]", says="class token at the end")
exercise.mistake("positions before the class token", says="no position at the class token",
                 old="    t = rows @ w.T + b\n    first = np.broadcast_to(cls, (len(t), 1, len(cls)))\n"
                 "    return np.concatenate([first, t], axis=1) + positions",
                 new="    t = rows @ w.T + b + positions[1:]\n    first = np.broadcast_to(cls, (len(t), 1, len(cls)))\n"
                 "    return np.concatenate([first, t], axis=1)")
exercise.mistake("heads by reshape alone", old="reshape(N, T, heads, D // heads).transpose(0, 2, 1, 3) for w",
                 new="reshape(N, heads, T, D // heads) for w", says="splits the heads with a reshape")
exercise.mistake("heads joined by reshape alone", old="attention(q, k, v).transpose(0, 2, 1, 3).reshape",
                 new="attention(q, k, v).reshape", says="joins the heads with a reshape alone")
exercise.mistake("wo is not transposed", old="joined @ wo.T", new="joined @ wo", says="wo without its transpose")
exercise.mistake("no second norm", old='    z = layer_norm(a, p["g2"], p["c2"])\n', new="    z = a\n",
                 says="lacks the second norm")
exercise.mistake("no skip around the attention", old="a = t + multi_head(z", new="a = multi_head(z",
                 says="lacks the skip around the attention")
exercise.mistake("the skip starts behind the norm", old="a = t + multi_head(z", new="a = z + multi_head(z",
                 says="skip start behind the first norm")
exercise.mistake("t in the second skip", old="return a + gelu", new="return t + gelu", says="adds t in the second skip")
exercise.mistake("post-norm", says="is post-norm",
                 old='    z = layer_norm(t, p["g1"], p["c1"])\n'
                 '    a = t + multi_head(z, p["wq"], p["wk"], p["wv"], p["wo"], heads)\n'
                 '    z = layer_norm(a, p["g2"], p["c2"])\n'
                 '    return a + gelu(z @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]',
                 new='    z = layer_norm(t + multi_head(t, p["wq"], p["wk"], p["wv"], p["wo"], heads), p["g1"], p["c1"])\n'
                 '    return layer_norm(z + gelu(z @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"], p["g2"], p["c2"])')

"""Mistakes in attention, recurrence, embeddings and dropout."""
import numpy as np

from . import given, wrong

TIME = ("later (time )?step", "next (time )?step", "through time", "recurr", "time step", "last step", "step after")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Attention:
    def forward(q, k, v, causal=False):
        s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2])
        p = softmax(np.where(np.tri(*s.shape[1:], dtype=bool), s, -np.inf) if causal else s)
        return p @ v, (q, k, v, p)
    def backward(dy, cache):
        q, k, v, p = cache
        return attention_backward(dy, q, k, v, p)


def attention_backward(dy, q, k, v, p):
    dp = dy @ v.swapaxes(1, 2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(q.shape[2])
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy


@wrong((2, 3, 4), (2, 5, 4), (2, 5, 6), truth="1 / sqrt(D) is left out of backward, D = 4",
       cause=("sqrt", "root", "scal"), misleading=("counted twice", "batch"))
class AttentionA(Attention):
    def backward(dy, cache):
        dq, dk, dv = attention_backward(dy, *cache)
        return 2 * dq, 2 * dk, dv


@wrong((2, 3, 6), (2, 5, 6), (2, 5, 4), truth="divided by D instead of sqrt(D) in backward",
       cause=("sqrt", "root", "scal"))
class AttentionB(Attention):
    def backward(dy, cache):
        dq, dk, dv = attention_backward(dy, *cache)
        return dq / np.sqrt(6), dk / np.sqrt(6), dv


@wrong((2, 5, 4), (2, 5, 4), (2, 5, 6), truth="ds is not transposed in dk", cause=("transpos", "swap", "exchang"))
class AttentionC(Attention):
    def backward(dy, cache):
        q, k, v, p = cache
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / 2
        return ds @ k, ds @ q, p.swapaxes(1, 2) @ dy


@wrong((2, 4, 3), (2, 4, 3), (2, 4, 5), causal=True, truth="backward computes the weights again and forgets the causal mask",
       cause=("mask", "causal"), misleading=("how a range", "below index", "loop"))
class AttentionD(Attention):
    def backward(dy, cache):
        q, k, v, _ = cache
        return attention_backward(dy, q, k, v, softmax(q @ k.swapaxes(1, 2) / np.sqrt(3)))


@wrong((2, 4, 3), (2, 6, 3), (2, 6, 5), truth="softmax's backward sums over the queries instead of the keys",
       cause=("axis", "axes", "over the (queries|keys)", "softmax"))
class AttentionE(Attention):
    def backward(dy, cache):
        q, k, v, p = cache
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - (dp * p).sum(1, keepdims=True)) / np.sqrt(3)
        return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy


@wrong((2, 4, 3), (2, 6, 3), (2, 6, 5), truth="softmax's derivative is left out: dp goes on as ds",
       cause=("softmax", "jacobian", r"\bp\b.*(missing|left out)", "local derivative"))
class AttentionF(Attention):
    def backward(dy, cache):
        q, k, v, p = cache
        ds = dy @ v.swapaxes(1, 2) / np.sqrt(3)
        return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy


@wrong((2, 5, 4), truth="self-attention uses x three times, and only the gradient through the values is returned",
       cause=("use", "missing", "path", "quer", "keys", "three", "part", "constant"))
class SelfAttentionA:
    def forward(x):
        p = softmax(x @ x.swapaxes(1, 2) / 2)
        return p @ x, p
    def backward(dy, p):
        return p.swapaxes(1, 2) @ dy


@wrong((2, 3, 6), truth="the heads are joined by a reshape without bringing the axes back",
       cause=("head", "reshape", "transpos", "axes", "permut", "place", "order"))
class HeadsA:
    def forward(x):
        return x.reshape(2, 3, 2, 3).transpose(0, 2, 1, 3) * 1.5, None
    def backward(dy, _):
        return 1.5 * dy.reshape(2, 3, 6)


class Recurrent:
    """h[t] = tanh(x[t] wx + h[t - 1] wh), x (T, N, D)."""
    def forward(x, h0, wx, wh):
        h = [h0]
        for step in x:
            h.append(np.tanh(step @ wx + h[-1] @ wh))
        return np.stack(h[1:]), (x, h, wx, wh)
    def backward(dy, cache):
        return through_time(dy, *cache)


def through_time(dy, x, h, wx, wh, carry=1, seen=1):
    dx, dwx, dwh, dh = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        da = (dy[t] + carry * dh) * (1 - h[t + 1]**2)
        dx[t], dh = da @ wx.T, da @ wh.T
        dwx, dwh = seen * dwx + x[t].T @ da, seen * dwh + h[t].T @ da
    return dx, dh, dwx, dwh


RNN = (5, 2, 3), (2, 4), (3, 4), (4, 4)


@wrong(*RNN, truth="what comes back from the next time step is forgotten", cause=TIME + ("later", "next"),
       misleading=("how a range", "below index"))
class RecurrentA(Recurrent):
    def backward(dy, cache):
        return through_time(dy, *cache, carry=0)


@wrong(*RNN, truth="the weights' gradients are overwritten at each step instead of added up",
       cause=("overwrit", "accumul", r"\+=", "add(ed)?\\b", "only (the )?(first|last|one)", "step"))
class RecurrentB(Recurrent):
    def backward(dy, cache):
        return through_time(dy, *cache, seen=0)


@wrong(*RNN, truth="dwh takes the new state h[t] instead of the old one h[t - 1]",
       cause=("h0", "previous", "state", "shift", "off by one", r"t ?- ?1", "before", "one step"))
class RecurrentC(Recurrent):
    def backward(dy, cache):
        x, h, wx, wh = cache
        dx, dh, dwx, _ = through_time(dy, *cache)
        _, _, _, dwh = through_time(dy, x, h, wx, wh)
        dwh = np.zeros_like(wh)
        back = np.zeros_like(h[0])
        for t in reversed(range(len(x))):
            da = (dy[t] + back) * (1 - h[t + 1]**2)
            dwh += h[t + 1].T @ da
            back = da @ wh.T
        return dx, dh, dwx, dwh


@wrong(*RNN, truth="wh is not transposed on the way to the step before", cause=("transpos", r"wh\.t", "swapped"),
       misleading=("how a range",))
class RecurrentD(Recurrent):
    def backward(dy, cache):
        x, h, wx, wh = cache
        return through_time(dy, x, h, wx, wh.T)


@wrong(*RNN, truth="tanh's derivative takes h[t - 1], the state before, in place of h[t]",
       cause=("h\\[", "previous", "state", "tanh", "shift", "off by one", "before", "one step"))
class RecurrentE(Recurrent):
    def backward(dy, cache):
        x, h, wx, wh = cache
        dx, dwx, dwh, dh = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), 0
        for t in reversed(range(len(x))):
            da = (dy[t] + dh) * (1 - h[t]**2)
            dx[t], dh = da @ wx.T, da @ wh.T
            dwx += x[t].T @ da
            dwh += h[t].T @ da
        return dx, dh, dwx, dwh


@wrong(*RNN, truth="the error is cut off after two steps: truncated backpropagation was left in",
       cause=TIME + ("truncat", "two steps", "2 steps", "later", "earlier", "cut off"),
       misleading=("how a range",))
class RecurrentF(Recurrent):
    def backward(dy, cache):
        x, h, wx, wh = cache
        dx, dwx, dwh, dh0 = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(h[0])
        for t in range(len(x)):
            da = dy[t] * (1 - h[t + 1]**2)
            for s in range(t, max(t - 2, -1), -1):
                dx[s] += da @ wx.T
                dwx += x[s].T @ da
                dwh += h[s].T @ da
                dh = da @ wh.T
                da = dh * (1 - h[s]**2)
                if s == 0:
                    dh0 += dh
        return dx, dh0, dwx, dwh


class Cell:
    """One step of an LSTM behind its gates: c = f c0 + i g, h = o tanh(c)."""
    def forward(f, i, g, o, c0):
        c = f * c0 + i * g
        return (o * np.tanh(c), c), (f, i, g, o, c0, c)


CELL = (2, 3), (2, 3), (2, 3), (2, 3), (2, 3)


def cell_backward(dh, dc, cache, through_h=1, forget=True):
    f, i, g, o, c0, c = cache
    dc = dc + through_h * dh * o * (1 - np.tanh(c)**2)
    return dc * c0, dc * g, dc * i, dh * np.tanh(c), dc * f if forget else dc


@wrong(*CELL, truth="what reaches the cell through h is forgotten: dc is only that of the cell itself",
       cause=("through h", r"\bh\b", "path", "missing", "output", "hidden", "dh"))
class CellA(Cell):
    def backward(dy, cache):
        return cell_backward(*dy, cache, through_h=0)


@wrong(*CELL, truth="dc0 is not multiplied by the forget gate", cause=(r"\bf\b", "forget", "gate", "times c", "factor"))
class CellB(Cell):
    def backward(dy, cache):
        return cell_backward(*dy, cache, forget=False)


@wrong(*CELL, truth="the gradient of the cell's own output is ignored, only dh is used",
       cause=("second output", "output 1", r"\bdc\b", "cell", "other output", "outputs?\\[1", "ignored",
              "one of the outputs",
              "dy\\[1"))
class CellC(Cell):
    def backward(dy, cache):
        dh, dc = dy
        return cell_backward(dh, 0 * dc, cache)


@wrong(given(2, 0, 2, 2, 3), (5, 4), truth="an embedding's row that is looked up several times gets only one gradient",
       cause=("repeat", "several times", "more than once", "add.at", "accumul", "overwrit", "duplicate", "twice", "uses"))
class EmbeddingA:
    def forward(ids, table):
        return table[ids], (ids, table.shape)
    def backward(dy, cache):
        ids, shape = cache
        d = np.zeros(shape)
        d[ids] += dy
        return None, d


@wrong(lambda rng: np.array([[0, 2, 1], [4, 0, 3]]), (6, 4),
       truth="a bag of words is a mean over its words, and the 1 / length is missing",
       cause=("mean", "divid", "length", "average", "size of", "words"), misleading=("counted",))
class EmbeddingB:
    def forward(ids, table):
        return table[ids].mean(1), (ids, table.shape)
    def backward(dy, cache):
        ids, shape = cache
        d = np.zeros(shape)
        for n, row in enumerate(ids):
            for i in row:
                d[i] += dy[n]
        return None, d


@wrong((2, 5, 4), truth="rotary positions: turned on by the same angle, where backward must turn back",
       cause=("angle", "sign", "sin", "inverse", "transpos", "direction", "turn", "rotat", "back"))
class RotaryA:
    def forward(x):
        return rotate(x, 1), None
    def backward(dy, _):
        return rotate(dy, 1)


def rotate(x, sign):
    angle = np.arange(x.shape[1])[:, None] * np.array([1.0, 0.1])
    c, s = np.cos(angle), sign * np.sin(angle)
    a, b = x[..., ::2], x[..., 1::2]
    return np.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)


class Dropout:
    def forward(x, p=0.4):
        mask = np.random.default_rng(7).random(x.shape) >= p
        return x * mask / (1 - p), (mask, p)


@wrong((5, 6), truth="not rescaled in backward: 1 / (1 - p) is missing",
       cause=("1 ?- ?p", r"rescal", "keep", "divid", "dropout", "drop"))
class DropoutA(Dropout):
    def backward(dy, cache):
        return dy * cache[0]


@wrong((5, 6), truth="the mask is inverted in backward",
       cause=("mask", "inver", "opposite", "kept", "where .*(0|zero)", "other way round"))
class DropoutB(Dropout):
    def backward(dy, cache):
        mask, p = cache
        return dy * ~mask / (1 - p)


@wrong((2, 6, 3), truth="the second direction of a bidirectional layer comes back without being turned round again",
       cause=("revers", "direction", "turned", "flip"))
class BothWaysA:
    def forward(x):
        return np.concatenate([2 * x, 3 * x[:, ::-1].cumsum(1)], -1), None
    def backward(dy, _):
        a, b = np.split(dy, 2, -1)
        return 2 * a + 3 * b[:, ::-1].cumsum(1)[:, ::-1]

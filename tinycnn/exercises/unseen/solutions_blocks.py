"""Wrong solutions of the exercises on norms, dropout, attention and blocks of layers."""
from . import solution

solution("batch_norm_backward", "the variance is treated as a constant",
         ("varian", "sigma", "xhat", "constant", "std"), code='''
def batch_norm_backward(dy, x, w, b, eps):
    N, C, H, W = x.shape
    flat = x.transpose(1, 0, 2, 3).reshape(C, -1)
    up = dy.transpose(1, 0, 2, 3).reshape(C, -1)
    std = np.sqrt(flat.var(1) + eps)[:, None]
    xhat = (flat - flat.mean(1)[:, None]) / std
    g = up * w[:, None]
    dx = (g - g.mean(1)[:, None]) / std
    return dx.reshape(C, N, H, W).transpose(1, 0, 2, 3), (up * xhat).sum(1), up.sum(1)
''')
solution("batch_norm_backward", "n = N, though N H W numbers share a mean",
         (r"n h w", "pixels", "number of", "divid", "size", "axes"), code='''
def batch_norm_backward(dy, x, w, b, eps):
    axes, n = (0, 2, 3), x.shape[0]
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    g = dy * w.reshape(1, -1, 1, 1)
    dx = (n * g - g.sum(axes, keepdims=True) - xhat * (g * xhat).sum(axes, keepdims=True)) / (n * std)
    return dx, (dy * xhat).sum(axes), dy.sum(axes)
''')
solution("batch_norm_backward", "dw multiplies dy with x, not with xhat", ("xhat", "normalis"), code='''
def batch_norm_backward(dy, x, w, b, eps):
    axes = (0, 2, 3)
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    g = dy * w.reshape(1, -1, 1, 1)
    dx = (g - g.mean(axes, keepdims=True) - xhat * (g * xhat).mean(axes, keepdims=True)) / std
    return dx, (dy * x).sum(axes), dy.sum(axes)
''')
solution("batch_norm", "momentum the wrong way round", ("momentum", "wrong way", "exchang", "swap"), code='''
def batch_norm(x, w, b, running_mean, running_var, training, momentum, eps):
    c = (1, -1, 1, 1)
    mean, var = running_mean, running_var
    if training:
        n = x.shape[0] * x.shape[2] * x.shape[3]
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var * n / (n - 1)
    y = (x - mean.reshape(c)) / np.sqrt(var.reshape(c) + eps) * w.reshape(c) + b.reshape(c)
    return y, running_mean, running_var
''')
solution("batch_norm", "the running statistics normalise already in training",
         ("running", "batch", "training", "statistic"), code='''
def batch_norm(x, w, b, running_mean, running_var, training, momentum, eps):
    c = (1, -1, 1, 1)
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * x.mean((0, 2, 3))
        running_var = (1 - momentum) * running_var + momentum * x.var((0, 2, 3), ddof=1)
    y = (x - running_mean.reshape(c)) / np.sqrt(running_var.reshape(c) + eps) * w.reshape(c) + b.reshape(c)
    return y, running_mean, running_var
''')
solution("batch_norm", "the running statistics are updated in place, in the arrays that were given",
         ("chang", "in place", "writ", "modif", "given"), code='''
def batch_norm(x, w, b, running_mean, running_var, training, momentum, eps):
    c = (1, -1, 1, 1)
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (x.var((0, 2, 3), ddof=1) - running_var)
    y = (x - mean.reshape(c)) / np.sqrt(var.reshape(c) + eps) * w.reshape(c) + b.reshape(c)
    return y, running_mean, running_var
''')
solution("layer_norm", "normalised over the rows of the batch, axis 0", ("axis", "axes", "row", "feature", "batch"), code='''
def layer_norm(x, w, b, eps):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + eps) * w + b
''')
solution("layer_norm", "eps is added to the standard deviation, outside of the root", ("eps", "root"), code='''
def layer_norm(x, w, b, eps):
    return w * (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + eps) + b
''')
solution("layer_norm", "dy stands for g = w dy in the two means", (r"\bw\b", "weight", r"\bg\b"), code='''
def layer_norm_backward(dy, x, w, b, eps):
    s = np.sqrt(x.var(-1, keepdims=True) + eps)
    h = (x - x.mean(-1, keepdims=True)) / s
    flat = (-1, x.shape[-1])
    dx = (w * dy - dy.mean(-1, keepdims=True) - h * (dy * h).mean(-1, keepdims=True)) / s
    return dx, (dy * h).reshape(flat).sum(0), dy.reshape(flat).sum(0)
''')
solution("layer_norm", "dw and db are summed over the first axis only, which is right for (N, D) alone",
         ("axes", "axis", "shape", "rows", "n, t"), code='''
def layer_norm_backward(dy, x, w, b, eps):
    s = np.sqrt(x.var(-1, keepdims=True) + eps)
    h = (x - x.mean(-1, keepdims=True)) / s
    g = w * dy
    dx = (g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True)) / s
    return dx, (dy * h).sum(0), dy.sum(0)
''')
solution("rms_norm", "all D numbers are looked at, not the first k", (r"\bk\b", "first", "part of the row"), code='''
def rms_norm(x, w, k, eps):
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * (1 + w)
''')
solution("rms_norm", "multiplied by w instead of 1 + w", (r"1 \+ w", "neutral", r"by w\b", "one"), code='''
def rms_norm(x, w, k, eps):
    return x / np.sqrt(np.mean(x[:, :k] ** 2, -1, keepdims=True) + eps) * w
''')
solution("rms_norm", "the sum of g x runs over the first k numbers only",
         (r"\bk\b", "all d", "whole row", "beyond", "sum"), code='''
def rms_norm_backward(dy, x, w, k, eps):
    r = (np.mean(x[:, :k] ** 2, 1, keepdims=True) + eps) ** -0.5
    g = dy * (1 + w)
    dx = g * r
    dx[:, :k] -= r ** 3 / k * x[:, :k] * (g * x)[:, :k].sum(1, keepdims=True)
    return dx, (dy * x * r).sum(0)
''')
solution("dropout", "not rescaled in training", ("1 - p", "1/\\(1", "rescal", "scale", "divid"), code='''
def dropout(x, u, p, training):
    return np.where(u >= p, x, 0.0) if training else x + 0
''')
solution("dropout", "p is taken for the probability of keeping",
         ("kept", "keep", "dropped", "wrong way", "probab", "inver"), code='''
def dropout(x, u, p, training):
    if not training:
        return x.copy()
    return x * (u < p) / p if p else 0 * x
def dropout_backward(dy, u, p, training):
    return dropout(dy, u, p, training)
''')
solution("dropout", "with p = 1 the division by zero gives NaN",
         ("p = 1", "nan", "0/0", "not a number", "divi", "not finite"), code='''
def dropout(x, u, p, training):
    if not training:
        return x.copy()
    with np.errstate(all="ignore"):
        return x * np.divide(u >= p, 1 - p)
''')
solution("dropout", "in use the numbers are scaled by 1 - p, as in the old, not inverted dropout",
         ("in use", "scale", "1 - p", "training"), code='''
def dropout(x, u, p, training):
    if training:
        return x * (u >= p) / (1 - p) if p < 1 else 0 * x
    return x * (1 - p)
''')
solution("attention", "the softmax runs over the queries", ("axis", "queries", "keys", "rows", "add up"), code='''
def attention_weights(q, k, mask=None):
    s = np.einsum("ntd,nsd->nts", q, k) / np.sqrt(q.shape[-1])
    if mask is not None:
        s = np.where(mask, s, -1e30)
    e = np.exp(s - s.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
''')
solution("attention", "divided by D, not by its root", ("root", "sqrt", "scal"), code='''
def attention_weights(q, k, mask=None):
    s = np.einsum("ntd,nsd->nts", q, k) / q.shape[-1]
    if mask is not None:
        s = np.where(mask, s, -np.inf)
    e = np.exp(s - s.max(2, keepdims=True))
    return e / e.sum(2, keepdims=True)
''')
solution("attention", "the mask acts after the softmax, so that rows no longer add up to 1",
         ("mask", "add up", "sum to", "after", "before"), code='''
def attention_weights(q, k, mask=None):
    s = np.einsum("ntd,nsd->nts", q, k) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(2, keepdims=True))
    p = e / e.sum(2, keepdims=True)
    return p if mask is None else p * mask
''')
solution("attention", "the scale is left out of dk", ("root", "sqrt", "scal"), misleading=("twice", "batch"), code='''
def attention_backward(dy, q, k, v, mask=None):
    p = attention_weights(q, k, mask)
    dp = np.einsum("nte,nse->nts", dy, v)
    ds = p * dp - p * (p * dp).sum(2, keepdims=True)
    return ds @ k / np.sqrt(q.shape[-1]), np.einsum("nts,ntd->nsd", ds, q), np.einsum("nts,nte->nse", p, dy)
''')
solution("attention", "backward computes the weights without the mask", ("mask",), code='''
def attention_backward(dy, q, k, v, mask=None):
    p = attention_weights(q, k)
    dp = np.einsum("nte,nse->nts", dy, v)
    ds = (p * dp - p * (p * dp).sum(2, keepdims=True)) / np.sqrt(q.shape[-1])
    return ds @ k, np.einsum("nts,ntd->nsd", ds, q), np.einsum("nts,nte->nse", p, dy)
''')
solution("vit_block", "the heads are interleaved: head h takes every heads-th number",
         ("interleav", "neighbour", "head", "consecutive", "group"), code='''
def multi_head(t, wq, wk, wv, wo, heads):
    q, k, v = t @ wq.T, t @ wk.T, t @ wv.T
    joined = np.empty_like(q)
    for h in range(heads):
        joined[..., h::heads] = attention(q[..., h::heads], k[..., h::heads], v[..., h::heads])
    return joined @ wo.T
''')
solution("vit_block", "post-norm: the norm stands behind the sum", ("norm", "pre-norm", "before", "skip", "behind"), code='''
def block(t, p, heads):
    a = layer_norm(t + multi_head(t, p["wq"], p["wk"], p["wv"], p["wo"], heads), p["g1"], p["c1"])
    return layer_norm(a + gelu(a @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"], p["g2"], p["c2"])
''')
solution("vit_block", "the class token is put at the end", ("class token", "cls", "end", "front", "first"), code='''
def tokens(rows, w, b, cls, positions):
    t = np.einsum("ntc,dc->ntd", rows, w) + b
    return np.concatenate([t, np.tile(cls, (len(t), 1, 1))], 1) + positions
''')
solution("vit_block", "a patch's pixels come before its channels", ("channel", "order", "axes", "transpos"), code='''
def patches(x, P):
    N, C, H, W = x.shape
    return np.stack([x[:, :, i:i + P, j:j + P].transpose(0, 2, 3, 1).reshape(N, -1)
                     for i in range(0, H, P) for j in range(0, W, P)], 1)
''')
solution("positional_encoding", "first all sines, then all cosines",
         ("next to each other", "interleav", "alternat", "half", "halves", "order"), code='''
def positional_encoding(T, D):
    r = 10000.0 ** (-2 * np.arange(D // 2) / D)
    a = np.outer(np.arange(T), r)
    return np.concatenate([np.sin(a), np.cos(a)], 1)
''')
solution("positional_encoding", "the rotation turns the wrong way",
         ("direction", "sign", "back", "transpos", "wrong way", "-k", "minus"), code='''
def shift_matrix(k, D):
    M = np.zeros((D, D))
    for i in range(0, D, 2):
        a = k / 10000.0 ** (i / D)
        M[i, i] = M[i + 1, i + 1] = np.cos(a)
        M[i, i + 1], M[i + 1, i] = -np.sin(a), np.sin(a)
    return M
''')
solution("residual_block", "the skip's gradient is forgotten", ("skip",), code='''
def residual_block_backward(dy, x, w1, b1, w2, b2):
    a = x @ w1.T + b1
    h = a * (a > 0)
    ds = np.where(x + h @ w2.T + b2 > 0, dy, 0)
    da = np.where(a > 0, ds @ w2, 0)
    return da @ w1, da.T @ x, da.sum(0), ds.T @ h, ds.sum(0)
''')
solution("residual_block", "the skip carries dy itself, past the last relu's mask",
         ("skip", "mask", "relu", r"\bds\b"), code='''
def residual_block_backward(dy, x, w1, b1, w2, b2):
    a = x @ w1.T + b1
    h = a * (a > 0)
    ds = np.where(x + h @ w2.T + b2 > 0, dy, 0)
    da = np.where(a > 0, ds @ w2, 0)
    return dy + da @ w1, da.T @ x, da.sum(0), ds.T @ h, ds.sum(0)
''')
solution("residual_block", "the last relu stands before the sum", ("relu", "sum", "last", "after"), code='''
def residual_block(x, w1, b1, w2, b2):
    h = np.maximum(x @ w1.T + b1, 0)
    return x + np.maximum(h @ w2.T + b2, 0)
''')

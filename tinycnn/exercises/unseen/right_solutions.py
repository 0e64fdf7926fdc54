"""Right solutions in unusual styles: loops over pixels, einsum, float64 results, recursion, generators, classes."""
from . import solution

for exercise, code in {
    "linear": '''
class Layer:
    def __init__(self, x, w, b):
        self.x, self.w, self.b = x, w, b
    def forward(self):
        return np.stack([self.w @ row + self.b for row in self.x])
    def backward(self, dy):
        dw = np.zeros(self.w.shape)
        for row, d in zip(self.x, dy):
            dw += np.outer(d, row)
        return np.stack([self.w.T @ d for d in dy]), dw, sum(dy)
def linear_forward(x, w, b):
    return Layer(x, w, b).forward()
def linear_backward(dy, x, w, b):
    return Layer(x, w, b).backward(dy)
''',
    "activations": '''
def relu(x):
    return (x + np.abs(x)) / 2
def relu_backward(dy, x):
    return dy * np.heaviside(x, 0)
def leaky_relu(x, slope):
    y = np.array(x, dtype=float)
    y[y <= 0] *= slope
    return y
def leaky_relu_backward(dy, x, slope):
    return dy * np.select([x > 0], [1.0], slope)
def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x)) if np.abs(x).max() < 5 else np.exp(-np.logaddexp(0, -x))
def tanh_backward(dy, x):
    return dy * (1 - np.tanh(x)) * (1 + np.tanh(x))
def softplus(x):
    return np.logaddexp(0, x)
def softplus_backward(dy, x):
    return dy * np.exp(-np.logaddexp(0, -x))
''',
    "conv_forward": '''
def conv2d(x, w, b):
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for n, f, i, j in np.ndindex(y.shape):
        y[n, f, i, j] = b[f] + np.vdot(x[n, :, i:i + KH, j:j + KW], w[f])
    return y
''',
    "conv_backward": '''
def conv2d_backward(dy, x, w, b):
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    KH, KW = w.shape[2:]
    for n, f, i, j in np.ndindex(dy.shape):
        dx[n, :, i:i + KH, j:j + KW] += dy[n, f, i, j] * w[f]
        dw[f] += dy[n, f, i, j] * x[n, :, i:i + KH, j:j + KW]
        db[f] += dy[n, f, i, j]
    return [dx, dw, db]
''',
    "conv_stride_padding": '''
def output_size(size, kernel, stride, padding):
    return len(range(0, size + 2 * padding - kernel + 1, stride))
def conv2d_backward(dy, x, w, b, stride, padding):
    P, (KH, KW), (H, W) = padding, w.shape[2:], x.shape[2:]
    big = np.zeros((*x.shape[:2], H + 2 * P, W + 2 * P))
    big[:, :, P:P + H, P:P + W] = x
    dbig, dw = np.zeros(big.shape), np.zeros(w.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, stride * i:stride * i + KH, stride * j:stride * j + KW]
        dbig[at] += np.tensordot(dy[:, :, i, j], w, (1, 0))
        dw += np.tensordot(dy[:, :, i, j], big[at], (0, 0))
    return dbig[:, :, P:P + H, P:P + W].copy(), dw, np.einsum("nfij->f", dy)
''',
    "conv_transpose": '''
def conv_transpose2d(x, w, b, stride, padding):
    (N, C, H, W), (_, F, KH, KW) = x.shape, w.shape
    rows, cols = (H - 1) * stride + KH, (W - 1) * stride + KW
    out = np.zeros((N, F, rows, cols))
    for i, j in np.ndindex(H, W):
        out[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW] += np.tensordot(x[:, :, i, j], w, (1, 0))
    return out[:, :, padding:rows - padding, padding:cols - padding] + b.reshape(1, -1, 1, 1)
''',
    "grouped_conv": '''
def conv2d(x, w, b, groups):
    (N, C, H, W), (F, D, KH, KW) = x.shape, w.shape
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    each = [np.einsum("ncijpq,cpq->nij", views[:, f * groups // F * D:(f * groups // F + 1) * D], w[f]) + b[f]
            for f in range(F)]
    return np.moveaxis(np.array(each), 0, 1)
''',
    "im2col": '''
def im2col(x, KH, KW, stride, padding):
    P = padding
    x = np.pad(x, [(0, 0), (0, 0), (P, P), (P, P)])
    N, C, H, W = x.shape
    columns = [x[:, :, i:i + KH, j:j + KW].reshape(N, -1)
               for i in range(0, H - KH + 1, stride) for j in range(0, W - KW + 1, stride)]
    return np.stack(columns, -1)
''',
    "col2im": '''
def col2im(columns, shape, KH, KW, stride, padding):
    N, C, H, W = shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    x = np.zeros(shape)
    for k in range(columns.shape[1]):
        c, p, q = np.unravel_index(k, (C, KH, KW))
        for t in range(OH * OW):
            i, j = t // OW * stride + p - padding, t % OW * stride + q - padding
            if 0 <= i < H and 0 <= j < W:
                x[:, c, i, j] += columns[:, k, t]
    return x
''',
    "max_pool": '''
def max_pool(x, size, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride].max((-1, -2))
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride:, j * stride:][:size, :size]
        p, q = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, i * stride + p, j * stride + q] += dy[n, c, i, j]
    return dx
''',
    "average_pool": '''
def pixel_counts(H, W, size, stride, padding):
    ones = np.pad(np.ones((H, W), int), padding)
    return np.lib.stride_tricks.sliding_window_view(ones, (size, size))[::stride, ::stride].sum((2, 3))
''',
    "pool_ties_split": '''
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i * stride:i * stride + size, j * stride:j * stride + size]
        best = (x[at] == x[at].max((2, 3), keepdims=True)).astype(float)
        dx[at] += best / best.sum((2, 3), keepdims=True) * dy[:, :, i, j, None, None]
    return dx
''',
    "nhwc_conv": '''
def conv2d(x, w, b, stride, padding):
    P = padding
    x = np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], (1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcpq,pqcf->nijf", views, w) + b
''',
    "batch_norm": '''
def batch_norm(x, w, b, running_mean, running_var, training, momentum, eps):
    c = (1, -1, 1, 1)
    flat = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    mean, var = (flat.mean(1), flat.var(1)) if training else (running_mean, running_var)
    if training:
        running_mean = running_mean + momentum * (mean - running_mean)
        running_var = running_var + momentum * (flat.var(1, ddof=1) - running_var)
    scale = w / np.sqrt(var + eps)
    return x * scale.reshape(c) + (b - mean * scale).reshape(c), running_mean, running_var
''',
    "batch_norm_backward": '''
def batch_norm_backward(dy, x, w, b, eps):
    dx, dw, db = np.zeros(x.shape), [], []
    for c in range(x.shape[1]):
        v, d = x[:, c].ravel(), dy[:, c].ravel()
        n, m = v.size, v.mean()
        s = np.sqrt(((v - m) ** 2).mean() + eps)
        dvar = (d * w[c] * (v - m)).sum() * -0.5 * s ** -3
        dmean = -(d * w[c]).sum() / s
        dx[:, c] = (d * w[c] / s + dvar * 2 * (v - m) / n + dmean / n).reshape(x[:, c].shape)
        dw.append((d * (v - m) / s).sum())
        db.append(d.sum())
    return dx, np.array(dw), np.array(db)
''',
    "layer_norm": '''
def layer_norm_backward(dy, x, w, b, eps):
    D = x.shape[-1]
    X, Y = x.reshape(-1, D), dy.reshape(-1, D)
    P = np.eye(D) - 1 / D
    out = []
    for row, d in zip(X, Y):
        c = P @ row
        s = np.sqrt(c @ c / D + eps)
        out.append(P @ (w * d) / s - c * (c @ (w * d)) / (D * s ** 3))
    h = (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + eps)
    return np.array(out).reshape(x.shape), (Y * h).sum(0), Y.sum(0)
''',
    "rms_norm": '''
def rms_norm_backward(dy, x, w, k, eps):
    first = np.arange(x.shape[1]) < k
    s = (x * x * first).sum(1, keepdims=True) / k + eps
    g = dy * (1 + w)
    return g * s ** -0.5 - (g * x).sum(1, keepdims=True) * first * x / (k * s ** 1.5), np.einsum("nd,nd,nz->d", dy, x,
            s ** -0.5)
''',
    "dropout": '''
def dropout(x, u, p, training):
    if not training:
        return 1.0 * x
    return np.where(u < p, 0, x / (1 - p)) if p < 1 else x * 0.0
def dropout_backward(dy, u, p, training):
    return dropout(dy, u, p, training)
''',
    "attention": '''
def attention_weights(q, k, mask=None):
    s = np.einsum("ntd,nsd->nts", q, k) / np.sqrt(q.shape[-1])
    if mask is not None:
        s = s + np.where(mask, 0.0, -np.inf)
    s = s - s.max(-1, keepdims=True)
    return np.exp(s - np.log(np.exp(s).sum(-1, keepdims=True)))
def attention_backward(dy, q, k, v, mask=None):
    p = attention_weights(q, k, mask)
    ds = np.zeros(p.shape)
    for n, t in np.ndindex(p.shape[:2]):
        row = p[n, t]
        ds[n, t] = (np.diag(row) - np.outer(row, row)) @ (v[n] @ dy[n, t]) / np.sqrt(q.shape[2])
    return np.matmul(ds, k), np.matmul(ds.transpose(0, 2, 1), q), np.matmul(p.transpose(0, 2, 1), dy)
''',
    "vit_block": '''
def patches(x, P):
    N, C, H, W = x.shape
    return np.stack([x[:, :, i:i + P, j:j + P].reshape(N, -1) for i in range(0, H, P) for j in range(0, W, P)], 1)
def multi_head(t, wq, wk, wv, wo, heads):
    q, k, v = (np.split(t @ w.T, heads, -1) for w in (wq, wk, wv))
    return np.concatenate([attention(*three) for three in zip(q, k, v)], -1) @ wo.T
''',
    "positional_encoding": '''
def positional_encoding(T, D):
    z = np.exp(1j * np.outer(np.arange(T), 10000.0 ** (-np.arange(0, D, 2) / D)))
    return np.stack([z.imag, z.real], -1).reshape(T, D)
''',
    "residual_block": '''
def residual_block_backward(dy, x, w1, b1, w2, b2):
    a = x @ w1.T + b1
    h = np.where(a > 0, a, 0)
    ds = dy.copy()
    ds[x + h @ w2.T + b2 <= 0] = 0
    da = ds @ w2
    da[a <= 0] = 0
    dx = ds + np.einsum("nh,hd->nd", da, w1)
    return dx, np.einsum("nh,nd->hd", da, x), da.sum(0), np.einsum("nd,nh->dh", ds, h), ds.sum(0)
''',
    "tape": '''
def backward(tape, values, result, dy):
    found = {result: [dy]}
    for name, op, ins in tape[::-1]:
        for i, part in zip(ins, pull(op, sum(found[name]), tuple(values[k] for k in ins),
                values[name]) if name in found else ()):
            found.setdefault(i, []).append(part)
    return {name: sum(parts) for name, parts in found.items()}
''',
    "value": '''
def _backward(self):
    def nodes(v, seen):
        if id(v) not in seen:
            seen.add(id(v))
            for parent in v.parents:
                yield from nodes(parent, seen)
            yield v
    line = list(nodes(self, set()))
    for v in line:
        v.grad = 0.0
    self.grad = 1.0
    while line:
        v = line.pop()
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad = parent.grad + slope * v.grad
Value.backward = _backward
''',
    "unbroadcast": '''
def unbroadcast(dy, shape):
    if dy.shape == tuple(shape):
        return dy.copy()
    if dy.ndim > len(shape):
        return unbroadcast(np.add.reduce(dy, 0), shape)
    axis = next(i for i, n in enumerate(shape) if n != dy.shape[i])
    return unbroadcast(dy.sum(axis, keepdims=True), shape)
''',
    "softmax_cross_entropy": '''
def log_softmax(x):
    return x - np.logaddexp.reduce(x, axis=1, keepdims=True)
def cross_entropy(x, labels):
    return float(np.mean([-row[k] for row, k in zip(log_softmax(x), labels)]))
def cross_entropy_backward(dy, x, labels):
    p = np.exp(log_softmax(x))
    for row, k in zip(p, labels):
        row[k] -= 1
    return p / len(p) * dy
''',
    "numerical_gradient": '''
def numerical_gradient(f, x, h):
    x = np.asarray(x, dtype=np.float64)
    steps = (h * e.reshape(x.shape) for e in np.eye(x.size))
    return np.array([(f(x + e) - f(x - e)) / (2 * h) for e in steps]).reshape(x.shape)
''',
    "momentum": '''
def momentum(w, dw, v, lr, beta):
    new = np.add(np.multiply(beta, v), dw)
    return np.subtract(w, np.multiply(lr, new)), new
''',
    "adaptive_rates": '''
def rmsprop(w, dw, s, lr, beta, eps):
    s = s + (1 - beta) * (np.square(dw) - s)
    return w - lr * dw / (s ** 0.5 + eps), s
def adagrad_step(t, lr):
    return lr * t ** -0.5
''',
    "adam": '''
def adam(w, dw, m, v, t, lr, beta1, beta2, eps):
    m, v = m + (1 - beta1) * (dw - m), v + (1 - beta2) * (dw * dw - v)
    c = np.sqrt(1 - beta2 ** t)
    return w - lr * c / (1 - beta1 ** t) * m / (np.sqrt(v) + eps * c), m, v
''',
    "learning_rate_schedule": '''
def step_decay(step, base, milestones, gamma):
    for m in sorted(milestones):
        if m <= step:
            base = base * gamma
    return base
def cosine(a, b, t):
    s = math.sin(math.pi * t / 2) ** 2
    return a * (1 - s) + b * s
''',
    "initialisation": '''
def fans(shape):
    m, d, *window = shape
    return d * int(np.prod(window)), m * int(np.prod(window))
def signal(x, weights):
    if not weights:
        return []
    h = np.maximum(np.einsum("nd,md->nm", x, weights[0]), 0)
    return [np.mean(h * h), *signal(h, weights[1:])]
''',
    "augmentation": '''
def flip(x, which):
    return np.stack([picture[..., ::-1] if w else picture for picture, w in zip(x, which)])
def cutout(x, centres, size):
    rows, columns = np.arange(x.shape[2])[:, None], np.arange(x.shape[3])
    y = x.copy()
    for picture, (r, c) in zip(y, centres):
        r, c = rows - r + size // 2, columns - c + size // 2
        picture[:, (0 <= r) & (r < size) & (0 <= c) & (c < size)] = 0
    return y
''',
    "grad_cam": '''
def grad_cam(A, G):
    heats = []
    for a, g in zip(A, G):
        L = sum(g[c].mean() * a[c] for c in range(len(a))).clip(0)
        heats.append(L / L.max() if L.any() else L)
    return np.array(heats)
''',
    "transfer": '''
def sgd_step(parameters, gradients, rate, decay):
    def moved(name):
        return (1 - rate * decay) * parameters[name] - rate * gradients[name]
    return {name: moved(name) if name in gradients else np.array(parameters[name]) for name in parameters}
''',
    "find_the_bug": '''
def embedding_backward(dy, ids, table):
    return np.eye(len(table))[:, ids] @ dy
def standardise_backward(dy, x, eps):
    P = np.eye(x.shape[1]) - 1 / x.shape[1]
    s = np.sqrt(x.var(1, keepdims=True) + eps)
    y = x @ P / s
    return (dy @ P - y * (dy * y).mean(1, keepdims=True)) / s
''',
}.items():
    solution(exercise, code=code)

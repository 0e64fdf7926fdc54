"""Wrong solutions of the exercises on optimisers, initialisation, augmentation and training."""
from . import solution

solution("momentum", "the gradient gets the weight 1 - beta", ("1 - beta", r"\(1"), code='''
def momentum(w, dw, v, lr, beta):
    v = beta * v + (1 - beta) * dw
    return w - lr * v, v
''')
solution("momentum", "the step is taken with the old velocity", ("old", "new v", "before"), code='''
def momentum(w, dw, v, lr, beta):
    return w - lr * v, beta * v + dw
''')
solution("momentum", "the learning rate is put into the velocity", ("learning rate", r"\blr\b"), code='''
def momentum(w, dw, v, lr, beta):
    v = beta * v + lr * dw
    return w - v, v
''')
solution("momentum", "w is changed in place", ("in place", "chang", "writ", "modif"), code='''
def sgd(w, dw, lr):
    w -= lr * dw
    return w
''')
solution("momentum", "nesterov looks ahead with the old velocity", ("old", "new v", "nesterov", "momentum would"), code='''
def nesterov(w, dw, v, lr, beta):
    return w - lr * (dw + beta * v), beta * v + dw
''')
solution("momentum", "goes uphill", ("uphill", "sign", "plus", "minus", "other way", "direction"), code='''
def sgd(w, dw, lr):
    return w + lr * dw
''')
solution("adaptive_rates", "the gradients' absolute values are summed, not their squares", ("square", "absolute"), code='''
def adagrad(w, dw, s, lr, eps):
    s = s + np.abs(dw)
    return w - lr * dw / (np.sqrt(s) + eps), s
''')
solution("adaptive_rates", "eps stands in the root", ("eps", "root"), code='''
def rmsprop(w, dw, s, lr, beta, eps):
    s = s * beta + dw ** 2 * (1 - beta)
    return w - lr * dw / np.sqrt(s + eps), s
''')
solution("adaptive_rates", "beta and 1 - beta are exchanged", ("exchang", "swap", "1 - beta", "wrong way"), code='''
def rmsprop(w, dw, s, lr, beta, eps):
    s = (1 - beta) * s + beta * dw ** 2
    return w - lr * dw / (np.sqrt(s) + eps), s
''')
solution("adaptive_rates", "the root is forgotten", ("root", "sqrt"), code='''
def adagrad(w, dw, s, lr, eps):
    s = s + dw ** 2
    return w - lr * dw / (s + eps), s
''')
ADAM = '''
def adam(w, dw, m, v, t, lr, beta1, beta2, eps):
    m = m * beta1 + dw * (1 - beta1)
    v = v * beta2 + dw ** 2 * (1 - beta2)
    mh, vh = m / (1 - beta1 ** t), v / (1 - beta2 ** t)
    return w - lr * mh / (np.sqrt(vh) + eps), m, v
'''
solution("adam", "no bias correction",
         ("correct", "bias"), code=ADAM.replace("m / (1 - beta1 ** t), v / (1 - beta2 ** t)", "m, v"))
solution("adam", "the corrected averages are returned, and corrected again at the next step",
         ("correct", "stored", "returned"),
         code=ADAM.replace("eps), m, v", "eps), mh, vh"))
solution("adam", "t counts from 0 in the correction", (r"t \+ 1", r"t - 1", "one step", "off by one", r"\bt\b", "count"),
         code=ADAM.replace("** t)", "** (t + 1))"))
solution("adam", "beta1 and beta2 are exchanged",
         ("exchang", "swap", "beta1"), code=ADAM.replace("beta1", "B").replace("beta2", "beta1")
         .replace("B", "beta2").replace("lr, beta2, beta1", "lr, beta1, beta2"))
solution("adam", "eps is added to the root before v is corrected", ("eps", "correct"),
         code=ADAM.replace("(np.sqrt(vh) + eps)", "((np.sqrt(v) + eps) / np.sqrt(1 - beta2 ** t))"))
solution("adam", "weight decay goes into the gradient, as in plain Adam", ("decay", "gradient", "decoupl"), code='''
def adamw(w, dw, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam(w, dw + weight_decay * w, m, v, t, lr, beta1, beta2, eps)
''')
solution("adam", "the decay is not multiplied by the learning rate", (r"\blr\b", "learning rate"), code='''
def adamw(w, dw, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam(w - weight_decay * w, dw, m, v, t, lr, beta1, beta2, eps)
''')
solution("learning_rate_schedule", "the milestone's own step still has the old rate",
         ("milestone", "step late", ">=", "one late"), code='''
def step_decay(step, base, milestones, gamma):
    for m in milestones:
        if step > m:
            base *= gamma
    return base
''')
solution("learning_rate_schedule", "the warm-up starts at zero", ("zero", r"\b0\b", "first step", "step \\+ 1"), code='''
def warmup_cosine(step, steps, warmup, peak, final):
    if step < warmup:
        return peak * step / warmup
    return cosine(peak, final, (step - warmup) / (steps - warmup))
''')
solution("learning_rate_schedule", "the cosine counts its steps from the start of training",
         ("warm-?up", "since", "start"), code='''
def warmup_cosine(step, steps, warmup, peak, final):
    if step < warmup:
        return peak * (step + 1) / warmup
    return cosine(peak, final, step / steps)
''')
solution("learning_rate_schedule", "the fall never quite arrives: t reaches 1 one step behind the last",
         ("last step", "arriv", "end", "steps - 1"), code='''
def one_cycle(step, steps, top, peak):
    if step < top:
        return cosine(peak / 25, peak, step / top)
    return cosine(peak, peak / 1e4, (step - top) / (steps - top))
''')
solution("learning_rate_schedule", "a straight line instead of a cosine", ("straight", "line", "cosine"), code='''
def one_cycle(step, steps, top, peak):
    if step <= top:
        return peak / 25 + (peak - peak / 25) * step / top
    return cosine(peak, peak / 10000, (step - top) / (steps - 1 - top))
''')
solution("initialisation", "fan-in and fan-out are exchanged", ("exchang", "swap", "fan_out", "fan-out"), code='''
def fans(shape):
    n = int(np.prod(shape[2:]))
    return shape[0] * n, shape[1] * n
''')
solution("initialisation", "the window's size is forgotten for convolutions",
         ("window", "kh", "place", "convolution"), code='''
def fans(shape):
    return shape[1], shape[0]
''')
solution("initialisation", "the variance is taken for the standard deviation",
         ("root", "sqrt", "variance", "standard deviation"), code='''
def he_normal(z):
    return z * 2 / fans(z.shape)[0]
''')
solution("initialisation", "he's 2 is missing, as for tanh", ("2", "relu", "half"), code='''
def he_normal(z):
    return z / fans(z.shape)[0] ** 0.5
''')
solution("initialisation", "uniform between 0 and a",
         ("-a", "between", "centre", "mean", "negative", "shift", "symmetric"), code='''
def xavier_uniform(u):
    i, o = fans(u.shape)
    return u * np.sqrt(6 / (i + o))
''')
solution("initialisation", "the signal's factor forgets that relu halves", ("half", "halv", "relu", r"/ ?2", "2"), code='''
def predicted(var, fan_in, depth):
    return (fan_in * var) ** depth
''')
solution("augmentation", "turned upside down instead of mirrored",
         ("upside", "rows", "head", "left to right", "top", "vertical", "axis"), code='''
def flip(x, which):
    return np.where(np.asarray(which)[:, None, None, None], x[:, :, ::-1], x)
''')
solution("augmentation", "the square's negative start wraps round", ("negative", "wrap", "border", "edge", "slice"), code='''
def cutout(x, centres, size):
    y = x.copy()
    for n, (r, c) in enumerate(centres):
        y[n, :, r - size // 2:r - size // 2 + size, c - size // 2:c - size // 2 + size] = 0
    return y
''')
solution("augmentation", "row and column of the offset are exchanged", ("row", "column", "exchang", "swap"), code='''
def random_crop(x, offsets, padding):
    P, (H, W) = padding, x.shape[2:]
    big = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    return np.stack([big[n, :, o[1]:o[1] + H, o[0]:o[0] + W] for n, o in enumerate(offsets)])
''')
solution("augmentation", "the square is cut out of the array that was given",
         ("chang", "writ", "in place", "modif", "copy", "alone"), code='''
def cutout(x, centres, size):
    for n, (r, c) in enumerate(centres):
        t, l = r - size // 2, c - size // 2
        x[n, :, max(t, 0):max(t + size, 0), max(l, 0):max(l + size, 0)] = 0
    return x
''')
solution("augmentation", "the frame repeats the border's pixels instead of zeros",
         ("zero", "frame", "border", "edge"), code='''
def random_crop(x, offsets, padding):
    P, (H, W) = padding, x.shape[2:]
    big = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)), mode="edge")
    return np.stack([big[n, :, r:r + H, c:c + W] for n, (r, c) in enumerate(offsets)])
''')
solution("grad_cam", "the relu stands before the sum over the channels",
         ("relu", "before", "behind", "cancel", "sum"), code='''
def grad_cam(A, G):
    L = np.maximum(channel_weights(G)[:, :, None, None] * A, 0).sum(1)
    top = L.max((1, 2), keepdims=True)
    return np.divide(L, top, out=np.zeros_like(L), where=top > 0)
''')
solution("grad_cam", "all pictures are divided by the largest of the batch",
         ("each picture", "batch", "by itself", "own", "largest"), code='''
def grad_cam(A, G):
    L = np.maximum(np.einsum("nc,ncij->nij", channel_weights(G), A), 0)
    return L / (L.max() if L.max() > 0 else 1)
''')
solution("grad_cam", "the mean's 1 / (H W) is missing", ("mean", "h w", r"h \* w", "divid", "pixels", "size"), code='''
def score_gradients(A, w, labels):
    return np.ones_like(A) * w[labels][:, :, None, None]
''')
solution("grad_cam", "where nothing speaks for the class, 0 / 0",
         ("nan", "0/0", "0 / 0", "zero", "nothing speaks", "finite"), code='''
def grad_cam(A, G):
    L = np.maximum(np.einsum("nc,ncij->nij", channel_weights(G), A), 0)
    with np.errstate(all="ignore"):
        return L / L.max((1, 2), keepdims=True)
''')
solution("transfer", "the body is not copied but shared", ("cop(y|ied)", "share", "same array", "old dict"), code='''
def replace_head(parameters, normal):
    new = dict(parameters)
    new["w2"], new["b2"] = normal / len(normal[0]) ** 0.5, np.zeros(len(normal))
    return new
''')
solution("transfer", "frozen parameters get zeros instead of being left out", ("left out", "zero", "frozen"), code='''
_gradients = gradients
def gradients(parameters, x, labels, frozen):
    found = _gradients(parameters, x, labels, [])
    return {k: g * 0 if k in frozen else g for k, g in found.items()}
''')
solution("transfer", "decay also pulls at what is frozen",
         ("decay", "frozen", "creep", "without a gradient", "stay", "moved"), code='''
def sgd_step(parameters, gradients, rate, decay):
    return {k: w - rate * (gradients.get(k, 0) + decay * w) for k, w in parameters.items()}
''')
solution("transfer", "the second phase keeps the full rate", ("tenth", "rate / 10", "rate", "10"), code='''
def fine_tune(parameters, x, labels, head_steps, all_steps, rate, decay):
    for step in range(head_steps + all_steps):
        g = gradients(parameters, x, labels, ["w1", "b1"] * (step < head_steps))
        parameters = sgd_step(parameters, g, rate, decay)
    return parameters
''')
solution("transfer", "the gradients are taken once, before the steps",
         ("anew", "once", "every step", "each step", "again"), code='''
def fine_tune(parameters, x, labels, head_steps, all_steps, rate, decay):
    head = gradients(parameters, x, labels, ["w1", "b1"])
    for _ in range(head_steps):
        parameters = sgd_step(parameters, head, rate, decay)
    everything = gradients(parameters, x, labels, [])
    for _ in range(all_steps):
        parameters = sgd_step(parameters, everything, rate / 10, decay)
    return parameters
''')
solution("find_the_bug", "leaky relu's bug is mended by a copy, but x = 0 is let through with slope 1",
         ("x = 0", "zero", "<=", "kink", r"\b0\b"), code='''
def leaky_relu_backward(dy, x, slope):
    return np.where(x >= 0, dy, slope * dy)
''')
solution("find_the_bug", "the embedding's gradient is averaged over the uses of a row",
         ("mean", "average", "divid", "both", r"\badd", "uses", "twice"), code='''
def embedding_backward(dy, ids, table):
    return np.stack([dy[ids == k].mean(0) if (ids == k).any() else 0 * table[k] for k in range(len(table))])
''')
solution("find_the_bug", "standardise keeps its bug: the mean's part is still missing", ("mean",), code='''
def standardise_backward(dy, x, eps):
    s = np.sqrt(x.var(1, keepdims=True) + eps)
    y = (x - x.mean(1, keepdims=True)) / s
    return (dy - y * (dy * y).mean(1, keepdims=True)) / s
''')
solution("find_the_bug", "leaky relu keeps its bug: it writes into dy", ("writ", "chang", "in place", "modif"), code='''
def leaky_relu_backward(dy, x, slope):
    dx = dy
    dx[x <= 0] *= slope
    return dx
''')

"""Wrong solutions of the exercises on the linear layer, convolution and pooling."""
from . import solution

solution("linear", "db sums over the outputs, axis 1", ("axis", "axes", "over the (outputs|examples)"), code='''
def linear_backward(dy, x, w, b):
    return dy.dot(w), np.dot(x.T, dy).T, np.sum(dy, axis=1)
''')
solution("linear", "dw is multiplied by 1/N, as with a mean loss", ("batch", "mean", "average", "1/n"), ("square",), code='''
def linear_backward(dy, x, w, b):
    m = x.shape[0]
    return dy @ w, (1 / m) * dy.T @ x, dy.sum(0)
''')
solution("linear", "the bias is subtracted", ("bias", r"\bb\b", "sign", "minus", "subtract"), code='''
def linear_forward(x, w, b):
    return np.einsum("nd,md->nm", x, w) - b
''')
solution("linear", "the gradients are returned in the order dw, dx, db",
         ("order", "exchanged", "swapped", "in the place of"), code='''
def linear_backward(dy, x, w, b):
    dx = np.dot(dy, w)
    dw = np.dot(dy.T, x)
    return dw, dx, dy.sum(0)
''')
solution("linear", "backward adds the bias in place: x @ w.T is kept, but b is changed",
         ("writ", "chang", "in place", "modif"), code='''
def linear_forward(x, w, b):
    b += x @ w.T if b.ndim == 2 else 0
    b *= 1.0
    y = x @ w.T + b
    b -= b
    return y
''')
solution("conv_forward", "the kernel is turned round, as mathematicians do",
         ("flip", "turned", "mirror", "180", "true convolution", "cross-correlation"), code='''
def conv2d(x, w, b):
    w = w[:, :, ::-1, ::-1]
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for i in range(H - KH + 1):
        for j in range(W - KW + 1):
            y[:, :, i, j] = np.tensordot(x[:, :, i:i + KH, j:j + KW], w, ([1, 2, 3], [1, 2, 3])) + b
    return y
''')
solution("conv_forward", "the bias is added once for each place of the window", ("bias", r"\bb\b.*times", "kh"), code='''
def conv2d(x, w, b):
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for p in range(KH):
        for q in range(KW):
            part = x[:, :, p:p + H - KH + 1, q:q + W - KW + 1]
            y += np.tensordot(w[:, :, p, q], part, (1, 1)).transpose(1, 0, 2, 3) + b[None, :, None, None]
    return y
''')
solution("conv_forward", "OW is computed from the kernel's height",
         ("width", "kw", "columns", "height", r"\bow\b", "exchang", "kh"), code='''
def conv2d(x, w, b):
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    OH, OW = H - KH + 1, W - KH + 1
    y = np.zeros((N, F, OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = x[:, :, i:i + KH, j:j + KW]
            kernel = w[:, :, :, :window.shape[3]]
            y[:, :, i, j] = np.einsum("ncpq,fcpq->nf", window, kernel) + b
    return y
''')
solution("conv_forward", "only the first channel of the picture is used", ("channel",), code='''
def conv2d(x, w, b):
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    return np.einsum("nijpq,fpq->nfij", windows[:, 0], w[:, 0]) + b[:, None, None]
''')
solution("conv_backward", "dx slides the kernel over the framed dy without turning it round",
         ("flip", "turned", "mirror", "180"), code='''
def conv2d_backward(dy, x, w, b):
    KH, KW = w.shape[2:]
    see = np.lib.stride_tricks.sliding_window_view
    dw = np.einsum("nfij,ncpqij->fcpq", dy, see(x, dy.shape[2:], axis=(2, 3)))
    framed = np.pad(dy, ((0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)))
    dx = np.einsum("nfijpq,fcpq->ncij", see(framed, (KH, KW), axis=(2, 3)), w)
    return dx, dw, dy.sum((0, 2, 3))
''')
solution("conv_backward", "dw is overwritten in the loop over the pictures",
         ("last", "overwrit", r"\+=", r"\badd", "accumul", "batch"), code='''
def conv2d_backward(dy, x, w, b):
    KH, KW = w.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for n in range(len(x)):
        for p in range(KH):
            for q in range(KW):
                piece = x[n, :, p:p + dy.shape[2], q:q + dy.shape[3]]
                dw[:, :, p, q] = np.tensordot(dy[n], piece, ([1, 2], [1, 2]))
                dx[n, :, p:p + dy.shape[2], q:q + dy.shape[3]] += np.tensordot(w[:, :, p, q], dy[n], (0, 0))
    return dx, dw, dy.sum((0, 2, 3))
''')
solution("conv_backward", "the loop over the rows of dy ends one early", ("last", "loop", "range", "early", "end"), code='''
def conv2d_backward(dy, x, w, b):
    KH, KW = w.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i in range(dy.shape[2] - 1):
        for j in range(dy.shape[3]):
            at = np.s_[:, :, i:i + KH, j:j + KW]
            dx[at] += np.tensordot(dy[:, :, i, j], w, (1, 0))
            dw += np.tensordot(dy[:, :, i, j], x[at], (0, 0))
    return dx, dw, dy.sum((0, 2, 3))
''')
solution("conv_backward", "db forgets the batch: only the sum over the pixels of the first picture",
         ("first", "batch", "pictures", "axis 0", "axes", "sum"), code='''
def conv2d_backward(dy, x, w, b):
    KH, KW = w.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i:i + KH, j:j + KW]
        dx[at] += np.tensordot(dy[:, :, i, j], w, (1, 0))
        dw += np.tensordot(dy[:, :, i, j], x[at], (0, 0))
    return dx, dw, dy[0].sum((1, 2))
''')
solution("conv_stride_padding", "the size is rounded up, as in ceil mode",
         ("ceil", "round", "floor", "up", "incomplete", "too many"), code='''
def output_size(size, kernel, stride, padding):
    return int(np.ceil((size + 2 * padding - kernel) / stride)) + 1
''')
solution("conv_stride_padding", "the padding is counted once, not on both sides",
         ("padding", "both sides", "once", "2 padding"), code='''
def output_size(size, kernel, stride, padding):
    return (size + padding - kernel) // stride + 1
''')
solution("conv_stride_padding", "dx keeps the frame's first rows: cut at the end only",
         ("padding", "frame", "shift", "cut", "border"), code='''
def conv2d_backward(dy, x, w, b, stride, padding):
    P, (KH, KW) = padding, w.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    dpadded, dw = 0 * padded, 0 * w
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
        dpadded[at] += np.tensordot(dy[:, :, i, j], w, (1, 0))
        dw += np.tensordot(dy[:, :, i, j], padded[at], (0, 0))
    return dpadded[:, :, :x.shape[2], :x.shape[3]], dw, dy.sum((0, 2, 3))
''')
solution("conv_stride_padding", "windows move by one pixel in backward, whatever the stride", ("stride", "step"), code='''
def conv2d_backward(dy, x, w, b, stride, padding):
    P, (KH, KW) = padding, w.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    dpadded, dw = 0 * padded, 0 * w
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i:i + KH, j:j + KW]
        dpadded[at] += np.tensordot(dy[:, :, i, j], w, (1, 0))
        dw += np.tensordot(dy[:, :, i, j], padded[at], (0, 0))
    return dpadded[:, :, P:P + x.shape[2], P:P + x.shape[3]], dw, dy.sum((0, 2, 3))
''')
solution("conv_stride_padding", "the picture is framed with its own border instead of zeros",
         ("zero", "border", "frame", "padding", "edge"), code='''
def conv2d(x, w, b, stride, padding):
    P, (KH, KW) = padding, w.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncijpq,fcpq->nfij", views, w) + b[:, None, None]
''')
solution("conv_transpose", "overlapping stamps overwrite each other", ("overlap", "overwrit", r"\+=", r"\badd"), code='''
def conv_transpose2d(x, w, b, stride, padding):
    (N, C, H, W), (_, F, KH, KW) = x.shape, w.shape
    rows, cols = (H - 1) * stride + KH, (W - 1) * stride + KW
    out = np.zeros((N, F, rows, cols))
    for i, j in np.ndindex(H, W):
        out[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW] = np.tensordot(x[:, :, i, j], w, (1, 0))
    return out[:, :, padding:rows - padding, padding:cols - padding] + b[:, None, None]
''')
solution("conv_transpose", "dx is added up with the kernel turned round", ("flip", "turned", "mirror", "180"), code='''
def conv_transpose2d_backward(dy, x, w, b, stride, padding):
    P, (KH, KW) = padding, w.shape[2:]
    d = np.pad(dy, ((0, 0), (0, 0), (P, P), (P, P)))
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i, j in np.ndindex(x.shape[2:]):
        seen = d[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
        dx[:, :, i, j] = np.einsum("nfpq,cfpq->nc", seen, w[:, :, ::-1, ::-1])
        dw += np.einsum("nc,nfpq->cfpq", x[:, :, i, j], seen)
    return dx, dw, dy.sum((0, 2, 3))
''')
solution("conv_transpose", "the padding is added to the output where it should be cut off",
         ("padding", "cut", "crop", "shape", "border"), code='''
def conv_transpose2d(x, w, b, stride, padding):
    (N, C, H, W), (_, F, KH, KW) = x.shape, w.shape
    P = padding
    out = np.zeros((N, F, (H - 1) * stride + KH + 2 * P, (W - 1) * stride + KW + 2 * P))
    for i, j in np.ndindex(H, W):
        at = np.s_[:, :, P + i * stride:P + i * stride + KH, P + j * stride:P + j * stride + KW]
        out[at] += np.tensordot(x[:, :, i, j], w, (1, 0))
    return out + b[:, None, None]
''')
solution("grouped_conv", "the groups are interleaved: output f belongs to group f % G",
         ("interleav", "consecutive", "neighbour", "group", "%"), code='''
def conv2d(x, w, b, groups):
    (N, C, H, W), (F, D, KH, KW) = x.shape, w.shape
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    outputs = []
    for f in range(F):
        g = f % groups
        outputs.append(np.einsum("ncijpq,cpq->nij", views[:, g * D:(g + 1) * D], w[f]) + b[f])
    return np.stack(outputs, 1)
''')
solution("grouped_conv", "the weights are counted as if there were no groups", ("group", "c/g"), code='''
def parameters(C, F, KH, KW, groups):
    return F * C * KH * KW + F
''')
solution("grouped_conv", "the biases are left out of the count", ("bias",), code='''
def parameters(C, F, KH, KW, groups):
    return F * C * KH * KW // groups
''')
solution("grouped_conv", "dx is set by the last output of a group instead of added up over its outputs",
         ("overwrit", r"\+=", r"\badd", "last", "accumul", "outputs"), code='''
def conv2d_backward(dy, x, w, b, groups):
    (N, C, H, W), (F, D, KH, KW), (OH, OW) = x.shape, w.shape, dy.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for f in range(F):
        g = f // (F // groups)
        mine, part = x[:, g * D:(g + 1) * D], np.zeros((N, D, H, W))
        for p, q in np.ndindex(KH, KW):
            dw[f, :, p, q] = np.einsum("nij,ncij->c", dy[:, f], mine[:, :, p:p + OH, q:q + OW])
            part[:, :, p:p + OH, q:q + OW] += dy[:, f, None] * w[f, :, p, q, None, None]
        dx[:, g * D:(g + 1) * D] = part
    return dx, dw, dy.sum((0, 2, 3))
''')
solution("im2col", "rows in the order (p, q, c) instead of (c, p, q)",
         ("order", "channel", "axes", "transpos", "row"), code='''
def im2col(x, KH, KW, stride, padding):
    P = padding
    x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))[:, :, ::stride, ::stride]
    N, C, OH, OW = views.shape[:4]
    return views.transpose(0, 4, 5, 1, 2, 3).reshape(N, C * KH * KW, OH * OW)
''')
solution("im2col", "np.pad(x, p) frames the batch and the channels as well",
         ("all (four )?axes", "batch", "channel", r"np\.pad", "frames"), code='''
def im2col(x, KH, KW, stride, padding):
    x = np.pad(x, padding)
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))[:, :, ::stride, ::stride]
    N, C, OH, OW = views.shape[:4]
    return views.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * KH * KW, OH * OW)
''')
solution("im2col", "the positions are counted column after column",
         ("order", "column", "transpos", "row", "position", "exchang"), code='''
def im2col(x, KH, KW, stride, padding):
    P = padding
    x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))[:, :, ::stride, ::stride]
    N, C, OH, OW = views.shape[:4]
    return views.transpose(0, 1, 4, 5, 3, 2).reshape(N, C * KH * KW, OH * OW)
''')
solution("col2im", "pixels of several windows are overwritten: = for +=",
         ("overwrit", r"\+=", r"\badd", "several windows", "sum"), code='''
def col2im(columns, shape, KH, KW, stride, padding):
    N, C, H, W = shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    c = columns.reshape(N, C, KH, KW, OH, OW)
    out = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for i, j in np.ndindex(OH, OW):
        out[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW] = c[..., i, j]
    return out[:, :, padding:padding + H, padding:padding + W]
''')
solution("col2im", "divided by the number of windows, so that it becomes the inverse of im2col",
         ("inverse", "divid", "number of windows", "mean", "average"), code='''
def col2im(columns, shape, KH, KW, stride, padding):
    N, C, H, W = shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    c = columns.reshape(N, C, KH, KW, OH, OW)
    out = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    count = np.zeros(out.shape)
    for i, j in np.ndindex(OH, OW):
        at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
        out[at] += c[..., i, j]
        count[at] += 1
    return (out / np.maximum(count, 1))[:, :, padding:padding + H, padding:padding + W]
''')
solution("max_pool", "every pixel that ties gets the gradient", (r"\btie", "equal", "first"), code='''
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i * stride:i * stride + size, j * stride:j * stride + size]
        dx[at] += (x[at] == x[at].max((2, 3), keepdims=True)) * dy[:, :, i, j, None, None]
    return dx
''')
solution("max_pool", "the maximum starts at zero, so that negative windows become 0",
         ("zero", "negative", "start", r"\b0\b", "-inf", "infinity"), code='''
def max_pool(x, size, stride):
    OH, OW = (x.shape[2] - size) // stride + 1, (x.shape[3] - size) // stride + 1
    y = np.zeros((*x.shape[:2], OH, OW))
    for p, q in np.ndindex(size, size):
        y = np.maximum(y, x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride])
    return y
''')
solution("max_pool", "windows tile the picture, whatever the stride: stride = size",
         ("(ignor|forg|without).* stride", "overlap", "stride = size", "size and stride", "step"), code='''
def max_pool(x, size, stride):
    views = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return views[:, :, ::size, ::size].max((4, 5))
''')
solution("max_pool", "the last of equal pixels wins", ("last", "first", r"\btie", "equal", "order of reading"), code='''
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride:i * stride + size, j * stride:j * stride + size]
        p, q = np.argwhere(window == window.max())[-1]
        dx[n, c, i * stride + p, j * stride + q] += dy[n, c, i, j]
    return dx
''')
solution("max_pool", "return stands inside the loop over the windows",
         ("return", "first window", "only the first", "loop", "other windows"), code='''
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride:i * stride + size, j * stride:j * stride + size]
        p, q = divmod(window.argmax(), size)
        dx[n, c, i * stride + p, j * stride + q] += dy[n, c, i, j]
        return dx
''')
solution("average_pool", "divided by size * size also at the border",
         ("border", "edge", "padding", "real pixels", "size \\* size"), code='''
def average_pool(x, size, stride, padding):
    P = padding
    x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride].mean((4, 5))
''')
solution("average_pool", "backward divides by size * size, also where a window hangs over the edge",
         ("count", "divid", "border", "window", "pixels", "m\\["), code='''
def average_pool_backward(dy, x, size, stride, padding):
    P, (H, W) = padding, x.shape[2:]
    out = np.zeros((*x.shape[:2], H + 2 * P, W + 2 * P))
    for i, j in np.ndindex(dy.shape[2:]):
        out[:, :, i * stride:i * stride + size, j * stride:j * stride + size] += dy[:, :, i, j, None, None] / size**2
    return out[:, :, P:P + H, P:P + W]
''')
solution("pool_ties_split", "the winners are counted a pixel, not a window: shares are divided by how often a pixel wins",
         ("window", "pixel", "count", "winner", "share"), code='''
def max_pool_backward(dy, x, size, stride):
    dx, wins = np.zeros(x.shape), np.zeros(x.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        at = np.s_[:, :, i * stride:i * stride + size, j * stride:j * stride + size]
        best = x[at] == x[at].max((2, 3), keepdims=True)
        dx[at] += best * dy[:, :, i, j, None, None]
        wins[at] += best
    return dx / np.maximum(wins, 1)
''')
solution("pool_ties_split", "the first winner takes all", ("first", "share", "split", r"\btie", "evenly"), code='''
def max_pool_backward(dy, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride:i * stride + size, j * stride:j * stride + size]
        p, q = divmod(window.argmax(), size)
        dx[n, c, i * stride + p, j * stride + q] += dy[n, c, i, j]
    return dx
''')
solution("nhwc_conv", "rows and columns of the kernel are exchanged",
         ("row", "column", "exchang", "swap", "transpos", "kw"), code='''
def conv2d(x, w, b, stride, padding):
    P = padding
    w = w.transpose(1, 0, 2, 3)
    x = np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcpq,pqcf->nijf", views, w) + b
''')
solution("nhwc_conv", "db is summed over (0, 2, 3), the axes of channels-first, and cut to length",
         ("axis", "axes", "channel", "over"), code='''
def conv2d_backward(dy, x, w, b, stride, padding):
    P, (KH, KW) = padding, w.shape[:2]
    padded = np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))
    dp, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i, j in np.ndindex(dy.shape[1:3]):
        at = np.s_[:, i * stride:i * stride + KH, j * stride:j * stride + KW]
        dp[at] += np.einsum("nf,pqcf->npqc", dy[:, i, j], w)
        dw += np.einsum("nf,npqc->pqcf", dy[:, i, j], padded[at])
    return dp[:, P:P + x.shape[1], P:P + x.shape[2]], dw, np.resize(dy.sum((0, 2, 3)), w.shape[3])
''')

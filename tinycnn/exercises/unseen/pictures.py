"""Mistakes in convolution, pooling and what else moves pixels."""
import numpy as np

from . import distinct, wrong

PLACES = ("wrong place", "place", "shift", "moved", "position", "offset")


def windows(x, w, stride=1, dilation=1):
    """(OH, OW) and, for each place (p, q), the slice of x that it sees."""
    KH, KW = w if isinstance(w, tuple) else w.shape[2:]
    OH = (x.shape[2] - dilation * (KH - 1) - 1) // stride + 1
    OW = (x.shape[3] - dilation * (KW - 1) - 1) // stride + 1
    return OH, OW, {(p, q): np.s_[:, :, dilation * p:dilation * p + stride * OH:stride,
                                  dilation * q:dilation * q + stride * OW:stride]
                    for p in range(KH) for q in range(KW)}


def frame(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def conv(x, w, stride=1, padding=0, dilation=1):
    x = frame(x, padding)
    OH, OW, slices = windows(x, w, stride, dilation)
    return sum(np.einsum("ncij,fc->nfij", x[at], w[:, :, p, q]) for (p, q), at in slices.items())


def conv_backward(dy, x, w, stride=1, padding=0, dilation=1):
    padded = frame(x, padding)
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    for (p, q), at in windows(padded, w, stride, dilation)[2].items():
        dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, padded[at])
        dx[at] += np.einsum("nfij,fc->ncij", dy, w[:, :, p, q])
    return dx[:, :, padding:padding + x.shape[2], padding:padding + x.shape[3]], dw


class Conv:
    def forward(x, w, b):
        return conv(x, w) + b[:, None, None], (x, w)
    def backward(dy, cache):
        return *conv_backward(dy, *cache), dy.sum((0, 2, 3))


@wrong((2, 2, 6, 5), (4, 2, 3, 2), (4,), truth="dx slides the kernel over the framed dy without turning it round",
       cause=("flip", "rot", "180", "mirror", "turned", "upside"))
class ConvA(Conv):
    def backward(dy, cache):
        x, w = cache
        dx, dw = conv_backward(dy, x, w)
        full = np.pad(dy, ((0, 0), (0, 0), (2, 2), (1, 1)))
        return conv(full, w.transpose(1, 0, 2, 3)), dw, dy.sum((0, 2, 3))


@wrong((2, 2, 6, 5), (4, 2, 3, 2), (4,), truth="the kernel is turned over in one direction only, up to down",
       cause=("flip", "rot", "180", "mirror", "turned", "upside"))
class ConvB(Conv):
    def backward(dy, cache):
        x, w = cache
        full = np.pad(dy, ((0, 0), (0, 0), (2, 2), (1, 1)))
        return conv(full, w[:, :, ::-1].transpose(1, 0, 2, 3)), conv_backward(dy, x, w)[1], dy.sum((0, 2, 3))


@wrong((2, 3, 5, 4), (3, 3, 2, 3), (3,), truth="input and output channels are exchanged in dw",
       cause=("transpos", "exchang", "swap", "in and out", "axes"))
class ConvC(Conv):
    def backward(dy, cache):
        dx, dw = conv_backward(dy, *cache)
        return dx, dw.transpose(1, 0, 2, 3), dy.sum((0, 2, 3))


@wrong((2, 2, 6, 5), (4, 2, 3, 2), (4,), truth="dx is set, not added to: windows that overlap overwrite each other",
       cause=("overwrit", "accumul", "overlap", r"\+=", "add(ed)?\\b", "only the last"))
class ConvD(Conv):
    def backward(dy, cache):
        x, w = cache
        dx = np.zeros_like(x)
        for (p, q), at in windows(x, w)[2].items():
            dx[at] = np.einsum("nfij,fc->ncij", dy, w[:, :, p, q])
        return dx, conv_backward(dy, x, w)[1], dy.sum((0, 2, 3))


@wrong((3, 2, 6, 5), (4, 2, 3, 2), (4,), truth="dw is that of the last picture: overwritten in the loop over the batch",
       cause=("overwrit", "last", "accumul", r"\+=", "add(ed)?\\b", "only", "batch"))
class ConvE(Conv):
    def backward(dy, cache):
        x, w = cache
        dx = np.zeros_like(x)
        for n in range(len(x)):
            part, dw = conv_backward(dy[n:n + 1], x[n:n + 1], w)
            dx[n] = part[0]
        return dx, dw, dy.sum((0, 2, 3))


@wrong((2, 2, 7, 5), (3, 2, 3, 2), (3,), truth="db is a mean over the positions, summed over the batch",
       cause=("mean", "positions", "pixels", r"\b20\b", "divid"))
class ConvF(Conv):
    def backward(dy, cache):
        return *conv_backward(dy, *cache), dy.mean((2, 3)).sum(0)


@wrong((2, 2, 7, 6), (3, 2, 3, 3), truth="both loops over the kernel end one place too early",
       cause=("last", "loop", "range", "off by one", "too early", "never reached", "ends"),
       misleading=("look at the padding",))
class ConvG:
    def forward(x, w):
        return conv(x, w), (x, w)
    def backward(dy, cache):
        x, w = cache
        dw, dx = np.zeros_like(w), conv_backward(dy, x, w)[0]
        OH, OW = dy.shape[2:]
        for p in range(w.shape[2] - 1):
            for q in range(w.shape[3] - 1):
                dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, x[:, :, p:p + OH, q:q + OW])
        return dx, dw


@wrong((2, 3, 5, 4), (4, 3, 2, 2), truth="dy (N, F, OH, OW) is reshaped to (F, -1) without bringing F to the front",
       cause=("reshape", "transpos", "axes", "axis", "mixed", "shuffl", "order"))
class ConvH:
    def forward(x, w):
        return conv(x, w), (x, w)
    def backward(dy, cache):
        x, w = cache
        columns = np.stack([x[at] for at in windows(x, w)[2].values()], 2).transpose(1, 2, 0, 3, 4).reshape(12, -1)
        dw = (dy.reshape(4, -1) @ columns.T).reshape(w.shape)
        return conv_backward(dy, x, w)[0], dw


class ConvStrided:
    def forward(x, w):
        return conv(x, w, stride=2), (x, w)
    def backward(dy, cache):
        return conv_backward(dy, *cache, stride=2)


@wrong((2, 2, 7, 9), (3, 2, 3, 3), truth="dx forgets the stride: dy is put to neighbouring pixels",
       cause=("stride", "step", "neighbour"), misleading=("dilat",))
class ConvStrideA(ConvStrided):
    def backward(dy, cache):
        x, w = cache
        dx = np.zeros_like(x)
        OH, OW = dy.shape[2:]
        for p in range(3):
            for q in range(3):
                dx[:, :, p:p + OH, q:q + OW] += np.einsum("nfij,fc->ncij", dy, w[:, :, p, q])
        return dx, conv_backward(dy, x, w, stride=2)[1]


@wrong((2, 2, 7, 9), (3, 2, 3, 3), truth="dw forgets the stride", cause=("stride", "step", "neighbour"))
class ConvStrideB(ConvStrided):
    def backward(dy, cache):
        x, w = cache
        OH, OW = dy.shape[2:]
        dw = np.stack([np.stack([np.einsum("nfij,ncij->fc", dy, x[:, :, p:p + OH, q:q + OW]) for q in range(3)], -1)
                       for p in range(3)], -2)
        return conv_backward(dy, x, w, stride=2)[0], dw


@wrong((2, 2, 8, 9), (3, 2, 3, 2), truth="dw forgets the dilation", cause=("dilat", "spread"), misleading=("stride",))
class ConvDilatedA:
    def forward(x, w):
        return conv(x, w, dilation=2), (x, w)
    def backward(dy, cache):
        x, w = cache
        OH, OW = dy.shape[2:]
        dw = np.zeros_like(w)
        for p in range(3):
            for q in range(2):
                dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, x[:, :, p:p + OH, q:q + OW])
        return conv_backward(dy, x, w, dilation=2)[0], dw


@wrong((2, 2, 6, 5), (3, 2, 3, 3), truth="the padding is cut off at one side only: dx begins at the frame, shifted by one",
       cause=("padding", "frame", "shift", "border", "offset", "crop", "cut"))
class ConvPaddedA:
    def forward(x, w):
        return conv(x, w, padding=1), (x, w)
    def backward(dy, cache):
        x, w = cache
        padded = frame(x, 1)
        dx, dw = conv_backward(dy, padded, w)
        return dx[:, :, :x.shape[2], :x.shape[3]], dw


@wrong((2, 4, 5, 6), (6, 2, 3, 2), truth="the second group uses the first group's weights in dx",
       cause=(r"\bgroup(s|'s|ed)?\b(?! (starts|ends))",),
       misleading=("how a range",))
class ConvGroupedA:
    def forward(x, w):
        return np.concatenate([conv(x[:, :2], w[:3]), conv(x[:, 2:], w[3:])], 1), (x, w)
    def backward(dy, cache):
        x, w = cache
        dx1, dw1 = conv_backward(dy[:, :3], x[:, :2], w[:3])
        _, dw2 = conv_backward(dy[:, 3:], x[:, 2:], w[3:])
        dx2, _ = conv_backward(dy[:, 3:], x[:, 2:], w[:3])
        return np.concatenate([dx1, dx2], 1), np.concatenate([dw1, dw2])


@wrong((2, 4, 5, 6), (4, 1, 3, 2), truth="depthwise: the channels' gradients are mixed, every channel gets the sum over all",
       cause=("channel", "depthwise", "mix", "summed? over (axis 1|the channels)"))
class ConvDepthwiseA:
    def forward(x, w):
        OH, OW, slices = windows(x, w)
        return sum(x[at] * w[:, 0, p, q, None, None] for (p, q), at in slices.items()), (x, w)
    def backward(dy, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for (p, q), at in windows(x, w)[2].items():
            dx[at] += (dy * w[:, 0, p, q, None, None]).sum(1, keepdims=True)
            dw[:, 0, p, q] = (dy * x[at]).sum((0, 2, 3))
        return dx, dw


@wrong((2, 4, 3, 5), (5,), truth="the bias of pictures with the channels last is summed over the axes of channels-first, "
       "where rows stand", cause=("sum.*ax(is|es)", "channels.last", "nhwc", "over the (channels|last|rows)", "wrong ax"))
class ChannelsLastA:
    def forward(x, b):
        return x.transpose(0, 2, 3, 1)[..., [0, 1, 2, 3, 0]] + b, x.shape
    def backward(dy, shape):
        dx = dy[..., :4].copy()
        dx[..., 0] += dy[..., 4]
        return dx.transpose(0, 3, 1, 2), dy.transpose(0, 3, 1, 2).sum((0, 1, 2))


class MaxPool:
    def forward(x, size=2, stride=2):
        OH, OW, slices = windows(x, (size, size), stride)
        seen = np.stack([x[at] for at in slices.values()])
        return seen.max(0), (x, seen.argmax(0), list(slices.values()))


@wrong(lambda rng: rng.integers(0, 4, (2, 3, 6, 4)) * 1.0,
       truth="pixels that tie for the maximum all get the whole gradient",
       cause=("\\btie", "equal", "several", "more than one", "first"))
class MaxPoolA(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        dx, y = np.zeros(x.shape), np.max([x[at] for at in slices], 0)
        for at in slices:
            dx[at] += (x[at] == y) * dy
        return dx


@wrong(distinct(2, 2, 5, 6), size=3, stride=1, truth="a pixel that wins in several windows keeps only one window's gradient",
       cause=("overlap", "several windows", "overwrit", "accumul", r"\+=", "more than one", "add(ed)?\\b"))
class MaxPoolB(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        dx = np.zeros_like(x)
        for k, at in enumerate(slices):
            dx[at] = np.where(winner == k, dy, dx[at])
        return dx


@wrong(distinct(2, 2, 6, 4), truth="the argmax is counted within the window and used as a position in the picture",
       cause=("argmax", "within the window", "in(side)? the window", "corner", "upper left"))
class MaxPoolC(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        dx = np.zeros_like(x)
        for at in np.ndindex(*dy.shape):
            n, c, i, j = at
            dx[n, c].flat[winner[at]] += dy[at]
        return dx


@wrong(distinct(2, 2, 6, 4), truth="return stands inside the loop: only the first window is worked on",
       cause=("return", "loop", "only the first", "first (window|entry)", "first one"))
class MaxPoolD(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        dx = np.zeros_like(x)
        for n, c, i, j in np.ndindex(*dy.shape):
            p, q = divmod(winner[n, c, i, j], 2)
            dx[n, c, 2 * i + p, 2 * j + q] += dy[n, c, i, j]
            return dx


@wrong(distinct(2, 2, 6, 4), truth="dy is spread over the whole window, as for a mean, not given to the winner",
       cause=("winner", "largest", "maximum", "arg ?max", "whole window", "mask", "average"))
class MaxPoolE(MaxPool):
    def backward(dy, cache):
        return np.kron(dy, np.full((2, 2), 0.25))


@wrong(distinct(2, 2, 6, 4), truth="row and column of the winner are exchanged within the window",
       cause=("row", "column", "exchang", "swap", "transpos", "within the window", "wrong place"))
class MaxPoolF(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        dx = np.zeros_like(x)
        for n, c, i, j in np.ndindex(*dy.shape):
            q, p = divmod(winner[n, c, i, j], 2)
            dx[n, c, 2 * i + p, 2 * j + q] += dy[n, c, i, j]
        return dx


class AveragePool:
    def forward(x, size=3, stride=3):
        slices = windows(x, (size, size), stride)[2].values()
        return sum(x[at] for at in slices) / size**2, (x.shape, list(slices))


@wrong((2, 2, 6, 12), truth="not divided by the size of the window", cause=("window", "divid", "mean", "average"),
       misleading=("size of ax", "batch"))
class AveragePoolA(AveragePool):
    def backward(dy, cache):
        return np.kron(dy, np.ones((3, 3)))


@wrong((2, 2, 5, 6), size=3, stride=1, truth="each window's gradient goes to one pixel, its upper left corner",
       cause=("corner", "one pixel", "all pixels", "every pixel", "whole window", "window"))
class AveragePoolB(AveragePool):
    def backward(dy, cache):
        shape, slices = cache
        dx = np.zeros(shape)
        dx[slices[0]] += dy
        return dx


@wrong((2, 2, 5, 6), size=3, stride=1, truth="divided by how often the pixel is seen instead of by the window's size",
       cause=("window", "divid", "count", "how (often|many)", r"\b9\b", "border", "edge"))
class AveragePoolC(AveragePool):
    def backward(dy, cache):
        shape, slices = cache
        dx, seen = np.zeros(shape), np.zeros(shape)
        for at in slices:
            dx[at] += dy
            seen[at] += 1
        return dx / seen


@wrong((2, 3, 4, 5), truth="global average pooling divided by the rows alone",
       cause=("divid", r"\b5\b", "width", "columns", "pixels", r"h ?\*? ?w", "size of", "mean"))
class GlobalPoolA:
    def forward(x):
        return x.mean((2, 3)), x.shape
    def backward(dy, shape):
        return np.broadcast_to(dy[:, :, None, None] / shape[2], shape)


@wrong((2, 2, 3, 4), truth="of the four copies of each pixel only the upper left one hands its gradient back",
       cause=("sum", "cop(y|ies)", "one of", "four", r"\b4\b", "upper left", "only", "uses", "all"))
class UpsampleA:
    def forward(x):
        return np.repeat(np.repeat(x, 2, 2), 2, 3), None
    def backward(dy, _):
        return dy[:, :, ::2, ::2].copy()


@wrong((3, 2, 3, 5), truth="the gradients of the four copies are averaged, where they add up",
       cause=("average", "mean", r"\badd", r"\bsum", "four"),
       misleading=("size of ax", "batch size"))
class UpsampleB:
    def forward(x):
        return np.repeat(np.repeat(x, 2, 2), 2, 3), None
    def backward(dy, _):
        N, C, H, W = dy.shape
        return dy.reshape(N, C, H // 2, 2, W // 2, 2).mean((3, 5))


@wrong((2, 8, 3, 4), truth="pixel shuffle's way back takes the two offsets in another order than forward",
       cause=PLACES + ("order", "permut", "transpos", "shuffl", "exchang", "swap"))
class PixelShuffleA:
    def forward(x):
        N, C, H, W = x.shape
        return x.reshape(N, C // 4, 2, 2, H, W).transpose(0, 1, 4, 2, 5, 3).reshape(N, C // 4, 2 * H, 2 * W), x.shape
    def backward(dy, shape):
        N, C, H, W = shape
        return dy.reshape(N, C // 4, H, 2, W, 2).transpose(0, 1, 5, 3, 2, 4).reshape(shape)


@wrong((2, 5, 4), truth="the mirrored border's gradient is cut off, though its pixels are copies",
       cause=("border", "edge", "mirror", "reflect", "cop(y|ies)", "padding", "second use", "uses"))
class ReflectA:
    def forward(x):
        return 2 * np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect"), None
    def backward(dy, _):
        return 2 * dy[:, 1:-1, 1:-1]


@wrong((2, 3, 4, 5), (3, 3, 3, 2), truth="transposed convolution: in and out channels of the weights are exchanged in dx",
       cause=("transpos", "exchang", "swap", "in and out", "axes", "channel"))
class ConvTransposeA:
    def forward(x, w):
        shape = (len(x), w.shape[1], x.shape[2] + 2, x.shape[3] + 1)
        y = np.zeros(shape)
        for (p, q), at in windows(y, w)[2].items():
            y[at] += np.einsum("ncij,cf->nfij", x, w[:, :, p, q])
        return y, (x, w)
    def backward(dy, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for (p, q), at in windows(dy, w)[2].items():
            dx += np.einsum("nfij,fc->ncij", dy[at], w[:, :, p, q])
            dw[:, :, p, q] = np.einsum("ncij,nfij->cf", x, dy[at])
        return dx, dw


@wrong((3, 9), (4,), truth="a convolution in one dimension, whose loop over the positions ends one too early",
       cause=("last", "loop", "range", "off by one", "too early", "ends", "never reached", "position"))
class Conv1dA:
    def forward(x, w):
        return np.stack([x[:, i:i + 4] @ w for i in range(6)], 1), (x, w)
    def backward(dy, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(x.shape[1] - len(w)):
            dx[:, i:i + 4] += dy[:, i:i + 1] * w
            dw += dy[:, i] @ x[:, i:i + 4]
        return dx, dw


@wrong((3, 9), (4,), truth="the filter's gradient is turned round: forward correlates, backward convolves",
       cause=("flip", "revers", "turned", "mirror", "backwards"))
class Conv1dB:
    def forward(x, w):
        return np.stack([x[:, i:i + 4] @ w for i in range(6)], 1), (x, w)
    def backward(dy, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(6):
            dx[:, i:i + 4] += dy[:, i:i + 1] * w
            dw += (dy[:, i] @ x[:, i:i + 4])[::-1]
        return dx, dw

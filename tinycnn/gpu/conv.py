"""Floor 2: the convolution of `conv.py` once more, for GPUs: a product of matrices for the whole batch, without its columns.

The same three functions on arrays as there and in `fast_conv.py`. A GPU wants few, large pieces of work, the opposite of a
processor with caches; and it computes so much faster than it reads that to write the columns down, and to read them again,
would take longer than to multiply them. So they are never written: `kernels/conv.cu` gathers each tile of them from the
images when it is needed. Images stay N C H W in memory, as CuPy's own functions leave them. A kernel of size 1 goes the same
way: its columns are the images, but CuPy's product of one matrix with many would take four launches.

Signals are images of one row; volumes take the plain road.
"""
from . import kernels


def serves(x):
    """Whether x is a batch of images or signals on a GPU, each of less than 2^31 numbers."""
    return x.ndim in (3, 4) and kernels.serves(x) and x.size // len(x) < 2**31


def depthwise(w, groups):
    """Whether every channel has its own filter, and just one."""
    return w.shape[0] == groups and w.shape[1] == 1


def convolve(x, w, out, stride, padding, dilation, groups, b=None):
    """x (N, C, *S), w (F, C/G, *K), b (F) or None -> y (N, F, *out):  y = w @ cols + b."""
    g = kernels.geometry(*x.shape[:2], x.shape[2:], out, w.shape[2:], stride, padding, dilation)
    shape = (len(x), len(w), *out)
    if depthwise(w, groups):
        return kernels.depthwise(x, w, b, shape, g)
    return kernels.convolve(x, w, b, shape, g, groups)


def weight_gradient(x, dy, kernel, stride, padding, dilation, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K):  dw = dy @ cols^T."""
    g = kernels.geometry(*x.shape[:2], x.shape[2:], dy.shape[2:], kernel, stride, padding, dilation)
    shape = (dy.shape[1], x.shape[1] // groups, *kernel)
    if shape[:2] == (groups, 1):
        return kernels.depthwise_weight(x, dy, shape, g)
    return kernels.weight_gradient(x, dy, shape, g, groups)


def input_gradient(dy, w, size, stride, padding, dilation, groups):
    """dy (N, F, *O), w (F, C/G, *K) -> dx (N, C, *size):  dcols = w^T @ dy, and every pixel collects its copies."""
    shape = (len(dy), w.shape[1] * groups, *size)
    g = kernels.geometry(*shape[:2], size, dy.shape[2:], w.shape[2:], stride, padding, dilation)
    if depthwise(w, groups):
        return kernels.depthwise_input(dy, w, shape, g)
    return kernels.input_gradient(dy, w, shape, g, groups)


def bias_gradient(dy):
    """dy (N, F, *O) -> db (F), the sum over images and places; the places of one image first, they stand side by side."""
    return dy.reshape(*dy.shape[:2], -1).sum(2).sum(0)

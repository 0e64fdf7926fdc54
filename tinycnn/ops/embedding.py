"""Looking rows up in a table; labels as one-hot vectors (whose product with the table is the same lookup)."""
import numpy as np

from ..engine.arrays import add_at, array_module
from ..engine.function import Function
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import wrap
from .indexing import AddItem, check_range


class Embedding(Function):
    """The rows of a table: w (V, D), index (*S) of integers below V -> y (*S, D), y[s] = w[index[s]].

    A row that is looked up several times collects from all of them, dw[v] = sum of dy[s] over all s with index[s] = v. The
    row `padding_idx` is a constant that training leaves alone: dw = 0 there. `by_frequency` takes the mean, not the sum.
    Cost: copies of numbers only, no multiplications. Saved: index.
    """

    @staticmethod
    def forward(ctx, w, index, padding_idx, by_frequency=False):
        ctx.shape, ctx.padding_idx, ctx.by_frequency = w.shape, padding_idx, by_frequency
        ctx.save_for_backward(index)
        return w.take(index, 0)

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        dw = array_module(dy).zeros(ctx.shape, dy.dtype)
        if ctx.by_frequency:
            dy = dy / occurrences(index, ctx.shape[0]).astype(dy.dtype)
        add_at(dw, index, dy)
        if ctx.padding_idx is not None:
            dw[ctx.padding_idx] = 0
        return dw, None

    @staticmethod
    def backward_recorded(ctx, dy):
        (index,) = ctx.saved_tensors
        if ctx.by_frequency:
            dy = dy / wrap(occurrences(index.array, ctx.shape[0]))
        dw = AddItem.apply(dy.new_zeros(ctx.shape), dy, index, basic=...)
        if ctx.padding_idx is not None:
            dw[ctx.padding_idx] = 0
        return dw, None


def occurrences(index, rows):
    """How often the row that each entry of `index` names is named by all of them: index (*S) -> (*S, 1)."""
    count = array_module(index).zeros(rows, np.int64)
    add_at(count, index, 1)
    return count[index][..., None]


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False):
    """The rows of `weight` (V, D) that the integers `input` (*S) name, as a tensor (*S, D).

    The row `padding_idx`, which may count from the end, gets no gradient. With `max_norm`, the rows that are named are first
    shortened, in the table itself, to at most that length, in the norm of type `norm_type`. With `scale_grad_by_freq`, a row
    that is named several times gets the mean of its gradients, not their sum.
    """
    check_tensor("embedding", input=input)
    check_floating("embedding", weight=weight)
    if input.dtype.kind not in "iu":
        raise TypeError(f"embedding: input must hold integers, got {input.dtype}")
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must have shape (number of rows, size of a row), got {weight.shape}")
    rows = len(weight)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx must be from {-rows} to {rows - 1}, got {padding_idx}")
    check_range("embedding", input.array, rows, 0)
    if max_norm is not None:
        _shorten(weight, input, float(max_norm), norm_type)
    return Embedding.apply(weight, input, padding_idx=padding_idx, by_frequency=bool(scale_grad_by_freq))


def _shorten(weight, index, max_norm, norm_type):
    """Scale the rows of `weight` that `index` names down to the length `max_norm`, unseen by autograd."""
    named = array_module(index.array).unique(index.array)
    rows = wrap(weight.array[named])
    length = rows.norm(norm_type, 1, keepdim=True)
    weight.array[named] = (rows * (max_norm / (length + 1e-7)).clamp(max=1)).array
    weight._version.writes += 1


def one_hot(tensor, num_classes=-1):
    """Labels (*S) as vectors (*S, num_classes) of zeros with a one at the label; -1 takes the largest label plus one."""
    check_tensor("one_hot", tensor=tensor)
    if tensor.dtype.kind not in "iu":
        raise TypeError(f"one_hot: tensor must hold integers, got {tensor.dtype}")
    if num_classes == -1:
        if not tensor.numel():
            raise ValueError("one_hot: num_classes must be given for an empty tensor")
        num_classes = int(tensor.array.max()) + 1
    if num_classes < 1:
        raise ValueError(f"one_hot: num_classes must be positive, got {num_classes}")
    labels = tensor.array
    if array_module(labels) is np and labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"one_hot: labels must be from 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")
    return wrap((labels[..., None] == array_module(labels).arange(num_classes)).astype(np.int64))


__all__ = ["embedding", "one_hot"]

"""What old notebooks still use from before PyTorch 1.0: `FloatTensor`, `LongTensor`, `Variable`, `size_average`.

New code says `tensor(data, dtype=...)` and `reduction="sum"`, and needs no `Variable`.
"""
import functools
import math
import warnings

from .engine.answers import clear
from .engine.dtype import as_dtype, bfloat16, float64, get_default_dtype, set_default_dtype
from .engine.construct import tensor
from .engine.tensor import Tensor, method
from .nn import functional
from .nn import loss as layers
from .ops.creation import arange

_DTYPES = {"FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
           "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool"}


def _constructor(name, dtype):
    def create(*data):
        return Tensor(*data, dtype=dtype)
    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"`{name}(2, 3)`, uninitialised, or `{name}(data)`, a copy: a tensor of {dtype}."
    create.dtype = dtype
    return create


FloatTensor, DoubleTensor, HalfTensor, LongTensor, IntTensor, ShortTensor, CharTensor, ByteTensor, BoolTensor = (
    _constructor(name, as_dtype(dtype)) for name, dtype in _DTYPES.items())


class _EveryTensor(type):
    def __instancecheck__(cls, value):
        return isinstance(value, Tensor)


class Variable(metaclass=_EveryTensor):
    """The same memory as a new leaf without history. Since PyTorch 0.4 every tensor is a variable, as isinstance says."""

    def __new__(cls, data, requires_grad=False, volatile=None):
        if volatile is not None:
            raise RuntimeError("Variable: volatile is gone since PyTorch 0.4: write `with no_grad():` around the code")
        return (data if isinstance(data, Tensor) else tensor(data)).detach().requires_grad_(requires_grad)


def set_default_tensor_type(kind):
    """`set_default_dtype` by the name of a tensor type: FloatTensor, or "torch.DoubleTensor"."""
    set_default_dtype(dtype_named(kind))


def dtype_named(kind):
    """The dtype that FloatTensor, "torch.FloatTensor", "torch.cuda.FloatTensor" or a dtype itself means."""
    if isinstance(kind, str) and kind.rpartition(".")[2] in _DTYPES:
        return as_dtype(_DTYPES[kind.rpartition(".")[2]])
    return as_dtype(getattr(kind, "dtype", kind))


@clear
def range(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):  # noqa: A001 (PyTorch's name)
    """start, start + step, ... up to and with `end`, in the default dtype; `arange`, without the end, is what is meant."""
    warnings.warn("range: its end belongs to it, which no other range does: write arange", stacklevel=2)
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"range: step {step} does not lead from start {start} to end {end}")
    count = math.floor((end - start) / step) + 1
    x = start + step * arange(count, dtype=float64, device=device)
    return x.to(as_dtype(dtype or get_default_dtype())).requires_grad_(requires_grad)


@method("type")
def _type(x, dtype=None, non_blocking=False):
    """x in another dtype, also by an old name such as "torch.FloatTensor"; without dtype, that name."""
    if dtype is None:
        place = "torch.cuda." if x.is_cuda else "torch."
        return place + next(name for name, d in _DTYPES.items() if d == x.dtype.name)
    return x.to(dtype=dtype_named(dtype))


@method("bfloat16")
def _bfloat16(x):
    """TypeError: nothing is computed in bfloat16 here."""
    return x.to(dtype=bfloat16)


def typename(obj):
    """The name of the type of a tensor, such as "torch.FloatTensor", or of any other object with its module."""
    return obj.type() if isinstance(obj, Tensor) else f"{type(obj).__module__}.{type(obj).__qualname__}"


@method("new")
def _new(x, *data):
    """`x.new(2, 3)`, uninitialised, or `x.new([1, 2])`, a copy, in the dtype and on the device of x; a tuple is a shape."""
    shape = data[0] if len(data) == 1 and isinstance(data[0], tuple) else data
    return Tensor(*shape, dtype=x.dtype, device=x.device)


# ---- size_average and reduce, in place of reduction --------------------------------------------------------------------

FUNCTIONS = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
             "hinge_embedding_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss",
             "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
             "soft_margin_loss", "triplet_margin_loss")
LAYERS = ("_Loss", "_WeightedLoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "HingeEmbeddingLoss",
          "KLDivLoss", "MarginRankingLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss",
          "TripletMarginLoss")  # and those that inherit their __init__


def reads_size_average(loss):
    """A function with an option `reduction` that also takes `size_average` and `reduce`, its forerunners, and warns.

    "none" is what `reduce=False` meant, "sum" is `size_average=False`, and "mean" everything else.
    """
    @functools.wraps(loss)
    def call(*args, size_average=None, reduce=None, **options):
        if size_average is not None or reduce is not None:
            averaged, reduced = size_average in (None, True), reduce in (None, True)
            options["reduction"] = "none" if not reduced else "mean" if averaged else "sum"
            warnings.warn("size_average and reduce args will be deprecated, please use "
                          f"reduction='{options['reduction']}' instead.", stacklevel=2)
        return loss(*args, **options)
    return call


def _let_losses_read_them():
    """Wrap the losses where users find them: the operations themselves, and the layers' own calls, know nothing of it."""
    for name in FUNCTIONS:
        loss = globals()[name] = reads_size_average(getattr(functional, name))
        loss.__module__ = functional.__name__  # where pickle finds it
        setattr(functional, name, loss)
    for name in LAYERS:
        layer = getattr(layers, name)
        layer.__init__ = reads_size_average(layer.__init__)


_let_losses_read_them()

__all__ = [*_DTYPES, *FUNCTIONS, "range", "set_default_tensor_type", "typename"]

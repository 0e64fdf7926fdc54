"""Floor 1: names from before PyTorch 1.0 that old notebooks still use: `FloatTensor`, `LongTensor`, `Variable`.

New code says `tensor(data, dtype=...)` and needs no `Variable`.
"""
from .dtype import as_dtype, set_default_dtype
from .tensor import Tensor, method, tensor

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


def Variable(data, requires_grad=False, volatile=None):  # noqa: N802 (PyTorch's name)
    """The same memory as a new leaf without history: since PyTorch 0.4 every tensor is a variable."""
    if volatile is not None:
        raise RuntimeError("Variable: volatile is gone since PyTorch 0.4: write `with no_grad():` around the computation")
    return (data if isinstance(data, Tensor) else tensor(data)).detach().requires_grad_(requires_grad)


def set_default_tensor_type(kind):
    """`set_default_dtype` by the name of a tensor type: FloatTensor, or "torch.DoubleTensor"."""
    set_default_dtype(dtype_named(kind))


def dtype_named(kind):
    """The dtype that FloatTensor, "torch.FloatTensor", "torch.cuda.FloatTensor" or a dtype itself means."""
    if isinstance(kind, str) and kind.rpartition(".")[2] in _DTYPES:
        return as_dtype(_DTYPES[kind.rpartition(".")[2]])
    return as_dtype(getattr(kind, "dtype", kind))


@method("type")
def _type(x, dtype=None, non_blocking=False):
    """x in another dtype, also by an old name such as "torch.FloatTensor"; without dtype, that name."""
    if dtype is None:
        place = "torch.cuda." if x.is_cuda else "torch."
        return place + next(name for name, d in _DTYPES.items() if d == x.dtype.name)
    return x.to(dtype=dtype_named(dtype))


__all__ = [*_DTYPES, "set_default_tensor_type"]

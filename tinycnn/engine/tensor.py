"""`Tensor`, an array that remembers where it came from.

A tensor is four things: `array` (NumPy's or CuPy's), `requires_grad`, `grad`, and `grad_fn`, the node of the graph that
produced it. The arithmetic is not here: the files of `ops/` add each operator to the class, beside the operation that
it runs, with the decorator `method`. So do `construct.py`, how tensors are made of data, and `printing.py`.
`sorted(Tensor.__dict__)` lists what a tensor can do.
"""
import numpy as np

from .arrays import device_of, is_array, to_numpy
from .dtype import KNOWN, category
from .names import no_such_name


class Version:
    """Counts the writes into one piece of memory; a tensor and its views share it.

    `writes` counts every in-place write, `rewrites` those that autograd recorded.
    """
    writes = rewrites = 0


class Tensor:
    """An n-dimensional array with a gradient.

    `Tensor(2, 3)` is an uninitialised 2 by 3 tensor and `Tensor([1, 2])` copies data, both in the default dtype, as in
    PyTorch; `tensor(...)` keeps the dtype of the data and is usually what you want.

    Attributes: `array`, the NumPy or CuPy array itself; `requires_grad`; `grad`, a Tensor or None; `grad_fn`, the
    Function that made this tensor, None for a leaf.
    """
    requires_grad = False
    grad_fn = None
    output_nr = 0        # which output of grad_fn this tensor is
    hooks = None         # of a leaf; those of other tensors live in grad_fn
    post_hooks = None    # of a leaf: called when its gradient has been added to
    order = -1           # a leaf is older than every node,
    output_types = (None,)  # and has one gradient
    is_sparse = is_quantized = False   # kinds of tensors that PyTorch has and code asks about
    _viewed_at = None    # of a view: the value of _version.rewrites when it was made
    _borrowed = False    # whether a NumPy array outside shows the same memory
    _grad = None
    _view = None         # of a view: the tensor, the Function and the options that made it

    __array_priority__ = 1000  # `numpy_array + tensor` asks the tensor
    __hash__ = object.__hash__

    # ---- what it is ----
    @property
    def shape(self):
        """The size of every dimension, a tuple of int."""
        return self.array.shape

    @property
    def ndim(self):
        """How many dimensions."""
        return self.array.ndim

    @property
    def dtype(self):
        """The number type, a `numpy.dtype`."""
        return self.array.dtype

    @property
    def device(self):
        """The Device on which the array lives."""
        return device_of(self.array)

    @property
    def is_leaf(self):
        """Whether no recorded operation made this tensor: a parameter, an input, a constant."""
        return self.grad_fn is None

    @property
    def is_cuda(self):
        """Whether the array lives on a GPU."""
        return self.device.type == "cuda"

    @property
    def data(self):
        """The same memory as a tensor without history; assigning to it replaces the values and no history knows."""
        return wrap(self.array.view())

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise TypeError(f"Tensor.data: expected a Tensor, got {type(value).__name__}")
        self.array = value.array

    def size(self, dim=None):
        """The shape, or the size of dimension `dim`."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self):
        """How many dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self):
        """How many elements."""
        return self.array.size

    nelement = numel

    def element_size(self):
        """Bytes an element."""
        return self.array.itemsize

    def stride(self, dim=None):
        """Elements (not bytes) from one index to the next, for every dimension or for `dim`."""
        steps = tuple(s // self.array.itemsize for s in self.array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self):
        """Whether the elements lie in memory in the order of their indices."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self):
        """Whether the dtype is a floating-point one, and so can have a gradient."""
        return self.array.dtype.kind == "f"

    def is_complex(self):
        """False: there are no complex tensors here."""
        return False

    def is_signed(self):
        """Whether the dtype has negative numbers."""
        return self.array.dtype.kind in "if"

    def is_nonzero(self):
        """Whether the only element is not 0."""
        return bool(self)

    def is_same_size(self, other):
        """Whether both tensors have one shape."""
        if not isinstance(other, Tensor):
            raise TypeError(f"is_same_size: other must be a Tensor, got {type(other).__name__}")
        return self.shape == other.shape

    @property
    def itemsize(self):
        """Bytes an element."""
        return self.array.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements together."""
        return self.array.nbytes

    def data_ptr(self):
        """The address of the first element."""
        return self.array.ctypes.data if type(self.array) is np.ndarray else self.array.data.ptr

    def get_device(self):
        """The number of the GPU, -1 on the CPU."""
        return -1 if self.device.index is None else self.device.index

    # ---- gradients ----
    @property
    def grad(self):
        """The gradient that backward has added up so far, a Tensor of this shape, dtype and device; None before."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            for name in ("shape", "dtype", "device"):
                if getattr(value, name) != getattr(self, name):
                    raise RuntimeError(f"grad: a gradient must have the {name} of its tensor, {getattr(self, name)}, got "
                                       f"{getattr(value, name)}")
        self._grad = value

    def requires_grad_(self, requires_grad=True):
        """Ask for (or, on a leaf, refuse) a gradient; returns the tensor itself."""
        if requires_grad and not self.is_floating_point():
            raise RuntimeError(f"requires_grad_: only floating-point tensors can have gradients, got {self.dtype}")
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError("requires_grad_: only a leaf can stop requiring a gradient; use x.detach() for a tensor "
                               "that an operation made")
        self.requires_grad = bool(requires_grad)
        return self

    def detach(self):
        """The same memory without history: nothing flows back through the result."""
        out = wrap(self.array.view())  # an array of its own over that memory: a node tells its inputs apart by their arrays
        out._version = self._version
        return out

    def detach_(self):
        """Cut this tensor itself off its history."""
        self.grad_fn, self.output_nr, self.requires_grad = None, 0, False
        return self

    # ---- out of the library ----
    def numpy(self, *, force=False):
        """The array, sharing memory (CPU only); `force=True` detaches and copies from a GPU as needed."""
        if not force and self.requires_grad:
            raise RuntimeError("numpy: this tensor requires a gradient, and NumPy cannot follow it: write "
                               "x.detach().numpy()")
        if not force and type(self.array) is not np.ndarray:
            raise TypeError(f"numpy: this tensor lives on {self.device}: write x.cpu().numpy()")
        return to_numpy(self.array)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        """What a function of NumPy's made of this tensor, as a Tensor. It has no history: `numpy` refused to lose one."""
        if not is_array(array):
            raise TypeError(f"__array_wrap__: array must be a NumPy array, got {type(array).__name__}")
        return wrap(np.asarray(array)) if array.dtype.name in KNOWN else array

    def item(self):
        """The only element, as a Python number."""
        if self.array.size != 1:
            raise ValueError(f"item: only a tensor of one element is a number, this one has shape {self.shape}")
        return self.array.item()

    def tolist(self):
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def __bool__(self):
        if self.array.size != 1:
            raise ValueError(f"bool: the truth of a tensor of shape {self.shape} is ambiguous: write x.any() or x.all()")
        return bool(self.array.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if category(self.dtype) == 2:
            raise TypeError(f"index: only an integer tensor can be an index, got {self.dtype}")
        return int(self.item())

    def __len__(self):
        if self.array.ndim == 0:
            raise TypeError("len: a 0-d tensor has no length")
        return len(self.array)

    def __iter__(self):
        if self.array.ndim == 0:
            raise TypeError("iter: a 0-d tensor has no elements to iterate over")
        return (self[i] for i in range(len(self.array)))

    def __contains__(self, value):
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    def __getattr__(self, name):
        raise no_such_name("Tensor", name, dir(type(self)))

    def __deepcopy__(self, memo):
        if self.grad_fn is not None:
            raise RuntimeError("deepcopy: only leaf tensors can be deep-copied; write x.detach().clone()")
        copy = memo[id(self)] = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.array, copy._version = self.array.copy(), Version()
        copy.hooks = copy._viewed_at = copy._view = None
        copy._grad = None if self.grad is None else wrap(self.grad.array.copy())
        return copy


def wrap(array):
    """A Tensor around `array` itself: no copy, no checks, no history."""
    out = Tensor.__new__(Tensor)
    out.array = array
    out._version = Version()
    return out


def method(*names):
    """Make the decorated function a method of Tensor under `names` (its own name where none is given).

    This is how `ops/` gives Tensor its operators, while `engine/` knows of no operation.
    """
    def add(function):
        for name in names or (function.__name__,):
            if name in Tensor.__dict__:
                raise TypeError(f"method: Tensor has {name} already")
            setattr(Tensor, name, function)
        return function
    return add


def is_tensor(value):
    """Whether `value` is a Tensor."""
    return isinstance(value, Tensor)


def is_floating_point(input):
    """Whether the dtype of `input` is a floating-point one."""
    return input.is_floating_point()


def is_complex(input):
    """False: there are no complex tensors here."""
    return input.is_complex()


def is_nonzero(input):
    """Whether the only element of `input` is not 0."""
    return input.is_nonzero()


__all__ = ["Tensor", "is_complex", "is_floating_point", "is_nonzero", "is_tensor"]

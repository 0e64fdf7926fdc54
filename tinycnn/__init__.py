"""tinycnn: convolutional networks from scratch, in NumPy and CuPy.

Names, arguments and defaults are PyTorch's, so `import tinycnn as torch` runs ordinary code. To read the engine, start at
`engine/tensor.py`, `function.py` and `autograd.py`, then open any file of `ops/`.
"""
from .engine import interrupt as _interrupt  # first, because it looks after the rest
import importlib.util
import os
import sys
from math import e, inf, nan, pi

from numpy import finfo, iinfo

__path__.append(os.path.join(__path__[0], "torch"))  # PyTorch's other names: tinycnn.jit is tinycnn/torch/jit.py

from . import accelerator, amp, autograd, backends, cuda, jit, linalg, nn, special, version
from .engine import arrays, construct, dtype, generators, grad_mode, hooks, tensor
from .engine.answers import answer_clearly as _answer_clearly

for _place, _names in ((arrays, ["set_default_device"]), (construct, construct.__all__), (grad_mode, ["set_grad_enabled"]),
                       (dtype, ["can_cast", "promote_types", "set_default_dtype"]),
                       (generators, ["get_rng_state", "manual_seed", "set_rng_state"]),
                       (tensor, ["is_complex", "is_floating_point", "is_nonzero"])):
    _answer_clearly(_place, _names)
del arrays, construct, dtype, generators, grad_mode, tensor

from numpy import dtype
from . import random  # after its functions answer clearly

from .amp import autocast, is_autocast_enabled
from .engine.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .engine.arrays import Device as device
from .engine.arrays import get_default_device, set_default_device
from .engine.generators import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from .backends import get_float32_matmul_precision, set_float32_matmul_precision, use_deterministic_algorithms
from .engine.formula import *
from .engine.dtype import (bfloat16, bool, can_cast, double, float, float16, float32, float64, get_default_dtype, half, int,
                           int8, int16, int32, int64, long, promote_types, result_type, set_default_dtype, short, uint8)
from .jit import _assert, compile
from .engine.names import no_such_name as _no_such_name
from .ops import as_numpy
from .ops.activation import *
from .ops.assemble import *
from .ops.attention import *
from .ops.comparison import *
from .ops.conv import *
from .ops.creation import *
from .ops.decomposition import *
from .ops.dropout import *
from .ops.elementwise import *
from .ops.embedding import *
from .ops.extreme import *
from .ops.gamma import *
from .ops.gather import *
from .ops.grid_sample import *
from .ops.indexing import *
from .ops.inverse import *
from .ops.loss import *
from .ops.matmul import *
from .ops.norm import *
from .ops.pad import *
from .ops.pool_average import *
from .ops.pool_max import *
from .ops.random import *
from .ops.rearrange import *
from .ops.rectifier import *
from .ops.reduce import *
from .ops.resize import *
from .ops.running import *
from .ops.scatter_reduce import *
from .ops.selection import *
from .ops.shape import *
from .ops.softmax import *
from .ops.sort import *
from .ops.special import *
from .ops.statistics import *
from .ops.unary import *
from .ops.unfold import *
from .ops.vectors import *
from .engine.construct import *
from .engine.printing import *
from .engine.tensor import *
from .alias import as_torch
from .legacy import *
from .keywords import _let_all_read_them
from .storage import *
from .threads import *

_answer_clearly(Tensor, [name for name in vars(Tensor) if name[0] != "_"] + ["__init__", "__contains__"])  # noqa: F405
_let_all_read_them(globals())

if importlib.util.find_spec(".cpu", __name__):  # without these folders everything works, only slower
    from .cpu import roads as _cpu_roads
if importlib.util.find_spec(".gpu", __name__):
    from .gpu import roads as _gpu_roads

__version__ = "0.1.0"
torch = sys.modules[__name__]  # as PyTorch's `torch.torch`

# loaded on first use: not every program needs them, and most need more than numpy
_LAZY = ("data", "distributed", "distributions", "exercises", "func", "gradcheck", "hub", "models", "multiprocessing",
         "onnx", "optim", "profiler", "serialization", "train", "utils", "vision", "viz")


inference_mode = no_grad
Size = tuple
newaxis = None
contiguous_format, preserve_format, channels_last = "contiguous_format", "preserve_format", "channels_last"


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(f".{name}", __name__)
    if name in ("load", "save"):
        return getattr(importlib.import_module(".serialization", __name__), name)
    if name == "summary":
        return importlib.import_module(".train", __name__).summary
    if name == "profile":
        return importlib.import_module(".profiler", __name__).profile
    raise _no_such_name("module 'tinycnn'", name, [*globals(), *_LAZY, "load", "profile", "save", "summary"])

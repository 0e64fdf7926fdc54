"""What is computed to compare two ways of computing: every case of the registry, optimizers, and the walk itself."""
import contextlib
from dataclasses import dataclass
from typing import Callable

import numpy as np

import tinycnn
from tinycnn import optim
from tinycnn.engine import arrays
from tinycnn.engine.tensor import wrap
from tinycnn.gradcheck import registry

registry.load()

MAY_WAIT = {  # where forward must know values on the host, and why
    "SquaredError": ["bool"],                                   # a negative variance is an error, not a wrong answer
    "GetItem": ["index by a mask", "int"],                      # the mask or the repeats decide the shape of the result
    "SetItem": ["index by a mask"],
    "SyncNormalize": ["int"],                                   # how many numbers all processes have together
}
NEEDS_KERNELS = {"ScatterExtreme"}  # CuPy's maximum.at is no road: see strict_array.py
TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 4e-3}
RULES = {
    "SGD": lambda p: optim.SGD(p, 0.1), "decay": lambda p: optim.SGD(p, 0.1, weight_decay=0.3),
    "momentum": lambda p: optim.SGD(p, 0.1, 0.9, dampening=0.4, weight_decay=0.1),
    "Nesterov": lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, maximize=True),
    "Adam": lambda p: optim.Adam(p, 0.1, (0.8, 0.95), weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, 0.1, weight_decay=0.2, maximize=True),
    "amsgrad": lambda p: optim.Adam(p, 0.1, amsgrad=True),
}


def tensors_of(result):
    """The tensors in what a call returned."""
    if isinstance(result, (tuple, list)):
        return [y for part in result for y in tensors_of(part)]
    return [result] if isinstance(result, tinycnn.Tensor) else []


def run(case, make, dtype="float64", backward=contextlib.nullcontext):
    """The arrays of the outputs of a case and of the gradients of its inputs; `make` makes arrays of a library."""
    tinycnn.manual_seed(0)
    inputs = [wrap(make(a.astype(dtype) if a.dtype.kind == "f" else a)).requires_grad_(s.differentiable)
              for a, s in zip(case.draw(seed=1), case.inputs)]
    outputs = tensors_of(case.call(tinycnn, *inputs))
    roots = [y for y in outputs if y.requires_grad]
    rng = np.random.default_rng(2)
    dys = [wrap(make(np.asarray(rng.standard_normal(y.shape), y.dtype))) for y in roots]
    wanted = [x for x in inputs if x.requires_grad]
    with backward():
        gradients = tinycnn.autograd.grad(roots, wanted, dys, allow_unused=True)
    return [y.array for y in outputs], [g if g is None else g.array for g in gradients]


def run_case(case, make=np.copy, dtype="float64", backward=contextlib.nullcontext):
    """Both lists of `run` in one."""
    return sum(run(case, make, dtype, backward), [])


def run_rule(rule, make, dtype, shapes=((3, 4), (), (5,), (300, 2), (2, 0))):
    """The parameters and the state after four steps of an optimizer."""
    rng = np.random.default_rng(0)
    params = [wrap(make(rng.standard_normal(s).astype(dtype))).requires_grad_() for s in shapes]
    optimizer = RULES[rule](params)
    for step in range(4):
        for i, p in enumerate(params):
            p.grad = None if i == 2 and step == 1 else wrap(make(rng.standard_normal(p.shape).astype(p.dtype)))
        optimizer.step()
    state = [entry[name] for _, entry in sorted(optimizer.state_dict()["state"].items()) for name in sorted(entry)]
    return [*(p.array for p in params), *(s.array for s in tensors_of(state))]


def run_sums(make, dtype):
    """Gradients that meet: of a tensor that is used again and again, and of one that is a leaf itself."""
    x = wrap(make(np.random.default_rng(0).standard_normal((4, 5)).astype(dtype))).requires_grad_()
    y = x * 2
    (y.sin() + y.cos() + y.exp() + y + x).sum().backward()
    return [x.grad.array]


def run_upload(make, dtype):
    """A batch in pinned memory, on the default device."""
    host = arrays.pin(np.arange(6, dtype=dtype))
    return [arrays.to_device(host, tinycnn.get_default_device(), non_blocking=True)]


@dataclass(frozen=True)
class Program:
    """`compute(make, dtype)`, a list of arrays, and a name for it."""
    id: str
    compute: Callable

    def run(self, dtype, make=np.copy):
        """The arrays, in one dtype, by one library."""
        return self.compute(make, dtype)


PROGRAMS = [
    *(Program(case.id, lambda make, dtype, case=case: run_case(case, make, dtype)) for case in registry.CASES),
    *(Program(f"optimizer: {rule}", lambda make, dtype, rule=rule: run_rule(rule, make, dtype)) for rule in RULES),
    Program("gradients that meet", run_sums), Program("a batch on its way", run_upload),
]


def close(a, b, dtype):
    """Fail unless two arrays agree: up to the tolerance of `dtype` times the largest number; exactly where not floating."""
    assert (a is None) == (b is None)
    if a is None:
        return
    if not hasattr(b, "dtype"):
        assert a == b
        return
    assert a.shape == b.shape and a.dtype == b.dtype, f"{a.shape}, {a.dtype}; expected {b.shape}, {b.dtype}"
    finite = np.isfinite(b)
    np.testing.assert_array_equal(a[~finite], b[~finite])
    if b.dtype.kind == "f" and finite.any():
        scale = float(np.abs(b[finite]).max())
        np.testing.assert_allclose(a[finite].astype(float), b[finite].astype(float), rtol=0, atol=TOLERANCE[dtype] * scale)
    else:
        np.testing.assert_array_equal(a, b)

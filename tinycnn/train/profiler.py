"""Where the time and the memory of a network go, operation by operation.

Nothing is measured unless asked for: inside `with profile()` the method `Function.apply` makes way for one that looks at the
clock, and every node it makes gets a `backward` that does the same; afterwards everything is as before.
"""
import functools
import threading
import time
import weakref
from dataclasses import dataclass

import numpy as np

from ..engine.arrays import is_array, load_cupy
from ..engine.function import Function, owner
from ..engine.tensor import Tensor, wrap
from ..ops.attention import Attention
from ..ops.conv import Conv, ConvTranspose, ConvWeight
from ..ops.matmul import Linear, MatMul

__all__ = ["Row", "kept_by", "matrix_peak", "profile"]

FLOPS = {  # of the forward pass, from the arrays of inputs and output: a multiplication and an addition for each product
    Conv: lambda x, w, *rest: 2 * rest[-1].size * _each(w),
    ConvTranspose: lambda x, w, *rest: 2 * x.size * _each(w),
    ConvWeight: lambda x, dy, dw: 2 * dy.size * _each(dw),
    Linear: lambda x, w, *rest: 2 * rest[-1].size * w.shape[1],
    MatMul: lambda x, y, z: 2 * z.size * x.shape[-1],
    Attention: lambda q, k, v, *rest: 2 * q.size * k.shape[-2] + 2 * rest[-1].size * k.shape[-2],
}
HEADINGS = ("operation", "calls", "forward", "backward", "share", "inputs", "outputs", "saved", "GFLOP", "GFLOP/s")
ORDERS = ("time", "forward", "backward", "count", "inputs", "outputs", "saved", "flops", "rate", "name")


@dataclass
class Row:
    """All uses of one operation: calls; seconds, without those of operations inside; bytes; floating-point operations.

    `saved` are the bytes that stay for backward on this operation's account: not weights and other leaves, and not what an
    earlier operation keeps already. `forward_flops` and `backward_flops` count matrix products only, 0 for everything else.
    """
    name: str
    count: int = 0
    forward: float = 0.0
    backward: float = 0.0
    inputs: int = 0
    outputs: int = 0
    saved: int = 0
    forward_flops: int = 0
    backward_flops: int = 0

    @property
    def time(self):
        """Seconds forward and backward."""
        return self.forward + self.backward

    @property
    def flops(self):
        """Floating-point operations forward and backward."""
        return self.forward_flops + self.backward_flops

    @property
    def rate(self):
        """Floating-point operations a second."""
        return self.flops / self.time if self.time else 0.0


class profile:
    """Measures every operation inside a `with` block, and its backward if that runs inside as well.

    >>> import tinycnn
    >>> from tinycnn import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 10))
    >>> with tinycnn.profile() as prof:
    ...     model(tinycnn.randn(4, 1, 8, 8)).square().mean().backward()
    >>> conv = prof.row("Conv")
    >>> conv.count, conv.forward_flops == (4 * 8 * 6 * 6) * 9 * 2, 0 < conv.forward < prof.total
    (1, True, True)

    `print(prof)` shows a table, `prof.table(sort_by=...)` another order, `prof.plot()` draws it. `rows` holds the numbers,
    the slowest operation first; `total` is the time of the whole block, and what no operation used of it went to optimizers,
    data and Python. With `peak=True` the machine's speed in large matrix products is measured, once a process, and the table
    tells what part of it an operation reaches. The names, `peak` apart, are those of `torch.profiler.profile`.

    The clock costs some microseconds a call, so tiny tensors look slower than they are; run a step beforehand, because the
    first one also fills caches. On a GPU every operation is waited for.
    """

    def __init__(self, *, peak=False):
        self.total, self.peak, self._wants_peak = 0.0, None, bool(peak)
        self._rows, self._kept, self._active, self._thread = {}, {}, False, threading.local()

    def __enter__(self):
        if self._active:
            raise RuntimeError("profile: this profile is already running; a `with` block inside needs one of its own")
        if self._wants_peak:
            self.peak = matrix_peak()
        self._apply, self._active, self._start = Function.__dict__["apply"], True, time.perf_counter()
        Function.apply = classmethod(lambda function, *args, **options: self._forward(function, args, options))
        return self

    def __exit__(self, *exception):
        Function.apply, self._active = self._apply, False
        self.total += time.perf_counter() - self._start
        self._kept.clear()

    @property
    def rows(self):
        """A Row for every operation that ran, the slowest first."""
        return sorted(self._rows.values(), key=lambda row: -row.time)

    def row(self, name):
        """The Row of one operation. KeyError where it did not run."""
        return self._rows[name]

    # ---- measuring ----
    def _forward(self, function, args, options):
        row = self._rows.setdefault(function.__name__, Row(function.__name__))
        result = self._timed(row, "forward", args, lambda: self._apply.__get__(None, function)(*args, **options))
        tensors = [a for a in args if isinstance(a, Tensor)]
        outputs = [y for y in (result if isinstance(result, tuple) else (result,)) if isinstance(y, Tensor)]
        owners = {id(owner(t.array)) for t in tensors}
        row.count += 1
        row.inputs += sum(t.array.nbytes for t in tensors)
        row.outputs += sum(y.array.nbytes for y in outputs if id(owner(y.array)) not in owners)
        arrays = [a.array if isinstance(a, Tensor) else a for a in args]
        flops = FLOPS[function](*arrays, outputs[0].array) if function in FLOPS else 0
        row.forward_flops += flops
        node = next((y.grad_fn for y in outputs if y.grad_fn is not None), None)
        if node is not None:
            row.saved += self._newly_kept(node, tensors)
            flops = _backward_flops(function, flops, node.needs_input_grad) if flops else 0
            node.backward = functools.partial(self._backward, row, flops, node.backward)
            if node.backward_recorded is not None:
                node.backward_recorded = functools.partial(self._backward, row, flops, node.backward_recorded)
        return result

    def _backward(self, row, flops, backward, node, *dy):
        if not self._active:
            return backward(node, *dy)
        row.backward_flops += flops
        return self._timed(row, "backward", dy, lambda: backward(node, *dy))

    def _timed(self, row, direction, values, work):
        """work(), its time added to the row, less that of the operations that run inside."""
        inside, self._thread.inside = getattr(self._thread, "inside", 0.0), 0.0
        start = time.perf_counter()
        try:
            result = work()
            _wait_for(values)
            return result
        finally:
            seconds = time.perf_counter() - start
            setattr(row, direction, getattr(row, direction) + seconds - self._thread.inside)
            self._thread.inside = inside + seconds

    def _newly_kept(self, node, inputs):
        """The bytes that `node` keeps, except for those of leaves and of what an earlier node keeps."""
        leaves = {id(owner(t.array)) for t in inputs if t.grad_fn is None}
        count = 0
        for array in kept_by(node):
            known = self._kept.get(id(array))
            if id(array) not in leaves and (known is None or known() is not array):
                self._kept[id(array)] = weakref.ref(array)
                count += array.nbytes
        return count

    # ---- showing ----
    def table(self, sort_by="time", limit=None):
        """The rows as text, in descending order of `sort_by` (see ORDERS), the first `limit` of them."""
        if sort_by not in ORDERS:
            raise ValueError(f"profile.table: sort_by must be one of {', '.join(ORDERS)}, got {sort_by!r}")
        rows = sorted(self.rows, key=lambda row: getattr(row, sort_by), reverse=sort_by != "name")
        lines = [HEADINGS + ("of peak",) * (self.peak is not None)]
        lines += [self._cells(row) for row in rows[:limit]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        lines = ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
                 for line in lines]
        used = sum(row.time for row in rows)
        lines.insert(1, "-" * len(lines[0]))
        lines += [lines[1], f"{readable_time(self.total)} in all: operations {readable_time(used)}, "
                  f"everything else {readable_time(max(self.total - used, 0))}; saved for backward "
                  f"{readable_bytes(sum(row.saved for row in rows))}"]
        if limit is not None and limit < len(rows):
            lines[-1] += f"; {len(rows) - limit} more operations"
        if self.peak:
            lines.append(f"the peak is {self.peak / 1e9:.0f} GFLOP/s, in large products")
        return "\n".join(line.rstrip() for line in lines)

    def _cells(self, row):
        cells = (row.name, str(row.count), readable_time(row.forward), readable_time(row.backward),
                 f"{row.time / max(self.total, 1e-12):.1%}", *map(readable_bytes, (row.inputs, row.outputs, row.saved)),
                 f"{row.flops / 1e9:.3g}" if row.flops else "", f"{row.rate / 1e9:.3g}" if row.flops else "")
        if self.peak is None:
            return cells
        return *cells, f"{row.rate / self.peak:.0%}" if row.flops else ""

    def as_dict(self):
        """Everything as dictionaries, lists and numbers, for JSON."""
        return {"total": self.total, "peak": self.peak,
                "operations": [{**vars(row), "flops": row.flops} for row in self.rows]}

    def plot(self, limit=15):
        """Bars of the time of each operation, forward and backward: a matplotlib Figure, as `viz.profile` draws it."""
        from .. import viz
        return viz.profile(self, limit)

    def __str__(self):
        return self.table()


@functools.cache
def matrix_peak(size=1024, repeats=10):
    """Floating-point operations a second in a product of float32 matrices of `size` rows: the best of some."""
    x, times = wrap(np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)), []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times[1:])


def kept_by(node):
    """The arrays that live until backward because of `node`: the owners of those that it saved or has as attributes."""
    for value in vars(node).values():
        for array in value if isinstance(value, (tuple, list)) else (value,):
            if is_array(array):
                yield owner(array)


def _each(w):
    """How many weights make one output: those of one filter."""
    return w.size // max(len(w), 1)


def _backward_flops(function, flops, needs):
    """A product has a gradient for each factor, and each is a product of the same size."""
    if function is Attention:  # of two products, (q, k) -> z and (p, v) -> y
        q, k, v, mask, *_ = needs
        return flops // 2 * (v + (q or k or mask) + q + k)
    return flops * sum(needs[:2])


def _wait_for(values):
    """Until the GPU has made the results, where it works on them."""
    for value in values:
        array = value.array if isinstance(value, Tensor) else value
        if is_array(array) and type(array) is not np.ndarray:
            load_cupy().cuda.Device(array.device.id).synchronize()
            return


def readable_time(seconds):
    """Seconds with a unit: 1.23 ms."""
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def readable_bytes(count):
    """Bytes with a unit: 1.23 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count} B"
        count /= 1000
    return f"{count:.3g} GB"

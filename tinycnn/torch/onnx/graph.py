"""The ONNX graph under construction: nodes, weights, constants, and the sizes that depend on the batch."""
import numpy as np
from onnx import helper, numpy_helper

from .recording import Value


class Graph:
    """Nodes of ONNX from two recordings of one model, of `batch` and of `batch + 1` examples.

    A size or constant that is the same in both stays as it is; a size that differs is p * batch + q. `weights` is {name:
    array}, `initializers` those of them that were used; `names` tells the name of a Value from its number.
    """

    def __init__(self, first, weights):
        self.nodes, self.initializers = [], {}
        self.weights = {array.__array_interface__["data"][0]: (name, array)
                        for name, array in weights.items() if array.size}
        self.batch = first.inputs[0].shape[0] if first.inputs[0].shape else 0
        self.names = {}
        self._length = None

    def emit(self, operator, *inputs, outputs=1, name=None, **attributes):
        """The name of the result of a new node, or the names of several. Inputs are names; "" leaves one out."""
        names = [name or f"{operator}_{len(self.nodes)}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, [*inputs], names, name=f"node_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value, dtype=None):
        """The name of a constant, a number, list or array, in `dtype`."""
        array = np.asarray(value, dtype)
        return self.emit("Constant", value=numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape)))

    def whole(self, *values):
        """The name of a constant vector of whole numbers."""
        return self.constant([*values], np.int64)

    def array(self, a, b, dtype=None):
        """The name of an array or number that is none of the Values: `a` in the first recording, `b` in the other."""
        a, b = (np.asarray(v, dtype) for v in (a, b))
        if a.shape == b.shape and _same(a, b):
            return self.weight(a) or self.constant(a)
        if a.ndim == b.ndim and a.shape != b.shape:
            name = self._of_batch(a, b)
            if name:
                return name
        raise RuntimeError(f"onnx.export: a constant of shape {a.shape} and dtype {a.dtype} depends on the inputs in a way "
                           "that no operation records, such as a comparison, sorting or a Python number: write the model "
                           "with recorded operations; where it depends on the size of the batch alone, dynamic_batch=False "
                           "keeps that as it is")

    def _of_batch(self, a, b):
        """The name of a constant that differs in length alone, one slice repeated or 0, 1, 2, ...; None of another."""
        pairs = [*zip(a.shape, b.shape)]
        if a.size == max(a.shape) and all(np.array_equal(v.ravel(), np.arange(v.size)) for v in (a, b)):
            end = self.emit("Squeeze", self.shape([(a.size, b.size)], infer=False), self.whole(0))
            count = self.emit("Range", self.constant(0, np.int64), end, self.constant(1, np.int64))
            count = self.emit("Cast", count, to=helper.np_dtype_to_tensor_dtype(a.dtype))
            return count if a.ndim == 1 else self.emit("Reshape", count, self.shape(pairs))
        one = a[tuple(slice(0, 1) if m != n else slice(None) for m, n in pairs)]
        if one.size and _same(a, np.broadcast_to(one, a.shape)) and _same(b, np.broadcast_to(one, b.shape)):
            return self.emit("Expand", self.constant(one), self.shape(pairs, infer=False))
        return None

    def weight(self, array):
        """The name of `array` where it shows a whole weight of the model, in its own or another shape; else None."""
        name, own = self.weights.get(array.__array_interface__["data"][0], (None, None))
        if name is None or own.size != array.size or own.dtype != array.dtype or not array.flags.c_contiguous \
                or not own.flags.c_contiguous:
            return None
        self.initializers[name] = own
        return name if own.shape == array.shape else self.emit("Reshape", name, self.whole(*array.shape))

    def length(self):
        """The name of the batch size, a vector of one number."""
        if self._length is None:
            self._length = self.emit("Shape", self.names[0], start=0, end=1)
        return self._length

    def shape(self, pairs, infer=True):
        """The name of a shape from its pairs (first, second recording). `infer`: Reshape may find out one by itself."""
        varying = [i for i, (m, n) in enumerate(pairs) if m != n]
        if not varying or infer and len(varying) == 1 and 0 not in pairs[varying[0]] and all(m for m, _ in pairs):
            return self.whole(*(m if m == n else -1 for m, n in pairs))
        return self.emit("Concat", *(self.whole(m) if m == n else self._size(m, n) for m, n in pairs), axis=0)

    def _size(self, m, n):
        """The name of the size p * batch + q, which is m for the first recording's batch and n for one more."""
        p = n - m
        q = m - p * self.batch
        name = self.length() if p == 1 else self.emit("Mul", self.length(), self.whole(p))
        return self.emit("Add", name, self.whole(q)) if q else name

    def argument(self, a, b, like=None):
        """The name of an argument of a Function; numbers take the dtype of `like`."""
        if isinstance(a, Value):
            return self.names[a.number]
        number = isinstance(a, (bool, int, float, np.generic))
        return self.array(a, b, like if number else None)

    def model(self, inputs, outputs):
        """The ModelProto: `inputs` and `outputs` are lists of (name, Values of both recordings)."""
        def described(name, m, n):
            shape = ["batch" if (x, y) == (self.batch, self.batch + 1) else x if x == y else None
                     for x, y in zip(m.shape, n.shape)]
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(m.dtype), shape)
        graph = helper.make_graph(self.nodes, "tinycnn", [described(*x) for x in inputs], [described(*y) for y in outputs],
                                  [numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
                                   for name, array in self.initializers.items()])
        return helper.make_model(graph, producer_name="tinycnn", ir_version=9,
                                 opset_imports=[helper.make_opsetid("", OPSET)])


def _same(a, b):
    """Whether two arrays of one shape are equal but for rounding, which follows the size of an array, too."""
    if a.dtype.kind != "f" or not a.size:
        return np.array_equal(a, b)
    scale = np.abs(a[np.isfinite(a)]).max(initial=0)
    return np.allclose(a, b, rtol=0, atol=8 * np.finfo(a.dtype).eps * scale, equal_nan=True)


OPSET = 20  # which has GELU; onnxruntime knows it from version 1.17 on

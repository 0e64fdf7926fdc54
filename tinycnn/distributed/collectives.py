"""The collective operations of PyTorch's, on Tensors and on Python objects.

What is on a CPU goes through MPI as it is: NumPy's memory is the message. float16 has no name in MPI; it travels as float32.
What is on a GPU goes through NCCL where the group has it, else through a copy on the CPU.
"""
import pickle

import numpy as np

from ..engine.arrays import array_module, device_of, is_array, to_device, to_numpy
from ..engine.dtype import float16, float32
from ..engine.tensor import Tensor
from .world import GroupMember, process_group


class ReduceOp:
    """How the tensors of several ranks become one."""
    SUM, AVG, MAX, MIN, PRODUCT = "sum", "avg", "max", "min", "prod"


class Work:
    """An operation that was started with `async_op=True`: `wait()` until the tensor holds its result."""

    def __init__(self, group, request, what, finish):
        self._group, self._request, self._what, self._finish = group, request, what, finish

    def is_completed(self):
        """Whether the ranks are done with it; the tensor holds the result after `wait`."""
        return self._finish is None or bool(self._request.Test())

    def wait(self, timeout=None):
        """Wait, write the result into the tensor, and return True."""
        if self._finish is not None:
            self._group.wait(self._request, self._what)
            finish, self._finish = self._finish, None
            finish()
        return True


def _message(function, name, tensor, group):
    """The array of `tensor` as it can be sent: contiguous, in a number type that travels, where the group can read it."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{function}: {name} must be a Tensor, got {type(tensor).__name__}")
    array = tensor.array if group.reads_gpus else to_numpy(tensor.array)
    array = array.astype(float32) if array.dtype == float16 else array
    return array if array.flags.c_contiguous else array.copy(order="C")


def _receive(tensor, message):
    """Write what has arrived into `tensor`, where it is not there already."""
    if message is not tensor.array:
        tensor.array[...] = _like(tensor.array, message).reshape(tensor.shape)
    tensor._version.writes += 1


def _like(array, message):
    """`message` in the library of `array`."""
    if type(message) is type(array) or not is_array(message):
        return message
    return to_device(message, device_of(array))


def _run(group, request, what, finish, async_op):
    work = Work(group, request, what, finish)
    return work if async_op else work.wait() and None


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """`tensor` of every rank becomes the sum of all of them, or what `op` says.

    With `async_op`, here and in the others, a Work is returned at once, and the tensor holds the result when it was waited
    for.
    """
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    _check_op("all_reduce", op)
    message = _message("all_reduce", "tensor", tensor, g)

    def finish():
        _receive(tensor, message)
        if op == ReduceOp.AVG:
            tensor.array[...] = tensor.array / g.size
    return _run(g, g.start_all_reduce(message, _plain(op)), "all_reduce", finish, async_op)


def reduce(tensor, dst=0, op=ReduceOp.SUM, group=None, async_op=False):
    """`tensor` of rank `dst` becomes the sum of those of all ranks, or what `op` says; the others keep theirs."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    _check_op("reduce", op)
    _check_rank("reduce", "dst", dst, g)
    message = _message("reduce", "tensor", tensor, g)

    def finish():
        if g.rank == dst:
            _receive(tensor, message)
            if op == ReduceOp.AVG:
                tensor.array[...] = tensor.array / g.size
    return _run(g, g.start_reduce(message, dst, _plain(op)), "reduce", finish, async_op)


def broadcast(tensor, src=0, group=None, async_op=False):
    """`tensor` of every rank becomes that of rank `src`."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    _check_rank("broadcast", "src", src, g)
    message = _message("broadcast", "tensor", tensor, g)
    return _run(g, g.start_broadcast(message, src), "broadcast", lambda: _receive(tensor, message), async_op)


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """tensor_list[r] becomes `tensor` of rank r: a list of as many tensors as there are ranks, all of one shape."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    message, parts = _parts("all_gather", "tensor_list", tensor_list, tensor, g)

    def finish():
        for target, part in zip(tensor_list, parts):
            _receive(target, part)
    return _run(g, g.start_all_gather(message, parts), "all_gather", finish, async_op)


def gather(tensor, gather_list=None, dst=0, group=None, async_op=False):
    """On rank `dst`, gather_list[r] becomes `tensor` of rank r; the other ranks give no list."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    _check_rank("gather", "dst", dst, g)
    if g.rank == dst:
        message, parts = _parts("gather", "gather_list", gather_list, tensor, g)
    else:
        message, parts = _message("gather", "tensor", tensor, g), None

    def finish():
        for target, part in zip(gather_list or (), () if parts is None else parts):
            _receive(target, part)
    return _run(g, g.start_gather(message, parts, dst), "gather", finish, async_op)


def scatter(tensor, scatter_list=None, src=0, group=None, async_op=False):
    """`tensor` of rank r becomes scatter_list[r] of rank `src`; the other ranks give no list."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    _check_rank("scatter", "src", src, g)
    message, parts = _message("scatter", "tensor", tensor, g), None
    if g.rank == src:
        _, parts = _parts("scatter", "scatter_list", scatter_list, tensor, g)
        for part, given in zip(parts, scatter_list):
            part[...] = given.array
    return _run(g, g.start_scatter(message, parts, src), "scatter", lambda: _receive(tensor, message), async_op)


def barrier(group=None, async_op=False):
    """Wait until all ranks are here."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    g = process_group(group)
    return _run(g, g.start_barrier(), "barrier", lambda: None, async_op)


def _parts(function, name, tensors, tensor, g):
    """The message of `tensor` and room for those of all ranks, after checking the list `tensors` that is to hold them."""
    message = _message(function, "tensor", tensor, g)
    if not isinstance(tensors, (list, tuple)) or len(tensors) != g.size:
        raise ValueError(f"{function}: {name} must be a list of {g.size} tensors, one a rank, got "
                         f"{len(tensors) if isinstance(tensors, (list, tuple)) else type(tensors).__name__}")
    for t in tensors:
        if not isinstance(t, Tensor) or t.shape != tensor.shape or t.dtype != tensor.dtype:
            raise ValueError(f"{function}: {name} must hold tensors like the one that is sent, {tensor.shape} and "
                             f"{tensor.dtype}, got {getattr(t, 'shape', type(t).__name__)} and {getattr(t, 'dtype', None)}")
    return message, array_module(message).empty((g.size, *message.shape), message.dtype)


def _check_op(function, op):
    if op not in (ReduceOp.SUM, ReduceOp.AVG, ReduceOp.MAX, ReduceOp.MIN, ReduceOp.PRODUCT):
        raise ValueError(f"{function}: op must be one of ReduceOp's SUM, AVG, MAX, MIN and PRODUCT, got {op!r}")


def _plain(op):
    return "sum" if op == ReduceOp.AVG else op


def _check_rank(function, name, rank, g):
    if not isinstance(rank, int) or not 0 <= rank < g.size:
        raise ValueError(f"{function}: {name} must be a rank from 0 to {g.size - 1}, got {rank!r}")


# ---- objects ---------------------------------------------------------------------------------------------------------

# They travel as pickles, from processes of one program to each other; nothing from outside is read so.

def all_gather_object(object_list, obj, group=None):
    """object_list[r] becomes `obj` of rank r."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    g = process_group(group)
    if not isinstance(object_list, list) or len(object_list) != g.size:
        raise ValueError(f"all_gather_object: object_list must be a list of {g.size} places, one a rank, got "
                         f"{object_list!r:.80}")
    object_list[:] = gathered(g, obj, "all_gather_object")


def gathered(g, obj, what):
    """[obj of rank 0, obj of rank 1, ...]: the lengths of all pickles first, then the pickles, padded to the longest."""
    data = np.frombuffer(pickle.dumps(obj), np.uint8)
    lengths = np.empty(g.size, np.int64)
    g.wait(g.start_all_gather(np.array([data.size], np.int64), lengths), what)
    padded, parts = np.zeros(lengths.max(), np.uint8), np.empty((g.size, lengths.max()), np.uint8)
    padded[:data.size] = data
    g.wait(g.start_all_gather(padded, parts), what)
    return [pickle.loads(part[:n].tobytes()) for part, n in zip(parts, lengths)]


def gather_object(obj, object_gather_list=None, dst=0, group=None):
    """On rank `dst`, object_gather_list[r] becomes `obj` of rank r."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    g = process_group(group)
    _check_rank("gather_object", "dst", dst, g)
    found = gathered(g, obj, "gather_object")
    if g.rank == dst:
        if not isinstance(object_gather_list, list) or len(object_gather_list) != g.size:
            raise ValueError(f"gather_object: on rank {dst}, object_gather_list must be a list of {g.size} places")
        object_gather_list[:] = found


def broadcast_object_list(object_list, src=0, group=None):
    """The list of every rank becomes that of rank `src`."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    g = process_group(group)
    _check_rank("broadcast_object_list", "src", src, g)
    object_list[:] = sent(g, list(object_list), src, "broadcast_object_list")


def sent(g, obj, src, what):
    """`obj` of rank `src`."""
    data = np.frombuffer(pickle.dumps(obj if g.rank == src else None), np.uint8).copy()
    length = np.array([data.size], np.int64)
    g.wait(g.start_broadcast(length, src), what)
    data = data if g.rank == src else np.empty(int(length[0]), np.uint8)
    g.wait(g.start_broadcast(data, src), what)
    return obj if g.rank == src else pickle.loads(data.tobytes())


def scatter_object_list(scatter_object_output_list, scatter_object_input_list=None, src=0, group=None):
    """scatter_object_output_list[0] of rank r becomes scatter_object_input_list[r] of rank `src`."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    g = process_group(group)
    _check_rank("scatter_object_list", "src", src, g)
    found = sent(g, scatter_object_input_list, src, "scatter_object_list")
    if not isinstance(found, (list, tuple)) or len(found) != g.size:
        raise ValueError(f"scatter_object_list: on rank {src}, scatter_object_input_list must hold {g.size} objects")
    scatter_object_output_list[0] = found[g.rank]

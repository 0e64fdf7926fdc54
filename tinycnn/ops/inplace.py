"""Floor 2: the one road by which every in-place operation (`x += y`, `x.add_()`, `x[i] = v`) writes."""
import numpy as np


def write(tensor, result, function):
    """Make `result`, computed from `tensor` out of place, the new value of `tensor`, its memory and its history.

    Every in-place operation ends here, so one rule serves all: the memory is shared with views, the version moves on so
    that a node which saved the old value notices, and the history is that of `result`.
    """
    recorded = result.requires_grad
    if recorded and tensor.requires_grad and tensor.grad_fn is None:
        raise RuntimeError(f"{function}: a leaf that requires a gradient cannot be changed in place while autograd records: "
                           "use `with no_grad():` to update a parameter, or write x = x + ... to compute with it")
    if recorded and tensor._viewed_at is not None:
        raise RuntimeError(f"{function}: this tensor is a view, and autograd cannot record a write through a view: index the "
                           "whole tensor instead (x[i] = value), or build the result with cat, stack or where")
    if result.shape != tensor.shape or not np.can_cast(result.dtype, tensor.dtype, "same_kind"):
        raise RuntimeError(f"{function}: a result of shape {result.shape} and dtype {result.dtype} does not fit in place into "
                           f"a tensor of shape {tensor.shape} and dtype {tensor.dtype}")
    tensor.array[...] = result.array
    tensor._version.writes += 1
    if recorded:
        tensor._version.rewrites += 1
        tensor.requires_grad, tensor.grad_fn, tensor.output_nr = True, result.grad_fn, result.output_nr
    return tensor

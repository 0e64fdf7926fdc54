"""All parameters as one vector, and back."""
from ...ops.rearrange import cat
from ...engine.tensor import Tensor


def parameters_to_vector(parameters):
    """One vector of the entries of all parameters, in order; gradients flow through it."""
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Write the entries of the vector `vec` into the parameters, in order.

    Raises TypeError when `vec` is no Tensor, ValueError when its length is not the number of entries.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: vec must be a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    count = sum(p.numel() for p in parameters)
    if vec.shape != (count,):
        raise ValueError(f"vector_to_parameters: vec must have shape ({count},), got {vec.shape}")
    start = 0
    for p in parameters:
        p.array[...] = vec.array[start:start + p.numel()].reshape(p.shape)
        p._version.writes += 1
        start += p.numel()

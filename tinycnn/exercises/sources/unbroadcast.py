"""Broadcasting backwards

NumPy adds an array of shape (3, 1) to one of shape (2, 3, 4) without a word: it stretches the first until the shapes
agree,

    missing axes in front are added,    (3, 1) -> (1, 3, 1)
    axes of size 1 are repeated,        (1, 3, 1) -> (2, 3, 4)

so every number of the small array is used in 2 * 4 places. Its gradient therefore is a sum over all of these places,
and it must have the shape of the small array again. That is the whole secret, and the most frequent bug of home-made
gradients.

    y[i, j, k] = a[j, 0] + b[i, j, k]        d loss / d a[j, 0] = sum over ... of  dy[i, j, k]

`unbroadcast(dy, shape)` undoes the stretching: it takes the gradient of the stretched array, which has the shape of the
result, and returns that of the array as it was. Which axes must be summed, and which of them must stay with size 1?
Mind the number: its shape is ().

With it, the gradient of any operation that works element by element is two steps: write down the gradient as if nothing
had been stretched, and unbroadcast it. Do so for the product y = a * b.
"""
import numpy as np  # noqa: F401


def unbroadcast(dy, shape):
    """The gradient dy of an array that was broadcast from `shape` -> that of the array itself, of shape `shape`."""
    ### BEGIN SOLUTION
    added = dy.ndim - len(shape)
    repeated = tuple(added + i for i, size in enumerate(shape) if size == 1)
    return dy.sum(axis=(*range(added), *repeated)).reshape(shape)
    ### END SOLUTION


def multiply_backward(dy, a, b):
    """The gradients da, db of y = a * b, with shapes that broadcast; dy has the shape of y."""
    ### BEGIN SOLUTION
    da = unbroadcast(dy * b, a.shape)
    db = unbroadcast(dy * a, b.shape)
    return da, db
    ### END SOLUTION

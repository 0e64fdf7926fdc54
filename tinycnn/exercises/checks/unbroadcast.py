"""Checks of broadcasting backwards."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Broadcasting backwards", lecture=1, minutes=30,
    hints=("Write both shapes below each other, aligned at the right. Every axis where the small array has nothing or a 1 "
           "has been stretched; over it, dy must be summed.",
           "There are dy.ndim - len(shape) axes in front which are gone afterwards. The axes of size 1 must still be there: "
           "keepdims=True keeps them, or a reshape at the end brings them back.",
           "added = dy.ndim - len(shape); sum dy over the axes 0 .. added - 1 and over added + i for each i with "
           "shape[i] == 1; then reshape to shape. In the product da is unbroadcast(dy * b, a.shape)."))


def unbroadcast(dy, shape):
    """The oracle: every entry of dy is added to the place it came from."""
    right = np.zeros(shape)
    for at in np.ndindex(*dy.shape):
        place = at[dy.ndim - len(shape):]
        right[tuple(0 if size == 1 else i for i, size in zip(place, shape))] += dy[at]
    return right


def multiply(a, b):
    """The oracle of the product."""
    y = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for at in np.ndindex(*y.shape):
        one, other = (v[tuple(0 if size == 1 else i for i, size in zip(at[y.ndim - v.ndim:], v.shape))] for v in (a, b))
        y[at] = one * other
    return y


def _miscounted(dy, shape):
    """What comes of forgetting that the axes of `shape` are the last ones of dy; None where that does not fit."""
    added = dy.ndim - len(shape)
    total = dy.sum(axis=(*range(added), *(i for i, n in enumerate(shape) if n == 1 and i >= added)))
    return total.reshape(shape) if total.size == np.prod(shape) else None


def compare(student, rng, big, small):
    dy = rng.standard_normal(big)
    name = f"unbroadcast of {big} to {small}"
    got = expect.array(name, student.unbroadcast(dy, small))
    if got.shape == tuple(big) != small:
        raise expect.Wrong(f"{name} still has the stretched shape {big}: sum over the axes that broadcasting stretched")
    expect.shape(name, got, small)
    stretched = tuple(i for i in range(-len(big), 0) if -i > len(small) or small[i] == 1 != big[i])
    expect.close(name, got, unbroadcast(dy, small), mistaken={
        "is the mean over the stretched axes, where the sum belongs": dy.mean(stretched).reshape(small),
        "is summed over the wrong axes: axis i of the small array is axis i + (axes added in front) of dy":
            _miscounted(dy, small),
        "keeps only the first of the entries that must be summed": dy[tuple(
            slice(0, 1) if i - len(big) in stretched else slice(None) for i in range(len(big)))].reshape(small)})


@exercise.check(points=10, name="nothing was stretched")
def nothing(student, rng):
    for shape in ((2, 3), (4,), (), (2, 1, 3)):
        compare(student, rng, shape, shape)


@exercise.check(points=20, name="axes in front")
def in_front(student, rng):
    n, d, m = map(int, rng.permutation([2, 3, 4]))
    compare(student, rng, (n, d), (d,))
    compare(student, rng, (n, d, m), (m,))
    compare(student, rng, (n, n, n), (n,))


@exercise.check(points=20, name="axes of size 1")
def of_size_1(student, rng):
    n, d, m = map(int, rng.permutation([2, 3, 4]))
    compare(student, rng, (n, d), (n, 1))
    compare(student, rng, (n, d, m), (1, d, 1))
    compare(student, rng, (n, n), (1, n))


@exercise.check(points=15, name="both, and plain numbers")
def both(student, rng):
    n, d, m = map(int, rng.permutation([2, 3, 4]))
    compare(student, rng, (n, n, n), (n, 1))
    compare(student, rng, (n, d, m), (d, 1))
    compare(student, rng, (n, d, m), (1, 1))
    compare(student, rng, (n, d), ())


@exercise.check(points=25, name="the gradients of a product")
def product(student, rng):
    n, d, m = map(int, rng.permutation([2, 3, 4]))
    for a, b in (((n, d), (n, d)), ((n, d, m), (d, 1)), ((1, m), (d, m)), ((n, 1), (1, m))):
        expect.gradient("multiply_backward", multiply, student.multiply_backward, seed=int(rng.integers(1000)), mistaken={
            "each factor is multiplied by itself, where the slope along a is b and that along b is a":
                lambda dy, a, b: (unbroadcast(dy * a, a.shape) if a.ndim >= b.ndim else None,
                                  unbroadcast(dy * b, b.shape))},
                        a=rng.standard_normal(a), b=rng.standard_normal(b))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    dy, a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 3), (2, 3), (3,)))
    expect.dtype("what unbroadcast returns", expect.unchanged(student.unbroadcast, dy, (3,)), np.float32)
    for name, gradient in zip(("da", "db"), expect.unchanged(student.multiply_backward, dy, a, b)):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("only the axes in front are summed", old="axis=(*range(added), *repeated)).reshape(shape)",
                 new="axis=tuple(range(added)))", says="sum over the axes that broadcasting stretched")
exercise.mistake("the axes of size 1 are lost", old="*repeated)).reshape(shape)", new="*repeated))",
                 says="as many numbers, but in another shape|has shape")
exercise.mistake("the mean", old="dy.sum(axis", new="dy.mean(axis", says="mean over the stretched axes")
exercise.mistake("the axes are counted without those in front", old="tuple(added + i for", new="tuple(i for",
                 says="summed over the wrong axes")
exercise.mistake("the first of the entries", old="dy.sum(axis=(*range(added), *repeated)).reshape(shape)",
                 new="dy[(0,) * added][tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]",
                 says="only the first of the entries")
exercise.mistake("the factors of the product are exchanged", old="unbroadcast(dy * b, a.shape)",
                 new="unbroadcast(dy * a, a.shape)", says="multiplied by itself")
exercise.mistake("the product forgets to unbroadcast", old="da = unbroadcast(dy * b, a.shape)", new="da = dy * b",
                 says="da .*has shape.*sum it over axis")
exercise.mistake("a sum's rule is used for the product", old="unbroadcast(dy * a, b.shape)", new="unbroadcast(dy, b.shape)",
                 says="db .*(factor a|upstream gradient dy itself)")

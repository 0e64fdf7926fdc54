"""Checks of the numerical gradient. The functions to be differentiated run beside the submission."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="The numerical gradient, and why h matters", lecture=2, minutes=40,
    hints=("np.ndindex(*x.shape) walks through the indices of an array of any shape. Change one entry, call f, and put "
           "the entry back before you go on to the next.",
           "np.array(x, float) makes a copy in float64, so the caller's x stays as it is and integers can move by h. For "
           "the best step multiply p c h^(p - 1) = eps / h^2 by h^2.",
           "(f(x with x[i] + h) - f(x with x[i] - h)) / (2 * h); best_step is (eps / (p c)) ** (1 / (p + 1)); for "
           "relative_error divide by np.where(size > 0, size, 1), where size = np.maximum(abs(a), abs(n))."))


ALL = "is that of moving all entries at once: only x[index] may change"


def ask(student, f, x, h):
    """(gradient, x afterwards) of the student's function for f, a text."""
    return student.run(f"f = lambda x: {f}\nresult = (numerical_gradient(f, x, h), x)", x=x, h=h)


def compare(student, f, x, right, h=1e-5, tol=1e-7, mistaken=None):
    got, _ = ask(student, f, x, h)
    expect.close("the gradient", got, right, tol=tol, mistaken=mistaken)


@exercise.check(points=25, name="a vector")
def vector(student, rng):
    x, a = rng.uniform(0.5, 1.5, 4), rng.uniform(0.5, 1.5)
    right, h = a * np.cos(a * x), 1e-5
    compare(student, f"np.sin({a!r} * x).sum()", x, right, h, tol=1e-8, mistaken={
        "is the forward difference: look to both sides, (f(x + h) - f(x - h)) / (2 h)":
            np.array([(math.sin(a * (v + h)) - math.sin(a * v)) / h for v in x]),
        ALL: np.full(4, right.sum()),
        "is twice the right value: between x - h and x + h lies a distance of 2 h": 2 * right})


@exercise.check(points=15, name="each entry alone, in any shape")
def any_shape(student, rng):
    for shape in ((2, 3), (2, 1, 2), ()):
        x, w = rng.uniform(0.5, 1.5, shape), rng.uniform(0.5, 1.5, shape)
        product = np.prod(x)
        left = np.cumprod(np.append(1, 1 - 0.1 / x.ravel()))[:-1].reshape(shape)
        compare(student, "np.prod(x)", x, product / x, h=0.1, mistaken={
            "is wrong behind the first entry, because those before it were not put back": product / x * left})
        got, _ = ask(student, f"(np.array({w.tolist()!r}) * x ** 3).sum()", x, 1e-3)
        right = 3 * w * x ** 2 + w * 1e-6     # the error of a central difference of x^3 is exactly h^2
        expect.close("the gradient of sum(w * x^3) with h = 0.001", got, right, tol=1e-9, mistaken={
            "ignores the h that it was given: with h = 0.001 the difference has an error of h^2, which is missing":
                3 * w * x ** 2})


@exercise.check(points=15, name="x stays as it was, in whatever dtype")
def dtypes(student, rng):
    x = rng.uniform(0.5, 1.5, 3)
    _, after = ask(student, "(x * x).sum()", x, 1e-5)
    if not np.array_equal(after, x):
        raise expect.Wrong("numerical_gradient changes its argument x, which belongs to the caller: work on a copy")
    whole = rng.integers(1, 5, 4)
    compare(student, "(x * x).sum()", whole, 2.0 * whole, mistaken={
        "of an integer x is wrong: in an array of integers x + h and x - h are rounded; work on a copy in float64":
            (whole ** 2 - (whole - 1) ** 2) / 2e-5})
    single = x.astype(np.float32)
    compare(student, "(x * x).sum()", single, 2.0 * single.astype(float))
    got, _ = ask(student, "(x * x).sum()", single, 1e-5)
    expect.dtype("the gradient", got, np.float64)


@exercise.check(points=25, name="the best step")
def best(student, rng):
    for p in (1, 2, 4):
        c, eps = float(rng.uniform(0.1, 10)), float(10 ** rng.uniform(-16, -7))
        h = best_step(p, c, eps)
        root = eps / (p * c)
        expect.close(f"best_step({p}, {c:.4g}, {eps:.4g})", student.best_step(p, c, eps), h, tol=1e-6, mistaken={
            "takes the p-th root where the (p + 1)-th belongs: multiply p c h^(p - 1) = eps / h^2 by h^2": root ** (1 / p),
            "forgets the factor p, or takes the h where both errors are equal: the derivative of c h^p is p c h^(p - 1)":
                (eps / c) ** (1 / (p + 1)) if p > 1 else None,
            "forgets c": (eps / p) ** (1 / (p + 1)),
            "is h^(p + 1): take the root": root})


def best_step(p, c, eps):
    """The oracle: halve the interval of log h in which the slope of the error changes its sign."""
    low, high = -40.0, 3.0
    for _ in range(100):
        middle = (low + high) / 2
        h = 10 ** middle
        low, high = (middle, high) if p * c * h ** (p - 1) < eps / h ** 2 else (low, middle)
    return 10 ** low


@exercise.check(points=20, name="the relative error")
def relative(student, rng):
    a = rng.uniform(1, 2, (2, 3)) * rng.choice([-1, 1], (2, 3))
    n = a * (1 + rng.uniform(0.001, 0.01, a.shape) * rng.choice([-1, 1], a.shape))
    each = [abs(p - q) / max(abs(p), abs(q)) for p, q in zip(a.ravel().tolist(), n.ravel().tolist())]
    expect.close("relative_error(a, n)", student.relative_error(a, n), max(each), mistaken={
        "is the mean over the entries: the largest is asked for": sum(each) / len(each),
        "is the largest absolute difference: divide each by the larger of |a| and |n|": np.abs(a - n).max(),
        "is that of a - n with its sign: take the absolute value": max(
            (p - q) / max(abs(p), abs(q)) for p, q in zip(a.ravel().tolist(), n.ravel().tolist())),
        "divides the largest difference by the largest entry: each entry has a size of its own":
            np.abs(a - n).max() / max(np.abs(a).max(), np.abs(n).max())})
    a, n = np.array([1000.0, 0.001, -1000.0]), np.array([1000.0, 0.002, -1000.0])
    expect.close("relative_error of [1000, 0.001, -1000] and [1000, 0.002, -1000]", student.relative_error(a, n), 0.5)
    got = expect.unchanged(student.relative_error, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    if not np.isfinite(expect.array("relative_error", got)):
        raise expect.Wrong("relative_error is NaN where both entries are 0: 0 / 0; such an entry counts as 0")
    expect.close("relative_error of two equal arrays", got, 0.0)
    expect.in_float32(student.relative_error, np.array([1.0, -2.0]), np.array([1.5, -2.0]))


exercise.mistake("the forward difference", old="        x[index] = old - h\n        down = f(x)\n        x[index] = old\n"
                 "        gradient[index] = (up - down) / (2 * h)",
                 new="        x[index] = old\n        down = f(x)\n        gradient[index] = (up - down) / h",
                 says="forward difference")
exercise.mistake("divided by h", old="/ (2 * h)", new="/ h", says="distance of 2 h")
exercise.mistake("the entry is not put back", old="        x[index] = old\n        gradient", new="        gradient",
                 says="not put back")
exercise.mistake("x is changed in place, and not put back", old="    x = np.array(x, float)\n",
                 new="    x[...] = x * (1 + 1e-14)\n", says="changes its argument x")
exercise.mistake("no float64 copy", old="np.array(x, float)", new="np.array(x)",
                 says="integers x \\+ h and x - h are rounded")
exercise.mistake("all entries at once", old="        x[index] = old + h\n        up = f(x)\n        x[index] = old - h\n"
                 "        down = f(x)\n", new="        up = f(x + h)\n        down = f(x - h)\n",
                 says="all entries at once")
exercise.mistake("the p-th root", old="(1 / (p + 1))", new="(1 / p)", says="p-th root")
exercise.mistake("p is forgotten", old="(p * c)", new="c", says="forgets the factor p|both errors")
exercise.mistake("0 / 0", old="np.where(size > 0, size, 1)", new="size", says="0 / 0")
exercise.mistake("the mean of the errors", old="float(np.max(", new="float(np.mean(", says="mean over the entries")
exercise.mistake("the absolute error", old=" / np.where(size > 0, size, 1)", new="", says="largest absolute difference")

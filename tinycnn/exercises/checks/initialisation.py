"""Checks of the initialisation."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Initialisation: what becomes of the signal", lecture=3, minutes=40,
    hints=("Fan-in: how many numbers are summed for one output. For a convolution that is one number for each channel and "
           "each place of the window.",
           "Multiplying random numbers by s multiplies their variance by s^2, so the standard deviation is the root of the "
           "variance. The interval 0 to 1 becomes -a to a by (2 u - 1) a.",
           "He: var = 2 / fan_in, so z * sqrt(2 / fan_in). Xavier: a^2 / 3 = 2 / (fan_in + fan_out), so a = sqrt(6 / "
           "(fan_in + fan_out)). A layer multiplies the mean square by fan_in * var / 2."))


def fans(shape):
    """The oracle: count the uses of weights, entry by entry."""
    places = [index for index in np.ndindex(*shape)]
    return sum(i[0] == 0 for i in places), sum(i[1] == 0 for i in places)


def draw(rng):
    """A shape of a linear layer's and one of a convolution's weights."""
    m, d, k = (int(n) for n in rng.permutation([5, 6, 9]))   # not 4, of which 2 / 4 is sqrt(1 / 4)
    return (m, d), (m, d, *(int(n) for n in rng.permutation([2, 3]))), (d, k, 3, 3)


@exercise.check(points=20, name="the fans")
def counts(student, rng):
    for shape in draw(rng):
        fan_in, fan_out = fans(shape)
        got = tuple(int(n) for n in expect.several("fans", student.fans(shape), "fan_in, fan_out"))
        if got == (fan_in, fan_out):
            continue
        why = ""
        if got == (fan_out, fan_in):
            why = ": they are exchanged, axis 0 of the weights counts the outputs"
        elif got == (shape[1], shape[0]):
            why = ": count the places of the window too, every one is another input"
        elif got[0] == fan_in and got[1] == shape[0]:
            why = ": fan_out must count the places of the window too"
        raise expect.Wrong(f"fans({shape}) is {got}, expected {(fan_in, fan_out)}{why}")


@exercise.check(points=20, name="He")
def he(student, rng):
    for shape in draw(rng):
        z = rng.standard_normal(shape)
        fan_in, fan_out = fans(shape)
        expect.close(f"he_normal for weights {shape}", student.he_normal(z), z * math.sqrt(2 / fan_in), mistaken={
            "uses fan_out where the forward signal depends on fan_in": z * math.sqrt(2 / fan_out),
            "multiplies by the variance 2 / fan_in: the standard deviation is its root": z * 2 / fan_in,
            "has the variance 1 / fan_in: the relu takes half of the mean square away": z / math.sqrt(fan_in),
            "divides by the root where it must multiply": z / math.sqrt(2 / fan_in),
            "counts the channels alone: the fan-in of a convolution counts the places of the window too":
                z * math.sqrt(2 / shape[1]),
            "has the variance of Xavier, 2 / (fan_in + fan_out)": z * math.sqrt(2 / (fan_in + fan_out))})
        expect.in_float32(student.he_normal, z)


@exercise.check(points=20, name="Xavier")
def xavier(student, rng):
    for shape in draw(rng):
        u = rng.uniform(0, 1, shape)
        fan_in, fan_out = fans(shape)
        a = math.sqrt(6 / (fan_in + fan_out))
        expect.close(f"xavier_uniform for weights {shape}", student.xavier_uniform(u), (2 * u - 1) * a, mistaken={
            "lies between 0 and a: shift u so that it lies between -a and a": u * a,
            "lies between -a/2 and a/2: the interval must be twice as wide": (u - 0.5) * a,
            "takes the standard deviation for a: the variance of the uniform distribution is a^2 / 3":
                (2 * u - 1) * a / math.sqrt(3),
            "forgets the root: a^2 is 6 / (fan_in + fan_out)": (2 * u - 1) * a * a,
            "has a^2 = 3 / (fan_in + fan_out), half of what it should be": (2 * u - 1) * a / math.sqrt(2),
            "uses fan_in alone": (2 * u - 1) * math.sqrt(3 / fan_in)})
        expect.in_float32(student.xavier_uniform, u)


@exercise.check(points=15, name="the prediction")
def factor(student, rng):
    for depth in (1, int(rng.integers(3, 6))):
        var, fan_in = float(rng.uniform(0.01, 0.05)), int(rng.integers(50, 100))
        right = math.prod(fan_in * var / 2 for _ in range(depth))
        expect.close(f"predicted({var:.4g}, {fan_in}, {depth})", student.predicted(var, fan_in, depth), right, mistaken={
            "forgets that relu halves the mean square": right * 2 ** depth,
            "multiplies with the depth: the factors of the layers multiply, so it is a power":
                depth * fan_in * var / 2 if depth > 1 else None,
            "takes half once: every layer has a relu": right * 2 ** (depth - 1) if depth > 1 else None,
            "is that of a standard deviation: it is the mean square that is asked for": math.sqrt(right)})


@exercise.check(points=20, name="the signal")
def measured(student, rng):
    x, sizes = rng.standard_normal((3, 4)), (4, 5, 3, 3)
    weights = [rng.standard_normal((m, d)) for d, m in zip(sizes, sizes[1:])]
    right, linear, deviations, h, g = [], [], [], x, x
    for w in weights:
        h = np.array([[max(0.0, sum(a * b for a, b in zip(row, line))) for line in w] for row in h])
        g = np.array([[sum(a * b for a, b in zip(row, line)) for line in w] for row in g])
        right.append((h ** 2).mean())
        deviations.append(h.var())
        linear.append((g ** 2).mean())
    got = expect.array("the list that signal returns", expect.unchanged(student.signal, x, weights))
    expect.close("the list that signal returns", got, np.array(right), mistaken={
        "is that of layers without relu": linear,
        "holds the variances of h: relu(z) has a mean, so E[h^2] is larger": deviations,
        "holds the roots of the mean squares": np.sqrt(right)})
    expect.in_float32(student.signal, x, weights)


@exercise.check(points=5, name="twenty layers")
def deep(student, rng):
    normal = rng.standard_normal((20, 50, 50))
    weights = [expect.array("he_normal(z)", student.he_normal(z)) for z in normal]
    x = h = rng.standard_normal((10, 50))
    right = []
    for z in normal:
        h = np.maximum(h @ z.T * math.sqrt(2 / 50), 0)
        right.append((h ** 2).mean())
    got = student.signal(x, weights)
    expect.close("signal behind each of 20 layers of he_normal", got, np.array(right))


exercise.mistake("the fans are exchanged", old="return shape[1] * places, shape[0] * places",
                 new="return shape[0] * places, shape[1] * places", says="they are exchanged")
exercise.mistake("the window is not counted", old="        places *= size", new="        places *= 1",
                 says="count the places of the window too")
exercise.mistake("He by fan_out", old="fan_in, _ = fans(z.shape)", new="_, fan_in = fans(z.shape)", says="uses fan_out")
exercise.mistake("He by the variance", old="z * (2 / fan_in) ** 0.5", new="z * (2 / fan_in)",
                 says="standard deviation is its root")
exercise.mistake("He without the 2", old="z * (2 / fan_in) ** 0.5", new="z * (1 / fan_in) ** 0.5",
                 says="relu takes half")
exercise.mistake("u is not shifted", old="(2 * u - 1) * a", new="u * a", says="shift u")
exercise.mistake("a is the standard deviation", old="(6 / (fan_in + fan_out))", new="(2 / (fan_in + fan_out))",
                 says="a\\^2 / 3")
exercise.mistake("the prediction forgets the relu", old="(fan_in * var / 2)", new="(fan_in * var)", says="relu halves")
exercise.mistake("the prediction multiplies with the depth", old="/ 2) ** depth", new="/ 2) * depth", says="it is a power")
exercise.mistake("the signal has no relu", old="        x = x * (x > 0)\n", new="", says="without relu")
exercise.mistake("the variance of the signal", old="(x * x).mean()", new="x.var()", says="holds the variances")

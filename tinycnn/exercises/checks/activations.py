"""Checks of the activations."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Activations and their derivatives", lecture=2, minutes=40,
    hints=("np.where(condition, a, b) chooses element by element. Derivatives of the same shape as x are multiplied by dy, "
           "nothing is summed.",
           "sigmoid' = s * (1 - s) and tanh' = 1 - y * y, with the results s and y, not with x. softplus' is the sigmoid.",
           "With e = exp(-|x|), which is at most 1: the sigmoid is 1 / (1 + e) for x > 0 and e / (1 + e) elsewhere, and "
           "softplus is max(x, 0) + log1p(e)."))


def each(function):
    """`function` of one number, applied to an array."""
    return lambda x, **options: np.array([function(v, **options) for v in x.ravel().tolist()]).reshape(x.shape)


def logistic(v):
    """The sigmoid of one number."""
    return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))


def soft(v):
    """Softplus of one number."""
    return v + math.log1p(math.exp(-v)) if v > 0 else math.log1p(math.exp(v))


relu = each(lambda v: v if v > 0 else 0.0)
leaky_relu = each(lambda v, slope: v if v > 0 else slope * v)
sigmoid, tanh, softplus = each(logistic), each(math.tanh), each(soft)


def draw(rng):
    """Numbers of both signs, none near the kink, in a shape of two sizes."""
    shape = rng.permutation([2, 3, 4])[:2]
    x = rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape)
    x[0, :2] = [0.7, -0.7]
    return x


@exercise.check(points=20, name="relu and leaky relu")
def with_a_kink(student, rng):
    x, slope = draw(rng), float(rng.uniform(0.05, 0.3))
    expect.close("relu(x)", student.relu(x), relu(x), x=x, mistaken={
        "is the absolute value of x: below zero it must be 0": np.abs(x)})
    expect.close("leaky_relu(x, slope)", student.leaky_relu(x, slope), leaky_relu(x, slope=slope), mistaken={
        "has the slope on the wrong side: x above zero, slope * x below": np.where(x > 0, slope * x, x)})
    for steep in (1.7, -0.4):
        expect.close(f"leaky_relu(x, {steep})", student.leaky_relu(x, steep), leaky_relu(x, slope=steep), mistaken={
            "is the larger of x and slope * x, which is right for slopes between 0 and 1 alone: ask whether x > 0":
                np.maximum(x, steep * x)})
    expect.gradient("relu_backward", relu, student.relu_backward, x=x, mistaken={
        "dx uses relu(x) where its derivative belongs, which is 1 above zero and 0 below": lambda dy, x: dy * relu(x)})
    expect.gradient("leaky_relu_backward", leaky_relu, student.leaky_relu_backward, x=x, options={"slope": slope}, mistaken={
        "dx uses leaky_relu(x) where its derivative belongs": lambda dy, x, slope: dy * leaky_relu(x, slope=slope),
        "dx is the gradient of relu: below zero the slope is `slope`, not 0": lambda dy, x, slope: dy * (x > 0)})


@exercise.check(points=10, name="at the kink")
def at_the_kink(student, rng):
    x, dy, slope = np.array([0.0, 1.0, -1.0]), rng.uniform(1, 2, 3), 0.1
    for name, got, below in (("relu", student.relu_backward(dy, x), 0.0),
                             ("leaky_relu", student.leaky_relu_backward(dy, x, slope), slope)):
        right = np.array([below, 1, below]) * dy
        expect.close(f"{name}_backward at 0, 1 and -1", got, right, mistaken={
            f"takes the slope of the right side at x = 0: here it is agreed to be that of the left, {below:g}":
                np.array([1, 1, below]) * dy})


@exercise.check(points=35, name="sigmoid, tanh and softplus")
def smooth(student, rng):
    x = draw(rng)
    expect.close("sigmoid(x)", student.sigmoid(x), sigmoid(x), x=x, mistaken={
        "is the sigmoid of -x: it must grow with x": sigmoid(-x)})
    expect.gradient("sigmoid_backward", sigmoid, student.sigmoid_backward, x=x, mistaken={
        "dx uses x where the result belongs: with s = sigmoid(x) the derivative is s * (1 - s)":
            lambda dy, x: dy * x * (1 - x)})
    expect.gradient("tanh_backward", tanh, student.tanh_backward, x=x, mistaken={
        "dx uses x where the result belongs: with y = tanh(x) the derivative is 1 - y * y": lambda dy, x: dy * (1 - x * x),
        "dx forgets the square: with y = tanh(x) the derivative is 1 - y * y": lambda dy, x: dy * (1 - tanh(x))})
    expect.close("softplus(x)", student.softplus(x), softplus(x), x=x, mistaken={
        "is log(1 + exp(-x)): it must grow with x": softplus(-x)})
    expect.gradient("softplus_backward", softplus, student.softplus_backward, x=x, mistaken={
        "dx is the sigmoid of -x: look at the sign in its exponent": lambda dy, x: dy * sigmoid(-x),
        "dx takes the derivative of the sigmoid; that of softplus is the sigmoid itself":
            lambda dy, x: dy * sigmoid(x) * sigmoid(-x)})


@exercise.check(points=25, name="very large and very small x")
def extremes(student, rng):
    x = np.concatenate([np.array([-1000.0, -745.0, -40.0, 0.0, 40.0, 745.0, 1000.0]), rng.uniform(-900, 900, 4)])
    dy = rng.uniform(1, 2, x.shape)
    for name, got, right in (("sigmoid(x)", student.sigmoid(x), sigmoid(x)),
                             ("softplus(x)", student.softplus(x), softplus(x)),
                             ("sigmoid_backward", student.sigmoid_backward(dy, x), dy * sigmoid(x) * sigmoid(-x)),
                             ("softplus_backward", student.softplus_backward(dy, x), dy * sigmoid(x))):
        expect.finite(f"{name} for x between -1000 and 1000", got)
        expect.close(f"{name} for x between -1000 and 1000", got, right)
    small = rng.uniform(-45, -38, 5)
    expect.close("softplus(x) for x about -40", student.softplus(small), softplus(small), mistaken={
        "is 0: 1 + exp(x) has been rounded to 1; log1p(t) computes log(1 + t) exactly": 0 * small})
    tiny = rng.uniform(-740, -715, 4)
    if not np.all(expect.array("sigmoid(x)", student.sigmoid(tiny))):
        raise expect.Wrong("sigmoid(x) for x about -720 is 0, because exp(-x) is infinity there: no infinity may be on the "
                           "way into the result; exp of a negative number never overflows")
    expect.close("sigmoid(x) for x about -40", student.sigmoid(small), sigmoid(small), mistaken={
        "is 0: it has lost a small number in the sum with 1": 0 * small})


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x = draw(rng).astype(np.float32)
    dy = rng.standard_normal(x.shape).astype(np.float32)
    for name, more in (("relu", ()), ("leaky_relu", (0.1,)), ("sigmoid", ()), ("tanh", ()), ("softplus", ())):
        calls = [(f"{name}_backward", (dy, x))] + [(name, (x,))] * (name != "tanh")
        for function, args in calls:
            value = expect.unchanged(getattr(student, function), *args, *more)
            expect.dtype(f"what {function} returns", value, np.float32)


exercise.mistake("relu changes x in place", old="    return np.maximum(x, 0)\n",
                 new="    x[x < 0] = 0\n    return x\n", says="relu changes its argument x")
exercise.mistake("relu's gradient is relu", old="np.where(x > 0, dy, 0)", new="dy * relu(x)",
                 says="where its derivative belongs")
exercise.mistake("the mask is of dy", old="np.where(x > 0, dy, 0)", new="np.where(dy > 0, dy, 0)",
                 says="mask|zero (where|at)")
exercise.mistake("the slope of the right side at 0", old="np.where(x > 0, dy, 0)", new="np.where(x >= 0, dy, 0)",
                 says="right side at x = 0")
exercise.mistake("the sigmoid overflows", old="    e = np.exp(-np.abs(x))\n    return np.where(x > 0, 1, e) / (1 + e)",
                 new="    return np.exp(x) / (1 + np.exp(x))", says="sigmoid.*NaN or infinity.*exp")
exercise.mistake("an infinity on the way to 0", says="infinity there",
                 old="    e = np.exp(-np.abs(x))\n    return np.where(x > 0, 1, e) / (1 + e)",
                 new="    return 1 / (1 + np.exp(-x))")
exercise.mistake("the larger of x and slope * x", old="np.where(x > 0, x, slope * x)", new="np.maximum(x, slope * x)",
                 says="larger of x and slope")
exercise.mistake("x in the place of s", old="dy * s * (1 - s)", new="dy * x * (1 - x)", says="uses x where the result")
exercise.mistake("s is not multiplied by 1 - s", old="dy * s * (1 - s)", new="dy * (1 - s)", says="sigmoid_backward: dx")
exercise.mistake("tanh without the square", old="1 - y * y", new="1 - y", says="forgets the square")
exercise.mistake("dy is forgotten", old="dy * (1 - y * y)", new="1 - y * y", says="upstream gradient dy")
exercise.mistake("softplus overflows", old="np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", new="np.log1p(np.exp(x))",
                 says="softplus.*NaN or infinity.*exp")
exercise.mistake("softplus loses small results", old="np.log1p(np.exp(-np.abs(x)))", new="np.log(1 + np.exp(-np.abs(x)))",
                 says="rounded to 1")
exercise.mistake("softplus has the derivative of the sigmoid", old="return dy * sigmoid(x)",
                 new="return sigmoid_backward(dy, x)", says="derivative of the sigmoid")

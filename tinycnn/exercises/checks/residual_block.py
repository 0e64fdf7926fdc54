"""Checks of the residual block."""
import numpy as np

from .. import expect
from ..exercise import Exercise
from .linear import linear

exercise = Exercise(
    title="The residual block, and why it can be deep", lecture=9, minutes=45,
    hints=("In backward compute a, h and s of forward again: each ReLU needs the sign of what went into it. Then go from "
           "the end: ds = dy where s > 0.",
           "s = x + f hands ds to both of its terms unchanged. Follow it through f: dw2, db2 and dh as in a linear layer "
           "with input h, then da = dh where a > 0, then dw1 and db1 with input x.",
           "dw2 = ds.T @ h, db2 = ds.sum(0), da = (ds @ w2) * (a > 0), dw1 = da.T @ x, db1 = da.sum(0), and at last "
           "dx = ds + da @ w1, where ds is what comes along the skip."))


def residual_block(x, w1, b1, w2, b2):
    """The oracle, out of the loops of the linear layer."""
    s = x + linear(np.where(linear(x, w1, b1) > 0, linear(x, w1, b1), 0), w2, b2)
    return np.where(s > 0, s, 0)


def draw(rng, N=2, D=3, H=4):
    """Inputs of which no sum lies near a kink, x, f and x + f have different signs, and no mask shuts out a whole row."""
    while True:
        x, w1, b1, w2, b2 = (rng.standard_normal(shape) for shape in ((N, D), (H, D), H, (D, H), D))
        a = linear(x, w1, b1)
        s = x + linear(np.maximum(a, 0), w2, b2)
        apart = all(((s > 0) != (z > 0)).any() for z in (x, s - x))
        apart = apart and all((z > 0).any(1).all() for z in (x, a, s)) and not (a > 0).all()
        if apart and min(np.abs(a).min(), np.abs(s).min()) > 0.02:
            return x, w1, b1, w2, b2


def wrong(skip="ds", outer="s", inner="a", layers=1, into2="h"):
    """A backward with a step left out, or with another array in the place of the right one."""
    def backward(dy, x, w1, b1, w2, b2):
        at = {"x": x, "dy": dy, "a": x @ w1.T + b1, "1": 1.0, "": 0.0}
        at["h"] = np.maximum(at["a"], 0)
        at["f"] = at["h"] @ w2.T + b2
        at["s"] = x + at["f"]
        at["ds"] = ds = dy * (at[outer] > 0)
        at["ds x"] = ds * x
        da = (ds @ w2) * (at[inner] > 0)
        return at[skip] + layers * (da @ w1), da.T @ x, da.sum(0), ds.T @ at[into2], ds.sum(0)
    return backward


KNOWN = {
    "dx lacks what comes along the skip: x enters the sum as itself too, so ds must be added": wrong(skip=""),
    "dx has only what comes along the skip: add what comes back through both layers": wrong(layers=0),
    "dx adds dy along the skip: the last ReLU comes behind the sum, so it is ds = dy where s > 0": wrong(skip="dy"),
    "dx adds ds x along the skip: s = x + f, so the derivative of the skip is 1": wrong(skip="ds x"),
    "the mask of the last ReLU is forgotten: ds = dy where the sum s = x + f is positive": wrong(outer="1"),
    "the mask of the inner ReLU is forgotten: da = dh where a > 0": wrong(inner="1"),
    "the mask of the last ReLU is that of x, and should be that of what went into it, s = x + f": wrong(outer="x"),
    "the mask of the last ReLU is that of f, and should be that of what went into it, s = x + f": wrong(outer="f"),
    "dw2 multiplies ds with a: what went into the second layer is h = relu(a)": wrong(into2="a"),
}


@exercise.check(points=30, name="forward")
def forward(student, rng):
    for sizes in ({}, {"N": 1, "D": 3, "H": 3}):
        x, w1, b1, w2, b2 = inputs = draw(rng, **sizes)
        h = np.maximum(linear(x, w1, b1), 0)
        f, straight = linear(h, w2, b2), linear(linear(x, w1, b1), w2, b2)
        expect.close("y", student.residual_block(*inputs), residual_block(*inputs), mistaken={
            "lacks the skip: it is relu(f) and should be relu(x + f)": np.maximum(f, 0),
            "adds x behind the ReLU: relu(x + f), not x + relu(f)": x + np.maximum(f, 0),
            "lacks the last ReLU: relu(x + f)": x + f,
            "lacks the inner ReLU: h = relu(x w1^T + b1)": np.maximum(x + straight, 0),
            "lacks both ReLUs": x + straight,
            "lacks the bias b1": residual_block(x, w1, 0 * b1, w2, b2),
            "lacks the bias b2": residual_block(x, w1, b1, w2, 0 * b2)})


@exercise.check(points=35, name="the gradients of weights and biases")
def of_weights(student, rng):
    x, w1, b1, w2, b2 = draw(rng)
    expect.gradient("residual_block_backward", lambda w1, b1, w2, b2: residual_block(x, w1, b1, w2, b2),
                    lambda dy, *parameters: whole(student.residual_block_backward(dy, x, *parameters))[1:],
                    w1=w1, b1=b1, w2=w2, b2=b2, mistaken={text: rest(backward, x) for text, backward in KNOWN.items()})


@exercise.check(points=25, name="the gradient of x: the skip and the layers")
def of_input(student, rng):
    for sizes in ({}, {"N": 1, "D": 2, "H": 2}):
        expect.gradient("residual_block_backward", residual_block, student.residual_block_backward, mistaken=KNOWN,
                        **dict(zip(("x", "w1", "b1", "w2", "b2"), draw(rng, **sizes))))


def whole(got):
    """The five gradients."""
    return expect.several("residual_block_backward", got, "dx, dw1, db1, dw2, db2")


def rest(backward, x):
    """A wrong backward without its dx."""
    return lambda dy, *parameters: backward(dy, x, *parameters)[1:]


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    inputs = [a.astype(np.float32) for a in draw(rng)]
    y = expect.unchanged(student.residual_block, *inputs)
    expect.dtype("y", y, np.float32)
    got = whole(expect.unchanged(student.residual_block_backward, y, *inputs))
    for name, gradient in zip(("dx", "dw1", "db1", "dw2", "db2"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("forward without the skip", old="np.maximum(x + h @ w2.T + b2, 0)", new="np.maximum(h @ w2.T + b2, 0)",
                 says="y lacks the skip")
exercise.mistake("x is added behind the ReLU", old="np.maximum(x + h @ w2.T + b2, 0)",
                 new="x + np.maximum(h @ w2.T + b2, 0)", says="adds x behind the ReLU")
exercise.mistake("the skip's gradient is lost", old="dx = ds + da @ w1", new="dx = da @ w1",
                 says="lacks what comes along the skip")
exercise.mistake("only the skip", old="dx = ds + da @ w1", new="dx = ds", says="only what comes along the skip")
exercise.mistake("the skip goes around the last ReLU", old="dx = ds + da @ w1", new="dx = dy + da @ w1",
                 says="adds dy along the skip")
exercise.mistake("the last mask is forgotten", old="ds = dy * (s > 0)", new="ds = dy", says="mask of the last ReLU")
exercise.mistake("the inner mask is forgotten", old="da = dh * (a > 0)", new="da = dh", says="mask of the inner ReLU")
exercise.mistake("the last mask is that of x", old="ds = dy * (s > 0)", new="ds = dy * (x > 0)",
                 says="last ReLU is that of x")
exercise.mistake("the last mask is that of f", old="ds = dy * (s > 0)", new="ds = dy * (s > x)",
                 says="last ReLU is that of f")
exercise.mistake("dw2 with a in the place of h", old="ds.T @ h", new="ds.T @ a", says="multiplies ds with a")
exercise.mistake("dw1 is the mean over the batch", old="da.T @ x", new="da.T @ x / len(x)",
                 says="mean stands where the sum belongs")

"""Checks of the linear layer."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="The linear layer, forward and backward", lecture=2, minutes=30,
    hints=("Write the shapes below each other: (N, D) and (M, D) must become (N, M). A matrix product sums over the axis "
           "that its two factors share, so one of the two must be transposed.",
           "A gradient has the shape of what it is the gradient of. From dy (N, M), x (N, D) and w (M, D) there is only one "
           "product of shape (N, D) and only one of shape (M, D). For b, the axis that must go is the batch.",
           "y = x @ w.T + b. dx sums over the M outputs, so it is dy times w; dw sums over the N examples, so it is the "
           "transpose of dy times x; db is dy summed over axis 0."))


def linear(x, w, b):
    """The oracle: y[n, m] = sum_d x[n, d] w[m, d] + b[m], one number after the other."""
    y = np.zeros((len(x), len(w)))
    for n in range(len(x)):
        for m in range(len(w)):
            y[n, m] = b[m]
            for d in range(x.shape[1]):
                y[n, m] += x[n, d] * w[m, d]
    return y


def draw(rng, sizes=None):
    """x, w and b of sizes that are all different, so that no wrong transpose fits by chance."""
    n, d, m = sizes or rng.permutation([2, 3, 4])
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)), rng.standard_normal(m)


@exercise.check(points=10, name="the shape of y")
def shape_of_y(student, rng):
    x, w, b = draw(rng)
    expect.shape("y", student.linear_forward(x, w, b), (len(x), len(w)))


@exercise.check(points=25, name="the numbers of y")
def numbers_of_y(student, rng):
    for sizes in (None, (1, 3, 2), (3, 1, 1), (3, 3, 3)):
        x, w, b = draw(rng, sizes)
        y = student.linear_forward(x, w, b)
        expect.close("y", y, linear(x, w, b), b=b, mistaken={
            "is computed without the bias b": linear(x, w, 0 * b),
            "uses w where its transpose belongs": linear(x, w.T, b) if w.shape[0] == w.shape[1] else None})


@exercise.check(points=45, name="the gradients")
def gradients(student, rng):
    for sizes in (None, (3, 3, 3), (1, 3, 2)):
        x, w, b = draw(rng, sizes)
        expect.gradient("linear_backward", linear, student.linear_backward, x=x, w=w, b=b)


@exercise.check(points=10, name="the arguments stay as they were")
def arguments(student, rng):
    x, w, b = draw(rng)
    y = expect.unchanged(student.linear_forward, x, w, b)
    expect.several("linear_backward", expect.unchanged(student.linear_backward, 0 * y + 1, x, w, b), "dx, dw, db")


@exercise.check(points=10, name="float32 stays float32")
def keeps_float32(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng))
    y = student.linear_forward(x, w, b)
    expect.dtype("y", y, np.float32)
    gradients = expect.several("linear_backward", student.linear_backward(y, x, w, b), "dx, dw, db")
    for name, gradient in zip(("dx", "dw", "db"), gradients):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the bias is forgotten", old="x @ w.T + b", new="x @ w.T", says="without the bias")
exercise.mistake("the bias is subtracted", old="x @ w.T + b", new="x @ w.T - b", says="term b with the wrong sign")
exercise.mistake("w is not transposed", old="x @ w.T + b", new="x @ w + b", says="raised ValueError")
exercise.mistake("dx with w transposed", old="dy @ w ", new="dy @ w.T ", says="raised ValueError")
exercise.mistake("dw is the transpose", old="dy.T @ x", new="x.T @ dy", says="dw .*(transpose|wrong order)")
exercise.mistake("the gradient of w is the mean over the batch", old="dy.T @ x", new="dy.T @ x / len(x)",
                 says="dw .*mean stands where the sum belongs")
exercise.mistake("the bias gets the mean over the batch", old="dy.sum(axis=0)", new="dy.mean(axis=0)",
                 says="db .*mean stands where the sum belongs")
exercise.mistake("the bias is summed over the outputs", old="dy.sum(axis=0)", new="dy.sum(axis=1)", says="db has shape")
exercise.mistake("the bias keeps its batch", old="dy.sum(axis=0)", new="dy", says="db has shape.*sum it over axis 0")
exercise.mistake("the gradients come in the order w, x, b", old="return dx, dw, db", new="return dw, dx, db",
                 says="dx .*shape")
exercise.mistake("the bias has no gradient", old="return dx, dw, db", new="return dx, dw", says="must return 3 values")
exercise.mistake("forward scales x in place", old="    return x @ w.T + b", new="    x *= 1.5\n    return x / 1.5 @ w.T + b",
                 says="changes its argument x")

"""Checks of the RMS norm from a part of the row."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="RMS norm from a part of the row", lecture=11, minutes=45,
    hints=("Forward: the mean of the squares runs over x[:, :k], with keepdims=True, so that r has shape (N, 1). eps is "
           "added to the mean, under the root.",
           "With s = (1/k) sum x[j]^2 + eps: d s / d x[d] = 2 x[d] / k for d < k, and d r / d s = -1/2 s^(-3/2), where "
           "s^(-3/2) is r^3. For d >= k there is only the direct way.",
           "dx = g * r, and then dx[:, :k] -= (g * x).sum(axis=1, keepdims=True) * x[:, :k] * r**3 / k, where the sum runs "
           "over all D numbers. dw = (dy * x * r).sum(axis=0)."))


def rms_norm(x, w, k, eps, one=1, mean=False, behind=0.0, count=None, root=0.5):
    """The oracle, number after number; the options allow for what goes wrong."""
    y = np.zeros(x.shape)
    for n in range(len(x)):
        start = sum(x[n, :k]) / k if mean else 0.0
        s = sum(float(v - start)**2 for v in x[n, :k]) / (count or k) + eps
        for d in range(x.shape[1]):
            y[n, d] = (one + w[d]) * (x[n, d] - start) / (s**root + behind)
    return y


def wrong(second=1, of=None, to=None, count=None, power=3, one=1, weight=1, centred=0):
    """A backward in which a sum runs over another part of the row, or a step is left out."""
    def backward(dy, x, w, k, eps):
        D = x.shape[1]
        lengths = {"k": k, "D": D}
        r = ((x[:, :k]**2).mean(1, keepdims=True) + eps)**-0.5
        g = (one + weight * w) * dy
        along = (g * x)[:, :lengths.get(of, D)].sum(1, keepdims=True)
        part = np.arange(D) < lengths.get(to, k)
        dx = g * r - second * part * along * x * r**power / lengths.get(count, k)
        return dx - centred * dx.mean(1, keepdims=True), (dy * x * r).sum(0)
    return backward


KNOWN = {
    "dx lacks the way through r: the first k numbers move the root mean square too": wrong(second=0),
    "dx has the way through r with the wrong sign: r falls when the numbers grow": wrong(second=-1),
    "dx takes the way through r for all D numbers: only the first k are looked at": wrong(to="D"),
    "dx sums g x over the first k numbers: r divides all D, so the sum runs over the whole row": wrong(of="k"),
    "dx divides by D in the way through r: the mean runs over k numbers": wrong(count="D"),
    "dx is that of k = D: the way through r belongs to the first k numbers, and its 1/D should be 1/k":
        wrong(to="D", count="D"),
    "dx has r^2 in the way through r: d r / d s = -1/2 r^3": wrong(power=2),
    "dx has r in the way through r: d r / d s = -1/2 r^3": wrong(power=1),
    "dx counts the way through r twice: the 2 of the square meets the 1/2 of the root": wrong(second=2),
    "dx counts half of the way through r: the 1/2 of the root meets the 2 of the square": wrong(second=0.5),
    "dx uses w where the weight is 1 + w": wrong(one=0),
    "dx forgets the weight: g = (1 + w) dy goes back through the division": wrong(weight=0),
    "dx has its mean taken away, as in layer norm: here no mean is subtracted": wrong(centred=1),
}


def draw(rng, N=3, D=5, k=2):
    """x, w and k."""
    return 1.5 * rng.standard_normal((N, D)), rng.standard_normal(D), k


@exercise.check(points=30, name="the numbers of y")
def numbers_of_y(student, rng):
    for sizes, eps in (({}, 0.3), ({"k": 5}, 0.3), ({"D": 4, "k": 1}, 0.3), ({"N": 1, "k": 3}, 0.01)):
        x, w, k = draw(rng, **sizes)
        D = x.shape[1]
        expect.close(f"y (k={k} of D={D})", student.rms_norm(x, w, k, eps), rms_norm(x, w, k, eps), mistaken={
            "looks at the whole row: the mean of the squares runs over the first k numbers": rms_norm(x, w, D, eps),
            "divides the sum of the squares by D: it has k terms": rms_norm(x, w, k, eps, count=D),
            "uses the sum of the squares and not their mean": rms_norm(x, w, k, eps, count=1),
            "uses w where the weight is 1 + w": rms_norm(x, w, k, eps, one=0),
            "subtracts the mean, as layer norm does: here it stays": rms_norm(x, w, k, eps, mean=True),
            "adds eps behind the root: it belongs under it": rms_norm(x, w, k, 0.0, behind=eps),
            "is computed without eps": rms_norm(x, w, k, 0.0),
            "is divided by the mean square: divide by its root": rms_norm(x, w, k, eps, root=1),
            "holds the first k numbers only: all D are divided": rms_norm(x, w, k, eps) * (np.arange(D) < k)})


@exercise.check(points=15, name="the gradient of w")
def of_weight(student, rng):
    x, w, k = draw(rng)
    dy = rng.standard_normal(x.shape)
    _, dw = expect.several("rms_norm_backward", student.rms_norm_backward(dy, x, w, k, 0.3), "dx, dw")
    xhat = rms_norm(x, 0 * w, k, 0.3)
    expect.close("dw", dw, (dy * xhat).sum(0), mistaken={
        "multiplies dy with x: the weight multiplies x r": (dy * x).sum(0),
        "multiplies dy with y: the weight multiplies x r, without itself": (dy * (1 + w) * xhat).sum(0),
        "is the mean over the batch: it is the sum": (dy * xhat).mean(0),
        "contains the 1 of the weight: its derivative is 0": 1 + (dy * xhat).sum(0)})


@exercise.check(points=20, name="the gradient with k = D")
def whole_row(student, rng):
    gradients(student, *draw(rng, k=5))


@exercise.check(points=25, name="the gradient with k < D")
def part(student, rng):
    gradients(student, *draw(rng))
    gradients(student, *draw(rng, N=1, D=4, k=1))


def gradients(student, x, w, k):
    """The student's gradients against finite differences of the oracle."""
    expect.gradient(f"rms_norm_backward (k={k} of D={x.shape[1]})", rms_norm, student.rms_norm_backward, x=x, w=w,
                    options={"k": k, "eps": 0.3}, mistaken=KNOWN)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, k = draw(rng)
    x, w = x.astype(np.float32), w.astype(np.float32)
    y = expect.unchanged(student.rms_norm, x, w, k, 1e-5)
    expect.dtype("y", y, np.float32)
    got = expect.several("rms_norm_backward", expect.unchanged(student.rms_norm_backward, y, x, w, k, 1e-5), "dx, dw")
    for name, gradient in zip(("dx", "dw"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the whole row is looked at", says="looks at the whole row",
                 old="    r = 1 / np.sqrt((x[:, :k]**2).mean(axis=1, keepdims=True) + eps)\n    return",
                 new="    r = 1 / np.sqrt((x**2).mean(axis=1, keepdims=True) + eps)\n    return")
exercise.mistake("the weight is w", old="return (1 + w) * x * r", new="return w * x * r", says="y .*uses w where")
exercise.mistake("eps behind the root", old="+ eps)\n    return (1 + w) * x * r",
                 new=")\n    return (1 + w) * x / (1 / r + eps)", says="eps behind the root")
exercise.mistake("the way through r is missing", old="    dx[:, :k] -= along * x[:, :k] * r**3 / k\n", new="",
                 says="lacks the way through r")
exercise.mistake("the way through r for the whole row", old="dx[:, :k] -= along * x[:, :k] * r**3 / k",
                 new="dx -= along * x * r**3 / k", says="for all D numbers")
exercise.mistake("the sum over k numbers", old="along = (g * x).sum(axis=1, keepdims=True)",
                 new="along = (g * x)[:, :k].sum(axis=1, keepdims=True)", says="sum runs over the whole row")
exercise.mistake("the gradient of the whole row", old="dx[:, :k] -= along * x[:, :k] * r**3 / k",
                 new="dx -= along * x * r**3 / x.shape[1]", says="that of k = D")
exercise.mistake("r to the wrong power", old="r**3 / k", new="r**2 / k", says="r\\^2 in the way")
exercise.mistake("g is dy", old="g = (1 + w) * dy", new="g = dy", says="dx forgets the weight")
exercise.mistake("dw with x", old="dw = (dy * x * r)", new="dw = (dy * x)", says="dw multiplies dy with x")
exercise.mistake("the mean is subtracted", old="    return dx, dw", new="    return dx - dx.mean(axis=1, keepdims=True), dw",
                 says="as in layer norm")

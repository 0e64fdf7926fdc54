"""How the losses are said in ONNX; see `operations.py`."""
from .operations import reduce, translates


@translates("SmoothL1")
def smooth_l1(g, use, beta):
    a = g.emit("Abs", g.emit("Sub", use.name(0), use.name(1)))
    inside = g.emit("Mul", g.emit("Mul", a, a), use.number(0.5 / beta))
    return g.emit("Where", g.emit("Less", a, use.number(beta)), inside, g.emit("Sub", a, use.number(0.5 * beta)))


@translates("BinaryCrossEntropy")
def binary_cross_entropy(g, use):
    p, t, one, lowest = use.name(0), use.name(1), use.number(1), use.number(-100)
    log_p = g.emit("Max", g.emit("Log", p), lowest)
    log_q = g.emit("Max", g.emit("Log", g.emit("Sub", one, p)), lowest)
    return g.emit("Sub", g.emit("Mul", g.emit("Sub", t, one), log_q), g.emit("Mul", t, log_p))


@translates("BCEWithLogits")
def bce_with_logits(g, use):
    x, t, one = use.name(0), use.name(1), use.number(1)
    rest = g.emit("Softplus", g.emit("Neg", x))
    if use.arguments[2] is not None:
        more = g.emit("Mul", g.emit("Sub", use.name(2), one), t)
        rest = g.emit("Mul", g.emit("Add", one, more), rest)
    return g.emit("Add", g.emit("Mul", g.emit("Sub", one, t), x), rest)


@translates("CrossEntropy", "NegativeLogLikelihood")
def cross_entropy(g, use, axis):
    y, zero = use.name(1), use.number(0)
    logp = g.emit("LogSoftmax", use.name(0), axis=axis) if use.function == "CrossEntropy" else use.name(0)
    logp = g.emit("Where", g.emit("Equal", y, zero), zero, logp)  # a class that does not count may be impossible
    return g.emit("Neg", reduce(g, "ReduceSum", g.emit("Mul", y, logp), [axis], keepdim=False))

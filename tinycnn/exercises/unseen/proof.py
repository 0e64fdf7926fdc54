"""Is every wrong entry wrong, and every right one right? Shown here without the library's checker.

A function is compared with central differences of its own forward, for a random upstream gradient, and held to its promises
by hand. A solution is compared with the reference, on inputs drawn here, and so is what it leaves in its arguments.
"""
import copy

import numpy as np

from tinycnn.engine.function import Function

from .. import load
from . import load_all


# ---- functions ----
class Ctx:
    """What a Function's methods are given."""
    def save_for_backward(self, *arrays):
        self.saved_tensors = arrays


def passes(entry):
    """(forward, backward) with a list of outputs and of gradients."""
    def forward(arrays):
        if issubclass(entry.code, Function):
            ctx = Ctx()
            return [entry.code.forward(ctx, *arrays)], ctx
        y, cache = entry.code.forward(*arrays, **dict(entry.options))
        return list(y) if isinstance(y, tuple) else [y], cache

    def backward(dy, cache):
        if issubclass(entry.code, Function):
            gradients = entry.code.backward(cache, *dy)
        else:
            gradients = entry.code.backward(dy[0] if len(dy) == 1 else tuple(dy), cache)
        return list(gradients) if isinstance(gradients, (tuple, list)) else [gradients]
    return forward, backward


def differences(forward, arrays, dy, h):
    """The gradients of sum(y dy) by central differences."""
    def loss(changed):
        return sum(np.vdot(d, y) for d, y in zip(dy, forward([a.copy() for a in changed])[0]))
    found = []
    for i, a in enumerate(arrays):
        g = np.full(a.shape, np.nan)
        for at in np.ndindex(a.shape) if a.dtype.kind == "f" else ():
            step = h * max(abs(a[at]), 1e-2)
            up, down = [[b.copy() for b in arrays] for _ in range(2)]
            up[i][at] += step
            down[i][at] -= step
            g[at] = (loss(up) - loss(down)) / (up[i][at] - down[i][at])
        found.append(g)
    return found


def same(a, b, tolerance):
    """Whether two nests of arrays and numbers agree."""
    if isinstance(a, (list, tuple)) or isinstance(b, (list, tuple)):
        return (isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b)
                and all(same(x, y, tolerance) for x, y in zip(a, b)))
    if isinstance(a, dict) or isinstance(b, dict):
        return isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b) and all(same(a[k], b[k],
                                                                                             tolerance) for k in a)
    if a is None or b is None or isinstance(a, (str, bool)):
        return a is b or a == b
    a, b = np.asarray(a, float), np.asarray(b, float)
    scale = np.abs(b[np.isfinite(b)]).max(initial=1e-30)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True))


def function_is_right(entry, seed=0):
    """Whether its gradients are those of its forward and all promises are kept."""
    forward, backward = passes(entry)
    arrays = [a.astype(float) if a.dtype.kind == "f" else a for a in map(np.asarray, entry.draw(seed))]
    given = copy.deepcopy(arrays)
    y, cache = forward(arrays)
    rng = np.random.default_rng(seed)
    dy = [rng.uniform(0.5, 1.5, np.shape(v)) * rng.choice([-1, 1], np.shape(v)) for v in y]
    kept = copy.deepcopy((y, dy))
    first = copy.deepcopy(backward(dy, cache))
    again = copy.deepcopy(backward([d.copy() for d in kept[1]], cache))
    twice = backward([2 * d for d in kept[1]], cache)
    other = forward(copy.deepcopy(given))[0]
    for mine, then in ((arrays, given), (dy, kept[1]), (again, first), (twice,
                                                                        [None if g is None else 2 * g for g in first]),
                       (other, kept[0])):
        if not same(mine, then, 1e-12):
            return False
    floats = [i for i, a in enumerate(given) if a.dtype.kind == "f"]
    if len(first) == len(given):
        first = [first[i] for i in floats]
    if len(first) != len(floats) or any(g is None or not np.isfinite(g).all() for g in first):
        return False
    # A pair that keeps the input of another call for itself is found out by a second one.
    shifted = [a * 1.1 if a.dtype.kind == "f" else a for a in given]
    for at in (given, shifted):
        cache = forward(copy.deepcopy(at))[1]
        mine = backward(copy.deepcopy(kept[1]), cache)
        mine = [mine[i] for i in floats] if len(mine) == len(given) else mine
        right = [[g[i] for i in floats] for g in (differences(forward, at, kept[1], h) for h in (1e-3, 1e-4, 1e-5, 1e-6,
                                                                                                 1e-7))]
        if not any(same(mine, g, 2e-5) for g in right):
            return False
        if at is given and entry.name == "ArcsineNearOne":   # 1.1 times its arguments lie beyond 1
            break
    return True


# ---- solutions ----
def conv_sizes(rng, *more):
    return (rng.standard_normal((2, 4, 7, 6)), rng.standard_normal((6, 4, 3, 2)), rng.standard_normal(6), *more)


def pool_calls(rng, *more):
    for x in (rng.standard_normal((2, 3, 8, 6)), rng.integers(-3, 0, (2, 2, 7, 7)) * 1.0):
        for size, stride in ((2, 2), (3, 2), (2, 1)):
            yield (x, size, stride, *more)


def upstream(names, rng, forward, backward, *args):
    """A call of forward, and one of backward with a random dy."""
    y = load_reference(names["exercise"])[forward](*copy.deepcopy(args))
    return [(forward, *args), (backward, rng.standard_normal(y.shape), *args)]


def load_reference(exercise, code=""):
    names = {"__name__": "solution", "exercise": exercise}
    exec(f"{load(exercise).source}\n\n{code}", names)
    return names


def norm_inputs(rng, *more):
    return (rng.standard_normal((2, 3, 4, 5)) * 2 + 1, rng.standard_normal(3), rng.standard_normal(3), *more)


def calls(exercise, rng):
    """A list of calls, each the name of a function and its arguments."""
    n = rng.standard_normal
    here = {"exercise": exercise}
    if exercise == "linear":
        return upstream(here, rng, "linear_forward", "linear_backward", n((5, 3)), n((4, 3)), n(4))
    if exercise in ("conv_forward", "conv_backward"):
        x, w, b = conv_sizes(rng)
        return [("conv2d", x, w, b)] if exercise == "conv_forward" else [("conv2d_backward", n((2, 6, 5, 5)), x, w, b)]
    if exercise == "conv_stride_padding":
        sizes = [("output_size", s, k, t, p) for s in (6, 7) for k in (2, 3) for t in (1, 2, 3) for p in (0, 1)]
        return sizes + [c for t, p in ((1, 1), (2, 1), (2, 0))
                        for c in upstream(here, rng, "conv2d", "conv2d_backward", *conv_sizes(rng, t, p))]
    if exercise == "conv_transpose":
        return [c for t, p in ((1, 0), (2, 1)) for c in upstream(
            here, rng, "conv_transpose2d", "conv_transpose2d_backward", n((2, 3, 4, 5)), n((3, 2, 3, 4)), n(2), t, p)]
    if exercise == "grouped_conv":
        return [("parameters", 4, 6, 3, 2, 2), *upstream(
            here, rng, "conv2d", "conv2d_backward", n((2, 4, 6, 5)), n((6, 2, 3, 2)), n(6), 2)]
    if exercise == "im2col":
        return [("im2col", n((2, 3, 7, 6)), 3, 2, t, p) for t in (1, 2) for p in (0, 1)] + [("conv2d", *conv_sizes(rng, 2,
                                                                                                                   1))]
    if exercise == "col2im":
        return [("col2im", n((2, 18, 16)), (2, 3, 7, 6), 3, 2, 2, 1), ("col2im", n((2, 18, 25)), (2, 3, 7, 6), 3, 2, 1, 0)]
    if exercise == "max_pool":
        return [c for args in pool_calls(rng) for c in upstream(here, rng, "max_pool", "max_pool_backward", *args)]
    if exercise == "pool_ties_split":
        return [c for args in pool_calls(rng) for c in (
            ("winner_counts", *args), upstream(here, rng, "max_pool", "max_pool_backward", *args)[1])]
    if exercise == "average_pool":
        return [("pixel_counts", 7, 5, 3, 2, 1)] + [c for args in pool_calls(rng, 1) for c in upstream(
            here, rng, "average_pool", "average_pool_backward", *args)]
    if exercise == "nhwc_conv":
        return [c for t, p in ((1, 1), (2, 0)) for c in upstream(
            here, rng, "conv2d", "conv2d_backward", n((2, 7, 6, 4)), n((3, 2, 4, 5)), n(5), t, p)]
    if exercise == "batch_norm":
        return [("batch_norm", *norm_inputs(rng), n(3), rng.uniform(1, 2, 3), training, 0.1, 1e-5) for training in (True,
                False)]
    if exercise == "batch_norm_backward":
        return [("batch_norm_backward", n((2, 3, 4, 5)), *norm_inputs(rng, 1e-5))]
    if exercise == "layer_norm":
        return [c for shape in ((4, 6), (2, 3, 6)) for c in upstream(
            here, rng, "layer_norm", "layer_norm_backward", n(shape), n(6), n(6), 0.1)]
    if exercise == "rms_norm":
        return upstream(here, rng, "rms_norm", "rms_norm_backward", n((4, 6)), n(6), 3, 1e-5)
    if exercise == "dropout":
        u = rng.random((5, 6))
        return [(f, n((5, 6)), u, p, t) for f in ("dropout", "dropout_backward") for p in (0, 0.3, 1) for t in (True, False)]
    if exercise == "attention":
        q, k, v = n((2, 4, 3)), n((2, 5, 3)), n((2, 5, 6))
        masks = (None, np.tri(4, 5, dtype=bool))
        return [c for m in masks for c in (("attention_weights", q, k, m), *upstream(
            here, rng, "attention", "attention_backward", q, k, v, m))]
    if exercise == "vit_block":
        p = {"wq": (6, 6), "wk": (6, 6), "wv": (6, 6), "wo": (6, 6), "g1": 6, "c1": 6, "g2": 6, "c2": 6, "w1": (8, 6),
             "b1": 8,
             "w2": (6, 8), "b2": 6}
        return [("patches", n((2, 3, 4, 6)), 2), ("tokens", n((2, 4, 5)), n((6, 5)), n(6), n(6), n((5, 6))),
                ("multi_head", n((2, 4, 6)), *(n((6, 6)) for _ in range(4)), 2),
                ("block", n((2, 4, 6)), {k: n(s) for k, s in p.items()}, 2)]
    if exercise == "positional_encoding":
        return [("positional_encoding", 5, 6), ("shift_matrix", 3, 6)]
    if exercise == "residual_block":
        return upstream(here, rng, "residual_block", "residual_block_backward", n((5, 3)), n((4, 3)), n(4), n((3, 4)), n(3))
    if exercise == "tape":
        tape = [("h", "matmul", ("x", "w")), ("t", "tanh", ("h",)), ("a", "add", ("t", "t")), ("m", "mul", ("a", "t")),
                ("e", "exp", ("m",)), ("d", "sub", ("e", "a")), ("unused", "exp", ("x",)), ("k", "add", ("d", "c")),
                ("z", "mul", ("k", "c")), ("y", "sum", ("z",))]
        values = {"x": n((2, 3)), "w": n((3, 4)), "c": n((2, 4))}
        shared = [("t", "exp", ("a",)), ("s", "add", ("a", "b")), ("u", "mul", ("s", "t")), ("y", "sum", ("u",))]
        forward = load_reference("tape")["forward"]
        return [("backward", tape, forward(tape, values), "y", np.array(1.5)),
                ("backward", shared, forward(shared, {"a": n(3), "b": n(3)}), "y", np.array(1.5))]
    if exercise == "unbroadcast":
        return [("unbroadcast", n((2, 3, 4)), s) for s in ((), (4,), (3, 1), (2, 1, 4), (1, 1, 1), (2, 3, 4))] + [
            ("multiply_backward", n((2, 3, 4)), n((3, 1)), n((2, 1, 4)))]
    if exercise == "activations":
        x, dy = np.array([-1000.0, -40, -2, -0.3, 0, 0.4, 3, 40, 1000]), n(9)
        return [c for f in ("relu", "leaky_relu", "sigmoid", "softplus", "tanh") for more in ([0.1], [1.5])
                for c in [(f, x, *more[:f == "leaky_relu"])] * (f != "tanh") + [(f + "_backward", dy, x,
                                                                                 *more[:f == "leaky_relu"])]]
    if exercise == "softmax_cross_entropy":
        labels = rng.integers(0, 4, 5)
        x = n((5, 4)) * [[1], [1], [1], [100], [1]] + [[0], [0], [-1000], [0], [1000]]
        return [("log_softmax", x), ("cross_entropy", x, labels), ("cross_entropy_backward", np.array(1.7), x, labels)]
    if exercise == "numerical_gradient":
        def f(x):
            return float((x.astype(float)**3).sum() * x.ravel()[0])
        return [("numerical_gradient", f, n((2, 3)), 1e-3), ("numerical_gradient", f, np.arange(1, 5), 1e-3),
                ("best_step", 2, 0.5, 1e-16), ("relative_error", np.array([1.0, 2, 0]), np.array([1.1, 2, 0]))]
    if exercise in ("momentum", "adaptive_rates", "adam"):
        w, dw, v, s = n(5), n(5), n(5), rng.uniform(0.1, 1, 5) * 1e-4
        return {"momentum": [("sgd", w, dw, 0.1), ("momentum", w, dw, v, 0.1, 0.8), ("nesterov", w, dw, v, 0.1, 0.8)],
                "adaptive_rates": [("adagrad", w, dw, s, 0.1, 0.01), ("rmsprop", w, dw, s, 0.1, 0.9, 0.01), ("adagrad_step",
                                                                                                             5, 0.2)],
                "adam": [("adam", w, dw, v, s, 3, 0.1, 0.9, 0.99, 0.01), ("adamw", w, dw, v, s, 3, 0.1, 0.9, 0.99, 0.01,
                                                                          0.2)],
                }[exercise]
    if exercise == "learning_rate_schedule":
        return [("step_decay", s, 0.5, [3, 6], 0.1) for s in range(8)] + [("cosine", 1, 3, 0.3)] + [
            ("warmup_cosine", s, 12, 4, 0.7, 0.1) for s in range(12)] + [("one_cycle", s, 12, 4, 0.7) for s in range(12)]
    if exercise == "initialisation":
        return [("fans", (4, 5)), ("fans", (4, 5, 3, 2)), ("he_normal", n((4, 5))), ("xavier_uniform", rng.random((4, 5))),
                ("predicted", 0.1, 30, 3), ("signal", n((4, 5)), [n((6, 5)), n((3, 6))])]
    if exercise == "augmentation":
        x = n((3, 2, 6, 7))
        return [("flip", x, np.array([True, False, True])), ("random_crop", x, np.array([[0, 3], [4, 1], [2, 2]]), 2),
                ("cutout", x, np.array([[0, 0], [5, 6], [3, 1]]), 3)]
    if exercise == "grad_cam":
        A, G = rng.random((3, 4, 5, 6)), n((3, 4, 5, 6))
        G[1] = -1
        return [("score_gradients", A, n((7, 4)), np.array([0, 6, 2])), ("channel_weights", G), ("grad_cam", A, G)]
    if exercise == "transfer":
        p = {"w1": n((4, 3)), "b1": n(4), "w2": n((5, 4)), "b2": n(5)}
        x, labels, some = n((6, 3)), rng.integers(0, 5, 6), {"w2": n((5, 4)), "b2": n(5)}
        return [("replace_head", p, n((3, 4))), ("gradients", p, x, labels, ["w1", "b1"]), ("gradients", p, x, labels, []),
                ("sgd_step", p, some, 0.1, 0.2), ("fine_tune", p, x, labels, 3, 2, 0.5, 0.1)]
    if exercise == "find_the_bug":
        x = rng.integers(-2, 3, (4, 5)) * 0.7
        return [("leaky_relu_backward", n((4, 5)), x, 0.1), ("embedding_backward", n((4, 3)), np.array([1, 2, 1, 5]), n((6,
                3))),
                ("softmax_backward", n((4, 5)), x), ("standardise_backward", n((4, 5)), n((4, 5)), 0.1)]
    raise ValueError(f"proof: there are no calls for exercise {exercise}")


def values(names):
    """What the numbers that know their derivatives say about a formula."""
    V = names["Value"]
    a, b = V(0.7), V(-0.4)
    c = a * 2
    y = (c + c * b * a).tanh() + a**3 + b * c * 3
    y.backward()
    return [y.data, a.grad, b.grad, c.grad]


def results(exercise, names, seed):
    """What all calls return, what they leave in their arguments, and which of them share memory with an argument."""
    if exercise == "value":
        return values(names)
    found = []
    for name, *args in calls(exercise, np.random.default_rng([seed, 7])):
        args = copy.deepcopy(args)
        with np.errstate(over="raise"):     # the exercise on activations forbids an infinity on the way
            y = names[name](*args)
        shared = exercise == "transfer" and isinstance(y, dict) and any(
            np.shares_memory(v, w) for v in y.values() for w in args[0].values())
        found.append([y, [a for a in args if not callable(a)], shared])
    return found


def solution_is_right(entry, seed=0):
    """Whether it returns what the reference returns and leaves its arguments as the reference does."""
    right = results(entry.exercise, load_reference(entry.exercise), seed)
    try:
        mine = results(entry.exercise, load_reference(entry.exercise, entry.code), seed)
    except (ValueError, IndexError, TypeError, KeyError, FloatingPointError):
        return False
    return same(mine, right, 1e-7)


def unproven(seed=0):
    """The entries that are not what they say."""
    with np.errstate(all="ignore"):
        return [f"{e.name}: {e.truth}" for e in load_all()
                if (solution_is_right if e.exercise else function_is_right)(e, seed) == bool(e.truth)]

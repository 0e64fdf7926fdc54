"""For each exercise the calls on which a solution is compared with the reference: names of functions and their arguments."""
import copy
import functools

import numpy as np

from .. import load

CALLS = {}  # exercise: function(its name, rng, rng.standard_normal, `upstream` for it) -> [(function, *arguments), ...]


def calls(exercise, rng):
    """A list of calls, each the name of a function and its arguments."""
    if exercise not in CALLS:
        raise ValueError(f"proof: there are no calls for exercise {exercise}")
    return CALLS[exercise](exercise, rng, rng.standard_normal, functools.partial(upstream, exercise, rng))


def load_reference(exercise, code=""):
    """The names that the reference defines, and then `code` after it."""
    names = {"__name__": "solution", "exercise": exercise}
    exec(f"{load(exercise).source}\n\n{code}", names)
    return names


def upstream(exercise, rng, forward, backward, *args):
    """A call of forward, and one of backward with a random dy."""
    y = load_reference(exercise)[forward](*copy.deepcopy(args))
    return [(forward, *args), (backward, rng.standard_normal(y.shape), *args)]


def of(*exercises):
    """A decorator: the function below it draws the calls of these exercises."""
    def add(function):
        CALLS.update(dict.fromkeys(exercises, function))
        return function
    return add


# ---- inputs that several exercises need ------------------------------------------------------------------------------

def conv_sizes(rng, *more):
    return (rng.standard_normal((2, 4, 7, 6)), rng.standard_normal((6, 4, 3, 2)), rng.standard_normal(6), *more)


def pool_calls(rng, *more):
    for x in (rng.standard_normal((2, 3, 8, 6)), rng.integers(-3, 0, (2, 2, 7, 7)) * 1.0):
        for size, stride in ((2, 2), (3, 2), (2, 1)):
            yield (x, size, stride, *more)


def norm_inputs(rng, *more):
    return (rng.standard_normal((2, 3, 4, 5)) * 2 + 1, rng.standard_normal(3), rng.standard_normal(3), *more)


# ---- the calls -------------------------------------------------------------------------------------------------------

@of("linear")
def _(exercise, rng, n, pair):
    return pair("linear_forward", "linear_backward", n((5, 3)), n((4, 3)), n(4))


@of("conv_forward", "conv_backward")
def _(exercise, rng, n, pair):
    x, w, b = conv_sizes(rng)
    return [("conv2d", x, w, b)] if exercise == "conv_forward" else [("conv2d_backward", n((2, 6, 5, 5)), x, w, b)]


@of("conv_stride_padding")
def _(exercise, rng, n, pair):
    sizes = [("output_size", s, k, t, p) for s in (6, 7) for k in (2, 3) for t in (1, 2, 3) for p in (0, 1)]
    return sizes + [c for t, p in ((1, 1), (2, 1), (2, 0))
                    for c in pair("conv2d", "conv2d_backward", *conv_sizes(rng, t, p))]


@of("conv_transpose")
def _(exercise, rng, n, pair):
    return [c for t, p in ((1, 0), (2, 1)) for c in pair(
        "conv_transpose2d", "conv_transpose2d_backward", n((2, 3, 4, 5)), n((3, 2, 3, 4)), n(2), t, p)]


@of("grouped_conv")
def _(exercise, rng, n, pair):
    return [("parameters", 4, 6, 3, 2, 2), *pair("conv2d", "conv2d_backward", n((2, 4, 6, 5)), n((6, 2, 3, 2)), n(6), 2)]


@of("im2col")
def _(exercise, rng, n, pair):
    return [("im2col", n((2, 3, 7, 6)), 3, 2, t, p) for t in (1, 2) for p in (0, 1)] + [
        ("conv2d", *conv_sizes(rng, 2, 1))]


@of("col2im")
def _(exercise, rng, n, pair):
    return [("col2im", n((2, 18, 16)), (2, 3, 7, 6), 3, 2, 2, 1), ("col2im", n((2, 18, 25)), (2, 3, 7, 6), 3, 2, 1, 0)]


@of("max_pool")
def _(exercise, rng, n, pair):
    return [c for args in pool_calls(rng) for c in pair("max_pool", "max_pool_backward", *args)]


@of("pool_ties_split")
def _(exercise, rng, n, pair):
    return [c for args in pool_calls(rng) for c in (
        ("winner_counts", *args), pair("max_pool", "max_pool_backward", *args)[1])]


@of("average_pool")
def _(exercise, rng, n, pair):
    return [("pixel_counts", 7, 5, 3, 2, 1)] + [c for args in pool_calls(rng, 1)
                                                for c in pair("average_pool", "average_pool_backward", *args)]


@of("nhwc_conv")
def _(exercise, rng, n, pair):
    return [c for t, p in ((1, 1), (2, 0)) for c in pair(
        "conv2d", "conv2d_backward", n((2, 7, 6, 4)), n((3, 2, 4, 5)), n(5), t, p)]


@of("batch_norm")
def _(exercise, rng, n, pair):
    return [("batch_norm", *norm_inputs(rng), n(3), rng.uniform(1, 2, 3), training, 0.1, 1e-5) for training in (True, False)]


@of("batch_norm_backward")
def _(exercise, rng, n, pair):
    return [("batch_norm_backward", n((2, 3, 4, 5)), *norm_inputs(rng, 1e-5))]


@of("layer_norm")
def _(exercise, rng, n, pair):
    return [c for shape in ((4, 6), (2, 3, 6)) for c in pair("layer_norm", "layer_norm_backward", n(shape), n(6), n(6), 0.1)]


@of("rms_norm")
def _(exercise, rng, n, pair):
    return pair("rms_norm", "rms_norm_backward", n((4, 6)), n(6), 3, 1e-5)


@of("dropout")
def _(exercise, rng, n, pair):
    u = rng.random((5, 6))
    return [(f, n((5, 6)), u, p, t) for f in ("dropout", "dropout_backward") for p in (0, 0.3, 1) for t in (True, False)]


@of("attention")
def _(exercise, rng, n, pair):
    q, k, v = n((2, 4, 3)), n((2, 5, 3)), n((2, 5, 6))
    masks = (None, np.tri(4, 5, dtype=bool))
    return [c for m in masks for c in (("attention_weights", q, k, m), *pair("attention", "attention_backward", q, k, v, m))]


@of("vit_block")
def _(exercise, rng, n, pair):
    p = {"wq": (6, 6), "wk": (6, 6), "wv": (6, 6), "wo": (6, 6), "g1": 6, "c1": 6, "g2": 6, "c2": 6, "w1": (8, 6),
         "b1": 8, "w2": (6, 8), "b2": 6}
    return [("patches", n((2, 3, 4, 6)), 2), ("tokens", n((2, 4, 5)), n((6, 5)), n(6), n(6), n((5, 6))),
            ("multi_head", n((2, 4, 6)), *(n((6, 6)) for _ in range(4)), 2),
            ("block", n((2, 4, 6)), {k: n(s) for k, s in p.items()}, 2)]


@of("positional_encoding")
def _(exercise, rng, n, pair):
    return [("positional_encoding", 5, 6), ("shift_matrix", 3, 6)]


@of("residual_block")
def _(exercise, rng, n, pair):
    return pair("residual_block", "residual_block_backward", n((5, 3)), n((4, 3)), n(4), n((3, 4)), n(3))


@of("tape")
def _(exercise, rng, n, pair):
    tape = [("h", "matmul", ("x", "w")), ("t", "tanh", ("h",)), ("a", "add", ("t", "t")), ("m", "mul", ("a", "t")),
            ("e", "exp", ("m",)), ("d", "sub", ("e", "a")), ("unused", "exp", ("x",)), ("k", "add", ("d", "c")),
            ("z", "mul", ("k", "c")), ("y", "sum", ("z",))]
    values = {"x": n((2, 3)), "w": n((3, 4)), "c": n((2, 4))}
    shared = [("t", "exp", ("a",)), ("s", "add", ("a", "b")), ("u", "mul", ("s", "t")), ("y", "sum", ("u",))]
    forward = load_reference("tape")["forward"]
    return [("backward", tape, forward(tape, values), "y", np.array(1.5)),
            ("backward", shared, forward(shared, {"a": n(3), "b": n(3)}), "y", np.array(1.5))]


@of("unbroadcast")
def _(exercise, rng, n, pair):
    return [("unbroadcast", n((2, 3, 4)), s) for s in ((), (4,), (3, 1), (2, 1, 4), (1, 1, 1), (2, 3, 4))] + [
        ("multiply_backward", n((2, 3, 4)), n((3, 1)), n((2, 1, 4)))]


@of("activations")
def _(exercise, rng, n, pair):
    x, dy = np.array([-1000.0, -40, -2, -0.3, 0, 0.4, 3, 40, 1000]), n(9)
    return [c for f in ("relu", "leaky_relu", "sigmoid", "softplus", "tanh") for more in ([0.1], [1.5])
            for c in [(f, x, *more[:f == "leaky_relu"])] * (f != "tanh") + [
                (f + "_backward", dy, x, *more[:f == "leaky_relu"])]]


@of("softmax_cross_entropy")
def _(exercise, rng, n, pair):
    labels = rng.integers(0, 4, 5)
    x = n((5, 4)) * [[1], [1], [1], [100], [1]] + [[0], [0], [-1000], [0], [1000]]
    return [("log_softmax", x), ("cross_entropy", x, labels), ("cross_entropy_backward", np.array(1.7), x, labels)]


@of("numerical_gradient")
def _(exercise, rng, n, pair):
    def f(x):
        return float((x.astype(float)**3).sum() * x.ravel()[0])
    return [("numerical_gradient", f, n((2, 3)), 1e-3), ("numerical_gradient", f, np.arange(1, 5), 1e-3),
            ("best_step", 2, 0.5, 1e-16), ("relative_error", np.array([1.0, 2, 0]), np.array([1.1, 2, 0]))]


@of("momentum", "adaptive_rates", "adam")
def _(exercise, rng, n, pair):
    w, dw, v, s = n(5), n(5), n(5), rng.uniform(0.1, 1, 5) * 1e-4
    return {"momentum": [("sgd", w, dw, 0.1), ("momentum", w, dw, v, 0.1, 0.8), ("nesterov", w, dw, v, 0.1, 0.8)],
            "adaptive_rates": [("adagrad", w, dw, s, 0.1, 0.01), ("rmsprop", w, dw, s, 0.1, 0.9, 0.01),
                               ("adagrad_step", 5, 0.2)],
            "adam": [("adam", w, dw, v, s, 3, 0.1, 0.9, 0.99, 0.01),
                     ("adamw", w, dw, v, s, 3, 0.1, 0.9, 0.99, 0.01, 0.2)],
            }[exercise]


@of("learning_rate_schedule")
def _(exercise, rng, n, pair):
    return [("step_decay", s, 0.5, [3, 6], 0.1) for s in range(8)] + [("cosine", 1, 3, 0.3)] + [
        ("warmup_cosine", s, 12, 4, 0.7, 0.1) for s in range(12)] + [("one_cycle", s, 12, 4, 0.7) for s in range(12)]


@of("initialisation")
def _(exercise, rng, n, pair):
    return [("fans", (4, 5)), ("fans", (4, 5, 3, 2)), ("he_normal", n((4, 5))), ("xavier_uniform", rng.random((4, 5))),
            ("predicted", 0.1, 30, 3), ("signal", n((4, 5)), [n((6, 5)), n((3, 6))])]


@of("augmentation")
def _(exercise, rng, n, pair):
    x = n((3, 2, 6, 7))
    return [("flip", x, np.array([True, False, True])), ("random_crop", x, np.array([[0, 3], [4, 1], [2, 2]]), 2),
            ("cutout", x, np.array([[0, 0], [5, 6], [3, 1]]), 3)]


@of("grad_cam")
def _(exercise, rng, n, pair):
    A, G = rng.random((3, 4, 5, 6)), n((3, 4, 5, 6))
    G[1] = -1
    return [("score_gradients", A, n((7, 4)), np.array([0, 6, 2])), ("channel_weights", G), ("grad_cam", A, G)]


@of("transfer")
def _(exercise, rng, n, pair):
    p = {"w1": n((4, 3)), "b1": n(4), "w2": n((5, 4)), "b2": n(5)}
    x, labels, some = n((6, 3)), rng.integers(0, 5, 6), {"w2": n((5, 4)), "b2": n(5)}
    return [("replace_head", p, n((3, 4))), ("gradients", p, x, labels, ["w1", "b1"]), ("gradients", p, x, labels, []),
            ("sgd_step", p, some, 0.1, 0.2), ("fine_tune", p, x, labels, 3, 2, 0.5, 0.1)]


@of("find_the_bug")
def _(exercise, rng, n, pair):
    x = rng.integers(-2, 3, (4, 5)) * 0.7
    return [("leaky_relu_backward", n((4, 5)), x, 0.1),
            ("embedding_backward", n((4, 3)), np.array([1, 2, 1, 5]), n((6, 3))),
            ("softmax_backward", n((4, 5)), x), ("standardise_backward", n((4, 5)), n((4, 5)), 0.1)]

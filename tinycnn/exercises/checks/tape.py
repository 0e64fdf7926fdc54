"""Checks of the tape."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="The tape", lecture=1, minutes=60,
    hints=("forward: copy the dict of values, go through the tape, and store each result under its name; a dict from the "
           "names of the operations to NumPy's functions saves a long chain of ifs.",
           "backward: gradients = {result: dy}, then the tape from its end. An entry whose result has no gradient is "
           "skipped; every other is pulled, and the parts go to its inputs, added to what is already there.",
           "The pulls: add (dy, dy), sub (dy, -dy), mul (dy * b, dy * a), matmul (dy @ b.T, a.T @ dy), exp dy * y, tanh "
           "dy * (1 - y * y), sum dy * ones. Write g[i] = g[i] + part, never g[i] += part, which changes a shared array."))

SHARED = ("has become that of a as well: an array that two names share was changed in place (g = g + part makes a new one, "
          "g += part does not)")
SHAPES = {"add": "mm", "sub": "mm", "mul": "mm", "matmul": "ab", "exp": "m", "tanh": "m", "sum": "m"}
WRONG_PULLS = {"mul": {"each factor is multiplied by itself, where the slope along a is b and that along b is a":
                       lambda dy, a, b: (dy * a, dy * b)},
               "exp": {"dy is multiplied by x, where the slope of exp is its result y": lambda dy, a: dy * a},
               "sum": {"the one number dy must go to every element of the input, in its shape": lambda dy, a: dy}}


def apply(operation, inputs):
    """The oracle of one operation, element by element (of complex arrays too)."""
    a, b = inputs[0], inputs[-1]
    if operation == "sum":
        return np.asarray(sum(a.ravel()))
    if operation == "matmul":
        y = np.zeros((a.shape[0], b.shape[1]), complex)
        for i, j, k in np.ndindex(*a.shape, b.shape[1]):
            y[i, k] += a[i, j] * b[j, k]
        return y
    if operation in ("exp", "tanh"):
        return np.exp(a) if operation == "exp" else np.tanh(a)
    return a + b if operation == "add" else a - b if operation == "sub" else a * b


def play(tape, values):
    """All values; a name that has a value already keeps it."""
    values = dict(values)
    for result, operation, inputs in tape:
        if result not in values:
            values[result] = apply(operation, [values[i] for i in inputs])
    return values


def gradient(tape, values, result, dy, name, h=1e-30):
    """The oracle: y(x + i h) = y(x) + i h y'(x), so the imaginary part is the derivative, without any rounding error."""
    made = {r for r, _, _ in tape}
    right = np.zeros(values[name].shape)
    for at in np.ndindex(*right.shape):
        start = {k: v + 0j for k, v in values.items() if k not in made}
        start[name] = np.array(values[name], complex)
        start[name][at] += 1j * h
        right[at] = (play(tape, start)[result].imag / h * dy).sum()
    return right


def needed(tape, result):
    """The names that `result` depends on."""
    found = {result}
    for name, _, inputs in reversed(tape):
        found |= set(inputs) if name in found else set()
    return found


def expect_all(got, names, result):
    """backward returned a dict that has these names."""
    if not isinstance(got, dict):
        raise expect.Wrong(f"backward must return a dict of gradients by name, got {type(got).__name__}")
    for name in names:
        if name not in got:
            raise expect.Wrong(f"backward gives no gradient of {name}, though {result} depends on it")


def compare(student, rng, tape, result, mistaken=None, **shapes):
    """Every gradient of a tape; `mistaken(name, right)` has sentences."""
    values = play(tape, {name: rng.standard_normal(shape) for name, shape in shapes.items()})
    values = {name: np.asarray(v.real) for name, v in values.items()}
    dy = np.asarray(rng.standard_normal(values[result].shape))
    got = student.backward(tape, values, result, dy)
    names = needed(tape, result)
    right = {name: gradient(tape, values, result, dy, name) for name in names}
    names = [name for name in [*(entry[0] for entry in reversed(tape)), *shapes] if name in names]
    expect_all(got, names, result)
    for name in names:
        expect.close(f"the gradient of {name}", got[name], right[name], mistaken=mistaken and mistaken(name, right))
    for name in sorted(set(got) - set(names)):
        zeros = ", be it zeros: leave the name out" * (not np.any(got[name]))
        raise expect.Wrong(f"backward gives a gradient of {name}, on which {result} does not depend{zeros}")


@exercise.check(points=15, name="forward")
def forward(student, rng):
    tape = [("h", "matmul", ("x", "w")), ("a", "tanh", ("h",)), ("e", "exp", ("a",)), ("s", "add", ("a", "e")),
            ("p", "mul", ("s", "a")), ("d", "sub", ("p", "e")), ("y", "sum", ("d",))]
    n, d, m = rng.permutation([2, 3, 4])
    values = {"x": rng.standard_normal((n, d)), "w": rng.standard_normal((d, m))}
    got, right = expect.unchanged(student.forward, tape, values), play(tape, values)
    left = student.run("forward(tape, values)\nresult = list(values)", tape=tape, values=values)
    if not isinstance(got, dict) or set(got) != set(right):
        raise expect.Wrong("forward must return a dict with all inputs and all results, here the names "
                           + ", ".join(sorted(right)) + (f"; yours has {', '.join(sorted(got))}" if isinstance(got, dict)
                                                         else f"; got {type(got).__name__}"))
    for name in ("x", "w", *(entry[0] for entry in tape)):
        expect.close(f"{name} of forward", got[name], right[name].real)
    if set(left) != set(values):
        raise expect.Wrong("forward stores its results in the dict that it was given, which belongs to the caller: copy it")


@exercise.check(points=35, name="the pull of each operation")
def pulls(student, rng):
    for operation, kinds in SHAPES.items():
        for size in ((2, 3, 4), (3, 3, 3)):
            shapes = {"m": size[:2], "a": size[:2], "b": size[1:]}
            a, b = (rng.standard_normal(shapes[k]) for k in (kinds * 2)[:2])
            given = {"a": a, "b": b} if len(kinds) == 2 else {"a": a}

            def run(*inputs, operation=operation):
                return apply(operation, inputs).real

            def pull(dy, *inputs, operation=operation):
                return student.pull(operation, dy, inputs, run(*inputs))

            expect.gradient(f"the pull of {operation}", run, pull, seed=int(rng.integers(1000)), **given,
                            mistaken=WRONG_PULLS.get(operation))


@exercise.check(points=15, name="backward along a chain")
def chain(student, rng):
    compare(student, rng, [("h", "matmul", ("x", "w")), ("a", "tanh", ("h",)), ("y", "sum", ("a",))], "y",
            x=(2, 3), w=(3, 4))
    compare(student, rng, [("e", "exp", ("x",)), ("d", "sub", ("e", "b"))], "d", x=(3, 2), b=(3, 2))


@exercise.check(points=15, name="names that are used more than once")
def used_twice(student, rng):
    def mistaken(name, right):
        return {"counts only one of two uses: the parts of all uses must be added": right[name] / 2,
                SHARED: right["a"] if name != "a" else None}
    compare(student, rng, [("b", "add", ("a", "a"))], "b", mistaken, a=(2, 3))
    compare(student, rng, [("b", "mul", ("a", "a")), ("c", "tanh", ("b",)), ("y", "mul", ("c", "a"))], "y",
            a=(2, 3))


@exercise.check(points=10, name="shared arrays and idle entries")
def shared(student, rng):
    def mistaken(name, right):
        return {SHARED: right["a"] if name != "a" else None}
    compare(student, rng, [("t", "exp", ("a",)), ("s", "add", ("a", "b")), ("y", "add", ("s", "t"))], "y", mistaken,
            a=(2, 3), b=(2, 3))
    compare(student, rng, [("t", "exp", ("a",)), ("idle", "mul", ("t", "b")), ("y", "tanh", ("t",))], "y",
            a=(2, 2), b=(2, 2))
    compare(student, rng, [("t", "exp", ("a",)), ("y", "tanh", ("t",)), ("later", "sum", ("y",))], "y", a=(2, 2))


@exercise.check(points=10, name="the arguments stay as they were, and a long tape is no problem")
def contract(student, rng):
    tape, name = [], "a"
    for i in range(500):
        tape += [(f"h{i}", "mul", (name, "half")), (f"k{i}", "add", (f"h{i}", f"h{i}"))]
        name = f"k{i}"
    values = {"a": rng.standard_normal((2, 2)), "half": np.full((2, 2), 0.5)}
    values.update({made: values["a"] * (0.5 if made[0] == "h" else 1) for made, _, _ in tape})
    dy = rng.standard_normal((2, 2))
    got = expect.unchanged(student.backward, tape, values, name, dy)
    expect_all(got, "a", name)
    expect.close("the gradient of a behind 1000 entries", got["a"], dy)
    tape, values = [("b", "tanh", ("a",)), ("c", "mul", ("a", "b"))], {"a": rng.standard_normal((2, 3))}
    expect.in_float32(student.forward, tape, values)
    values = {made: v.real for made, v in play(tape, values).items()}
    expect.in_float32(student.backward, tape, values, "c", np.ones((2, 3)))
    expect.in_float32(student.pull, "mul", values["c"], (values["a"], values["b"]), values["c"])


exercise.mistake("the last use wins", old="gradients[i] + part if i in gradients else part", new="part",
                 says="counts only one of two uses")
exercise.mistake("gradients are added in place", old="            gradients[i] = gradients[i] + part if i in gradients else "
                 "part", new="            if i in gradients:\n                gradients[i] += part\n            else:\n"
                             "                gradients[i] = part", says="changed in place")
exercise.mistake("plays the tape from its start", old="in reversed(tape)", new="in tape", says="gives no gradient of")
exercise.mistake("the pull of a product hands each its own factor", old="dy * b, dy * a", new="dy * a, dy * b",
                 says="multiplied by itself")
exercise.mistake("the matrix product is not transposed", old="dy @ b.T", new="dy @ b", says="pull raised .*matmul")
exercise.mistake("the minus of sub is forgotten", old="return dy, -dy", new="return dy, dy", says="sub.*sign")
exercise.mistake("exp with x for y", old="(dy * y,)", new="(dy * inputs[0],)", says="slope of exp is its result")
exercise.mistake("the sum hands back a number", old="(dy * np.ones_like(inputs[0]),)", new="(dy,)",
                 says="one number dy must go to every|pull of sum.*shape")
exercise.mistake("an idle entry is pulled", old="        if name not in gradients:\n            continue\n", new="",
                 says="KeyError")
exercise.mistake("zeros for names without a gradient", old="    return gradients\n",
                 new="    return {name: gradients.get(name, 0 * a) for name, a in values.items()}\n",
                 says="leave the name out")
exercise.mistake("forward stores into the caller's dict", old="    values = dict(values)\n", new="",
                 says="belongs to the caller: copy it")

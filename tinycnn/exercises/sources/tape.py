"""The tape

Write down, while a program runs, every operation that it performs, and you have a tape: a list whose entries say what
was computed, how, and of what. R. E. Wengert did so in 1964, and every deep-learning library has done so since. Here a
tape is plain data,

    tape = [("h", "matmul", ("x", "w")), ("a", "tanh", ("h",)), ("s", "add", ("a", "a")), ("y", "sum", ("s",))]

and an entry (result, operation, inputs) means: apply the operation to the arrays with these names, call what comes out
`result`. The operations are

    add, sub, mul    of two arrays of one shape, element by element
    matmul           of matrices (n, k) and (k, m)
    exp, tanh        element by element
    sum              of all elements, a number of shape ()

`forward` plays the tape. `backward` plays it from its end: it begins with the gradient dy of one result and hands it,
entry by entry, to the inputs of the entry. All that it needs to know of an operation is its *pull*: given the gradient
of the result, what are those of the inputs? For y = a * b,

    d loss / d a = d loss / d y * (d y / d a) = dy * b

and for y = a @ b, y[i, j] = sum_k a[i, k] b[k, j], the rule of the linear layer: a[i, k] is used in every y[i, j], so

    da[i, k] = sum_j dy[i, j] b[k, j]

which is a matrix product (of which matrices?). Work out the others yourself.

Two dangers wait in `backward`. A name may be used by several entries, or twice by one: then its gradient is the sum of
the parts. And arrays may be shared: `add` hands one and the same dy to both of its inputs, and whoever later adds
something to the first *in place* has changed the second. An entry on which the result does not depend gets no gradient
at all.
"""
import numpy as np


def forward(tape, values):
    """Play the tape: values {name: array} of the inputs -> {name: array} of the inputs and of all results."""
    ### BEGIN SOLUTION
    operations = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "matmul": np.matmul, "exp": np.exp,
                  "tanh": np.tanh, "sum": np.sum}
    values = dict(values)
    for result, operation, inputs in tape:
        values[result] = operations[operation](*(values[name] for name in inputs))
    return values
    ### END SOLUTION


def pull(operation, dy, inputs, y):
    """The gradients of an operation's inputs, a tuple: dy is the gradient of its result y, `inputs` a tuple of arrays."""
    ### BEGIN SOLUTION
    if operation == "add":
        return dy, dy
    if operation == "sub":
        return dy, -dy
    if operation == "mul":
        a, b = inputs
        return dy * b, dy * a
    if operation == "matmul":
        a, b = inputs
        return dy @ b.T, a.T @ dy
    if operation == "exp":
        return (dy * y,)
    if operation == "tanh":
        return (dy * (1 - y * y),)
    return (dy * np.ones_like(inputs[0]),)
    ### END SOLUTION


def backward(tape, values, result, dy):
    """Gradients {name: array} of what `result` depends on: dy is its own, `values` what forward returned."""
    ### BEGIN SOLUTION
    gradients = {result: dy}
    for name, operation, inputs in reversed(tape):
        if name not in gradients:
            continue
        parts = pull(operation, gradients[name], tuple(values[i] for i in inputs), values[name])
        for i, part in zip(inputs, parts):
            gradients[i] = gradients[i] + part if i in gradients else part
    return gradients
    ### END SOLUTION

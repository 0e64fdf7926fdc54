"""Wrong solutions of the exercises on derivatives and losses."""
from . import solution

VALUE = '''
def _backward(self):
    order, seen = [], set()
    def visit(v):
        if id(v) not in seen:
            seen.add(id(v))
            for parent in v.parents:
                visit(parent)
            order.append(v)
    visit(self)
    self.grad = 1.0
    for v in order[::-1]:
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad += slope * v.grad
'''
solution("value", "the parents' gradients are set, not added to",
         ("overwrit", r"\+=", r"\badd", "several", "used twice", "uses"),
         code=VALUE.replace("parent.grad += slope", "parent.grad = slope") + "Value.backward = _backward")
solution("value", "backward walks from the start to the end", ("order", "revers", "wait", r"\bend\b", "from the result"),
         code=VALUE.replace("order[::-1]", "order") + "Value.backward = _backward")
solution("value", "gradients are handed on recursively, before all uses have been collected",
         ("order", "uses", "wait", "collected", "more than once", "counted"), code='''
def _backward(self, first=True):
    if first:
        self.grad = 1.0
    for parent, slope in zip(self.parents, self.slopes):
        parent.grad += slope * self.grad
        parent.backward(False)
Value.backward = _backward
''')
solution("value", "the slope of a power is not multiplied by the exponent", ("exponent", "power", r"\*\*", "pow"), code='''
def _pow(self, exponent):
    return Value(self.data ** exponent, (self,), (self.data ** (exponent - 1),))
Value.__pow__ = _pow
''')
solution("value", "tanh's slope is written with the input", ("tanh",), code='''
def _tanh(self):
    return Value(math.tanh(self.data), (self,), (1 - self.data ** 2,))
Value.tanh = _tanh
''')
solution("value", "the slopes of a product are exchanged", ("product", r"\*", "slope", "mul", "exchang"), code='''
def _mul(self, other):
    other = as_value(other)
    return Value(self.data * other.data, (self, other), (self.data, other.data))
Value.__mul__ = _mul
''')
TAPE = '''
def backward(tape, values, result, dy):
    grads = {result: np.array(dy, float)}
    for out, op, ins in reversed(tape):
        if out in grads:
            for name, g in zip(ins, pull(op, grads[out], tuple(values[i] for i in ins), values[out])):
                grads[name] = grads[name] + g if name in grads else g
    return grads
'''
solution("tape", "the second use overwrites the first", ("overwrit", "sum", r"\badd", "use", "twice", "several"),
         code=TAPE.replace("grads[name] + g if name in grads else g", "g"))
solution("tape", "gradients are added in place, into arrays that others share", ("in place", "shar", "chang"),
         code=TAPE.replace("grads[name] = grads[name] + g if name in grads else g", '''if name in grads:
                    grads[name] += g
                else:
                    grads[name] = g'''))
solution("tape", "names that the result does not depend on get zeros",
         ("does not depend", "no gradient", "zero", "should not"),
         code=TAPE.replace("    for out", """    for name in values:
        grads.setdefault(name, np.zeros_like(values[name])) if name != result else None
    for out""", 1))
solution("tape", "the tape is played from its start", ("order", "from (its|the) (start|end)", "revers", "backwards"),
         code=TAPE.replace("reversed(tape)", "tape"))
PULL = '''
_pull = pull
def pull(operation, dy, inputs, y):
    if operation == "%s":
        a = inputs[0]
        b = inputs[-1]
        return %s
    return _pull(operation, dy, inputs, y)
'''
solution("tape", "the difference's second input has no minus",
         ("sign", "minus", "sub", "negative"), code=PULL % ("sub", "(dy, dy)"))
solution("tape", "the product hands each input its own factor",
         ("exchang", "swap", "other", "own", "mul"), code=PULL % ("mul", "(dy * a, dy * b)"))
solution("tape", "the factors of the matrix product are not transposed in the right place",
         ("transpos", "matmul", "order", "matri", "product"),
         code=PULL % ("matmul", "((b @ dy.T).T, (dy.T @ a).reshape(b.shape))"))
solution("tape", "exp's derivative is written with the input", ("exp",), code=PULL % ("exp", "(dy * a,)"))
solution("tape", "the sum's gradient is divided by the number of entries", ("mean", "sum", "divid", "number of", "size"),
         code=PULL % ("sum", "(dy * np.ones_like(a) / a.size,)"))
solution("unbroadcast", "only added axes are summed, those of size 1 are cut",
         ("size 1", "axes", "axis", "repeated", "stretched", "sum"), code='''
def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.sum(0)
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.take([0], i)
    return dy
''')
solution("unbroadcast", "the mean is taken where a sum belongs", ("mean", "sum", "average"), code='''
def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.sum(0)
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.mean(i, keepdims=True)
    return dy
''')
solution("unbroadcast", "axes of size 1 are lost: keepdims is missing", ("keepdims", "size 1", "shape"), code='''
def unbroadcast(dy, shape):
    extra = dy.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1)
    return dy.sum(axes)
''')
solution("unbroadcast", "each factor gets itself instead of the other",
         ("other", "own", "itself", "exchang", "swap"), code='''
def multiply_backward(dy, a, b):
    return unbroadcast(dy * a, np.shape(a)), unbroadcast(dy * b, np.shape(b))
''')
solution("activations", "relu lets negative inputs through and stops positive ones",
         ("positive", "negative", "wrong way", "mask", "sign", r"x > 0", "opposite"), code='''
def relu_backward(dy, x):
    return dy * (x < 0)
''')
solution("activations", "sigmoid overflows for large negative numbers, which gives a warning and the right zero",
         ("overflow", "infinit", "exp\\("), code='''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
''')
solution("activations", "the sigmoid is taken twice in its derivative",
         ("twice", "at (the )?(y|output|result)", "of (the )?(y|output|result)"),
         misleading=("2 times",), code='''
def sigmoid_backward(dy, x):
    s = sigmoid(sigmoid(x))
    return dy * s * (1 - s)
''')
solution("activations", "1 - tanh, without the square", ("square", r"1 - y\b", "tanh\\^2"), code='''
def tanh_backward(dy, x):
    return dy * (1 - np.tanh(x))
''')
solution("activations", "softplus as log(1 + exp(x)), which overflows", ("overflow", "infinit", "inf"), code='''
def softplus(x):
    return np.log(1 + np.exp(x))
''')
solution("activations", "leaky relu without dy on the negative side",
         ("dy", "upstream", "not linear"), misleading=("label", "maximum"), code='''
def leaky_relu_backward(dy, x, slope):
    return np.where(x > 0, dy, slope)
''')
solution("activations", "np.maximum(x, slope x), which is wrong for slopes above 1",
         ("slope", "above 1", "larger than 1", "> 1"), code='''
def leaky_relu(x, slope):
    return np.maximum(x, slope * x)
''')
solution("softmax_cross_entropy",
         "the largest number of the whole batch is subtracted, so that a picture far below it underflows",
         ("its own", "each (picture|row)", "whole (batch|array)", "underflow"), code='''
def log_softmax(x):
    with np.errstate(all="ignore"):
        z = x - x.max()
        return z - np.log(np.exp(z).sum(1, keepdims=True))
''')
solution("softmax_cross_entropy", "log(softmax + 1e-12)",
         ("1e-12", "logarithm of a softmax", "log(arithm)? of", "tiny", "eps", "small", "-27"), code='''
def log_softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return np.log(e / e.sum(1, keepdims=True) + 1e-12)
''')
solution("softmax_cross_entropy", "a sum over the batch, not a mean, in both directions",
         ("mean", "batch", "1/n", "sum"), code='''
def cross_entropy(x, labels):
    return -sum(row[k] for row, k in zip(log_softmax(x), labels))
def cross_entropy_backward(dy, x, labels):
    return dy * (np.exp(log_softmax(x)) - np.eye(x.shape[1])[labels])
''')
solution("softmax_cross_entropy", "dy, the gradient of the loss, is forgotten", (r"\bdy\b", "upstream"), code='''
def cross_entropy_backward(dy, x, labels):
    return (np.exp(log_softmax(x)) - np.eye(x.shape[1])[labels]) / len(labels)
''')
solution("softmax_cross_entropy", "divided by the number of all entries",
         ("classes", "entries", "divid", "size", r"n k"), code='''
def cross_entropy_backward(dy, x, labels):
    return dy * (np.exp(log_softmax(x)) - np.eye(x.shape[1])[labels]) / x.size
''')
solution("numerical_gradient", "divided by h where it should be 2 h",
         ("2 h", "2h", "twice", "2 times", "half", "divid"), code='''
def numerical_gradient(f, x, h):
    x = np.array(x, dtype=np.float64)
    g = np.empty_like(x)
    for k in range(x.size):
        e = np.zeros(x.size)
        e[k] = h
        e = e.reshape(x.shape)
        g.flat[k] = (f(x + e) - f(x - e)) / h
    return g
''')
solution("numerical_gradient", "a forward difference", ("forward difference", "one side", "central", "both sides"), code='''
def numerical_gradient(f, x, h):
    x = np.array(x, dtype=np.float64)
    g = np.empty_like(x)
    for k in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[k] = h
        g[k] = (f(x + e) - f(x)) / h
    return g
''')
solution("numerical_gradient", "the entry is not put back",
         ("put back", "restor", "back", "old value", "leave the rest", "reset"), code='''
def numerical_gradient(f, x, h):
    x = np.array(x, dtype=np.float64)
    g = np.empty_like(x)
    for k in np.ndindex(x.shape):
        x[k] += h
        up = f(x)
        x[k] -= 2 * h
        g[k] = (up - f(x)) / (2 * h)
    return g
''')
solution("numerical_gradient", "x keeps its type, so that integers stay integers",
         ("integer", "float64", "float32", "type", "copy", "whole"), code='''
def numerical_gradient(f, x, h):
    x = x.copy()
    g = np.zeros(x.shape)
    for k in np.ndindex(x.shape):
        old = x[k]
        x[k] = old + h
        up = f(x)
        x[k] = old - h
        g[k] = (up - f(x)) / (2 * h)
        x[k] = old
    return g
''')
solution("numerical_gradient", "the error is divided by |a| + |n|",
         (r"\|a\| \+ \|n\|", "sum", "larger", "max", "half"), code='''
def relative_error(a, n):
    d = np.abs(a) + np.abs(n)
    return float((np.abs(a - n) / np.where(d == 0, 1, d)).max())
''')
solution("numerical_gradient", "the factor p is forgotten in the best step", (r"\bp\b", "order", "factor"), code='''
def best_step(p, c, eps):
    return (eps / c) ** (1 / (1 + p))
''')

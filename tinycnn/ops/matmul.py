"""Products that sum over an index: matrix products, linear layers, einsum."""
import itertools
import math

from ..engine import arrays
from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_tensor
from ..engine.construct import as_tensor
from ..engine.tensor import method
from .elementwise import unbroadcast
from .shape import check_dims, common_shape, reshape, squeeze


def rows(x):
    """x (..., K) as one matrix (R, K), in which every vector of K numbers is a row."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


# ---- the operations --------------------------------------------------------------------------------------------------

class MatMul(Function, wide=True):
    """x (..., N, K), y (..., K, M) -> z (..., N, M): a product of matrices, or of batches of them that broadcast.

    z[n, m] = sum_k x[n, k] y[k, m], so
    dx[n, k] = sum_m dz[n, m] y[k, m], that is dx = dz y^T, and
    dy[k, m] = sum_n x[n, k] dz[n, m], that is dy = x^T dz,
    each summed over the batch dimensions along which its input was broadcast. A vector x (K,) is a matrix of one row, a
    vector y (K,) one of one column, and that dimension of z is dropped.
    Cost: 2 N K M FLOPs forward, twice that backward. Saved: x and y.
    """

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        if y.ndim == 2 < x.ndim:  # a batch that shares a matrix: one product of more rows
            return arrays.matmul(rows(x), y).reshape(*x.shape[:-1], y.shape[1])
        return arrays.matmul(x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        need_x, need_y = ctx.needs_input_grad
        shapes = x.shape, y.shape
        if y.ndim == 1:
            y, dz = y[:, None], dz[..., None]
        if x.ndim == 1:
            x, dz = x[None], dz[..., None, :]
        if y.ndim == 2:
            x, dz = rows(x), rows(dz)
        dx = unbroadcast(arrays.matmul(dz, y.swapaxes(-1, -2)), x.shape).reshape(shapes[0]) if need_x else None
        dy = unbroadcast(arrays.matmul(x.swapaxes(-1, -2), dz), y.shape).reshape(shapes[1]) if need_y else None
        return dx, dy


class Linear(Function, wide=True):
    """x (..., I), w (O, I), b (O,) -> y (..., O), the layer y = x w^T + b.

    With n over all rows of x, y[n, o] = sum_i x[n, i] w[o, i] + b[o], so
    dx[n, i] = sum_o dy[n, o] w[o, i], that is dx = dy w;
    dw[o, i] = sum_n dy[n, o] x[n, i], that is dw = dy^T x;
    db[o] = sum_n dy[n, o].
    Cost: 2 N I O FLOPs forward, twice that backward. Saved: x and w.
    """

    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        y = x @ w.T
        return y if b is None else y + b

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        need_x, need_w, need_b = ctx.needs_input_grad
        dx = dy @ w if need_x else None
        dy = rows(dy)
        dw = dy.T @ rows(x) if need_w else None
        db = dy.sum(0) if need_b else None
        return dx, dw, db


class Einsum(Function, wide=True):
    """y[o] = sum over all indices outside o of x_1[s_1] x_2[s_2] ...: each input has its string of index letters s.

    y is linear in each input, and its derivative by an entry of x_i is the product of the others, so
    dx_i[s_i] = sum over all indices outside s_i of dy[o] times all x_k[s_k] with k other than i:
    the einsum of dy and the other inputs with s_i as the output. An index of s_i that neither dy nor another input has was
    simply summed, and each of its entries gets the same gradient: dx_i is repeated along it. Within one string, all
    letters differ (the function `einsum` takes diagonals first).
    Cost: that of the pairwise products. Saved: the inputs.
    """

    @staticmethod
    def forward(ctx, *xs, letters, out):
        ctx.letters, ctx.out = letters, out
        ctx.save_for_backward(*xs)
        return _contract(list(zip(letters, xs)), out)

    @staticmethod
    def backward(ctx, dy):
        xs, grads = ctx.saved_tensors, []
        for i, (s, x, need) in enumerate(zip(ctx.letters, xs, ctx.needs_input_grad)):
            if not need:
                grads.append(None)
                continue
            others = [(ctx.letters[k], xs[k]) for k in range(len(xs)) if k != i]
            known = "".join(c for c in s if c in ctx.out or any(c in t for t, _ in others))
            dx = _contract([(ctx.out, dy), *others], known)
            dx = dx.reshape(tuple(n if c in known else 1 for c, n in zip(s, x.shape)))
            grads.append(array_module(dy).broadcast_to(dx, x.shape))
        return grads


def _contract(terms, out):
    """The einsum of terms [(letters, array)] with the indices `out`: pair by pair, the smallest product first."""
    sizes = {c: n for s, x in terms for c, n in zip(s, x.shape)}
    while len(terms) > 1:
        plans = []
        for i, j in itertools.combinations(range(len(terms)), 2):
            rest = [term for k, term in enumerate(terms) if k not in (i, j)]
            keep = set(out).union(*(s for s, _ in rest))
            plans.append((math.prod(sizes[c] for c in keep.intersection(terms[i][0] + terms[j][0])), i, j, keep, rest))
        _, i, j, keep, rest = min(plans, key=lambda plan: plan[0])
        terms = [*rest, _multiply(*terms[i], *terms[j], keep)]
    s, x = _sum_out(*terms[0], out)
    return _arrange(s, x, out)


def _multiply(s, x, t, y, keep):
    """The product of x with letters s and y with letters t, summed over what is not in `keep`: a matrix product."""
    s, x = _sum_out(s, x, keep.union(t))
    t, y = _sum_out(t, y, keep.union(s))
    sizes = {**dict(zip(s, x.shape)), **dict(zip(t, y.shape))}
    batch = [c for c in s if c in t and c in keep]
    summed = [c for c in s if c in t and c not in keep]
    rows, columns = [c for c in s if c not in t], [c for c in t if c not in s]
    b, k, n, m = (math.prod(sizes[c] for c in group) for group in (batch, summed, rows, columns))
    x = _arrange(s, x, batch + rows + summed).reshape(b, n, k)
    y = _arrange(t, y, batch + summed + columns).reshape(b, k, m)
    z = arrays.matmul(x, y) if summed else x * y
    return "".join(batch + rows + columns), z.reshape(tuple(sizes[c] for c in batch + rows + columns))


def _arrange(s, x, order):
    """x with letters s, its dimensions in the order of the letters `order`."""
    return array_module(x).moveaxis(x, tuple(s.index(c) for c in order), tuple(range(x.ndim)))


def _sum_out(s, x, keep):
    """x with letters s, summed over those that are not in `keep`."""
    gone = tuple(i for i, c in enumerate(s) if c not in keep)
    kept = tuple(n for n, c in zip(x.shape, s) if c in keep)
    return ("".join(c for c in s if c in keep), x.sum(gone).reshape(kept)) if gone else (s, x)


# ---- products of matrices --------------------------------------------------------------------------------------------

def _check(function, **operands):
    """Raise unless all operands are Tensors of one dtype."""
    check_tensor(function, **operands)
    if len({x.dtype for x in operands.values()}) > 1:
        got = ", ".join(f"{name} {x.dtype}" for name, x in operands.items())
        raise TypeError(f"{function}: operands must have one dtype, got {got}; convert with .to(dtype)")


def _check_ndim(function, ndim, **operands):
    """Raise unless all operands have `ndim` dimensions."""
    check_tensor(function, **operands)
    for name, x in operands.items():
        if x.ndim != ndim:
            raise RuntimeError(f"{function}: {name} must have {ndim} dimension{'s' * (ndim > 1)}, got shape {x.shape}")


@method("matmul", "__matmul__")
def matmul(x, other):
    """The matrix product; further dimensions are a batch and broadcast. A vector is a row before @ and a column after."""
    return _matmul("matmul", x, other)


def _matmul(function, x, y):
    try:
        x, y = as_tensor(x), as_tensor(y)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{function}: x and other must be Tensors or arrays of numbers: {error}") from None
    _check(function, x=x, other=y)
    if x.ndim == 0 or y.ndim == 0:
        raise RuntimeError(f"{function}: expected at least 1 dimension each, got shapes {x.shape} and {y.shape}; to "
                           "scale, use *")
    inner = y.shape[-2] if y.ndim > 1 else y.shape[0]
    if x.shape[-1] != inner:
        raise RuntimeError(f"{function}: shapes {x.shape} and {y.shape} do not fit: the last size of the first, "
                           f"{x.shape[-1]}, must equal the "
                           f"{'second to last' if y.ndim > 1 else 'only'} size of the second, {inner}")
    if x.ndim > 2 and y.ndim > 2 and any(n != m and 1 not in (n, m) for n, m in zip(x.shape[-3::-1], y.shape[-3::-1])):
        raise RuntimeError(f"{function}: batch dimensions {x.shape[:-2]} and {y.shape[:-2]} of shapes {x.shape} and "
                           f"{y.shape} do not broadcast")
    return MatMul.apply(x, y)


method("__rmatmul__")(lambda x, other: _matmul("matmul", other, x))


@method("mm")
def mm(input, mat2):
    """(N, K) by (K, M) -> (N, M)."""
    _check_ndim("mm", 2, input=input, mat2=mat2)
    return _matmul("mm", input, mat2)


@method("bmm")
def bmm(input, mat2):
    """(B, N, K) by (B, K, M) -> (B, N, M): matrix products one by one, without broadcasting."""
    _check_ndim("bmm", 3, input=input, mat2=mat2)
    if len(input) != len(mat2):
        raise RuntimeError(f"bmm: batch sizes must agree, got shapes {input.shape} and {mat2.shape}")
    return _matmul("bmm", input, mat2)


@method("mv")
def mv(input, vec):
    """(N, K) by (K,) -> (N,)."""
    _check_ndim("mv", 2, input=input)
    _check_ndim("mv", 1, vec=vec)
    return _matmul("mv", input, vec)


@method("dot")
def dot(input, tensor):
    """(K,) by (K,) -> a 0-d tensor, the sum of the products."""
    _check_ndim("dot", 1, input=input, tensor=tensor)
    return _matmul("dot", input, tensor)


@method("outer", "ger")
def outer(input, vec2):
    """(N,) by (M,) -> (N, M), every product of two elements."""
    _check_ndim("outer", 1, input=input, vec2=vec2)
    _check("outer", input=input, vec2=vec2)
    return Einsum.apply(input, vec2, letters=("a", "b"), out="ab")


ger = outer


@method("inner")
def inner(input, other):
    """The sum of the products along the last dimensions: (*S, K) by (*T, K) -> (*S, *T)."""
    _check("inner", input=input, other=other)
    return tensordot(input, other, ([-1], [-1])) if input.ndim and other.ndim else input * other


def _add(function, input, product, beta, alpha):
    """beta * input + alpha * product; where beta is 0, input is ignored, even where it is NaN."""
    check_tensor(function, input=input)
    if common_shape(function, input.shape, product.shape) != product.shape:
        raise RuntimeError(f"{function}: input of shape {input.shape} must broadcast to the product's shape {product.shape}")
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product


@method("addmm")
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * (mat1 @ mat2), for matrices."""
    _check_ndim("addmm", 2, mat1=mat1, mat2=mat2)
    return _add("addmm", input, _matmul("addmm", mat1, mat2), beta, alpha)


@method("baddbmm")
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (batch1 @ batch2), for batches of matrices."""
    _check_ndim("baddbmm", 3, batch1=batch1, batch2=batch2)
    if len(batch1) != len(batch2):
        raise RuntimeError(f"baddbmm: batch sizes must agree, got shapes {batch1.shape} and {batch2.shape}")
    return _add("baddbmm", input, _matmul("baddbmm", batch1, batch2), beta, alpha)


def linear(input, weight, bias=None):
    """input (..., I) times the transpose of weight (O, I), plus bias (O,) -> (..., O)."""
    biases = {} if bias is None else {"bias": bias}
    _check("linear", input=input, weight=weight, **biases)
    if input.ndim == 0 or weight.ndim not in (1, 2) or input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(f"linear: input of shape {input.shape} and weight of shape {weight.shape} do not fit: expected "
                           "(..., in_features) and (out_features, in_features)")
    if bias is not None and bias.shape not in (weight.shape[:-1], ()):
        raise RuntimeError(f"linear: bias must have shape {weight.shape[:-1]}, got {bias.shape}")
    if weight.ndim == 1:
        return squeeze(linear(input, reshape(weight, 1, -1), bias), -1)
    return Linear.apply(input, weight, bias if bias is None or bias.ndim else bias.expand(len(weight)))


def bilinear(input1, input2, weight, bias=None):
    """y[..., o] = sum_ij input1[..., i] weight[o, i, j] input2[..., j] + bias[o]."""
    _check_ndim("bilinear", 3, weight=weight)
    _check("bilinear", input1=input1, input2=input2, weight=weight)
    if input1.shape[:-1] != input2.shape[:-1] or (*input1.shape[-1:], *input2.shape[-1:]) != weight.shape[1:]:
        raise RuntimeError(f"bilinear: shapes {input1.shape}, {input2.shape} and weight {weight.shape} do not fit: expected "
                           "(..., I), (..., J) and (O, I, J)")
    y = einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias


# ---- sums over named indices -----------------------------------------------------------------------------------------

def einsum(equation, *operands):
    """The sum of products that `equation` spells: einsum("bik,bkj->bij", x, y) is a batch of matrix products.

    A letter names a dimension. What has one letter must have one size (1 broadcasts); letters that the output lacks are
    summed; a letter twice in one operand takes the diagonal; `...` stands for leading dimensions that broadcast. Without
    `->`, the output has the dimensions of `...` and then the letters that occur once, in alphabetical order.
    """
    operands = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if not isinstance(equation, str):
        raise TypeError(f"einsum: equation must be a string, got {type(equation).__name__}")
    _check("einsum", **{f"operands[{i}]": x for i, x in enumerate(operands)})
    letters, out = _read_equation(equation, operands)
    pairs = [_diagonals(s, x) for s, x in zip(letters, operands)]
    sizes = {}
    for s, x in pairs:
        for c, n in zip(s, x.shape):
            if sizes.setdefault(c, n) == 1:
                sizes[c] = n
            elif n not in (1, sizes[c]):
                raise RuntimeError(f"einsum: in {equation!r} the dimension {_name(c)} has size {sizes[c]} and size {n}")
    for i, (s, x) in enumerate(pairs):          # a size that broadcasts is as good as no such dimension
        ones = tuple(d for d, c in enumerate(s) if x.shape[d] != sizes[c])
        pairs[i] = "".join(c for d, c in enumerate(s) if d not in ones), squeeze(x, ones)
    return Einsum.apply(*(x for _, x in pairs), letters=tuple(s for s, _ in pairs), out=out)


def _name(letter):
    return "`...`" if letter.isdigit() else repr(letter)


def _read_equation(equation, operands):
    """The letters of every operand and of the output; the dimensions of `...` are named by digits, the last by 0."""
    def wrong(why):
        return ValueError(f"einsum: {why} in equation {equation!r}")

    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise wrong(f"{len(operands)} operands for {len(inputs)} terms")
    for part in (*inputs, right):
        if not all(c.isascii() and c.isalpha() for c in part.replace("...", "", 1)):
            raise wrong(f"expected letters and at most one `...`, got {part!r}")
    letters, dots = [], ""
    for part, x in zip(inputs, operands):
        free = x.ndim - len(part.replace("...", ""))
        if free < 0 or (free > 0 and "..." not in part):
            raise wrong(f"{part!r} does not fit an operand of shape {x.shape}")
        mine = "".join(str(i) for i in reversed(range(free)))
        dots = max(dots, mine, key=len)
        letters.append(part.replace("...", mine))
    everything = "".join(letters)
    if arrow:
        out = right.replace("...", dots)
    else:
        out = dots + "".join(c for c in sorted(set(everything)) if everything.count(c) == 1 and not c.isdigit())
    if len(set(out)) < len(out) or not set(out) <= set(everything):
        raise wrong(f"the output {right!r} must name different dimensions of the operands")
    return letters, out


def _diagonals(s, x):
    """x without repeated letters: where s has one twice, the diagonal of those two dimensions, as the last dimension."""
    for c in s:
        while s.count(c) > 1:
            i, j = s.index(c), s.rindex(c)
            if x.shape[i] != x.shape[j]:
                raise RuntimeError(f"einsum: the repeated dimension {c!r} has sizes {x.shape[i]} and {x.shape[j]}")
            x, s = x.diagonal(0, i, j), s[:i] + s[i + 1:j] + s[j + 1:] + c
    return s, x


def tensordot(a, b, dims=2):
    """The sum of the products over some dimensions of a and b, given in pairs: (dims of a, dims of b).

    A number `dims` pairs the last dims of a with the first of b. The result has the other dimensions of a, then of b.
    """
    _check("tensordot", a=a, b=b)
    dims_a, dims_b = (range(-dims, 0), range(dims)) if isinstance(dims, int) else dims
    dims_a, dims_b = check_dims("tensordot", list(dims_a), a.ndim), check_dims("tensordot", list(dims_b), b.ndim)
    if [a.shape[i] for i in dims_a] != [b.shape[j] for j in dims_b]:
        raise RuntimeError(f"tensordot: dims {dims_a} of shape {a.shape} and dims {dims_b} of shape {b.shape} differ "
                           "in size")
    s = [chr(ord("a") + i) for i in range(a.ndim)]
    t = [chr(ord("A") + j) for j in range(b.ndim)]
    for i, j in zip(dims_a, dims_b):
        t[j] = s[i]
    out = "".join([c for i, c in enumerate(s) if i not in dims_a] + [c for j, c in enumerate(t) if j not in dims_b])
    return Einsum.apply(a, b, letters=("".join(s), "".join(t)), out=out)


__all__ = ["addmm", "baddbmm", "bilinear", "bmm", "dot", "einsum", "ger", "inner", "linear", "matmul", "mm", "mv", "outer",
           "tensordot"]

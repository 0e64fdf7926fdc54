"""One small change of a program at a time: what people write by mistake, undone.

`edits` yields the changes of a function that `repair.py` tries one after the other. A change is an Edit: put `new` into its
place, and the tree is another program; `words` say what was wrong with the one before, should the other be right.
"""
import ast
import copy
import itertools
from dataclasses import dataclass
from typing import Any

REDUCTIONS = {"sum": "mean", "mean": "sum", "max": "min", "min": "max", "argmax": "argmin", "var": "std", "std": "var"}
FACTORS = ("{}", "(1 - {})", "(1 - {} ** 2)", "({0} * (1 - {0}))", "({} > 0)", "{} ** 2", "len({})")
NUMBERS = (2, 3, 4)
SPACES = ("np", "numpy", "xp", "cp", "cupy")
MAKERS = ("zeros", "ones", "empty", "full", "arange", "eye", "array", "zeros_like", "ones_like", "empty_like")
AXES = 5   # axes that a sum is tried over


@dataclass
class Edit:
    """`new` in the place of `old`, which stands in `field` of `parent`, at `index` where that is a list, in `statement`."""
    parent: Any
    field: str
    index: int
    old: Any
    new: Any
    words: str
    statement: Any

    def put(self, node):
        """Make `node` (old or new) stand in the place."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass
class Near:
    """What a change may use: names of arrays and numbers, and those of loops; and the node around the one that changes."""
    names: list
    loops: list
    parent: Any = None


def edits(function):
    """Every Edit of an ast.FunctionDef, the likely ones first: statements, calls, operators, numbers, names, factors."""
    places = list(_places(function, None))
    near = Near(_names_in(function), [n.target.id for n in ast.walk(function) if isinstance(n, ast.For)
                                      and isinstance(n.target, ast.Name)])
    for kind in (_statements, _calls, _operators, _numbers, _names, _strides, _factors):
        for parent, field, index, node, statement in places:
            near.parent = parent
            for new, words in kind(node, near):
                ast.copy_location(new, node)
                if ast.unparse(ast.fix_missing_locations(new)) != ast.unparse(node):
                    yield Edit(parent, field, index, node, new, words, statement)
    for body, words in _everywhere(function, near):
        yield Edit(function, "body", None, function.body, body, words, None)


def _places(parent, statement):
    """(parent, field, index, node, statement around it) of all within, but for `while` loops, which might never end."""
    for field, value in ast.iter_fields(parent):
        if isinstance(parent, ast.FunctionDef) and field != "body":
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not isinstance(node, ast.While):
                around = node if isinstance(node, ast.stmt) else statement
                if isinstance(node, (ast.stmt, ast.expr)):
                    yield parent, field, index, node, around
                yield from _places(node, around)


def _names_in(function):
    """The names of arrays and numbers, and what is kept on ctx, as text."""
    names = [a.arg for a in function.args.args if a.arg != "ctx"]
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ctx":
            names.append(ast.unparse(node))
    return [name for name in dict.fromkeys(names) if name not in ("ctx.saved_tensors", "ctx.needs_input_grad")]


def expression(text, **parts):
    """The tree of an expression, with trees in the place of the names `parts`."""
    return _Put(parts).visit(ast.parse(text, mode="eval").body)


class _Put(ast.NodeTransformer):
    """Puts trees in the place of names."""

    def __init__(self, parts):
        self.parts = parts

    def visit_Name(self, node):
        return self.parts.get(node.id, node)


def _is_value(node):
    return isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", None) or ast.Load(), ast.Load)


def _called(node):
    """(the name of what a call calls, whether that is a function of NumPy's)."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr, getattr(node.func.value, "id", "") in SPACES
    return getattr(node.func, "id", ""), False


# ---- the kinds of changes: each yields (new, words) for a node ------------------------------------------------------------

def _statements(node, near):
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], (ast.Name, ast.Subscript)):
        yield ast.AugAssign(node.targets[0], ast.Add(), node.value), "= overwrites where += must add"
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
        yield ast.Assign([node.target], node.value), "+= adds where = belongs"
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield ast.AugAssign(node.target, other, node.value), "a sign is wrong"
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)):
        yield ast.Pass(), "this line is too much"


def _calls(node, near):
    inside = isinstance(near.parent, ast.Attribute) or isinstance(near.parent, ast.Call) and node is near.parent.func
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value, "a transpose is too much"
    elif _is_value(node) and isinstance(node, (ast.Name, ast.Subscript, ast.Attribute, ast.Call)) and not inside:
        for text in ("x.T", "x.swapaxes(-1, -2)"):
            yield expression(text, x=node), "a transpose is missing"
    if not isinstance(node, ast.Call):
        return
    name, numpys = _called(node)
    if name in REDUCTIONS and isinstance(node.func, ast.Attribute):
        other = ast.Attribute(node.func.value, REDUCTIONS[name], ast.Load())
        yield ast.Call(other, node.args, node.keywords), f"the {name} is taken where the {REDUCTIONS[name]} belongs"
    if name == "range":
        yield expression("reversed(r)", r=node), "the loop must run from the end: what was last in forward comes first"
    if name == "reversed" and node.args:
        yield node.args[0], "the loop must run from the start"
    if numpys and len(node.args) == 1 and not node.keywords and name not in MAKERS:
        yield node.args[0], f"{name} is too much, or applied twice"
    if numpys or not isinstance(node.func, ast.Attribute):
        return
    if name in ("swapaxes", "transpose", "reshape"):
        yield node.func.value, f"the {name} is too much"
    if name in ("transpose", "reshape"):
        given = node.args[0].elts if len(node.args) == 1 and isinstance(node.args[0], ast.Tuple) else node.args
        for order in itertools.permutations(given) if 2 <= len(given) <= 4 else ():
            yield ast.Call(node.func, list(order), node.keywords), f"the axes of the {name} are in another order"


def _operators(node, near):
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for op in (ast.Gt(), ast.GtE(), ast.Lt(), ast.LtE(), ast.Eq(), ast.NotEq()):
            yield ast.Compare(node.left, [op], node.comparators), "the condition (a mask) is another"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand, "a sign is wrong"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield node.operand, "the mask is the wrong way round"
    if not isinstance(node, ast.BinOp):
        return
    left, right, op = node.left, node.right, type(node.op)
    one, other = ast.unparse(left), ast.unparse(right)
    if op in (ast.Add, ast.Sub):
        yield ast.BinOp(left, ast.Sub() if op is ast.Add else ast.Add(), right), f"the sign of {other} is wrong"
        yield left, f"the term {other} is too much"
        yield right, f"the term {one} is too much"
        yield ast.BinOp(right, ast.Sub(), left), f"the signs of {one} and {other} are wrong"
    if op in (ast.Mult, ast.Div):
        yield left, f"the {'factor' if op is ast.Mult else 'division by'} {other} is too much"
        yield right, f"the factor {one} is too much"
        yield (ast.BinOp(left, ast.Div() if op is ast.Mult else ast.Mult(), right),
               f"{other} multiplies where it must divide" if op is ast.Mult else f"{other} divides where it must multiply")
    if op is ast.Mult:
        yield ast.BinOp(left, ast.Add(), right), "a product stands where a sum belongs"
        if other.startswith("1 - ") and isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult):
            yield (expression("p * (d - (d * p).sum(-1, keepdims=True))", d=left.left, p=left.right),
                   "the Jacobian of a softmax is more than its diagonal")
            yield (expression("d * (1 - p ** 2)", d=left.left, p=left.right),
                   "the derivative is that of a sigmoid, where that of a tanh belongs")
    if op is ast.MatMult:
        for text in ("b @ a", "b.T @ a", "b @ a.T"):
            yield expression(text, a=left, b=right), "the factors of the product are in another order"
    if op is ast.Pow:
        yield left, f"the power {other} is too much"


def _numbers(node, near):
    if isinstance(near.parent, (ast.Constant, ast.JoinedStr)):
        return
    number = _number(node)
    if type(number) is int:
        reduction = _called(near.parent)[0] if isinstance(near.parent, ast.Call) else getattr(near.parent, "arg", "")
        where = "an axis is another" if reduction in (*REDUCTIONS, "axis", "axes", "swapaxes", "expand_dims", "flip") else ""
        for other in dict.fromkeys([number - 1, number + 1, number + 2, number - 2, -number, 0, 1, 2, 3, number ** 2]):
            yield ast.Constant(other), where or f"{other} belongs where {number} stands"
    elif type(number) is float:
        for other in dict.fromkeys([1 - number, number ** 2, abs(number) ** 0.5, 2 * number, number / 2, -number, 0.0, 1.0]):
            yield ast.Constant(other), f"{other:.6g} belongs where {number:.6g} stands"
    if isinstance(node, ast.Tuple) and node.elts and all(type(_number(e)) is int for e in node.elts):
        for r in range(1, AXES):
            for axes in itertools.combinations(range(AXES), r):
                yield ast.Tuple([ast.Constant(a) for a in axes], ast.Load()), "the axes are others"
    if isinstance(node, ast.Slice):
        for parts in ((None, node.upper, node.step), (node.lower, None, node.step), (node.lower, node.upper, None)):
            yield ast.Slice(*parts), f"the slice {ast.unparse(node)} is another"


def _number(node):
    """The number that a node is, with its sign; None where it is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = _number(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None


def _names(node, near):
    if _is_value(node) and isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) in near.names:
        for name in [*near.names, f"1 - {ast.unparse(node)}"]:
            yield expression(name), f"{name} belongs where {ast.unparse(node)} stands"


def _strides(node, near):
    """An index i of a loop that must be multiplied everywhere in an expression: i for i * stride."""
    if not isinstance(node, ast.Subscript):
        return
    for loop in {n.id for n in ast.walk(node.slice) if isinstance(n, ast.Name)} & {*near.loops}:
        for other in [*map(str, NUMBERS), *(name for name in near.names if name != loop)]:
            parts = _Put({loop: expression(f"{loop} * {other}")})
            yield (ast.Subscript(node.value, parts.visit(copy.deepcopy(node.slice)), node.ctx),
                   f"the index {loop} must be multiplied by {other} (a stride, a dilation)")


def _everywhere(function, near):
    """One number or name for another wherever it stands, as in the loops over rows and columns; every index scaled."""
    numbers = [_number(node) for node in ast.walk(function) if type(_number(node)) is int]
    for old in {n for n in numbers if numbers.count(n) > 1}:
        for new in dict.fromkeys([old - 1, old + 1, 0, 1, 2, 3]):
            yield _changed(function, _Replace(ast.Constant(old), ast.Constant(new))), f"{new} belongs where {old} stands"
    loads = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    for old, new in itertools.permutations(near.names, 2):
        if loads.count(old) > 1:
            yield (_changed(function, _Replace(ast.Name(old, ast.Load()), expression(new))),
                   f"{new} belongs where {old} stands")
    for other in [*map(str, NUMBERS), *(name for name in near.names if name not in near.loops)] if near.loops else ():
        scaled = {loop: expression(f"{loop} * {other}") for loop in near.loops}
        for width in (1, 2):
            body = _changed(function, _Scale(scaled, width))
            yield body, f"the indices {', '.join(near.loops)} must be multiplied by {other} (a stride, a dilation)"


def _changed(function, transformer):
    """The body of a function, changed all over."""
    return [ast.fix_missing_locations(transformer.visit(copy.deepcopy(statement))) for statement in function.body]


class _Replace(ast.NodeTransformer):
    """Puts one tree wherever another stands."""

    def __init__(self, old, new):
        self.old, self.new = ast.dump(old), new

    def generic_visit(self, node):
        if ast.dump(node) == self.old:
            return ast.copy_location(copy.deepcopy(self.new), node)
        return super().generic_visit(node)

    visit = generic_visit


class _Scale(ast.NodeTransformer):
    """Scales the indices of loops in subscripts: of slices (2), of all (1)."""

    def __init__(self, scaled, width):
        self.scaled, self.width = scaled, width

    def visit_Subscript(self, node):
        if self.width == 1 or any(isinstance(n, ast.Slice) for n in ast.walk(node.slice)):
            node.slice = _Put(self.scaled).visit(node.slice)
        return node


def _factors(node, near):
    if not _is_value(node) or not isinstance(node, (ast.Name, ast.BinOp, ast.Call, ast.Subscript)):
        return
    if isinstance(near.parent, (ast.Attribute, ast.Subscript)) or isinstance(near.parent, ast.Call) and (
            node is near.parent.func):
        return
    yield expression("-x", x=node), "a sign is wrong"
    for n in NUMBERS:
        yield expression(f"x * {n}", x=node), f"the factor {n} is missing"
        yield expression(f"x / {n}", x=node), f"the factor {n} is too much"
    for name in near.names:
        for text in FACTORS:
            factor = text.format(name)
            yield expression(f"x * {factor}", x=node), f"the factor {factor} is missing"
            if ">" not in factor:
                yield expression(f"x / {factor}", x=node), f"the division by {factor} is missing"

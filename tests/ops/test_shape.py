"""Views and copies of ops/shape.py and ops/rearrange.py: which memory they show, dims, sizes, and what they refuse."""
import numpy as np
import pytest

import tinycnn
from tests.helpers import strict_array
from tinycnn.gradcheck import registry
from tinycnn.ops import as_numpy  # noqa: F401 (teaches Tensors NumPy's names)

registry.load()
MOVES = [c for c in registry.CASES if c.function.__module__.rpartition(".")[2] in
         ("shape", "rearrange", "pad", "indexing", "gather", "matmul", "embedding")]
VIEWS = {
    "reshape": lambda x: x.reshape(4, 6),
    "view": lambda x: x.view(-1, 6),
    "flatten": lambda x: x.flatten(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "squeeze": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "movedim": lambda x: x.movedim(0, -1),
    "expand": lambda x: x.expand(5, -1, -1, -1),
    "split": lambda x: x.split(1)[0],
    "chunk": lambda x: x.chunk(2, 1)[0],
    "unbind": lambda x: x.unbind(1)[0],
    "diagonal": lambda x: x.diagonal(),
    "view of a view": lambda x: x.transpose(0, 1)[:, 0].unsqueeze(0),
}
COPIES = {
    "reshape of a transposed": lambda x: x.mT.reshape(-1),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1, 0),
    "repeat": lambda x: x.repeat(1, 1, 2),
    "cat of one": lambda x: tinycnn.cat([x]),
    "stack of one": lambda x: tinycnn.stack([x]),
    "tril": lambda x: x.tril(),
    "diag": lambda x: x[0].diag(),
    "rot90 by nothing": lambda x: x.rot90(4),
}


def numbers(*shape):
    return tinycnn.tensor(np.arange(np.prod(shape, dtype=int)).reshape(shape), dtype=tinycnn.float32)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_the_memory_of_its_base(name):
    x = numbers(2, 3, 4)
    y = VIEWS[name](x)
    x.add_(100.0)
    assert (y.array >= 100).all() and y._version is x._version


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_has_memory_of_its_own(name):
    x = numbers(2, 3, 4)
    y = COPIES[name](x)
    x.add_(100.0)
    assert not (y.array >= 100).any() and y._version is not x._version


@pytest.mark.parametrize("name", [*VIEWS, *COPIES])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
def test_the_dtype_stays(name, dtype):
    x = tinycnn.ones(2, 3, 4).to(dtype)
    assert {**VIEWS, **COPIES}[name](x).dtype == dtype


def test_writing_through_a_view_is_noticed_by_a_node_that_saved_the_base():
    x = tinycnn.ones(2, 3, requires_grad=True) * 1
    y = (x * x).sum()
    with tinycnn.no_grad():
        x.view(6).add_(1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_view_says_what_to_write_where_it_would_have_to_copy():
    with pytest.raises(RuntimeError, match=r"view: .*\(3, 2\).*strides \(1, 3\).*x\.reshape\(6,\)"):
        numbers(2, 3).t().view(6)
    assert numbers(2, 3).t().contiguous().view(6).tolist() == [0, 3, 1, 4, 2, 5]


def test_contiguous_returns_the_tensor_itself_where_nothing_is_to_do():
    x = numbers(2, 3)
    assert x.contiguous(memory_format="channels_last") is x
    assert x.t().contiguous().is_contiguous() and x.t().contiguous().shape == (3, 2)


@pytest.mark.parametrize("call, shape", [
    (lambda x: x.reshape(3, -1), (3, 8)),
    (lambda x: x.reshape([-1]), (24,)),
    (lambda x: tinycnn.reshape(x, shape=(4, 6)), (4, 6)),
    (lambda x: tinycnn.reshape(x[:0], (0, 7)), (0, 7)),
    (lambda x: x[:0].reshape(-1, 12), (0, 12)),
    (lambda x: x.view_as(tinycnn.ones(6, 4)), (6, 4)),
    (lambda x: x.reshape_as(tinycnn.ones(6, 4)), (6, 4)),
    (lambda x: x.flatten(), (24,)),
    (lambda x: x.flatten(0, -2), (6, 4)),
    (lambda x: tinycnn.tensor(1.0).flatten(), (1,)),
    (lambda x: x[:0].flatten(1), (0, 12)),
    (lambda x: x.unflatten(-1, (-1, 2)), (2, 3, 2, 2)),
    (lambda x: x[:1, :, :1].squeeze(), (3,)),
    (lambda x: x[:1, :, :1].squeeze(0), (3, 1)),
    (lambda x: x[:1, :, :1].squeeze((0, 1, -1)), (3,)),
    (lambda x: x.squeeze(1), (2, 3, 4)),
    (lambda x: tinycnn.tensor(1.0).squeeze(0), ()),
    (lambda x: x.unsqueeze(-1), (2, 3, 4, 1)),
    (lambda x: x.unsqueeze(-4), (1, 2, 3, 4)),
    (lambda x: tinycnn.permute(x, dims=(2, 0, 1)), (4, 2, 3)),
    (lambda x: x.swapaxes(0, 2), (4, 3, 2)),
    (lambda x: tinycnn.tensor(1.0).transpose(0, -1), ()),
    (lambda x: x.T, (4, 3, 2)),
    (lambda x: tinycnn.t(x[0]), (4, 3)),
    (lambda x: x.movedim((0, 1), (2, 0)), (3, 4, 2)),
    (lambda x: tinycnn.moveaxis(x, -1, 0), (4, 2, 3)),
    (lambda x: x.unsqueeze(1).expand(-1, 7, -1, -1), (2, 7, 3, 4)),
    (lambda x: x[0, :1].expand_as(x), (2, 3, 4)),
    (lambda x: x.broadcast_to((5, 2, 3, 4)), (5, 2, 3, 4)),
    (lambda x: x.repeat(2, 1, 1, 3), (2, 2, 3, 12)),
    (lambda x: x.repeat(0, 1, 1), (0, 3, 4)),
    (lambda x: tinycnn.tile(x, dims=(2,)), (2, 3, 8)),
    (lambda x: x.tile(2, 1, 1, 1), (2, 2, 3, 4)),
    (lambda x: tinycnn.stack([x, x], -1), (2, 3, 4, 2)),
    (lambda x: tinycnn.concat((x, x), 1), (2, 6, 4)),
    (lambda x: tinycnn.hstack([x, x]), (2, 6, 4)),
    (lambda x: tinycnn.vstack([x[0, 0], x[0]]), (4, 4)),
    (lambda x: tinycnn.rot90(x), (3, 2, 4)),
    (lambda x: x.diagonal(0, 1, 2), (2, 3)),
    (lambda x: tinycnn.diag(x[0, 0], -2), (6, 6)),
])
def test_shapes(call, shape):
    assert call(numbers(2, 3, 4)).shape == shape


@pytest.mark.parametrize("call", [
    lambda t, x: x.flip(0, 2),
    lambda t, x: t.flip(x, dims=[-1]),
    lambda t, x: x.roll(5),
    lambda t, x: t.roll(x, (1, -1), (0, 2)),
    lambda t, x: t.roll(x, (1, 1), (1, 1)),
    lambda t, x: t.rot90(x, 3, (0, 2)),
    lambda t, x: t.rot90(x, -2, (1, 0)),
    lambda t, x: x.tril(-1),
    lambda t, x: x.triu(2),
    lambda t, x: x.repeat(2, 2, 1),
    lambda t, x: x.movedim((0, 2), (1, 0)),
    lambda t, x: t.cat([x, x[:1], x[1:]]),
    lambda t, x: t.stack([x, -x], 2),
    lambda t, x: t.vstack([x[0, 0], x[0]]),
    lambda t, x: t.hstack([x[0, 0], x[0, 1]]),
    lambda t, x: x.split([1, 0, 3], 2)[2],
    lambda t, x: x.split(3, -1)[1],
    lambda t, x: x.chunk(3, 2)[1],
    lambda t, x: t.unbind(x, -1)[3],
    lambda t, x: t.diagonal(x, 1, 2, 0),
    lambda t, x: t.diag(x[0], -1),
    lambda t, x: t.diag(x[0, 0], 1),
    lambda t, x: t.meshgrid(x[0, 0], x[0, 1, :2], indexing="ij")[1],
    lambda t, x: t.meshgrid(x[0, 0], x[0, 1, :2], x[:, 0, 0], indexing="xy")[0],
])
def test_values_are_pytorchs(call):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert np.array_equal(call(tinycnn, tinycnn.tensor(x)).array, call(torch, torch.tensor(x)).numpy())


@pytest.mark.parametrize("pieces", [lambda x: x.split(3), lambda x: x.chunk(4), lambda x: x.chunk(9), lambda x: x.unbind()])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_the_number_of_pieces_is_pytorchs(pieces, length):
    torch = pytest.importorskip("torch")
    ours, theirs = pieces(tinycnn.ones(length, 2)), pieces(torch.ones(length, 2))
    assert isinstance(ours, tuple) and [p.shape for p in ours] == [tuple(p.shape) for p in theirs]


def test_cat_promotes_dtypes_and_skips_empty_vectors():
    mixed = tinycnn.cat([tinycnn.ones(2, dtype=tinycnn.int64), tinycnn.ones(1)])
    assert mixed.dtype == tinycnn.float32 and mixed.tolist() == [1, 1, 1]
    assert tinycnn.cat([tinycnn.zeros(0), tinycnn.ones(2, 3)]).shape == (2, 3)


def test_a_part_that_nobody_used_gets_a_zero_gradient():
    x = tinycnn.ones(5, requires_grad=True)
    x.split(2)[1].sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 1, 0]


def test_gradients_of_a_cat_do_not_share_memory():
    x, y = tinycnn.ones(2, requires_grad=True), tinycnn.ones(2, requires_grad=True)
    tinycnn.cat([x, y]).sum().backward()
    x.grad.add_(1.0)
    assert y.grad.tolist() == [1, 1] and not np.shares_memory(x.grad.array, y.grad.array)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_expand_then_write_is_refused(device, monkeypatch):
    if device == "cuda":
        strict_array.install(monkeypatch)
    x = tinycnn.ones(1, 3).expand(2, 3)
    for name, write in (("x.index. = value", lambda: x.__setitem__((0, 0), 5.0)), ("add_", lambda: x.add_(1)),
                        ("copy_", lambda: x.copy_(x + 1))):
        with pytest.raises(RuntimeError, match=name + r": elements of this tensor of shape \(2, 3\) share a place"):
            write()
    assert x.clone().add_(1).tolist() == [[2, 2, 2]] * 2 and x.tolist() == [[1, 1, 1]] * 2


def test_broadcast_shapes():
    assert tinycnn.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    with pytest.raises(RuntimeError, match=r"broadcast_shapes: shapes \(2,\), \(3,\)"):
        tinycnn.broadcast_shapes((2,), (3,))


def test_numel_is_a_function_too():
    assert tinycnn.numel(tinycnn.ones(2, 3)) == 6
    with pytest.raises(TypeError, match="numel: x must be a Tensor, got list"):
        tinycnn.numel([1])


@pytest.mark.parametrize("case", MOVES, ids=lambda c: c.id)
def test_backward_on_tensors_agrees_with_backward_on_arrays(case):
    inputs = [tinycnn.tensor(a).requires_grad_(s.differentiable) for a, s in zip(case.draw(), case.inputs)]
    result = case.call(tinycnn, *inputs)
    nodes = [(result if isinstance(result, tinycnn.Tensor) else result[0]).grad_fn]
    while not isinstance(node := nodes.pop(), case.function):
        nodes += [f for f, _ in node.next_functions if isinstance(f, tinycnn.engine.function.Function)]
    rng = np.random.default_rng(0)
    dys = [rng.standard_normal(shape) for shape, _ in node.output_types]
    arrays, tensors = node.backward(node, *dys), node.differentiate(*map(tinycnn.tensor, dys))
    pairs = zip(*(g if isinstance(g, (tuple, list)) else (g,) for g in (arrays, tensors)))
    for wanted, (array, tensor) in zip(node.needs_input_grad, pairs):
        assert not wanted or (tensor.dtype == array.dtype and np.allclose(tensor.array, array, rtol=1e-12, atol=1e-12))


@pytest.mark.parametrize("call, error, message", [
    (lambda x: x.reshape(5, -1), RuntimeError, r"reshape: shape \(5, -1\) is impossible for 24"),
    (lambda x: x.reshape(-1, -1), RuntimeError, r"reshape: shape \(-1, -1\)"),
    (lambda x: x[:0].reshape(-1, 0), RuntimeError, r"reshape: shape \(-1, 0\)"),
    (lambda x: x.reshape(-2, -12), RuntimeError, "reshape"),
    (lambda x: x.view(7), RuntimeError, r"view: shape \(7,\)"),
    (lambda x: x.reshape(2.0, 12), TypeError, "reshape: shape must be integers"),
    (lambda x: tinycnn.reshape([1, 2], (2,)), TypeError, "reshape: x must be a Tensor, got list"),
    (lambda x: x.flatten(2, 1), RuntimeError, "flatten: start_dim 2 comes after end_dim 1"),
    (lambda x: x.flatten(3), IndexError, "flatten: start_dim 3 is out of range, expected -3 to 2"),
    (lambda x: x.unflatten(1, (2, 2)), RuntimeError, r"unflatten: shape \(2, 2\) is impossible for 3"),
    (lambda x: x.squeeze(3), IndexError, "squeeze: dim 3"),
    (lambda x: x.squeeze((0, -3)), RuntimeError, "squeeze: dim names a dimension twice"),
    (lambda x: x.unsqueeze(4), IndexError, "unsqueeze: dim 4 is out of range, expected -4 to 3"),
    (lambda x: x.permute(0, 1), RuntimeError, r"permute: 2 dims \(0, 1\) for a tensor of 3"),
    (lambda x: x.permute(0, 1, 1), RuntimeError, "permute: dims names a dimension twice"),
    (lambda x: x.permute(0, 1, 3), IndexError, "permute: dims 3"),
    (lambda x: x.transpose(0, 3), IndexError, "transpose: dim1 3"),
    (lambda x: x.transpose(0.5, 1), TypeError, "transpose: dim0 must be an integer, got 0.5"),
    (lambda x: x.t(), RuntimeError, r"t: expected at most 2 dimensions, got shape \(2, 3, 4\)"),
    (lambda x: x[0, 0].mT, RuntimeError, r"mT: .*\(4,\)"),
    (lambda x: x.movedim((0, 1), 0), RuntimeError, "movedim: 2 dimensions in source"),
    (lambda x: x.expand(2, 3, 5), RuntimeError, r"expand: cannot expand shape \(2, 3, 4\) to \(2, 3, 5\)"),
    (lambda x: x.expand(3, 4), RuntimeError, "expand"),
    (lambda x: x.expand(-1, 2, 3, 4), RuntimeError, "expand"),
    (lambda x: x.repeat(2, 2), RuntimeError, r"repeat: expected at least 3 .*\(2, 2\)"),
    (lambda x: x.repeat(1, 1, -1), RuntimeError, "repeat"),
    (lambda x: x.flip(0, 0), RuntimeError, "flip: dims names a dimension twice"),
    (lambda x: x.roll((1, 2), 0), RuntimeError, "roll: shifts and dims must be equally many"),
    (lambda x: x.roll(1, 3), IndexError, "roll: dims 3"),
    (lambda x: x.rot90(1, (0,)), RuntimeError, "rot90: expected two dims"),
    (lambda x: x[0, 0].tril(), RuntimeError, r"tril: .*\(4,\)"),
    (lambda x: x.diagonal(0, 1, -2), RuntimeError, "diagonal: dim1 and dim2 names a dimension twice"),
    (lambda x: x.diag(), RuntimeError, r"diag: expected a vector or a matrix, got shape \(2, 3, 4\)"),
    (lambda x: tinycnn.cat([]), ValueError, "cat: expected at least one tensor"),
    (lambda x: tinycnn.cat(x), TypeError, "cat: tensors must be a tuple or list of Tensors, got Tensor"),
    (lambda x: tinycnn.cat([x, 1]), TypeError, r"cat: tensors\[1\] must be a Tensor, got int"),
    (lambda x: tinycnn.cat([x, x[:, :1]]), RuntimeError, r"cat: .*except in dim 0, got \(2, 3, 4\) and \(2, 1, 4\)"),
    (lambda x: tinycnn.cat([x, x], 3), IndexError, "cat: dim 3"),
    (lambda x: tinycnn.cat([x[0, 0, 0], x[0, 0, 0]]), IndexError, "cat: .*0-d"),
    (lambda x: tinycnn.stack([x, x[0]]), RuntimeError, r"stack: .*\(2, 3, 4\) and \(3, 4\)"),
    (lambda x: x.split(0), RuntimeError, "split: split_size_or_sections must be positive, got 0"),
    (lambda x: x.split([1, 2]), RuntimeError, r"split: .*\(1, 2\) must sum to 2, the size of dim 0"),
    (lambda x: x.chunk(0), RuntimeError, "chunk: chunks must be at least 1, got 0"),
    (lambda x: tinycnn.meshgrid(x), RuntimeError, r"meshgrid: expected vectors, got shape \(2, 3, 4\)"),
    (lambda x: tinycnn.meshgrid(x[0, 0], indexing="yx"), ValueError, "meshgrid: indexing must be 'ij' or 'xy', got 'yx'"),
])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(numbers(2, 3, 4))

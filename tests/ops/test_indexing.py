"""x[index] and x[index] = value as PyTorch has them; gathering, masks, sorting, counting, embedding."""
import numpy as np
import pytest

import tinycnn
from tinycnn import embedding, one_hot

T, F = True, False
INDICES = {
    "int": 1, "negative int": -1, "slice": slice(1, None), "empty slice": slice(2, 1), "far slice": slice(-100, 100, 2),
    "tuple": (1, 2, 0), "dots": (..., 0), "dots in the middle": (0, ..., 1), "dots for nothing": (0, 0, ..., 0),
    "none": None, "none and more": (None, 0, None, ..., None), "nothing": (),
    "list": [1, 0, 1], "empty list": [], "nested list": [[0, 1], [1, 1]], "range": range(2), "list in a tuple": (0, [2, 1]),
    "array": np.array([[1], [0]]), "numpy int": np.int64(1), "two arrays": ([0, 1], [2, 0]),
    "broadcast": ([[0], [1]], [0, 2]),
    "arrays apart": ([0, 1], slice(None), [3, 0]), "array after int and slice": (0, slice(None), [1, 2, 3]),
    "int between arrays": ([0, 1], 1, [3, 0]), "array after none": (None, [1, 1]),
    "arrays around none": ([0, 1], None, [2, 0]),
    "mask": np.array([T, F]), "mask of two": np.array([[T, F, T], [F, F, T]]), "mask after int": (1, np.array([T, F, T])),
    "mask and array": (np.array([T, T]), [0, 2]), "mask of nothing": np.zeros((2, 3, 4), bool), "true": True, "false": False,
    "true and more": (True, [1, 0]), "0-d mask": (0, np.array(True)), "list of bool": [T, F],
}


def cube():
    return np.arange(24.0).reshape(2, 3, 4)


def for_torch(index, torch):
    """NumPy arrays and ranges as torch tensors."""
    if isinstance(index, tuple):
        return tuple(for_torch(i, torch) for i in index)
    return torch.tensor(np.asarray(index)) if isinstance(index, (np.ndarray, range)) else index


@pytest.mark.parametrize("name", INDICES)
def test_an_index_means_what_it_means_in_pytorch(name):
    torch = pytest.importorskip("torch")
    index = INDICES[name]
    ours, theirs = tinycnn.tensor(cube()), torch.tensor(cube())
    expected = theirs[torch.tensor(index) if name == "nested list" else for_torch(index, torch)]
    assert ours[index].shape == tuple(expected.shape)
    assert np.array_equal(ours[index].array, expected.numpy())


@pytest.mark.parametrize("name", INDICES)
def test_a_write_goes_where_pytorch_writes(name):
    torch = pytest.importorskip("torch")
    index = INDICES[name]
    ours, theirs = tinycnn.tensor(cube()), torch.tensor(cube())
    ours[index] = -5.0
    theirs[torch.tensor(index) if name == "nested list" else for_torch(index, torch)] = -5.0
    assert np.array_equal(ours.array, theirs.numpy())


def test_tensors_are_indices_and_0_d_ones_count_as_integers():
    x = tinycnn.tensor(cube())
    assert x[tinycnn.tensor([1, 0])].shape == (2, 3, 4)
    assert x[x > 12].tolist() == list(range(13, 24))
    assert x[tinycnn.tensor(1), :, tinycnn.tensor([0, 1])].shape == (3, 2)
    assert x[tinycnn.tensor(0):tinycnn.tensor(1)].shape == (1, 3, 4)
    assert x[[tinycnn.tensor(1), tinycnn.tensor(0)]].shape == (2, 3, 4)


def test_basic_indices_show_the_memory_and_advanced_ones_copy():
    x = tinycnn.tensor(cube())
    views = [x[0], x[0, 0, 0], x[..., 1:], x[None], x[()], x.narrow(1, 0, 2), x.select(2, 1)]
    copies = [x[[0, 1]], x[x > -1], x[0, [0]], x.index_select(0, tinycnn.tensor([0]))]
    x.add_(100.0)
    assert all((v.array >= 100).all() and v._version is x._version for v in views)
    assert all((c.array < 100).all() for c in copies)


def test_a_write_goes_through_a_view_and_is_counted():
    x = tinycnn.zeros(2, 3)
    row = x[1]
    row[0] = 7.0
    assert x.tolist() == [[0, 0, 0], [7, 0, 0]] and x._version.writes == 1
    x[0, 1:] = x[1, :2]
    assert x[0].tolist() == [0, 7, 0]
    x[:, 1:] = x[:, :-1]
    assert x.tolist() == [[0, 0, 7], [7, 7, 0]]


def test_values_are_cast_and_broadcast():
    x = tinycnn.zeros(2, 3)
    x[0] = np.array([1, 2, 3])
    x[1] = [4, 5, 6]
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]] and x.dtype == tinycnn.float32
    x[:, :2] = tinycnn.tensor([[[9]]])
    assert x.tolist() == [[9, 9, 3], [9, 9, 6]]
    whole = tinycnn.zeros(2, dtype=tinycnn.int64)
    whole[0] = 2.7
    assert whole.tolist() == [2, 0]
    precise = tinycnn.zeros(1, dtype=tinycnn.float64)
    precise[0] = 0.1
    assert precise.item() == 0.1


def test_a_buffer_that_is_filled_row_by_row_gives_its_rows_their_gradients():
    w = tinycnn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    buffer = tinycnn.zeros(3, 3)
    for i in range(3):
        buffer[i] = w * (i + 1)
    (buffer * buffer).sum().backward()
    assert np.allclose(w.grad.array, 2 * 14 * w.array.astype(float)) and w.grad.dtype == tinycnn.float32


def test_overwritten_values_lose_their_gradient():
    w = tinycnn.ones(3, requires_grad=True)
    y = w * 2
    y[1] = 0.0
    y.sum().backward()
    assert w.grad.tolist() == [2, 0, 2]


def test_writing_under_no_grad_is_noticed_by_whoever_saved_the_old_values():
    w = tinycnn.ones(3, requires_grad=True)
    y = (w * w).sum()
    with tinycnn.no_grad():
        w[0] = 5.0
    assert w.tolist() == [5, 1, 1] and w.requires_grad
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_an_index_that_changes_before_backward_is_noticed():
    x, index, mask = tinycnn.ones(3, requires_grad=True), tinycnn.tensor([0, 1]), tinycnn.tensor([True, False, False])
    results = x[index], tinycnn.gather(x, 0, index), x.masked_fill(mask, 0.0), embedding(index, tinycnn.ones(3, 2) * x[:2])
    index[0], mask[1] = 2, True
    for y in results:
        with pytest.raises(RuntimeError, match="changed in place"):
            y.sum().backward()


def test_what_cannot_be_recorded_is_refused():
    w = tinycnn.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf that requires a gradient"):
        w[0] = 1.0
    with pytest.raises(RuntimeError, match="view made by Split"):
        (w * 2).split(2)[0][0] = 1.0
    with pytest.raises(RuntimeError, match="leaf that requires a gradient"):
        w[:2][0] = 1.0
    buffer = tinycnn.zeros(3)
    part = buffer[:2]
    buffer[0] = w[0]
    with pytest.raises(RuntimeError, match="take the view again"):
        part[1] = 1.0


def test_repeated_positions_sum_their_gradients():
    x = tinycnn.zeros(3, requires_grad=True)
    x[[2, 0, 2, 2]].sum().backward()
    assert x.grad.tolist() == [1, 0, 3]


def test_iteration_and_unpacking_give_views_with_gradients():
    x = tinycnn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a, b = x
    (a * b).sum().backward()
    assert x.grad.tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("index, error, message", [
    (2, IndexError, "index 2 is out of range for dimension 0 of size 2"),
    ((0, -4), IndexError, "index -4 is out of range for dimension 1 of size 3"),
    ((slice(None), [0, 3]), IndexError, "index 3 is out of range for dimension 1 of size 3"),
    ((0, [-4]), IndexError, "index -4 is out of range for dimension 1 of size 3"),
    ((0, 0, 0, 0), IndexError, r"4 indices for a tensor of shape \(2, 3, 4\)"),
    ((..., 0, ...), IndexError, "`...` may occur only once"),
    (1.0, IndexError, "got float"),
    ("a", IndexError, "got str"),
    ([0.5], IndexError, "must hold int or bool to be an index, got float32"),
    (np.array([1], np.uint8), IndexError, r"uint8: it may mean a mask or positions"),
    (np.array([True] * 3), IndexError, r"a mask of shape \(3,\) does not fit at dimension 0 .*\(2, 3, 4\)"),
    (slice(None, None, -1), ValueError, "step of a slice must be positive, got -1; use flip"),
])
def test_bad_indices_are_named(index, error, message):
    x = tinycnn.tensor(cube())
    with pytest.raises(error, match=message):
        x[index]
    with pytest.raises(error, match=message):
        x[index] = 0.0


def test_a_value_that_does_not_fit_is_named():
    x = tinycnn.zeros(2, 3)
    for value in (tinycnn.ones(2), tinycnn.ones(2, requires_grad=True)):
        with pytest.raises(RuntimeError, match=r"value of shape \(2,\) into a part of shape \(3,\)"):
            x[0] = value
    with pytest.raises(RuntimeError, match=r"into a part of shape \(2, 3\)"):
        x[[0, 1]] = tinycnn.ones(3, 3)
    assert x.tolist() == [[0] * 3] * 2


# ---- gather and its kin ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call", [
    lambda t, x, i: t.gather(x, 1, i),
    lambda t, x, i: x.scatter(1, i, 9.0),
    lambda t, x, i: x.clone().scatter_(1, i[:, :1], 9.0),
    lambda t, x, i: x.clone().scatter_(1, i[:, :1], value=9),
    lambda t, x, i: x.scatter_add(1, i, x[:, :2]),
    lambda t, x, i: x.clone().scatter_add_(0, i[:2], x),
    lambda t, x, i: x.index_add(0, i[:, 0], x, alpha=2),
    lambda t, x, i: x.clone().index_add_(1, i[0], x[:, :2]),
    lambda t, x, i: t.index_select(x, -1, i[2]),
    lambda t, x, i: t.take(x, i),
    lambda t, x, i: t.take_along_dim(x, i[:1], 1),
    lambda t, x, i: t.take_along_dim(x, i),
    lambda t, x, i: x.masked_fill(x > 0, -1),
    lambda t, x, i: x.clone().masked_fill_(x > 0, -1),
    lambda t, x, i: x.masked_select(x > 0),
    lambda t, x, i: t.repeat_interleave(x, 2),
    lambda t, x, i: x.repeat_interleave(3, -1),
    lambda t, x, i: x.repeat_interleave(i[:, 0], 0),
    lambda t, x, i: x.repeat_interleave(i[0, :1], 0),
    lambda t, x, i: x.sort(0)[0],
    lambda t, x, i: x.sort(descending=True).indices,
    lambda t, x, i: t.argsort(x, dim=0, descending=True),
    lambda t, x, i: x.topk(2).values,
    lambda t, x, i: t.topk(x, 2, 0, largest=False).indices,
    lambda t, x, i: t.topk(x[0, 0], 1).values,
    lambda t, x, i: t.sort(x[0, 0]).indices,
    lambda t, x, i: t.unique(i),
    lambda t, x, i: t.unique(i, return_inverse=True)[1],
    lambda t, x, i: t.unique(i, return_counts=True)[1],
    lambda t, x, i: t.unique(t.cat([i, i]), dim=0, return_inverse=True)[1],
    lambda t, x, i: t.nonzero(x > 0),
    lambda t, x, i: t.nonzero(x > 0, as_tuple=True)[1],
    lambda t, x, i: t.nonzero(x[0, 0]),
    lambda t, x, i: t.nonzero(x[0, 0], as_tuple=True)[0],
    lambda t, x, i: t.bincount(i[0]),
    lambda t, x, i: t.bincount(i[0], x[0, :2], minlength=5),
    lambda t, x, i: t.bincount(i[0, :0]),
    lambda t, x, i: t.nn.functional.one_hot(i, 4),
])
def test_values_and_dtypes_are_pytorchs(call):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).permutation(12).reshape(3, 4).astype(np.float32) - 5
    i = np.array([[0, 2], [2, 1], [0, 0]])
    ours, theirs = call(tinycnn, tinycnn.tensor(x), tinycnn.tensor(i)), call(torch, torch.tensor(x), torch.tensor(i)).numpy()
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and np.array_equal(ours.array, theirs)


def test_sorting_is_stable_in_both_directions_and_puts_nan_last_or_first():
    x = tinycnn.tensor([1.0, 0.0, 1.0, float("nan"), 0.0])
    assert x.argsort().tolist() == [1, 4, 0, 2, 3]
    assert x.argsort(descending=True).tolist() == [3, 0, 2, 1, 4]
    values, indices = x[:0].sort()
    assert values.shape == indices.shape == (0,)


def test_sources_are_left_alone():
    x, v, i = tinycnn.zeros(3), tinycnn.ones(2), tinycnn.tensor([0, 0])
    y = x.scatter_add(0, i, v)
    assert (x.tolist(), v.tolist(), y.tolist()) == ([0, 0, 0], [1, 1], [2, 0, 0])


def test_the_padding_row_of_an_embedding_gets_no_gradient():
    w = tinycnn.ones(3, 2, requires_grad=True)
    for padding_idx in (1, -2):
        w.grad = None
        embedding(tinycnn.tensor([[0, 1], [1, 0]]), w, padding_idx).sum().backward()
        assert w.grad.tolist() == [[2, 2], [0, 0], [0, 0]] and w.grad.dtype == tinycnn.float32


def test_one_hot_counts_the_classes_itself():
    assert one_hot(tinycnn.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert one_hot(tinycnn.zeros(0, 2, dtype=tinycnn.int64), 3).shape == (0, 2, 3)


X, I, B = tinycnn.ones(2, 3), tinycnn.tensor([[0, 1]]), tinycnn.tensor([True, False])


@pytest.mark.parametrize("call, error, message", [
    (lambda: X.gather(1, I + 2), IndexError, "gather: index 3 is out of range for dimension 1 of size 3"),
    (lambda: X.gather(1, I - 1), IndexError, "gather: index -1"),
    (lambda: X.gather(1, I[0]), RuntimeError, r"gather: index must have 2 dimensions, got shape \(2,\)"),
    (lambda: X.gather(0, X.long().repeat(1, 2)), RuntimeError, r"index of shape \(2, 6\) .*\(2, 3\).* in dimension 0"),
    (lambda: X.gather(2, I), IndexError, "gather: dim 2"),
    (lambda: X.gather(1, X), TypeError, "gather: index must hold integers, got float32"),
    (lambda: X.scatter(1, I, X.double()), TypeError, "scatter: src must have the dtype of x, float32, got float64"),
    (lambda: X.scatter(1, I, X[:, :1]), RuntimeError, r"src of shape \(2, 1\)"),
    (lambda: X.scatter(1, I), TypeError, "scatter: src must be a Tensor, got NoneType"),
    (lambda: X.index_select(0, I), RuntimeError, r"index_select: index must have 1 dimensions, got shape \(1, 2\)"),
    (lambda: X.index_select(0, I[0] + 1), IndexError, "index_select: index 2 is out of range for dimension 0 of size 2"),
    (lambda: X.index_add(0, I[0], X.T), RuntimeError, r"index_add: source must have shape \(2, 3\)"),
    (lambda: X.masked_fill(X, 0), TypeError, "masked_fill: mask must be bool, got float32"),
    (lambda: X.masked_fill(B, 0), RuntimeError, r"masked_fill: shapes \(2, 3\), \(2,\) do not broadcast"),
    (lambda: X.masked_fill(B[:1], X), RuntimeError, "masked_fill: value must be a number or a 0-d tensor"),
    (lambda: X.narrow(1, 2, 2), IndexError, "narrow: start 2 and length 2 leave dimension 1 of size 3"),
    (lambda: X.select(1, 3), IndexError, "index 3 is out of range for dimension 1 of size 3"),
    (lambda: X.take_along_dim(I[0], 0), RuntimeError, "take_along_dim: indices of shape"),
    (lambda: X.repeat_interleave(-1), RuntimeError, "repeat_interleave: repeats must not be negative, got -1"),
    (lambda: X.repeat_interleave(I[0], 1), RuntimeError, "repeat_interleave: repeats must be an integer or 3 of them"),
    (lambda: X.topk(4), RuntimeError, "topk: k must be from 0 to 3, the size of dimension 1, got 4"),
    (lambda: X.sort(2), IndexError, "sort: dim 2"),
    (lambda: X.bincount(), RuntimeError, r"bincount: expected a vector of integers, got shape \(2, 3\) and dtype float32"),
    (lambda: (I[0] - 1).bincount(), ValueError, "bincount: x must not hold negative numbers, got -1"),
    (lambda: one_hot(I, 1), ValueError, "one_hot: labels must be from 0 to 0, got 0 to 1"),
    (lambda: one_hot(X), TypeError, "one_hot: tensor must hold integers, got float32"),
    (lambda: one_hot(I[:0]), ValueError, "one_hot: num_classes must be given for an empty tensor"),
    (lambda: embedding(X, X), TypeError, "embedding: input must hold integers, got float32"),
    (lambda: embedding(I + 1, X), IndexError, "embedding: index 2 is out of range for dimension 0 of size 2"),
    (lambda: embedding(I, X[0]), ValueError, r"embedding: weight must have shape .*got \(3,\)"),
    (lambda: embedding(I, X, 2), ValueError, "embedding: padding_idx must be from -2 to 1, got 2"),
])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

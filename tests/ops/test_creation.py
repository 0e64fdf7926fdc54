"""Tensors out of nothing, random tensors, and moving between dtypes."""
import numpy as np
import pytest

import tinycnn as t


def test_shapes_may_be_given_as_numbers_a_tuple_or_a_list():
    for create in (t.zeros, t.ones, t.empty, t.rand, t.randn):
        assert create(2, 3).shape == create((2, 3)).shape == create([2, 3]).shape == create(np.int64(2), 3).shape == (2, 3)
        assert create(()).shape == () and create(0, 3).shape == (0, 3)


def test_creation_takes_dtype_and_requires_grad():
    for create in (t.zeros, t.ones, t.rand, t.randn, t.eye):
        x = create(2, dtype=t.float64, requires_grad=True)
        assert x.dtype == t.float64 and x.requires_grad and x.is_leaf
    assert t.zeros(2).dtype == t.rand(2).dtype == t.linspace(0, 1, 2).dtype == t.eye(2).dtype == t.float32
    assert t.zeros(2, dtype=int).dtype == t.int64


def test_full_takes_the_dtype_of_its_value():
    assert t.full((2,), 1).dtype == t.int64 and t.full((2,), True).dtype == t.bool
    assert t.full((2,), 1.5).dtype == t.full((2,), np.float64(1.5)).dtype == t.float32
    assert t.full((2,), t.tensor(3.0, dtype=t.float64)).dtype == t.float64
    assert t.full((2, 1), 7, dtype=t.float32).tolist() == [[7.0], [7.0]]


@pytest.mark.parametrize("arguments", [(5,), (2, 7), (0, 10, 3), (5, 0, -2), (0, 1, 0.25), (3.0,), (2, 2), (1.5, 4)])
def test_arange_is_that_of_pytorch(arguments):
    torch = pytest.importorskip("torch")
    ours, theirs = t.arange(*arguments), torch.arange(*arguments)
    assert ours.tolist() == theirs.tolist() and f"torch.{ours.dtype.name}" == str(theirs.dtype)


def test_arange_counts_up_to_a_tensor():
    assert t.arange(t.tensor(3)).tolist() == [0, 1, 2]


def test_spaced_numbers_include_both_ends():
    assert t.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1] and t.linspace(3, 9, 1).tolist() == [3]
    assert t.logspace(0, 2, 3).tolist() == [1, 10, 100] and t.logspace(0, 2, 3, base=2).tolist() == [1, 2, 4]


def test_like_takes_shape_and_dtype():
    x = t.zeros(2, 3, dtype=t.float64)
    for create in (t.zeros_like, t.ones_like, t.empty_like, t.rand_like, t.randn_like):
        assert create(x).shape == (2, 3) and create(x).dtype == t.float64
        assert create(x, dtype=t.float32, requires_grad=True).requires_grad
    assert t.full_like(x, 3).tolist() == [[3] * 3] * 2
    assert t.randint_like(x, 2, 4).dtype == t.float64 and 2 <= t.randint_like(x, 2, 4).min() <= 3


def test_new_tensors_take_the_dtype_of_this_one():
    x = t.zeros(2, dtype=t.float64)
    assert x.new_zeros(3, 1).shape == (3, 1) and x.new_ones((2,)).tolist() == [1, 1]
    assert x.new_full((2,), 5).tolist() == [5, 5] and x.new_tensor([1, 2]).tolist() == [1, 2]
    for y in (x.new_zeros(1), x.new_ones(1), x.new_full((1,), 5), x.new_tensor([1]), x.new_empty(1)):
        assert y.dtype == t.float64


# ---- random ----------------------------------------------------------------------------------------------------------

def test_the_same_seed_gives_the_same_numbers():
    def draw():
        t.manual_seed(7)
        x = t.zeros(3)
        return [v.tolist() for v in (t.rand(3), t.randn(3), t.randint(10, (3,)), t.randperm(5), t.normal(1.0, 2.0, (3,)),
                                     x.normal_().clone(), x.uniform_().clone(), x.bernoulli_().clone(),
                                     x.random_(9).clone())]
    assert draw() == draw()


def test_a_generator_of_ones_own_leaves_the_default_alone():
    own = t.Generator().manual_seed(1)
    t.manual_seed(0)
    expected = t.rand(3).tolist()
    t.manual_seed(0)
    first = t.rand(3, generator=own).tolist()
    t.zeros(3).normal_(generator=own)
    assert t.rand(3).tolist() == expected
    assert t.rand(3, generator=own.manual_seed(1)).tolist() == first != expected


def test_random_numbers_have_the_moments_asked_for():
    t.manual_seed(0)
    n = 20000
    for x, mean, std in ((t.rand(n), 0.5, 12 ** -0.5), (t.randn(n), 0, 1), (t.zeros(n).normal_(3, 2), 3, 2),
                         (t.zeros(n).uniform_(-1, 3), 1, 4 * 12 ** -0.5), (t.normal(3.0, 2.0, (n,)), 3, 2),
                         (t.zeros(n).bernoulli_(0.25), 0.25, 0.1875 ** 0.5),
                         (t.bernoulli(t.full((n,), 0.25)), 0.25, 0.1875 ** 0.5)):
        assert x.dtype == t.float32
        assert x.mean().item() == pytest.approx(mean, abs=0.06) and x.std().item() == pytest.approx(std, abs=0.06)


def test_normal_takes_tensors_of_means_and_deviations():
    assert t.normal(t.tensor([[1.0], [2.0]]), t.zeros(3)).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert t.normal(t.zeros(2, dtype=t.float64)).dtype == t.float64


def test_random_integers_and_orders():
    x = t.randint(3, 6, (1000,))
    assert x.dtype == t.int64 and set(x.tolist()) == {3, 4, 5}
    assert set(t.randint(2, size=(100,)).tolist()) == set(t.randint(high=2, size=(100,)).tolist()) == {0, 1}
    assert sorted(t.randperm(6).tolist()) == list(range(6)) and t.randperm(0).shape == (0,)
    assert t.randint(0, 2, (5,), dtype=t.float32).dtype == t.float32


def test_bernoulli_takes_certainties_and_masks():
    x = t.zeros(2, 3)
    assert x.bernoulli_(t.tensor([0.0, 1.0, 1.0])).tolist() == [[0, 1, 1]] * 2
    assert t.zeros(3, dtype=t.int64).bernoulli_(1.0).tolist() == [1, 1, 1]


# ---- moving ----------------------------------------------------------------------------------------------------------

def test_to_returns_the_tensor_itself_where_nothing_changes():
    x = t.ones(2)
    assert x.to(t.float32) is x.to("cpu") is x.to(x) is x.float() is x.cpu() is x.to(None) is x
    copy = x.to(t.float32, copy=True)
    assert copy is not x and copy.array is not x.array


def test_to_reads_its_arguments_as_pytorch_does():
    x, like = t.tensor([1.7, 0.0]), t.zeros(1, dtype=t.int64)
    assert x.to(like).dtype == x.to("cpu", t.int64).dtype == x.to(dtype=int).dtype == x.type(t.int64).dtype == t.int64
    assert x.to("cpu", t.float64, True).dtype == x.type_as(t.zeros(1, dtype=t.float64)).dtype == t.float64


def test_casts_by_name():
    x = t.tensor([1.7, 0.0])
    names = dict(double="float64", float="float32", half="float16", bool="bool", byte="uint8", char="int8", short="int16",
                 int="int32", long="int64")
    assert {name: getattr(x, name)().dtype.name for name in names} == names
    assert x.long().tolist() == [1, 0] and x.bool().tolist() == [True, False]


def test_the_gradient_returns_in_the_dtype_of_the_leaf():
    x = t.ones(2, requires_grad=True)
    (x.double() * t.tensor([2.0, 3.0], dtype=t.float64)).sum().backward()
    assert x.grad.dtype == t.float32 and x.grad.tolist() == [2, 3]


def test_a_cast_to_integers_ends_the_history():
    y = t.ones(2, requires_grad=True).long()
    assert not y.requires_grad and y.dtype == t.int64


def test_clone_has_memory_of_its_own_in_the_same_layout():
    x = t.zeros(2, 3)
    transposed = t.from_numpy(x.numpy().T)
    y = t.clone(transposed)
    y.fill_(1.0)
    assert x.tolist() == [[0] * 3] * 2 and y.stride() == transposed.stride()


@pytest.mark.parametrize("call, exception, message", [
    (lambda: t.zeros(2.5), TypeError, r"zeros: size must be integers, got \(2.5,\)"),
    (lambda: t.randn("a"), TypeError, "randn: size must be integers"),
    (lambda: t.ones(2, -1), ValueError, r"ones: size must not be negative, got \(2, -1\)"),
    (lambda: t.eye(-1), ValueError, r"eye: size must not be negative"),
    (lambda: t.arange(5, 2), ValueError, "arange: step 1 leads from start 5 away from end 2"),
    (lambda: t.arange(0, 1, 0), ValueError, "arange: step must not be 0"),
    (lambda: t.linspace(0, 1, -1), ValueError, "linspace: steps must not be negative, got -1"),
    (lambda: t.rand(2, dtype=t.int64), TypeError, "rand: dtype must be floating point, got int64"),
    (lambda: t.randint(5, 5, (2,)), ValueError, "randint: low must be below high, got 5 and 5"),
    (lambda: t.randint(5), TypeError, "randint: size"),
    (lambda: t.zeros_like([1]), TypeError, "zeros_like: input must be a Tensor, got list"),
    (lambda: t.zeros(2, dtype=t.int64, requires_grad=True), RuntimeError, "floating-point.*int64"),
    (lambda: t.zeros(2, dtype="complex64"), TypeError, "dtype must be one of.*complex64"),
    (lambda: t.zeros(2).to("tpu"), TypeError, "dtype must be one of.*tpu"),
    (lambda: t.zeros(2).normal_(0, -1), ValueError, "normal_: std must not be negative, got -1"),
    (lambda: t.zeros(2).uniform_(1, 0), ValueError, "uniform_: the lower end must not exceed the upper, got 1 and 0"),
    (lambda: t.zeros(2).bernoulli_(1.5), ValueError, "bernoulli_: p must be from 0 to 1, got 1.5"),
    (lambda: t.zeros(2).random_(0), ValueError, "random_: low must be below high, got 0 and 0"),
    (lambda: t.zeros(2, dtype=t.int64).normal_(), TypeError, "normal_: x must be floating point, got int64"),
    (lambda: t.bernoulli(t.tensor([1])), TypeError, "bernoulli: input must be floating point, got int64"),
])
def test_bad_input_is_refused_by_name(call, exception, message):
    with pytest.raises(exception, match=message):
        call()


def test_the_size_can_be_named():
    for create in (t.zeros, t.ones, t.empty, t.rand, t.randn):
        assert create(size=(2, 3)).shape == create(2, 3).shape == (2, 3) and create(size=[4]).shape == (4,)
        assert create(size=()).shape == () == create(()).shape
        with pytest.raises(ValueError, match=r"size must not be negative, got \(-1,\)"):
            create(size=(-1,))


def test_asarray_shares_memory_unless_asked_for_a_copy():
    a = np.zeros(3, np.float32)
    assert np.shares_memory(t.asarray(a).array, a) and not np.shares_memory(t.asarray(a, copy=True).array, a)
    x = t.ones(2)
    assert t.asarray(x) is x and t.asarray(x, copy=False) is x
    assert t.asarray([1.0], requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match="asarray: copy=False, but a list"):
        t.asarray([1], copy=False)

"""Tensor itself: construction, interop with NumPy, what it prints, what it refuses."""
import copy
import pickle

import numpy as np
import pytest

import tinycnn


def test_tensor_copies_and_infers_the_dtype_like_pytorch():
    values = np.arange(3.0)
    assert tinycnn.tensor(values).dtype == tinycnn.float64
    assert tinycnn.tensor([1.0, 2.0]).dtype == tinycnn.float32
    assert tinycnn.tensor([1, 2]).dtype == tinycnn.int64
    assert tinycnn.tensor([True]).dtype == tinycnn.bool
    assert tinycnn.tensor(np.float64(1.0)).dtype == tinycnn.float64
    assert tinycnn.tensor([1, 2.5], dtype=tinycnn.float16).dtype == tinycnn.float16
    t = tinycnn.tensor(values)
    values[0] = 9
    assert t[0].item() == 0.0


def test_tensor_accepts_lists_of_tensors_and_of_arrays():
    t = tinycnn.tensor([tinycnn.tensor(1.0), tinycnn.tensor(2.0)])
    assert t.tolist() == [1.0, 2.0]
    assert tinycnn.tensor([np.ones(2), np.zeros(2)]).shape == (2, 2)


def test_from_numpy_and_numpy_share_memory():
    values = np.zeros(3, np.float32)
    t = tinycnn.from_numpy(values)
    t += 1.0
    assert values.tolist() == [1, 1, 1] and t.numpy() is values


def test_as_tensor_returns_what_already_fits():
    t = tinycnn.ones(2)
    assert tinycnn.as_tensor(t) is t and tinycnn.as_tensor(t, dtype=tinycnn.float64).dtype == tinycnn.float64


def test_the_constructor_takes_sizes_or_data_in_the_default_dtype():
    assert tinycnn.Tensor(2, 3).shape == (2, 3)
    assert tinycnn.Tensor([1, 2]).dtype == tinycnn.float32


def test_numpy_functions_read_a_tensor():
    t = tinycnn.tensor([1.0, 4.0])
    assert np.asarray(t).dtype == np.float32 and np.sqrt(t).tolist() == [1.0, 2.0]
    assert isinstance(np.ones(2, np.float32) + t, tinycnn.Tensor)


def test_numpy_refuses_a_tensor_with_history_and_says_what_to_write():
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        tinycnn.ones(1, requires_grad=True).numpy()


def test_data_shares_memory_without_history():
    w = tinycnn.ones(2, requires_grad=True)
    w.data.mul_(3.0)
    assert w.tolist() == [3.0, 3.0] and w.is_leaf and not w.data.requires_grad
    w.data = tinycnn.zeros(2)
    assert w.tolist() == [0.0, 0.0] and w.requires_grad


def test_repr_shows_values_dtype_device_and_history():
    w = tinycnn.tensor([1.0, 2.5], requires_grad=True)
    assert repr(w) == "tensor([1. , 2.5], dtype=float32, device='cpu', requires_grad=True)"
    assert repr(w * 2.0).endswith("grad_fn=<Mul>)")
    assert "dtype=int64" in repr(tinycnn.tensor([[1, 2], [3, 4]]))


def test_a_scalar_is_a_number_and_formats_like_one():
    t = tinycnn.tensor(2.5)
    assert (float(t), int(t), f"{t:.2f}", bool(t)) == (2.5, 2, "2.50", True)
    assert [10, 20, 30][tinycnn.tensor(1)] == 20


@pytest.mark.parametrize("use, error, words", [
    (lambda: tinycnn.tensor([[1, 2], [3]]), ValueError, "no regular array"),
    (lambda: tinycnn.tensor("seven"), TypeError, "data must be numbers"),
    (lambda: tinycnn.tensor([1.0], dtype="float128x"), TypeError, "float128x"),
    (lambda: tinycnn.tensor([1], requires_grad=True), RuntimeError, "int64"),
    (lambda: tinycnn.ones(2).item(), ValueError, r"shape \(2,\)"),
    (lambda: bool(tinycnn.ones(2)), ValueError, "ambiguous"),
    (lambda: len(tinycnn.tensor(1.0)), TypeError, "0-d"),
    (lambda: list(tinycnn.tensor(1.0)), TypeError, "0-d"),
    (lambda: [1, 2][tinycnn.tensor(1.0)], TypeError, "integer"),
    (lambda: tinycnn.ones(2, device="gpu"), ValueError, "'gpu'"),
    (lambda: tinycnn.from_numpy([1.0]), TypeError, "list"),
    (lambda: (tinycnn.ones(1, requires_grad=True) * 2.0).requires_grad_(False), RuntimeError, r"detach\(\)"),
    (lambda: tinycnn.manual_seed("x"), TypeError, "'x'"),
    (lambda: tinycnn.sigmod, AttributeError, "did you mean .sigmoid"),
    (lambda: tinycnn.ones(2).reshpe, AttributeError, "did you mean .reshape"),
])
def test_misuse_is_one_clear_error(use, error, words):
    with pytest.raises(error, match=words):
        use()


def test_asking_for_cuda_without_cupy_or_gpu_says_how_to_get_it():
    if tinycnn.engine.arrays.cuda_device_count():
        pytest.skip("this machine has a GPU that CuPy can use")
    with pytest.raises(RuntimeError, match="cupy-cuda12x"):
        tinycnn.ones(1).to("cuda")
    with pytest.raises(RuntimeError, match="cupy-cuda12x"):
        tinycnn.set_default_device("cuda")
    tinycnn.set_default_device(None)


def test_devices_compare_and_print():
    assert tinycnn.device("cuda") == tinycnn.device("cuda:0") == tinycnn.device("cuda", 0) != tinycnn.device("cuda:1")
    assert str(tinycnn.device("cuda")) == "cuda:0" and tinycnn.ones(1).device == tinycnn.device("cpu")


def test_deepcopy_and_pickle_keep_values_and_flag():
    w = tinycnn.tensor([1.0], requires_grad=True)
    for twin in (copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        twin.data.add_(1.0)
        assert twin.requires_grad and twin.tolist() == [2.0] and w.tolist() == [1.0]
    with pytest.raises(RuntimeError, match=r"detach\(\)\.clone\(\)"):
        copy.deepcopy(w * 2.0)


def test_a_deep_copy_has_hooks_and_memory_of_its_own():
    base = tinycnn.ones(4)
    w = base[:2].requires_grad_()
    calls = []
    w.register_hook(lambda g: calls.append("w"))
    twin = copy.deepcopy(w)
    twin.register_hook(lambda g: calls.append("twin"))
    base._version.rewrites += 1  # the base changes; only views of it are out of date
    (twin * 2).sum().backward()
    assert calls == ["twin"] and len(w.hooks[0]) == 1
    assert twin.grad.tolist() == [2.0, 2.0] and w.grad is None


def test_the_same_seed_gives_the_same_numbers():
    tinycnn.manual_seed(3)
    first = tinycnn.randn(5), tinycnn.rand(5), tinycnn.randint(10, (5,)), tinycnn.randperm(5)
    tinycnn.manual_seed(3)
    again = tinycnn.randn(5), tinycnn.rand(5), tinycnn.randint(10, (5,)), tinycnn.randperm(5)
    assert all(a.tolist() == b.tolist() for a, b in zip(first, again))
    assert sorted(again[3].tolist()) == [0, 1, 2, 3, 4]


def test_a_generator_continues_from_a_saved_state():
    g = tinycnn.Generator().manual_seed(1)
    tinycnn.rand(3, generator=g)
    state = g.get_state()
    first = tinycnn.rand(3, generator=g).tolist()
    g.set_state(state)
    assert tinycnn.rand(3, generator=g).tolist() == first and g.initial_seed() == 1

"""Every case of the registry in tinycnn and in PyTorch: the same outputs and the same gradients."""
import numpy as np
import pytest

import tinycnn
from tinycnn.gradcheck import registry

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
registry.load()


def flatten(result):
    """What a call returned as a list of tensors and numbers."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in flatten(part)]
    return [result]


def as_numpy(value):
    return value.detach().numpy() if isinstance(value, (tinycnn.Tensor, torch.Tensor)) else np.asarray(value)


def arrays_of(case, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.draw(seed=1)]


def run(case, library, call, make, arrays):
    """The outputs of the case and the gradients of its inputs, as NumPy arrays, in one library."""
    inputs = [make(a.copy()) for a in arrays]
    for tensor, sample in zip(inputs, case.inputs):
        tensor.requires_grad_(sample.differentiable)
    outputs = flatten(call(library, *inputs))
    roots = [y for y in outputs if getattr(y, "requires_grad", False)]
    rng = np.random.default_rng(2)
    dys = [np.asarray(rng.standard_normal(tuple(y.shape)), as_numpy(y).dtype) for y in roots]
    wanted = [x for x, sample in zip(inputs, case.inputs) if sample.differentiable]
    found = library.autograd.grad(roots, wanted, [make(dy) for dy in dys], allow_unused=True)
    gradients = [np.zeros_like(as_numpy(x)) if g is None else as_numpy(g) for x, g in zip(wanted, found)]
    return [as_numpy(y) for y in outputs], gradients


def both(case, dtype):
    arrays = arrays_of(case, dtype)
    ours = run(case, tinycnn, case.call, tinycnn.from_numpy, arrays)
    return ours, run(case, torch, case.torch, torch.from_numpy, arrays)


def assert_same(what, ours, theirs, tolerance):
    """Integers and booleans exactly; floating point up to `tolerance` times the largest magnitude; infinities in place."""
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, PyTorch {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, PyTorch {theirs.dtype}"
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[~finite], theirs[~finite], err_msg=what)
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs, err_msg=what)
    elif finite.any():
        scale = np.abs(theirs[finite]).max()
        np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=tolerance * scale, err_msg=what)


@pytest.mark.parametrize("case", registry.CASES, ids=lambda c: c.id)
def test_outputs_and_gradients_are_pytorchs(case):
    (outputs, gradients), (their_outputs, their_gradients) = both(case, np.float64)
    assert len(outputs) == len(their_outputs)
    for i, (ours, theirs) in enumerate(zip(outputs, their_outputs)):
        assert_same(f"output {i}", ours, theirs, 1e-10)
    for i, (ours, theirs) in enumerate(zip(gradients, their_gradients)):
        assert_same(f"gradient of input {i}", ours, theirs, 1e-10)


@pytest.mark.parametrize("case", [c for c in registry.CASES if not c.kinks], ids=lambda c: c.id)
def test_float32_stays_float32_and_agrees_to_its_precision(case):
    (outputs, gradients), (their_outputs, their_gradients) = both(case, np.float32)
    for i, (ours, theirs) in enumerate(zip(outputs, their_outputs)):
        assert_same(f"output {i}", ours, theirs, 1e-5)
    for i, (ours, theirs) in enumerate(zip(gradients, their_gradients)):
        assert_same(f"gradient of input {i}", ours, theirs, 1e-5)

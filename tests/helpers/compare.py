"""What the parity tests share: one expression, run in both libraries, must give the same values and gradients."""
import numpy as np

import tinycnn

LAYOUTS = {"float64": (np.float64, "C"), "float32": (np.float32, "C"), "float64, not contiguous": (np.float64, "F")}


def leaves(result):
    """What a call returned as a flat list of tensors and numbers."""
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, (tuple, list)) else [result]


def values(leaf):
    return leaf.detach().numpy(force=True) if hasattr(leaf, "detach") else np.asarray(leaf)


def run(library, call, samples, dtype, order):
    """(result, outputs, gradients) of `call(**tensors)` for the inputs `samples`, drawn alike for every library."""
    rng, tensors = np.random.default_rng(1), {}
    for name, sample in samples.items():
        array = np.asarray(sample.draw(rng))
        array = np.array(array.astype(dtype) if array.dtype.kind == "f" else array, order=order)
        tensors[name] = library.from_numpy(array).requires_grad_(array.dtype.kind == "f" and sample.differentiable)
    result = call(**tensors)
    outputs = leaves(result)
    roots = [y for y in outputs if getattr(y, "requires_grad", False)]
    rng = np.random.default_rng(2)
    dys = [library.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape)), values(y).dtype)) for y in roots]
    wanted = [x for x in tensors.values() if x.requires_grad]
    gradients = library.autograd.grad(roots, wanted, dys, allow_unused=True) if roots and wanted else []
    gradients = [np.zeros(tuple(x.shape)) if g is None else values(g) for x, g in zip(wanted, gradients)]
    return result, outputs, gradients


def assert_same(what, ours, theirs):
    """Shape and dtype equal; integers and what is not finite exactly; the rest to 1e-10 (float32: 1e-5) of the largest."""
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, PyTorch {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, PyTorch {theirs.dtype}"
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs, err_msg=what)
        return
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[~finite], theirs[~finite], err_msg=what)
    if finite.any():
        scale = max(np.abs(theirs[finite]).max(), 1e-30)
        tolerance = 1e-10 if ours.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=tolerance * scale, err_msg=what)


def assert_parity(torch, expression, samples, layout="float64"):
    """The Python `expression` in t (the library), F (its functional) and the names of `samples` agrees in both libraries."""
    dtype, order = LAYOUTS[layout]
    code = compile(expression, expression, "eval")

    def call(library):
        names = {"t": library, "F": library.nn.functional}
        return run(library, lambda **tensors: eval(code, {**names, **tensors}), samples, dtype, order)
    (ours, our_outputs, our_gradients), (theirs, their_outputs, their_gradients) = call(tinycnn), call(torch)
    assert len(our_outputs) == len(their_outputs)
    assert isinstance(ours, tuple) == isinstance(theirs, tuple), f"{type(ours)}, PyTorch {type(theirs)}"
    fields = [name for name in ("values", "indices", "min", "max") if type(theirs).__module__ == "torch.return_types"
              and hasattr(theirs, name)]
    for name in fields:
        assert_same(name, values(getattr(ours, name)), values(getattr(theirs, name)))
    for i, (y, expected) in enumerate(zip(our_outputs, their_outputs)):
        assert getattr(y, "requires_grad", None) == getattr(expected, "requires_grad", None), f"output {i}: requires_grad"
        assert_same(f"output {i}", values(y), values(expected))
    for name, g, expected in zip((n for n, s in samples.items()), our_gradients, their_gradients):
        assert_same(f"gradient of input {name}", g, expected.astype(g.dtype))

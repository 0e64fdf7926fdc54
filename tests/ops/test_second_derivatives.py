"""Second derivatives: every operation's gradient is recorded, and the gradient of the gradient is right."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.cases import MAY_WAIT, NEEDS_KERNELS
from tests.helpers.strict_array import StrictArray, install, waits
import tinycnn.nn.functional as F
from tinycnn import autograd
from tinycnn.engine.function import Function
from tinycnn.gradcheck import GradcheckError, gradgradcheck, registry
from tinycnn.gradcheck.problem import flatten
from tinycnn.engine.tensor import wrap

registry.load()
ONCE = {"SyncNormalize"}  # refuses: the statistics come from other processes, which do not record them
SMOOTH = [case for case in registry.CASES  # at a kink there is no second derivative
          if not case.kinks and case.function.__name__ not in ONCE]

# The gradient of these does not depend on anything, so that there is nothing to differentiate.
CONSTANT = {"Staircase": "its gradient is zero, whatever flows in"}

PYTORCH_FAILS = {"Pow: 0 on the left": "it multiplies 0 by ln 0",
                 "Embedding: empty": "it reshapes nothing to an ambiguous shape",
                 "Normalize: layer norm of everything, bias only": "it stumbles over the missing weight"}


class Gradient:
    """The gradient of a case, as a function from arrays (inputs and upstream gradients) to one number.

    The number is the sum of all the gradients' entries times fixed random weights, so that its own gradient holds all second
    derivatives, mixed at random.
    """

    def __init__(self, case, library=tinycnn):
        self.case, self.library, rng = case, library, np.random.default_rng(7)
        self.call = case.call if library is tinycnn else case.torch
        self.make = library.from_numpy
        self.inputs = case.draw(seed=1)
        self.places = [i for i, sample in enumerate(case.inputs) if sample.differentiable]
        self.weights = [rng.standard_normal(self.inputs[i].shape) for i in self.places]
        self.dys = [np.asarray(rng.standard_normal(tuple(y.shape))) for y in self.outputs(self.tensors(self.inputs))]
        self.arrays = [*(self.inputs[i] for i in self.places), *self.dys]
        self.directions = [rng.standard_normal(a.shape) for a in self.arrays]

    def tensors(self, inputs):
        tensors = [self.make(np.array(a)) for a in inputs]
        return [x.requires_grad_() if i in self.places else x for i, x in enumerate(tensors)]

    def outputs(self, tensors):
        return [y for y in flatten(self.call(self.library, *tensors)) if getattr(y, "requires_grad", False)]

    def at(self, arrays, create_graph=True):
        """(leaves, gradients of the inputs) at other values of all that varies."""
        inputs = list(self.inputs)
        for i, a in zip(self.places, arrays):
            inputs[i] = a
        tensors = self.tensors(inputs)
        dys = [self.make(np.array(a)).requires_grad_() for a in arrays[len(self.places):]]
        leaves = [tensors[i] for i in self.places]
        grads = self.library.autograd.grad(self.outputs(tensors), leaves, dys, create_graph=create_graph, allow_unused=True)
        return leaves + dys, grads

    def number(self, grads):
        return sum((g * self.make(v)).sum() for g, v in zip(grads, self.weights) if g is not None)

    def second(self):
        """The gradient of the number by everything that varies, as arrays; None where the number is constant."""
        leaves, grads = self.at(self.arrays)
        number = self.number(grads)
        if not getattr(number, "requires_grad", False):
            return None
        found = self.library.autograd.grad(number, leaves, allow_unused=True)
        return [np.zeros(leaf.shape) if g is None else g.detach().numpy(force=True) for leaf, g in zip(leaves, found)]

    def slope(self, h=1e-3):
        """The derivative of the number in a random direction, from its values alone."""
        def value(t):
            return float(self.number(self.at([a + t * d for a, d in zip(self.arrays, self.directions)])[1]))
        return (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)


# ---- every operation -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", SMOOTH, ids=lambda c: c.id)
def test_the_recorded_gradient_is_the_plain_one_and_its_gradient_is_right(case):
    gradient = Gradient(case)
    with np.errstate(all="ignore"):
        plain, recorded = (gradient.at(gradient.arrays, create_graph)[1] for create_graph in (False, True))
        for a, b in zip(plain, recorded, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(b.detach().numpy(), a.numpy(), rtol=1e-10, atol=1e-10)
        second = gradient.second()
        if second is None:
            assert case.function.__name__ in CONSTANT
            return
        ours = sum((g * d).sum() for g, d in zip(second, gradient.directions))
        scale = sum(np.abs(g * d).sum() for g, d in zip(second, gradient.directions))
        slopes = [gradient.slope()]
        if abs(ours - slopes[0]) > 1e-7 * scale:  # steep functions need a smaller step
            slopes.append(gradient.slope(1e-5))
        assert min(abs(ours - slope) for slope in slopes) <= 1e-7 * scale, (ours, slopes)


@pytest.mark.parametrize("case", [c for c in SMOOTH if c.id not in PYTORCH_FAILS], ids=lambda c: c.id)
def test_second_derivatives_are_those_of_pytorch(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    ours = Gradient(case).second()
    try:
        theirs = Gradient(case, torch).second()
    except RuntimeError as error:
        assert "is not implemented" in str(error) or "supported" in str(error), str(error)
        return  # PyTorch has none; the test above has seen to ours
    for a, b in zip(ours or [], theirs or [], strict=bool(ours and theirs)):
        scale = np.abs(b).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(scale, 1), err_msg=case.id)


@pytest.mark.slow
@pytest.mark.parametrize("case", SMOOTH, ids=lambda c: c.id)
def test_gradients_keep_all_the_promises_of_a_backward(case):
    inputs = [tinycnn.from_numpy(a).requires_grad_(s.differentiable) for a, s in zip(case.draw(), case.inputs)]
    report = gradgradcheck(lambda *tensors: case.call(tinycnn, *tensors), *inputs)
    assert report and report.error <= 1e-7 and report.kinks == report.jumps == 0, str(report)


@pytest.mark.parametrize("case", [c for c in SMOOTH if c.function.__name__ not in NEEDS_KERNELS], ids=lambda c: c.id)
def test_gradients_are_recorded_on_device_arrays_and_stay_there(case, monkeypatch):
    gradient = Gradient(case)
    if 0 in [a.size for a in gradient.arrays]:
        return  # the strict array's empty broadcasts are read-only, CuPy's are not
    _, expected = gradient.at(gradient.arrays)
    install(monkeypatch)
    gradient.make = lambda a: wrap(StrictArray(np.array(a)))
    leaves, found = gradient.at(gradient.arrays)
    number = gradient.number(found)
    second = autograd.grad(number, leaves, allow_unused=True) if getattr(number, "requires_grad", False) else ()
    for g, e in zip(found, expected, strict=True):
        assert (g is None) == (e is None)
        if g is not None:
            np.testing.assert_allclose(g.array._a, e.array, rtol=1e-12, atol=1e-14)
    assert all(g is None or isinstance(g.array, StrictArray) for g in second)
    assert set(waits) <= set(MAY_WAIT.get(case.function.__name__, ())), f"{case.id} makes the host wait: {waits}"


def test_the_tables_of_exceptions_hold_no_stale_names():
    assert set(CONSTANT) <= {case.function.__name__ for case in SMOOTH}
    assert set(PYTORCH_FAILS) <= {case.id for case in SMOOTH}


# ---- together --------------------------------------------------------------------------------------------------------

def small_net(t):
    """A convolutional network with batch norm and max pooling, in either library."""
    return t.nn.Sequential(t.nn.Conv2d(2, 4, 3, padding=1), t.nn.BatchNorm2d(4), t.nn.Tanh(), t.nn.MaxPool2d(2),
                           t.nn.Conv2d(4, 3, 2, stride=2, bias=False), t.nn.Softplus(), t.nn.Flatten(), t.nn.Linear(12, 5))


def hessian_vector_product(t, make, arrays, x, labels, directions):
    """H v of the loss of the small net, H the matrix of second derivatives by all parameters."""
    net = small_net(t).to(t.float64)
    parameters = list(net.parameters())
    with t.no_grad():
        for p, a in zip(parameters, arrays, strict=True):
            p.copy_(make(a.copy()))
    loss = t.nn.functional.cross_entropy(net(make(x)), make(labels), label_smoothing=0.1)
    grads = t.autograd.grad(loss, parameters, create_graph=True)
    product = sum((g * make(v)).sum() for g, v in zip(grads, directions))
    return [h.detach().numpy() for h in t.autograd.grad(product, parameters)]


def test_the_hessian_of_a_convolutional_network_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(p.shape) for p in small_net(tinycnn).parameters()]
    directions = [rng.standard_normal(a.shape) for a in arrays]
    x, labels = rng.standard_normal((4, 2, 8, 8)), rng.integers(0, 5, 4)
    ours = hessian_vector_product(tinycnn, tinycnn.from_numpy, arrays, x, labels, directions)
    theirs = hessian_vector_product(torch, torch.from_numpy, arrays, x, labels, directions)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(np.abs(b).max(), 1))


def test_training_with_a_gradient_penalty_flattens_the_network():
    tinycnn.manual_seed(0)
    net = tinycnn.nn.Sequential(tinycnn.nn.Conv2d(1, 4, 3), tinycnn.nn.Tanh(), tinycnn.nn.Flatten(),
                                tinycnn.nn.Linear(4 * 16, 1))
    optimizer = tinycnn.optim.SGD(net.parameters(), lr=0.5)
    x = tinycnn.randn(8, 1, 6, 6).requires_grad_()
    sizes = []
    for _ in range(30):
        optimizer.zero_grad()
        (dx,) = autograd.grad(net(x).sum(), x, create_graph=True)
        penalty = (dx * dx).sum((1, 2, 3)).mean()
        penalty.backward()
        optimizer.step()
        sizes.append(penalty.item())
    assert x.grad is not None and sizes[-1] < sizes[0] / 4


def test_derivatives_of_a_polynomial_to_the_last():
    x = tinycnn.tensor([2.0, -1.0], dtype=tinycnn.float64, requires_grad=True)
    y, found = x ** 4 - 2 * x ** 3 + x, []
    for _ in range(5):
        (y,) = autograd.grad(y.sum(), x, create_graph=True)
        found.append(y.tolist())
    assert found == [[9.0, -9.0], [24.0, 24.0], [36.0, -36.0], [24.0, 24.0], [0.0, 0.0]]


def test_third_derivatives_of_composed_operations_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    values = np.random.default_rng(3).standard_normal((2, 3, 5, 5))

    def third(t, make):
        x = make(values.copy()).requires_grad_()
        w = make(values[:, :, :2, :2].copy()).requires_grad_()
        z = t.nn.functional.group_norm(x, 3)  # of layer and batch norm, PyTorch's third derivatives are wrong
        y = t.nn.functional.conv2d(z, w, padding=1, stride=2)
        y = t.nn.functional.avg_pool2d(t.softmax(y, 1) ** 2, 2)
        for _ in range(3):
            (y,) = t.autograd.grad((y * y).sum(), x, create_graph=True)
        return y.detach().numpy(), t.autograd.grad((y * y).sum(), w)[0].detach().numpy()
    for a, b in zip(third(tinycnn, tinycnn.from_numpy), third(torch, torch.from_numpy)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize("loss, slope", [(lambda x: F.binary_cross_entropy_with_logits(x, tinycnn.zeros_like(x)), 0.25),
                                         (lambda x: F.softplus(x).sum(), 0.25), (lambda x: tinycnn.sigmoid(x).sum(), 0.0),
                                         (lambda x: F.gelu(x).sum(), 2 / np.sqrt(2 * np.pi))],
                         ids=["bce", "softplus", "sigmoid", "gelu"])
def test_zero_where_networks_begin_is_no_special_point(loss, slope):
    x = tinycnn.zeros(1, dtype=tinycnn.float64, requires_grad=True)
    (dx,) = autograd.grad(loss(x), x, create_graph=True)
    (ddx,) = autograd.grad(dx.sum(), x)
    assert ddx.item() == pytest.approx(slope, abs=1e-15)


# ---- the tape --------------------------------------------------------------------------------------------------------

def test_without_create_graph_nothing_is_recorded_and_arrays_flow():
    seen = []

    class Look(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, dy):
            seen.append(type(dy))
            return dy

    x = tinycnn.ones(3, requires_grad=True)
    (dx,) = autograd.grad(Look.apply(x).sum(), x)
    assert seen == [np.ndarray] and dx.grad_fn is None and not dx.requires_grad
    (dx,) = autograd.grad(Look.apply(x).sum(), x, create_graph=True)
    assert seen == [np.ndarray, tinycnn.Tensor]


def test_gradients_are_recorded_inside_no_grad_too():
    x = tinycnn.tensor([1.0, 2.0], dtype=tinycnn.float64, requires_grad=True)
    y = (x ** 3 + x.exp()).sum()
    with tinycnn.no_grad():
        (dx,) = autograd.grad(y, x, create_graph=True)
    (ddx,) = autograd.grad(dx.sum(), x)
    np.testing.assert_allclose(ddx.numpy(), 6 * x.detach().numpy() + np.exp(x.detach().numpy()))


def test_backward_with_create_graph_leaves_a_recorded_grad():
    x = tinycnn.tensor([2.0], dtype=tinycnn.float64, requires_grad=True)
    (x ** 3).sum().backward(create_graph=True)
    (ddx,) = autograd.grad(x.grad.sum(), x)
    assert x.grad.item() == 12.0 and ddx.item() == 12.0


def test_a_detached_factor_is_a_constant_for_the_second_derivative_too():
    x = tinycnn.tensor([3.0], dtype=tinycnn.float64, requires_grad=True)
    for product in (x * x.detach(), x.detach() * x, x * x.data):
        (dx,) = autograd.grad(product.sum(), x, create_graph=True)
        assert dx.item() == 3.0 and not dx.requires_grad


def test_one_array_with_two_histories_is_refused():
    x = tinycnn.tensor([3.0], requires_grad=True)
    twin = tinycnn.nn.Parameter(x)
    (dx,) = autograd.grad((x * twin).sum(), x)
    assert dx.item() == 3.0
    with pytest.raises(RuntimeError, match="two inputs of Mul show one array"):
        autograd.grad((x * twin).sum(), x, create_graph=True)


def test_overwriting_what_a_recorded_gradient_needs_is_noticed():
    x = tinycnn.tensor([3.0], dtype=tinycnn.float64, requires_grad=True)
    z = x * 2.0
    (dz,) = autograd.grad((z ** 3).sum(), z, create_graph=True)
    with tinycnn.no_grad():
        z.zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        autograd.grad(dz.sum(), x)


def test_a_backward_that_saved_an_intermediate_result_says_so():
    class Centred(Function):
        @staticmethod
        def forward(ctx, x):
            d = x - 1.0
            ctx.save_for_backward(d)
            return d * d

        @staticmethod
        def backward(ctx, dy):
            (d,) = ctx.saved_tensors
            return 2 * d * dy

    x = tinycnn.ones(2, requires_grad=True)
    autograd.grad(Centred.apply(x).sum(), x)
    with pytest.raises(RuntimeError, match="Centred saved an intermediate result.*backward_recorded"):
        autograd.grad(Centred.apply(x).sum(), x, create_graph=True)


def test_a_function_of_numpy_that_tensors_lack_is_named():
    class Odd(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return tinycnn.engine.arrays.array_module(dy).kaiser(x) * dy

    x = tinycnn.ones(2, requires_grad=True)
    with pytest.raises(AttributeError, match="kaiser.*backward_recorded"):
        autograd.grad(Odd.apply(x).sum(), x, create_graph=True)


def test_backward_hooks_of_modules_see_the_first_gradient_and_let_the_second_pass():
    layer, seen = tinycnn.nn.Linear(3, 2).double(), []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_output[0].shape))
    x = tinycnn.randn(4, 3, dtype=tinycnn.float64, requires_grad=True)
    (dx,) = autograd.grad(tinycnn.tanh(layer(x)).sum(), x, create_graph=True)
    assert seen == [(4, 2)]
    (dx * dx).sum().backward()
    w, b = (p.detach() for p in layer.parameters())
    y = tinycnn.tanh(x.detach() @ w.T + b)
    expected = 2 * ((1 - y * y) @ w @ w.T * (-2 * y) * (1 - y * y)) @ w
    np.testing.assert_allclose(x.grad.detach().numpy(), expected.numpy(), rtol=1e-12)


# ---- gradgradcheck ---------------------------------------------------------------------------------------------------

class WrongTwice(Function):
    """x^3 whose gradient is right, and whose second derivative is not: half of x is taken as a constant."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy

    @staticmethod
    def backward_recorded(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x.detach() * dy


def test_gradgradcheck_finds_what_gradcheck_cannot():
    x = np.array([0.5, -1.2, 2.0])
    assert tinycnn.gradcheck(WrongTwice, x)
    report = gradgradcheck(WrongTwice, x)
    assert not report and "dx" in report.cause and "2" in str(report)


def test_gradgradcheck_understands_the_form_of_pytorch():
    x = tinycnn.tensor([0.5, -1.2], dtype=tinycnn.float64, requires_grad=True)
    ones = tinycnn.ones(2, dtype=tinycnn.float64)
    assert autograd.gradgradcheck(tinycnn.exp, (x,)) is True
    assert autograd.gradgradcheck(tinycnn.exp, (x,), ones, 1e-3, 1e-6) is True
    assert autograd.gradgradcheck(WrongTwice.apply, (x,), raise_exception=False) is False
    with pytest.raises(GradcheckError, match="the gradients of WrongTwice"):
        autograd.gradgradcheck(WrongTwice.apply, (x,), grad_outputs=(ones,))


def test_gradgradcheck_looks_into_modules_and_leaves_them_as_they_were():
    net = tinycnn.nn.Sequential(tinycnn.nn.Conv1d(2, 3, 2), tinycnn.nn.BatchNorm1d(3), tinycnn.nn.Tanh())
    before = {name: value.tolist() for name, value in net.state_dict().items()}
    report = gradgradcheck(net, np.random.default_rng(0).standard_normal((4, 2, 5)))
    assert report and len(report.inputs) == 2 + 4
    assert {name: value.tolist() for name, value in net.state_dict().items()} == before
    assert all(p.requires_grad and p.grad is None and p.dtype == tinycnn.float32 for p in net.parameters())


def test_gradgradcheck_takes_options_constants_several_outputs_and_none_that_depends():
    x = np.array([[0.5, -1.2, 2.0]])
    assert gradgradcheck(F.softplus, x, options=dict(beta=3.0))
    assert gradgradcheck(lambda x, k: (x ** 3, x.exp()[:, :k]), x, 2)
    assert gradgradcheck(tinycnn.floor, x)
    with pytest.raises(ValueError, match=r"grad_outputs must have the shapes .*\(1, 3\).*\(3,\)"):
        gradgradcheck(tinycnn.exp, x, grad_outputs=np.ones(3))

"""Functions, Functions and modules of PyTorch under the gradient checker."""
import numpy as np
import pytest

from tinycnn.gradcheck import GradcheckError, gradcheck, gradgradcheck, measure

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def draw(*shape, seed=3, **options):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), **options)


TWO = draw(4, 3), draw(4, 3, seed=4)


class Mul(torch.autograd.Function):
    """y = x w; the subclasses below make mistakes."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, dy * x


# ---- right ---------------------------------------------------------------------------------------------------------------

class ByContext(torch.autograd.Function):
    """The newer form: forward without ctx, and a number among the arguments."""

    @staticmethod
    def forward(power, x):
        return x ** power

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.power, x = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return None, dy * ctx.power * x ** (ctx.power - 1)


class BySlope(torch.autograd.Function):
    """Backward asks autograd for the gradient of what forward saved, as checkpoints do."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            return torch.autograd.grad(torch.sin(x), x, dy)


class Broadcast(Mul):
    """The gradient of w in the shape of y: PyTorch itself sums it over what was broadcast."""


def slope_inside(x):
    x = x if x.requires_grad else x.requires_grad_()
    (slope,) = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)
    return slope


def checkpointed(x):
    return torch.utils.checkpoint.checkpoint(lambda x: torch.tanh(x) ** 2, x, use_reentrant=False)


RIGHT = [(Mul, *TWO), (Mul.apply, *TWO), (Broadcast, draw(4, 3), draw(3)),
         (ByContext, 3, draw(4, 3)), (BySlope, draw(5)), (slope_inside, draw(4)), (checkpointed, draw(4, 3)),
         (F.cross_entropy, draw(4, 3), torch.tensor([0, 2, 1, 1])), (F.conv2d, draw(2, 2, 5, 5), draw(3, 2, 3, 3), draw(3)),
         (F.dropout, draw(4, 5)), (lambda x: x.sort(0), draw(5, 2)), (F.max_pool2d, draw(1, 2, 4, 4), 2),
         (lambda x: x, draw(3)), (lambda x: (x.sin(), [x.cos()]), draw(3)),
         (F.embedding, torch.tensor([0, 2, 2]), draw(4, 3)),
         (lambda i, w: F.embedding(i, w, sparse=True), torch.tensor([0, 2, 2]), draw(4, 3)),
         (nn.GRU(3, 2), draw(4, 2, 3)), (nn.MultiheadAttention(4, 2), *[draw(3, 2, 4)] * 3)]


@pytest.mark.parametrize("fn, inputs", [(fn, inputs) for fn, *inputs in RIGHT])
def test_what_is_right_in_pytorch_is_right(fn, inputs):
    report = gradcheck(fn, *inputs)
    assert report and report.error < 1e-8, str(report)


def test_a_module_is_checked_with_its_parameters_and_left_as_it_was():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 2))
    net[4].weight.requires_grad_(False)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    report = gradcheck(net, torch.randn(3, 2, 4, 4))
    assert report and [c.name for c in report.inputs] == ["input", "0.weight", "1.weight", "1.bias", "4.bias"]
    assert all(torch.equal(t, before[name]) and t.dtype == before[name].dtype for name, t in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_the_callers_random_numbers_go_on():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert gradcheck(F.dropout, draw(4, 5))
    assert torch.equal(torch.rand(3), expected)


def test_only_tensors_that_require_a_gradient_are_checked_where_one_does():
    assert [c.name for c in gradcheck(Mul, draw(3, requires_grad=True), draw(3)).inputs] == ["x"]
    assert [c.name for c in gradcheck(Mul, draw(3), draw(3)).inputs] == ["x", "w"]


def test_float32_is_promoted_and_stays_as_it_was():
    x = draw(4, 3).float()
    before = x.clone()
    assert gradcheck(torch.exp, x).error < 1e-9 and torch.equal(x, before)


def test_pytorchs_own_form_of_the_call_works():
    assert gradcheck(Mul.apply, (draw(3), draw(3)), 1e-4) is True
    with pytest.raises(GradcheckError, match="Detached: dw is missing"):
        gradcheck(Detached, (draw(3), draw(3)))


def test_arrays_of_numpy_are_tensors_to_what_is_pytorchs():
    assert gradcheck(Mul, np.ones(3), np.ones(3)) and gradcheck(nn.Linear(3, 2), np.ones((4, 3)))


def test_it_works_within_no_grad():
    with torch.no_grad():
        assert gradcheck(Mul, draw(3), draw(3))


# ---- wrong ---------------------------------------------------------------------------------------------------------------

class Detached(Mul):
    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[1], None


class WritesIntoDy(Mul):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, dy.mul_(x)


class WritesIntoSaved(Mul):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, x.mul_(dy)


class WritesIntoSavedResult(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return y.mul_(dy)


class Views(Mul):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, dy.view(-1).view(x.shape) * x


class KeptInTheClass(Mul):
    @staticmethod
    def forward(ctx, x, w):
        KeptInTheClass.kept = x, w
        return x * w

    @staticmethod
    def backward(ctx, dy):
        x, w = KeptInTheClass.kept
        return dy * w, dy * x


class NewMask(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * (torch.rand(x.shape) < 0.5)

    @staticmethod
    def backward(ctx, dy):
        return dy * (torch.rand(dy.shape) < 0.5)


class OnlyTogether(Mul):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w if ctx.needs_input_grad[1] else dy, dy * x


class Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, power, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return None, dy @ w.T, dy.T @ x


class TransposedWithin(Transposed):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return None, w @ dy.T, x.T @ dy


class ForwardWrites(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        return dy * 4 * ctx.saved_tensors[0]


class TooFew(Mul):
    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[1]


class Adds(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        return dy * 2 + 1


def through_numpy(x):
    return torch.from_numpy(x.detach().numpy() * 2) + x


@pytest.mark.parametrize("fn, inputs, says", [
    (Detached, TWO, "dw is missing: no gradient reaches w"),
    (WritesIntoDy, TWO, "backward writes into the upstream gradient it is given"),
    (WritesIntoSaved, TWO, "backward writes into its input x"),
    (WritesIntoSavedResult, [draw(4, 3)], "backward writes into a tensor that forward saved"),
    (Views, TWO, "backward fails when inputs and upstream gradient are not contiguous"),
    (KeptInTheClass, TWO, "a forward pass on other inputs changes the gradients of x, w"),
    (NewMask, [draw(4, 3)], "the mask is not that of the forward pass"),
    (OnlyTogether, TWO, "the gradient of x changes when x alone requires one"),
    (Transposed, [2, draw(4, 3), draw(3, 2)], "dw has shape (2, 3), but w has shape (3, 2): its axes are in the wrong"),
    (lambda x, w: TransposedWithin.apply(2, x * 2, w), [draw(4, 3), draw(3, 2)],
     "dx is zero everywhere, though the output depends on x"),
    (ForwardWrites, [draw(4, 3)], "forward writes into its input x"),
    (Adds, [draw(4, 3)], "contains a term that dy does not multiply and is right without it"),
    (through_numpy, [draw(4, 3)], "dx is 0.333333 times the right value"),
    (lambda x: x.float().exp(), [draw(4, 3)], "forward computes in float32 somewhere"),
    (lambda x: x.detach() ** 2, [draw(4, 3)], "dx is missing: no gradient reaches x")])
def test_a_mistake_in_pytorch_is_named(fn, inputs, says):
    report = gradcheck(fn, *inputs)
    assert not report and says in str(report).splitlines()[0], str(report)


class Scaled(nn.Module):
    """A layer with a Function that averages the gradient of its weight over the batch."""

    class Scale(Mul):
        @staticmethod
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            return dy * w, (dy * x).mean(0)

    def __init__(self):
        super().__init__()
        self.linear, self.weight = nn.Linear(3, 4), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.Scale.apply(self.linear(x), self.weight)


def test_a_wrong_gradient_of_a_parameter_is_reported_under_its_name():
    torch.manual_seed(0)
    report = gradcheck(Scaled(), torch.randn(5, 3))
    assert report.cause.startswith("the gradient of weight is 0.2 times the right value: 5 is the batch size")
    assert [c.name for c in report.inputs if not c.ok] == ["weight"]
    assert [c.name for c in report.inputs if c.ok] == ["x", "linear.weight", "linear.bias"]


def test_a_large_wrong_function_is_told_from_a_part_of_it(monkeypatch):
    monkeypatch.setattr(measure, "BUDGET", 0)
    report = gradcheck(Scaled.Scale, draw(50, 60), draw(60))
    assert not report and "a mean stands where the sum belongs" in report.cause
    assert "found on a part of the inputs, x (7, 7), w (7,)" in str(report)


def test_a_shape_that_is_wrong_within_is_told():
    report = gradcheck(lambda x, w: TransposedWithin.apply(2, x * 2, w), draw(4, 3), draw(3, 2))
    assert "promise broken: TransposedWithin: the gradient of input 1 has shape (3, 4), the input has (4, 3)" in str(report)


def test_what_pytorch_refuses_it_refuses_in_its_own_words():
    with pytest.raises(RuntimeError, match="returned an incorrect number of gradients"):
        gradcheck(TooFew, *TWO)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradcheck(lambda x: (x * 1).relu_().mul_(2), draw(4, 3))


def test_errors_say_what_to_do():
    with pytest.raises(TypeError, match=r"fn is the class Linear; give one of its modules, Linear\(...\)"):
        gradcheck(nn.Linear, draw(3, 2))
    with pytest.raises(ValueError, match="argmax got no floating-point input"):
        gradcheck(torch.argmax, torch.arange(3))
    with pytest.raises(ValueError, match="returned no floating-point output"):
        gradcheck(torch.argmax, draw(3))
    with pytest.raises(TypeError, match="gradgradcheck: Mul does not compute on Tensors of tinycnn"):
        gradgradcheck(Mul, draw(3), draw(3))

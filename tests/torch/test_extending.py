"""Operations of one's own: what torch.autograd.Function offers them, compared with PyTorch where it is installed."""
import numpy as np
import pytest

import tinycnn

LIBRARIES = [tinycnn]
try:
    import torch
    LIBRARIES.append(torch)
except ImportError:
    pass


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.__name__)
def t(request):
    return request.param


def leaf(t, *values):
    return t.tensor(values, requires_grad=True)


def cube(t):
    class Cube(t.autograd.Function):
        @staticmethod
        def forward(x):
            return x ** 3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.output_shape = output.shape

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            assert dy.shape == ctx.output_shape
            return 3 * x * x * dy
    return Cube


def test_setup_context_keeps_what_backward_needs(t):
    x = leaf(t, 1.0, 2.0)
    cube(t).apply(x).sum().backward()
    assert x.grad.tolist() == [3, 12]


def test_setup_context_is_inherited_and_may_be_differentiated_twice(t):
    class Child(cube(t)):
        pass
    x = leaf(t, 2.0)
    (dx,) = t.autograd.grad(Child.apply(x), x, create_graph=True)
    assert t.autograd.grad(dx, x)[0].tolist() == [12]


def test_setup_context_sees_several_inputs_and_outputs(t):
    class Both(t.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor, x + factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            (_, ctx.factor), (product, total) = inputs, output
            ctx.save_for_backward(total)
            assert product.shape == total.shape

        @staticmethod
        def backward(ctx, dproduct, dtotal):
            (total,) = ctx.saved_tensors
            return ctx.factor * dproduct + dtotal * total, None
    x = leaf(t, 1.0, 2.0)
    y, z = Both.apply(x, 5.0)
    (y + z).sum().backward()
    assert x.grad.tolist() == [5 + 6, 5 + 7]


def maximum_and_place(t):
    class Largest(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            place, rounded = x.argmax(), x.round()
            ctx.mark_non_differentiable(place, rounded)
            return x * 2, place, rounded

        @staticmethod
        def backward(ctx, dy, dplace, drounded):
            assert dplace is not None and drounded.abs().sum() == 0
            return dy * 2
    return Largest


def test_outputs_marked_as_not_differentiable_require_no_gradient(t):
    x = leaf(t, 1.0, 2.5)
    y, place, rounded = maximum_and_place(t).apply(x)
    assert (y.requires_grad, place.requires_grad, rounded.requires_grad) == (True, False, False)
    assert rounded.grad_fn is None and rounded.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def in_place_exponential(t):
    class Exp(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.exp_()
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, dy):
            (y,) = ctx.saved_tensors
            return dy * y
    return Exp


def test_a_dirty_input_is_the_output(t):
    a = leaf(t, 0.0, 1.0)
    x = a * 1
    y = in_place_exponential(t).apply(x)
    assert y is x
    y.sum().backward()
    np.testing.assert_allclose(a.grad.tolist(), np.exp([0.0, 1.0]), rtol=1e-6)


def test_a_dirty_leaf_is_refused(t):
    with pytest.raises(RuntimeError, match="leaf"):
        in_place_exponential(t).apply(leaf(t, 1.0))


def test_who_saved_a_dirty_input_before_is_told(t):
    a = leaf(t, 1.0)
    x = a * 1
    y = x * x
    in_place_exponential(t).apply(x)
    with pytest.raises(RuntimeError, match="in.?place"):
        y.backward(t.ones(1))


def test_a_dirty_input_without_gradient_is_changed(t):
    x = t.zeros(2)
    assert in_place_exponential(t).apply(x) is x and x.tolist() == [1, 1]


def two_outputs(t, materialize):
    seen = []

    class Two(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, dy, dz):
            seen.append((dy, dz))
            return sum(g * f for g, f in ((dy, 2), (dz, 3)) if g is not None)
    return Two, seen


@pytest.mark.parametrize("materialize", [True, False])
@pytest.mark.parametrize("used", [0, 1])
@pytest.mark.parametrize("create_graph", [False, True])
def test_an_unused_output_gives_zeros_or_none(t, materialize, used, create_graph):
    function, seen = two_outputs(t, materialize)
    x = leaf(t, 1.0)
    (dx,) = t.autograd.grad(function.apply(x)[used].sum(), x, create_graph=create_graph)
    unused = seen[0][1 - used]
    assert unused.tolist() == [0] if materialize else unused is None
    assert dx.tolist() == [[2], [3]][used]


def once(t):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @t.autograd.function.once_differentiable
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 2 * x * dy
    return Square


def test_once_differentiable_is_right_once_and_an_error_twice(t):
    x = leaf(t, 3.0)
    (dx,) = t.autograd.grad(once(t).apply(x), x)
    assert dx.tolist() == [6] and not dx.requires_grad
    (dx,) = t.autograd.grad(once(t).apply(x), x, create_graph=True)
    assert dx.tolist() == [6]
    with pytest.raises(RuntimeError, match="once_differentiable" if t is tinycnn else None):
        dx.sum().backward()


def returning(t, *gradients):
    class Product(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, dz):
            return tuple(dz if g else None for g in gradients) if len(gradients) != 1 else dz
    return Product


@pytest.mark.parametrize("gradients", [(1,), (1, 1, 1), (1, 0, 1)])
def test_too_few_and_too_many_gradients_are_counted(t, gradients):
    x, y = leaf(t, 1.0), leaf(t, 2.0)
    for other in (y, y.detach()):
        with pytest.raises(RuntimeError, match=rf"{len(gradients)}"):
            returning(t, *gradients).apply(x, other).sum().backward()


def test_surplus_none_is_accepted(t):
    x = leaf(t, 1.0)
    returning(t, 1, 0, 0).apply(x, leaf(t, 2.0)).sum().backward()
    assert x.grad.tolist() == [1]


def test_materialized_gradients_of_unused_inputs(t):
    x, unused = leaf(t, 1.0), leaf(t, 1.0, 2.0)
    dx, zeros = t.autograd.grad(x.sum(), [x, unused], materialize_grads=True)
    assert dx.tolist() == [1] and zeros.tolist() == [0, 0]
    with pytest.raises(ValueError, match="allow_unused"):
        t.autograd.grad(x.sum(), [x, unused], allow_unused=False, materialize_grads=True)

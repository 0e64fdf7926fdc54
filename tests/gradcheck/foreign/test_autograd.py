"""Functions and primitives of HIPS autograd under the gradient checker."""
import numpy as np
import pytest

from tests.helpers.libraries import imported
from tinycnn.gradcheck import gradcheck

imported("autograd")
import autograd.numpy as anp  # noqa: E402
from autograd.extend import defvjp, primitive  # noqa: E402


def draw(*shape, seed=3):
    return np.random.default_rng(seed).standard_normal(shape)


TWO = draw(3), draw(3, seed=4)


def with_rule(forward, *vjps, **options):
    fn = primitive(forward)
    defvjp(fn, *vjps, **options)
    return fn


def mul(x, w):
    return x * w


LOST = "either the factor n is missing or counted twice, or the 3 of the derivative of a cube"  # of `power`


def power(x, n=3):
    return x ** n


def writes(y, x, w):
    def vjp(dy):
        dy *= x
        return dy
    return vjp


KEPT = []


def keeps(x):
    KEPT[:] = [x]
    return x ** 2


right_power = with_rule(power, lambda y, x, n=3: lambda dy: dy * n * x ** (n - 1))
right_mul = with_rule(mul, lambda y, x, w: lambda dy: dy * w, lambda y, x, w: lambda dy: dy * x)


@pytest.mark.parametrize("fn, inputs, how", [
    (right_mul, TWO, {}), (right_power, [draw(3)], {}), (right_power, [draw(3)], dict(options=dict(n=4))),
    (anp.tanh, [draw(3)], {}), (anp.linalg.inv, [draw(3, 3)], {}),
    (lambda x, w: anp.tanh(anp.dot(x, w)), [draw(4, 3), draw(3, 2)], dict(library="autograd")),
    (lambda x: (anp.sum(x), [anp.exp(x)]), [draw(3)], dict(library="autograd")),
    (lambda x, i: x[i], [draw(4), np.array([0, 2, 2])], dict(library="autograd")),
    (lambda x: anp.sum(right_power(x) * right_mul(x, x)), [draw(4)], dict(library="autograd")),
    (lambda x: x, [draw(3)], dict(library="autograd"))])
def test_what_is_right_in_autograd_is_right(fn, inputs, how):
    report = gradcheck(fn, *inputs, **how)
    assert report and report.error < 1e-8, str(report)


@pytest.mark.parametrize("fn, inputs, says", [
    (with_rule(mul, lambda y, x, w: lambda dy: dy * w, lambda y, x, w: lambda dy: dy * x), [draw(4, 3), draw(3)],
     "dw has shape (4, 3), but w has shape (3,): sum it over axis 0, along which w was used for every index (broadcast)"),
    (with_rule(mul, lambda y, x, w: lambda dy: dy * w, None), TWO, "dw is zero everywhere"),
    (with_rule(mul, lambda y, x, w: lambda dy: dy * x, lambda y, x, w: lambda dy: dy * w), TWO,
     "dx is dw: backward returns the gradients in the wrong order"),
    (with_rule(power, lambda y, x: lambda dy: dy * x ** 2), [draw(4)], LOST),
    (with_rule(power, lambda y, x: lambda dy: dy * 3 * y ** 2), [draw(4)], "dx is"),
    (with_rule(mul, lambda y, x, w: lambda dy: dy * w, writes), TWO, "writes into the upstream gradient"),
    (with_rule(keeps, lambda y, x: lambda dy: 2 * dy * KEPT[0]), [draw(3)], "a forward pass on other inputs changes the")])
def test_a_mistake_in_a_primitive_is_named(fn, inputs, says):
    report = gradcheck(fn, *inputs)
    assert not report and says in str(report).splitlines()[0], str(report)


def test_a_mistake_in_a_primitive_within_a_function_is_named():
    lost = with_rule(power, lambda y, x: lambda dy: dy * x ** 2)
    report = gradcheck(lambda x: anp.sum(lost(x)), draw(4), library="autograd")
    assert LOST in report.cause and "library='autograd'" in str(report)


def test_an_input_that_no_trace_reaches_is_missing():
    report = gradcheck(lambda x, w: anp.exp(x) * w._value if hasattr(w, "_value") else anp.exp(x) * w, draw(3), draw(3),
                       library="autograd")
    assert "dw is missing: no gradient reaches w" in report.cause


def test_there_must_be_something_to_check():
    with pytest.raises(ValueError, match="got no floating-point input"):
        gradcheck(anp.exp, np.arange(3))

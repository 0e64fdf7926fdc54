"""Functions of JAX under the gradient checker."""
import functools

import numpy as np
import pytest

from tests.helpers.libraries import imported
from tinycnn.gradcheck import gradcheck

jax = imported("jax")
jnp = jax.numpy


def draw(*shape):
    return jnp.array(np.random.default_rng(3).standard_normal(shape))


def with_rule(forward, backward, **options):
    """`forward` with a custom_vjp that keeps all its arguments."""
    fn = jax.custom_vjp(forward, **options)
    fn.defvjp(lambda *args: (forward(*args), args), backward)
    return fn


def power(n, x):
    return x ** n


def mul(x, w):
    return x * w


def layer(p, x):
    return jnp.tanh(x @ p["w"] + p["b"])


def layer_backward(kept, dy):
    p, x = kept
    dz = dy * (1 - layer(p, x) ** 2)
    return dict(w=x.T @ dz, b=dz.mean(0)), dz @ p["w"].T


def pair(x):
    return x * 2, x ** 2


def pair_backward(kept, dy):
    return dy[0] * 2 + dy[1] * 2 * kept[0],


def clipped(x):
    return jnp.where(x > 0, x, 0.0)


PARAMETERS = dict(w=draw(3, 4), b=draw(4))
right_power = with_rule(power, lambda n, kept, dy: (dy * n * kept[1] ** (n - 1),), nondiff_argnums=(0,))
jitted = jax.jit(with_rule(mul, lambda kept, dy: (dy * kept[1], dy * kept[0])))
sine = jax.custom_jvp(jnp.sin)
sine.defjvp(lambda x, dx: (jnp.sin(x[0]), jnp.cos(x[0]) * dx[0]))


@pytest.mark.parametrize("fn, inputs", [(fn, inputs) for fn, *inputs in (
    (layer, PARAMETERS, draw(5, 3)), (lambda ps, x: x @ ps[0] + ps[1], [draw(3, 4), draw(4)], draw(5, 3)),
    (right_power, 3, draw(4)), (jitted, draw(3), draw(3)), (sine, draw(4)), (with_rule(pair, pair_backward), draw(4)),
    (jax.nn.softmax, draw(3, 4)), (jnp.cumsum, draw(5)), (clipped, draw(4, 3)), (lambda x: x[jnp.array([0, 2, 2])], draw(3)),
    (lambda key, x: x * jax.random.bernoulli(key, 0.5, x.shape), jax.random.key(0), draw(4, 3)),
    (lambda x, labels: -jax.nn.log_softmax(x)[jnp.arange(3), labels].mean(), draw(3, 4), jnp.array([0, 3, 1])),
    (functools.partial(jnp.sum, axis=1), draw(3, 4)), (lambda x: dict(a=x, b=jnp.exp(x)), draw(3)),
    (with_rule(pair, lambda kept, dy: list(pair_backward(kept, dy))), draw(4)),
    (with_rule(mul, lambda kept, dy: (dy * kept[1], None)), draw(3), jnp.arange(3)))])
def test_what_is_right_in_jax_is_right(fn, inputs):
    report = gradcheck(fn, *inputs)
    assert report and report.error < 1e-8, str(report)


@pytest.mark.parametrize("fn, inputs, says", [
    (with_rule(layer, layer_backward), [PARAMETERS, draw(5, 3)],
     "the gradient of p['b'] is 0.2 times the right value: 5 is the batch size, a mean stands where the sum belongs"),
    (with_rule(power, lambda n, kept, dy: (dy * n * kept[1] ** n,), nondiff_argnums=(0,)), [3, draw(4)],
     "dx has a factor x too much"),
    (with_rule(power, lambda n, kept, dy: (dy[:2],), nondiff_argnums=(0,)), [3, draw(4)], "dx has shape (2,), but x has"),
    (with_rule(mul, lambda kept, dy: (dy * kept[1], dy * kept[0])), [draw(4, 3), draw(3)],
     "dw has shape (4, 3), but w has shape (3,): sum it over axis 0, along which w was used for every index (broadcast)"),
    (with_rule(layer, lambda kept, dy: (layer_backward(kept, dy)[0] | dict(b=dy), layer_backward(kept, dy)[1])),
     [PARAMETERS, draw(5, 3)], "the gradient of p['b'] has shape (5, 4), but p['b'] has shape (4,)"),
    (with_rule(mul, lambda kept, dy: (dy * kept[1], None)), [draw(3), draw(3)], "dw is zero everywhere, though the output"),
    (with_rule(pair, lambda kept, dy: (dy[0] * 2,)), [draw(4)], "output 0 of 2"),
    (with_rule(clipped, lambda kept, dy: (dy,)), [draw(4, 3)], "a mask is forgotten"),
    (lambda x: jax.lax.stop_gradient(x) * x, [draw(4)], "dx is 0.5 times the right value: the 2 of the derivative of a sq"),
    (lambda x: jnp.exp(x.astype(jnp.float32)), [draw(4, 3)], "forward computes in float32 somewhere")])
def test_a_mistake_in_jax_is_named(fn, inputs, says):
    report = gradcheck(fn, *inputs)
    assert not report and says in str(report).splitlines()[0], str(report)


def test_arrays_of_numpy_are_inputs_of_a_function_with_a_rule_and_of_one_that_is_named():
    assert gradcheck(right_power, 3, np.ones(3)) and gradcheck(jitted, np.ones(3), np.ones(3))
    report = gradcheck(lambda x: jnp.exp(x), np.ones(3), library="jax")
    assert report and gradcheck(mul, draw(3), np.ones(3))


def test_another_number_of_gradients_is_for_jax_to_complain_about():
    for gradients in ((), None, (draw(3), draw(3))):
        with pytest.raises(TypeError, match="Custom VJP bwd rule"):
            gradcheck(with_rule(clipped, lambda kept, dy, gradients=gradients: gradients), draw(3))


def test_without_64_bits_one_sentence_says_what_to_do():
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(ValueError, match=r'the program say jax.config.update\("jax_enable_x64", True\)'):
            gradcheck(jnp.exp, jnp.ones(3))
    finally:
        jax.config.update("jax_enable_x64", True)


def test_there_must_be_something_to_check():
    with pytest.raises(ValueError, match="got no floating-point input"):
        gradcheck(jnp.argmax, jnp.arange(3))
    with pytest.raises(ValueError, match="returned no floating-point output"):
        gradcheck(jnp.argmax, draw(3))

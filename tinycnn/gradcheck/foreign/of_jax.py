"""JAX: functions of jax arrays, or of trees of them (dictionaries of parameters), with a `custom_vjp` or without."""
import contextlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from ..problem import kept_dice, names_of, title_of
from .problem import ForeignProblem

OWN_RULES = (jax.custom_vjp, jax.custom_jvp)


def serves(fn, inputs):
    """Whether the function or one of its inputs is JAX's."""
    return isinstance(fn, (*OWN_RULES, jax.stages.Wrapped)) or any(isinstance(v, jax.Array) for v in jax.tree.leaves(inputs))


def _is_floating(value):
    return isinstance(value, (jax.Array, np.ndarray)) and jnp.issubdtype(value.dtype, jnp.floating)


class Foreign(ForeignProblem):
    """`fn` on jax arrays; gradients come from `jax.vjp`. Every array in a tree is an input of its own."""

    def __init__(self, fn, inputs, options=None, seed=0):
        title = title_of(fn)
        if not jax.config.jax_enable_x64:
            raise ValueError(f"gradcheck: {title} is JAX's, which computes in float32, too coarse for finite differences: "
                             'let the program say jax.config.update("jax_enable_x64", True) at its top')
        found, self.tree = jax.tree_util.tree_flatten_with_path(tuple(inputs))
        self.trees = names = names_of(fn, len(inputs))
        constant = getattr(fn, "nondiff_argnums", ()) if isinstance(fn, OWN_RULES) else ()
        self.arguments = [path[0].idx for path, _ in found]  # the number of the argument that each array is in
        places = [i for i, (path, v) in enumerate(found) if _is_floating(v) and path[0].idx not in constant]
        super().__init__(title, options, seed, fn=fn, function=getattr(fn, "fun", fn), places=places,
                         argument_names=[names[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in found],
                         given=[np.array(v, float) if _is_floating(v) else v for _, v in found])
        self._look()

    def outputs(self, values):
        """The floating-point outputs at `values`."""
        return [np.asarray(y, float) for y in self.compute(self.fn, map(jnp.array, values))]

    @property
    def call(self):
        """The names of all arguments, as one writes them in a call: a tree is one."""
        return self.trees

    def compute(self, fn, leaves):
        """The floating-point outputs of `fn`, itself or watched, for these arrays in the places that have a gradient."""
        inputs = jax.tree.unflatten(self.tree, self.replaced(leaves))
        with kept_dice():
            np.random.seed(self.seed % 2**32)
            outputs = fn(*inputs, **self.options)
        return [y for y in jax.tree.leaves(outputs) if jnp.issubdtype(jnp.result_type(y), jnp.floating)]

    @contextlib.contextmanager
    def run(self, values, needs=None):
        """A forward pass at `values`. `needs` means nothing here: JAX asks for all gradients."""
        yield JaxRun(self, values)


class JaxRun:
    """One forward pass. Arrays of JAX cannot be written into, so that there are no `faults`."""

    def __init__(self, problem, values):
        self.problem, self.inputs, self.faults, self.misshapen = problem, values, [], {}
        fn = self._watched(problem.fn) if isinstance(problem.fn, jax.custom_vjp) else problem.fn
        self.ys, self.vjp = jax.vjp(lambda *leaves: problem.compute(fn, leaves), *map(jnp.array, values))

    def pull(self, cotangents):
        """The gradients for one cotangent an output."""
        return [np.asarray(g, float) for g in self.vjp([jnp.array(c, y.dtype) for c, y in zip(cotangents, self.ys)])]

    def _watched(self, fn):
        """`fn` with a bwd that notes gradients of the wrong shape, of which JAX would only complain, and hands on zeros."""
        def bwd(*args):
            gradients = fn.bwd(*args)
            if not isinstance(gradients, (tuple, list)):
                return gradients
            differentiable = (k for k in itertools.count() if k not in fn.nondiff_argnums)
            return tuple(self._accept(g, argument) for g, argument in zip(gradients, differentiable))
        watched = jax.custom_vjp(fn.fun, fn.nondiff_argnums)
        watched.defvjp(fn.fwd, bwd, symbolic_zeros=fn.symbolic_zeros, optimize_remat=fn.optimize_remat)
        return watched

    def _accept(self, gradient, argument):
        """The gradient of an argument, an array or a tree, after a look at the shapes in it."""
        inside = [i for i, a in enumerate(self.problem.arguments) if a == argument]
        arrays, tree = jax.tree.flatten(gradient)
        if len(arrays) != len(inside):
            return gradient
        for k, i in enumerate(inside):
            if i in self.problem.places:
                number = self.problem.places.index(i)
                shape = self.inputs[number].shape
                if getattr(arrays[k], "shape", shape) != shape:
                    self.misshapen[number], arrays[k] = np.asarray(arrays[k]), jnp.zeros(shape)
        return jax.tree.unflatten(tree, arrays)

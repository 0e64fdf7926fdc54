"""From a wrong gradient A and the right one N (finite differences) to the mistake: the first law that fits.

A law is a function of the `Scene` that returns the rest of a sentence starting with the gradient's name ("dw" "is 2 times
the right value"), or None. Laws stand in LAWS from the most to the least telling; each must fit for both upstream gradients,
so that one coincidence is not enough. The Jacobian, where it was measured, lets laws ask what A would be if *dy* had been
mistreated.
"""
import numpy as np

from . import laws_jacobian as jacobian
from . import laws_part as part
from . import laws_sums as sums
from . import laws_whole as whole
from .scene import Scene


def no_law(s):
    """How far off it is, at least."""
    if s.x.size == 1:
        return f"is {s.a[0].item():.6g} and should be {s.n[0].item():.6g}"
    a, n = s.a[0][np.isfinite(s.n[0])], s.n[0][np.isfinite(s.n[0])]
    size = float(np.sqrt((a * a).sum() * (n * n).sum()))
    cosine = float((a * n).sum() / size) if size else 0.0
    return (f"is wrong at {int(s.check.wrong.sum())} of {int(s.check.measured.sum())} entries, by no simple law (cosine "
            f"with the right one {cosine:.4f}){jacobian.pinpointed(s)}")


LAWS = (whole.wrong_shape, whole.not_a_number, whole.not_connected, whole.low_precision, whole.upstream_ignored,
        whole.tie_unfair, whole.constant_ratio, whole.derivative_missing, whole.gradients_exchanged,
        whole.not_transposed, whole.axes_swapped, whole.reversed_axes, whole.shifted, sums.extra_sum, part.clearly_somewhere,
        part.one_of_each_row, sums.mistreated_dy, sums.uses_not_added, sums.diagonal_only, part.mask_wrong, part.factor_off,
        part.term_off, part.factor_per_slice,
        jacobian.wrong_places, part.only_somewhere, part.normalisation_term, sums.mistreated_input, whole.shuffled,
        part.passes_without_an_option, part.passes_for_one_example, jacobian.local_derivative, jacobian.wrong_reach,
        jacobian.factor_per_output, no_law)


def diagnose(check, checks, problem, cotangents, y, measure):
    """The rest of a sentence that starts with the gradient's name: the first law that fits.

    `measure(problem)` measures another problem, for the laws that try again with less.
    """
    scene = Scene(check, checks, problem, cotangents, y, measure)
    with np.errstate(all="ignore"):
        return next(words for words in (law(scene) for law in LAWS) if words)

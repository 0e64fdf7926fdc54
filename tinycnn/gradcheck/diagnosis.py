"""From a wrong gradient A and the right one N (finite differences) to the mistake: the first law that fits.

A law is a function of the `Scene` that returns the rest of a sentence starting with the gradient's name ("dw" "is 2 times
the right value"), or None. Laws stand in LAWS from the most to the least telling; each must fit for both upstream gradients,
so that one coincidence is not enough. The Jacobian, where it was measured, lets laws ask what A would be if *dy* had been
mistreated.
"""
import copy
import re

import numpy as np

from . import laws_axes as axes
from . import laws_dy as upstream
from . import laws_factor as factor
from . import laws_jacobian as jacobian
from . import laws_known as known
from . import laws_part as part
from . import laws_place as windows
from . import laws_sums as sums
from . import laws_whole as whole
from .repair import mended
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


LAWS = (whole.wrong_shape, whole.not_a_number, whole.not_connected, whole.whole_numbers, whole.upstream_ignored,
        whole.low_precision, upstream.missing_somewhere, upstream.not_linear, whole.tie_unfair, factor.constant_ratio,
        whole.derivative_missing, whole.gradients_exchanged, part.factor_at_the_end, whole.not_transposed,
        whole.axes_swapped, whole.reversed_axes, whole.dy_moved, whole.shifted, sums.extra_sum, sums.other_winners,
        jacobian.dead_outputs, known.wrong_sum, part.clearly_somewhere, part.one_of_each_row, jacobian.one_hot,
        sums.mistreated_dy, axes.sequence, sums.uses_not_added, sums.diagonal_only, part.mask_wrong, known.at_another_value,
        part.factor_off, part.term_off, factor.scale_of_slices, part.handed_on_factor, factor.other_number,
        part.local_factor, part.more_factors, part.factor_per_slice, windows.from_the_window, axes.wrong_axes,
        windows.windows, jacobian.wrong_places, jacobian.shared_out, sums.mistreated_input, sums.other_cache, sums.other_dy,
        part.direct_path, axes.normalisation_term, axes.only_own, known.blind_to_x, jacobian.known_factor_per_output,
        jacobian.wrong_reach, part.only_somewhere, jacobian.local_derivative, whole.shuffled, part.passes_without_an_option,
        known.fewer_terms, known.written_down, jacobian.ones_for_values, jacobian.factor_per_output, axes.sums_to_zero,
        part.passes_for_one_example, no_law)

PLACES = re.compile("only (at ind|from index|below index)|(first|last) index of dy")   # which a mask may make by chance

GENERAL = LAWS[LAWS.index(sums.extra_sum):]   # laws that leave open which line it is

GUESSES = (no_law, sums.other_cache, whole.shuffled)   # which a line that is known to be wrong makes superfluous

VAGUE = (no_law, part.passes_for_one_example, whole.shuffled)


def diagnose(check, checks, problem, cotangents, y, measure):
    """(the rest of a sentence that starts with the gradient's name, whether it is vague): the first law that fits.

    `measure(problem)` measures another problem, for the laws that try again with less.
    """
    scene = Scene(check, checks, problem, cotangents, y, measure)
    with np.errstate(all="ignore"):
        law, words = next((law, words) for law, words in ((law, law(scene)) for law in LAWS)
                          if words and (not PLACES.search(words) or confirmed(scene, law, words)))
        line = mended(scene) if law in GENERAL else ""
    if not line:
        return words, law in VAGUE
    return f"is wrong: {line}" if law in GUESSES else f"{words}; {line}", False


def confirmed(scene, law, words):
    """Whether the law says the same where the numbers of every input lie in another order: masks make places by chance."""
    rng, other = np.random.default_rng(0), copy.copy(scene.problem)
    other.values = [rng.permutation(v.ravel()).reshape(v.shape) for v in scene.problem.values]
    elsewhere = factor.again(scene, other)
    return elsewhere is None or law(elsewhere) == words

"""From a wrong array and the right one to the mistake: the first law that fits, as in the diagnosis of gradients."""
from types import SimpleNamespace

import numpy as np

from ..gradcheck import laws_factor, laws_part, laws_whole
from ..gradcheck.measure import InputCheck
from ..gradcheck.scene import Scene, long_axes, same, subsets


def explain(got, right, wrong, inputs):
    """The rest of a sentence that starts with the array's name; `wrong` marks the entries, `inputs` are {name: array}."""
    bad = ~np.isfinite(got) & np.isfinite(right)
    if bad.any():
        return (f"holds NaN or infinity at {int(bad.sum())} of {bad.size} entries: look for 0 / 0, log(0), a negative root "
                "or an overflow of exp")
    if not got.any():
        return "is zero everywhere"
    scene = _scene(got, right, wrong, inputs)
    with np.errstate(all="ignore"):
        return next(words for words in (law(scene) for law in LAWS) if words)


def _scene(got, right, wrong, inputs):
    """What the laws of the gradient checker look at, with the wrong array in the place of the gradient."""
    none, scale = np.zeros(right.shape, bool), np.abs(right[np.isfinite(right)]).max(initial=0)
    check = InputCheck("the right value", right, [got, got], [right, right], [0.0, 0.0], wrong=wrong, kinks=none, jumps=none,
                       scales=[scale, scale])
    near = [SimpleNamespace(name=name, shown=name, value=a, numeric=[a, a]) for name, a in inputs.items()
            if a.dtype.kind == "f"]
    problem = SimpleNamespace(split=lambda vector: [], values=[right], options={})
    scene = Scene(check, near, problem, [0.0, 0.0], None, None)
    scene.others = near
    scene.near = [(c.name, c.value) for c in near]  # a factor of the right value itself would explain nothing
    return scene


def _flipped(s):
    for axes in subsets(long_axes(s.shape)[:5]):
        if s.fits(lambda k: np.flip(s.n[k], axes)):
            return f"is reversed along {s.axes(axes)}"


def _summed(s):
    for axes in subsets(long_axes(s.shape)[:5]):
        for words, reduce in (("summed", np.sum), ("averaged", np.mean)):
            if s.fits(lambda k: np.broadcast_to(reduce(s.n[k], axis=axes, keepdims=True), s.shape)):
                return f"is {words} over {s.axes(axes)}, where every index has a value of its own"


def _same_number(s):
    if s.x.size > 1 and (s.a[0] == s.a[0].flat[0]).all():
        return f"is {s.a[0].flat[0]:.6g} at every entry"


def _constant_off(s):
    difference = s.a[0] - s.n[0]
    if s.x.size > 1 and same(difference, np.full(s.shape, difference.mean())):
        return f"is off by the same number everywhere: {difference.mean():.6g} too much"


def _multiple_of_an_input(s):
    """A is N plus a multiple of something that was given."""
    for other in s.others:
        try:
            term = np.broadcast_to(other.value, s.shape)
        except ValueError:
            continue
        square, difference = (term * term).sum(), s.a[0] - s.n[0]
        r = (difference * term).sum() / square if square else 0.0
        if r and term.size > 1 and same(difference, r * term):  # of one number every other is a multiple
            words = {-1: f"lacks the term {other.name}", 1: f"contains the term {other.name} too much",
                     -2: f"has the term {other.name} with the wrong sign"}
            return words.get(round(r, 6), f"is off by {r:.6g} times {other.name}")


def _no_law(s):
    if s.x.size == 1:
        return f"is {s.a[0].item():.6g} and should be {s.n[0].item():.6g}"
    return f"is wrong at {int(s.check.wrong.sum())} of {s.x.size} entries"


LAWS = (laws_factor.constant_ratio, _multiple_of_an_input, laws_part.factor_off, laws_whole.axes_swapped, _flipped, _summed,
        _same_number, _constant_off, laws_part.only_somewhere, laws_whole.shifted, laws_whole.shuffled, _no_law)

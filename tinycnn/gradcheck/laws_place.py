"""Laws of the diagnosis: windows that lie in the wrong place, by stride, padding, dilation or groups.

The Jacobian says which entries of x each output reaches. Where these lie on a grid, its step along the output is the stride,
its step within one output the dilation, its start the padding, and its channels the group.
"""
import numpy as np

from .jacobians import jacobians
from .scene import CLOSE


def windows(s):
    """The geometry of the student's windows against those of forward."""
    both = jacobians(s)
    if both is None or s.y is None or s.x.ndim != s.y.ndim or s.x.ndim < 2:
        return None
    reach = [np.abs(m).reshape(*s.shape, *s.y.shape) > CLOSE * np.abs(both[1]).max(initial=0) for m in both]
    if (reach[0] == reach[1]).all():
        return None
    for axis in range(2, s.x.ndim) if s.x.ndim > 2 else (1,):
        a, n = (_grid(_along(r, axis)) for r in reach)
        if a is None or n is None or a == n:
            continue
        (stride_a, starts_a, steps_a), (stride, starts, steps) = a, n
        if stride_a != stride:
            return (f"moves its window by {stride_a:g} along axis {axis} where forward moves it by {stride:g}: look at how "
                    "the stride enters the index")
        if steps_a != steps and len(steps_a) == len(steps):
            return (f"takes the entries of a window along axis {axis} at distances {_listed(steps_a)}, where forward takes "
                    f"them at {_listed(steps)}: look at how the dilation enters the index")
        if len(steps_a) != len(steps):
            return (f"has windows of {len(steps_a)} entries along axis {axis}, where those of forward have {len(steps)}: "
                    "look at the size of the kernel, or at where a loop over it ends")
        if starts_a != starts:
            return (f"has every window moved by {starts_a - starts:g} along axis {axis}: look at the padding, or at an "
                    "offset in the index")
    if s.x.ndim > 2 and s.shape[1] > 1:
        a, n = (_along(r, 1) for r in reach)
        alone = (n.sum(0) <= 1).all() and s.shape == s.y.shape   # nothing is grouped where every index keeps to itself
        if (a != n).any() and not n.all() and not alone:
            f = int((a != n).any(0).argmax())
            c, d = ([int(i) for i in np.flatnonzero(m[:, f])] for m in (a, n))
            return (f"takes channels {c} for channel {f} of the output, where {d} belong to it: look at how the groups "
                    "divide the channels")
    return None


def from_the_window(s):
    """Each output has one winner, which forward counts from the start of x and backward from that of its window."""
    both = jacobians(s)
    if both is None or s.y is None or s.x.ndim != s.y.ndim:
        return None
    reach = [np.abs(m) > CLOSE * np.abs(both[1]).max(initial=0) for m in both]
    if not all((r.sum(0) == 1).all() for r in reach):
        return None
    yours, right, at = (np.unravel_index(i, shape) for i, shape in (
        (reach[0].argmax(0), s.shape), (reach[1].argmax(0), s.shape), (np.arange(s.y.size), s.y.shape)))
    moved = [(axis, right[axis] - yours[axis]) for axis in range(s.x.ndim) if (right[axis] != yours[axis]).any()]
    starts = [(axis, by[at[axis] == 1][0]) for axis, by in moved if (at[axis] == 1).any()]
    chosen = any(len({*zip(at[axis], yours[axis])}) > s.y.shape[axis] for axis, _ in moved)   # and not a slice
    if chosen and len(starts) == len(moved) and all((by == start * at[axis]).all()
                                                    for (axis, by), (_, start) in zip(moved, starts)):
        return (f"counts the place of the chosen entry from the start of its window: add where that starts, "
                f"{' and '.join(f'{start} * index along axis {axis}' for axis, start in starts)}")
    return None


def _listed(steps):
    return ", ".join(map(str, steps))


def _along(reach, axis):
    """Which indices of x along `axis` meet which of y along `axis`: a matrix."""
    half = reach.ndim // 2
    keep = (axis, half + axis)
    return reach.any(tuple(i for i in range(reach.ndim) if i not in keep))


def _grid(matrix):
    """(stride, start, offsets within a window) of the windows in the columns of a matrix, None where there is no grid.

    Only windows that lie inside, of full size, count: the border cuts others short.
    """
    columns = [np.flatnonzero(c) for c in matrix.T]
    most = max((len(c) for c in columns), default=0)
    whole = [(j, c) for j, c in enumerate(columns) if len(c) == most > 0]
    if len(whole) < 2 or most == len(matrix):
        return None
    offsets = {tuple((c - c[0]).tolist()) for _, c in whole}
    moves = {(c2[0] - c1[0]) / (j2 - j1) for (j1, c1), (j2, c2) in zip(whole, whole[1:])}
    if len(offsets) != 1 or len(moves) != 1 or min(moves) <= 0:
        return None
    stride = moves.pop()
    return stride, float(whole[0][1][0] - stride * whole[0][0]), offsets.pop()

"""Cases and mutants of `ops/creation.py`: the two Functions that move numbers."""
from ...ops.creation import Clone, To
from ..registry import case, constant, mutant, normal

case(Clone, "copy", [normal(3, 4)], lambda t, x: t.clone(x), linear=True)
case(Clone, "strided", [normal(3, 4)], lambda t, x: x.t().clone(), linear=True)
case(Clone, "0-d", [constant(2.0)], lambda t, x: x.clone(), linear=True)
case(Clone, "empty batch", [normal(0, 3)], lambda t, x: x.clone(), linear=True)


def _moved(t, x):
    """2 x, moved where it is already: rounding to another dtype would be steps under the finite differences."""
    return To.apply(x * 2, dtype=x.dtype, device=x.device)


case(To, "matrix", [normal(3, 4)], _moved, torch=lambda t, x: x * 2, linear=True)
case(To, "0-d", [constant(2.0)], _moved, torch=lambda t, x: x * 2, linear=True)
case(To, "empty batch", [normal(0, 3)], _moved, torch=lambda t, x: x * 2, linear=True)

for _function in (Clone, To):
    mutant(_function, "nothing flows back")(lambda backward, ctx, dy: 0 * backward(ctx, dy))
    mutant(_function, "sign")(lambda backward, ctx, dy: -backward(ctx, dy))
    mutant(_function, "order turned over")(lambda backward, ctx, dy: backward(ctx, dy)[::-1].copy() if dy.ndim else dy)

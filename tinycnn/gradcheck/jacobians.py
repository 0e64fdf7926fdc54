"""The Jacobian that backward has in mind, next to the right one."""
import numpy as np

from .scene import same

OUTPUTS = 1024  # upstream gradients that are tried at most


def jacobians(s):
    """(the student's, the right one), each (entries of x, outputs); None where they are not to be had."""
    if not hasattr(s, "jacobians"):
        s.jacobians = _measured(s)
    return s.jacobians


def _measured(s):
    right, count = s.check.jacobian, s.vectors[0].size
    if right is None or s.check.misshapen is not None or count > OUTPUTS or not np.isfinite(right).all():
        return None
    i = s.problem.names.index(s.check.name)
    try:
        rows = s.problem.gradients([v.copy() for v in s.problem.values], np.eye(count))
    except Exception:  # backward may not like zeros: then this law has nothing to say
        return None
    yours = np.stack([np.zeros(s.x.size) if g[i] is None else g[i].ravel() for g in rows], 1)
    linear = all(same(yours @ c, a.ravel()) for c, a in zip(s.vectors, s.a))
    return (yours, right) if linear and np.isfinite(yours).all() else None

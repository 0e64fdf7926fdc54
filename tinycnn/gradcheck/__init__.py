"""The gradient checker, the only one that explains what is wrong.

    report = tinycnn.gradcheck(F.conv2d, x, w, b)
    print(report)

`checker.py` is the entrance; `numeric.py` takes derivatives, `measure.py` compares, `contracts.py` holds backward to its
promises, `diagnosis.py` finds the words; `second.py` does all this for second derivatives. What is checked is seen through
`problem.py`, or through `foreign/` where it is another library's. `registry.py` and `cases/` are the table of tinycnn's own
operations, `extremes.py` takes it to extremes; `python -m tinycnn.gradcheck` checks all of the table.
"""
import sys
import types

from .checker import GradcheckError, Report, check_functions, gradcheck
from .second import gradgradcheck

__all__ = ["GradcheckError", "Report", "check_functions", "gradcheck", "gradgradcheck"]


class _CallablePackage(types.ModuleType):
    """A package that can be called, because `tinycnn.gradcheck(fn, x)` is what everybody types first."""

    def __call__(self, *args, **options):
        return gradcheck(*args, **options)


# `tinycnn.gradcheck` must be this package (with its registry, cases and command), and a package is a plain module unless it
# is told otherwise; a function of that name in tinycnn would be replaced by the package as soon as anyone imports it.
sys.modules[__name__].__class__ = _CallablePackage

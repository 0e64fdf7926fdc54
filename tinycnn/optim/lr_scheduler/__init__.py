"""Learning rates that follow a schedule. Make the scheduler once, call `step()` once an epoch (or a batch).

Most schedulers compute the new rate from the current one, like lr <- lr * gamma, not from the epoch alone: so two of them
can act on one optimizer, and a rate that the user changes by hand stays changed. Step 0 happens in the constructor.
"""
import sys

from ...engine.answers import answer_clearly as _answer_clearly
from .combined import ChainedScheduler, SequentialLR
from .cycle import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .decay import (ConstantLR, CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, MultiplicativeLR, MultiStepLR,
                    PolynomialLR, StepLR)
from .plateau import ReduceLROnPlateau
from .schedule import LRScheduler

for _scheduler in [value for value in globals().values() if isinstance(value, type)]:
    _scheduler.__module__ = __name__  # where code looks that asks which of these names are schedulers

_LRScheduler = LRScheduler  # the name that older code derives its own schedules from

_schedules = [name for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, LRScheduler)]
_answer_clearly(sys.modules[__name__], [*_schedules, "ReduceLROnPlateau", "ChainedScheduler"], beforehand=True)

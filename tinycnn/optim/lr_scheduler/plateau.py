"""A rate that falls when the loss does not."""
import math

from ...engine.checks import check_number
from ..optimizer import Optimizer
from .schedule import LRScheduler, one_a_group


class ReduceLROnPlateau(LRScheduler):
    """lr <- factor lr when the number given to `step(metrics)` has not improved for more than `patience` steps.

    Improved is below (for mode "max" above) the best so far by `threshold`, as a fraction of it (threshold_mode "rel") or
    itself ("abs"). After a reduction, `cooldown` steps do not count. Rates stop at `min_lr`, and changes of less than `eps`
    are not made.
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
                 min_lr=0, eps=1e-8):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"ReduceLROnPlateau: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        if not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        check_number("ReduceLROnPlateau", patience=patience, threshold=threshold, cooldown=cooldown, eps=eps)
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = one_a_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = self._current()

    def _is_better(self, value):
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            wanted = self.best * (1 + sign * self.threshold)
        else:
            wanted = self.best + sign * self.threshold
        return value > wanted if self.mode == "max" else value < wanted

    def step(self, metrics):
        """Report `metrics`, a number or a tensor of one element, and lower the rates where it is time."""
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            lowered = [max(lr * self.factor, low) for lr, low in zip(self._current(), self.min_lrs, strict=True)]
            self._set([new if old - new > self.eps else old for old, new in zip(self._current(), lowered)])
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._current()

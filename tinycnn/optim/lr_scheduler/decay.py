"""Rates that go one way: down with the epochs, or up in a warm-up."""
import math
import types
from collections import Counter

from ...engine.checks import check_callable, check_number
from .schedule import LRScheduler, check_positive_integer


class StepLR(LRScheduler):
    """lr <- gamma lr every `step_size` epochs."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        check_positive_integer("StepLR", step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class MultiStepLR(LRScheduler):
    """lr <- gamma lr at each epoch in `milestones`, as often as it stands there."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [lr * self.gamma ** self.milestones.get(self.last_epoch, 0) for lr in self._current()]


class ConstantLR(LRScheduler):
    """`factor` times the base rate for the first `total_iters` epochs, then the base rate."""

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        if not 0 < factor <= 1:
            raise ValueError(f"ConstantLR: factor must be above 0 and at most 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._current()]
        return [lr / self.factor for lr in self._current()] if self.last_epoch == self.total_iters else self._current()


class LinearLR(LRScheduler):
    """The base rate times a factor that goes from `start_factor` to `end_factor` in `total_iters` equal steps: a warm-up."""

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be between 0 and 1, got {end_factor}")
        check_number("LinearLR", total_iters=total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch):
        return self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters

    def get_lr(self):
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._current()]
        if self._is_first or self.last_epoch > self.total_iters:
            return self._current()
        return [lr * (self._factor(self.last_epoch) / self._factor(self.last_epoch - 1)) for lr in self._current()]


class ExponentialLR(LRScheduler):
    """lr <- gamma lr every epoch."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        check_number("ExponentialLR", gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._current() if self._is_first or self.last_epoch == 0 else [lr * self.gamma for lr in self._current()]


class PolynomialLR(LRScheduler):
    """The base rate times (1 - epoch / total_iters)^power, down to 0."""

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        check_number("PolynomialLR", total_iters=total_iters, power=power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_first or not 0 < self.last_epoch <= self.total_iters:
            return self._current()
        left, before = self.total_iters - self.last_epoch, self.total_iters - self.last_epoch + 1
        return [lr * (left / before) ** self.power for lr in self._current()]


class _FunctionLR(LRScheduler):
    """What LambdaLR and MultiplicativeLR share: `lr_lambda`, a function of the epoch or a list of them, one a group.

    State dicts leave functions out, and keep the attributes of objects that can be called.
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        for function in self.lr_lambdas:
            check_callable(type(self).__name__, lr_lambda=function)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"{type(self).__name__}: lr_lambda must be one function or {groups}, one a parameter group, "
                             f"got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def _factors(self):
        """What the functions say for this epoch."""
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        for factor in factors:
            check_number(f"{type(self).__name__}: lr_lambda({self.last_epoch})", factor=factor)
        return factors

    def state_dict(self):
        """All attributes except the optimizer and functions."""
        saved = [None if isinstance(f, types.FunctionType) else dict(f.__dict__) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": saved}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned."""
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                function.__dict__.update(saved)
        super().load_state_dict({**state_dict, "lr_lambdas": self.lr_lambdas})


class LambdaLR(_FunctionLR):
    """The base rate times `lr_lambda(epoch)`, a function or a list of functions, one a group."""

    def get_lr(self):
        return [base * factor for base, factor in zip(self.base_lrs, self._factors())]


class MultiplicativeLR(_FunctionLR):
    """lr <- lr `lr_lambda(epoch)` every epoch, with a function or a list of functions, one a group."""

    def get_lr(self):
        if self._is_first or self.last_epoch == 0:
            return self._current()
        return [lr * factor for lr, factor in zip(self._current(), self._factors())]


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2: from the base rate to `eta_min` along half a cosine.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), without the restarts:
    after T_max epochs the rate climbs again.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        check_positive_integer("CosineAnnealingLR", T_max=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, epoch):
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self):
        if self._is_first or self.last_epoch == 0:
            return self._current()
        if (self.last_epoch - 1) % (2 * self.T_max) == self.T_max:  # the rate was eta_min, and no multiple of it climbs
            return [lr + (base - self.eta_min) * self._height(self.T_max - 1) / 2
                    for lr, base in zip(self._current(), self.base_lrs)]
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [self.eta_min + (lr - self.eta_min) * ratio for lr in self._current()]

"""Floor 3: learning rates that follow a schedule. Make the scheduler once, call `step()` once an epoch (or a batch).

Most schedulers compute the new rate from the current one, like lr <- lr * gamma, not from the epoch alone: so two of them
can act on one optimizer, and a rate that the user changes by hand stays changed. Step 0 happens in the constructor.
"""
import math
import warnings
from bisect import bisect_right

from .optimizer import Optimizer


class LRScheduler:
    """The base of all schedulers. A subclass defines `get_lr()`, the list of rates, one a group, at epoch `last_epoch`.

    Attributes: `last_epoch`, how many steps were taken; `base_lrs`, the rates of the groups before the schedule, which the
    groups keep as "initial_lr". With `last_epoch` not -1 a schedule goes on, from the rates in the optimizer.
    """

    def __init__(self, optimizer, last_epoch=-1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: param_groups[{i}] has no 'initial_lr', which "
                               f"last_epoch={last_epoch} needs: load the optimizer's state first")
        self.optimizer = optimizer
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    def get_lr(self):
        """The rate of every group at epoch `last_epoch`; their current rates are in the optimizer."""
        raise NotImplementedError(f"{type(self).__name__}: define get_lr(self), a list of rates, one a parameter group")

    def get_last_lr(self):
        """The rate of every group that the last step set."""
        return self._last_lr

    def step(self):
        """Go one epoch on and set the rates of the optimizer. Call it after `optimizer.step()`."""
        if self._step_count == 1 and self.optimizer._step_count == 0 and type(self.optimizer).step is Optimizer.step:
            warnings.warn(f"{type(self).__name__}.step() was called before optimizer.step(), which skips the first learning "
                          "rate of the schedule: call optimizer.step() first", UserWarning, stacklevel=2)
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    @property
    def _is_first(self):
        """Whether this is the step in the constructor, which keeps the rates that a schedule continues from."""
        return self._step_count == 1

    def _current(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def _set(self, lrs):
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = self._current()

    def _restart(self):
        """Begin the schedule anew, at epoch 0 and from the base rates."""
        self._set(self.base_lrs)
        self._step_count, self.last_epoch = 1, 0
        self._set(self.get_lr())

    def state_dict(self):
        """All attributes except the optimizer (and functions)."""
        return {name: value for name, value in self.__dict__.items() if name not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned; the rates themselves are in the optimizer's state."""
        self.__dict__.update(state_dict)


def _check_positive_integer(scheduler, **named):
    for name, value in named.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{scheduler}: {name} must be a positive integer, got {value!r}")


class StepLR(LRScheduler):
    """lr <- gamma lr every `step_size` epochs."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        _check_positive_integer("StepLR", step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class MultiStepLR(LRScheduler):
    """lr <- gamma lr at each epoch in `milestones`, as often as it stands there."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [lr * self.gamma ** self.milestones.count(self.last_epoch) for lr in self._current()]


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
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._current() if self._is_first or self.last_epoch == 0 else [lr * self.gamma for lr in self._current()]


class PolynomialLR(LRScheduler):
    """The base rate times (1 - epoch / total_iters)^power, down to 0."""

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_first or not 0 < self.last_epoch <= self.total_iters:
            return self._current()
        left, before = self.total_iters - self.last_epoch, self.total_iters - self.last_epoch + 1
        return [lr * (left / before) ** self.power for lr in self._current()]


class LambdaLR(LRScheduler):
    """The base rate times `lr_lambda(epoch)`, a function or a list of functions, one a group. State dicts leave them out."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: lr_lambda must be one function or {groups}, one a parameter group, got "
                             f"{len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas)]


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2: from the base rate to `eta_min` along half a cosine.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), without the restarts:
    after T_max epochs the rate climbs again.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        _check_positive_integer("CosineAnnealingLR", T_max=T_max)
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


class CosineAnnealingWarmRestarts(LRScheduler):
    """`CosineAnnealingLR` that jumps back to the base rate after T_0 epochs, then after T_0 T_mult, T_0 T_mult^2, ...

    `step(epoch)` with a fraction of epochs, such as `epoch + batch / batches`, sets the rate between epochs. Source:
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        _check_positive_integer("CosineAnnealingWarmRestarts", T_0=T_0, T_mult=T_mult)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._at(self.last_epoch)

    def _at(self, epoch):
        length = self.T_0
        if self.T_mult == 1:
            epoch %= length
        while epoch >= length:
            epoch, length = epoch - length, length * self.T_mult
        height = 1 + math.cos(math.pi * epoch / length)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch=None):
        """Go one epoch on, or to `epoch`, which need not be whole."""
        if epoch is None:
            super().step()
            return
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts.step: epoch must not be negative, got {epoch}")
        self._step_count += 1
        self.last_epoch = math.floor(epoch)
        self._set(self._at(epoch))


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr in the first `pct_start` of all steps, then down to 1 / final_div_factor of the
    start; with `three_phase` down to the start as fast as up, then further. Momentum (or beta1) goes the other way.

    Call `step()` after every batch; `total_steps` is `epochs * steps_per_epoch` where it is not given. Large rates in the
    middle regularise; the long way down converges. Source: Smith and Topin, "Super-convergence: very fast training of
    neural networks using large learning rates" (2017).
    """

    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
                 anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0,
                 final_div_factor=1e4, three_phase=False, last_epoch=-1):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
            _check_positive_integer("OneCycleLR", epochs=epochs, steps_per_epoch=steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        _check_positive_integer("OneCycleLR", total_steps=total_steps)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        up, last = pct_start * total_steps - 1, total_steps - 1
        self.phases = ([(up, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                        (2 * up, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                        (last, "initial_lr", "min_lr", "max_momentum", "max_momentum")] if three_phase else
                       [(up, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                        (last, "max_lr", "min_lr", "base_momentum", "max_momentum")])
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, _one_a_group("OneCycleLR", "max_lr", max_lr, optimizer)):
                start = top / div_factor
                group.update(initial_lr=start, max_lr=top, min_lr=start / final_div_factor)
            if cycle_momentum:
                if not {"momentum", "betas"} & set(optimizer.defaults):
                    raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has neither momentum nor betas: pass "
                                     "cycle_momentum=False")
                for group, low, high in zip(optimizer.param_groups,
                                            _one_a_group("OneCycleLR", "base_momentum", base_momentum, optimizer),
                                            _one_a_group("OneCycleLR", "max_momentum", max_momentum, optimizer)):
                    group.update(base_momentum=low, max_momentum=high)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {self.last_epoch} of a schedule of {self.total_steps} steps")
        phase = next((i for i, (end, *_) in enumerate(self.phases) if self.last_epoch <= end), len(self.phases) - 1)
        end, first_lr, last_lr, first_momentum, last_momentum = self.phases[phase]
        begin = self.phases[phase - 1][0] if phase else 0
        way = (self.last_epoch - begin) / (end - begin)
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            momentum = self._between(group[first_momentum], group[last_momentum], way)
            group.update({"betas": (momentum, group["betas"][1])} if "betas" in group else {"momentum": momentum})
        return [self._between(group[first_lr], group[last_lr], way) for group in self.optimizer.param_groups]

    def _between(self, first, last, way):
        return first + (last - first) * (way if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * way)) / 2)


def _one_a_group(scheduler, name, value, optimizer):
    """`value` for every group of the optimizer, or the values themselves where it is a list."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{scheduler}: {name} must be one number or {groups}, one a parameter group, got {len(values)}")
    return values


class SequentialLR(LRScheduler):
    """One scheduler after the other: `schedulers[i + 1]` takes over, from its own beginning, at epoch `milestones[i]`."""

    def __init__(self, optimizer, schedulers, milestones):
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: milestones must be one fewer than schedulers, got {len(milestones)} and "
                             f"{len(schedulers)}")
        for i, scheduler in enumerate(schedulers):
            if getattr(scheduler, "optimizer", None) is not optimizer or isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"SequentialLR: schedulers[{i}] must be a schedule of epochs on the same optimizer")
        self.optimizer, self.schedulers, self.milestones = optimizer, list(schedulers), list(milestones)
        self._restart()

    def _restart(self):
        self.last_epoch = 0
        for scheduler in self.schedulers:
            scheduler.last_epoch = -1
        self._scheduler()._restart()
        self._last_lr = self._current()

    def _scheduler(self):
        return self.schedulers[bisect_right(self.milestones, self.last_epoch)]

    def step(self):
        """Go one epoch on, to the next scheduler where it is time."""
        self.last_epoch += 1
        if self.last_epoch in self.milestones:
            self._scheduler()._restart()
        else:
            self._scheduler().step()
        self._last_lr = self._current()

    def state_dict(self):
        """All attributes except the optimizer, with the states of the schedulers."""
        return {**super().state_dict(), "schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned."""
        schedulers = self.schedulers
        super().load_state_dict({**state_dict, "schedulers": schedulers})
        for scheduler, state in zip(schedulers, state_dict["schedulers"], strict=True):
            scheduler.load_state_dict(state)


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
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = _one_a_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
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

"""Rates that go up and down: restarts, cycles, one cycle."""
import math
import types

from .schedule import LRScheduler, check_momentum, check_positive_integer, one_a_group, set_momentum


class CosineAnnealingWarmRestarts(LRScheduler):
    """`CosineAnnealingLR` that jumps back to the base rate after T_0 epochs, then after T_0 T_mult, T_0 T_mult^2, ...

    `step(epoch)` with a fraction of epochs, such as `epoch + batch / batches`, sets the rate between epochs. Source:
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        check_positive_integer("CosineAnnealingWarmRestarts", T_0=T_0, T_mult=T_mult)
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


class CyclicLR(LRScheduler):
    """Up from `base_lr` to `max_lr` in `step_size_up` steps and down again in `step_size_down`, again and again.

    `mode` says how the height of the triangles changes: "triangular" (not), "triangular2" (halved every cycle), "exp_range"
    (times gamma^step); or `scale_fn(x)` does, with x the number of the cycle, from 1, or of the step if `scale_mode` is
    "iterations". Momentum (or beta1) goes the other way, between max_momentum and base_momentum. Call `step()` after every
    batch. Source: Smith, "Cyclical learning rates for training neural networks" (2017).
    """

    def __init__(self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0,
                 scale_fn=None, scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1):
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', unless scale_fn is given, "
                             f"got {mode!r}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR: scale_mode must be 'cycle' or 'iterations', got {scale_mode!r}")
        base_lrs = one_a_group("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = one_a_group("CyclicLR", "max_lr", max_lr, optimizer)
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom, self.cycle_momentum = mode, gamma, scale_fn, cycle_momentum
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        if cycle_momentum:
            check_momentum("CyclicLR", optimizer)
            self.base_momentums = one_a_group("CyclicLR", "base_momentum", base_momentum, optimizer)
            self.max_momentums = one_a_group("CyclicLR", "max_momentum", max_momentum, optimizer)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs):
                group.update(lr=lr, initial_lr=lr)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x):
        """The height of the triangle in cycle (or step) `x`, as a part of that of the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 0.5 ** (x - 1), "exp_range": self.gamma ** x}[self.mode]

    def get_lr(self):
        cycle, way = divmod(self.last_epoch / self.total_size, 1)
        height = way / self.step_ratio if way <= self.step_ratio else (1 - way) / (1 - self.step_ratio)
        height *= self.scale_fn(cycle + 1 if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs)]

    def state_dict(self):
        """All attributes except the optimizer and functions."""
        f = self._scale_fn_custom
        saved = None if f is None or isinstance(f, types.FunctionType) else dict(f.__dict__)
        return {**super().state_dict(), "_scale_fn_custom": saved}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned."""
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])
        super().load_state_dict({**state_dict, "_scale_fn_custom": self._scale_fn_custom})


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
            check_positive_integer("OneCycleLR", epochs=epochs, steps_per_epoch=steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        check_positive_integer("OneCycleLR", total_steps=total_steps)
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
            for group, top in zip(optimizer.param_groups, one_a_group("OneCycleLR", "max_lr", max_lr, optimizer)):
                start = top / div_factor
                group.update(initial_lr=start, max_lr=top, min_lr=start / final_div_factor)
            if cycle_momentum:
                check_momentum("OneCycleLR", optimizer)
                for group, low, high in zip(optimizer.param_groups,
                                            one_a_group("OneCycleLR", "base_momentum", base_momentum, optimizer),
                                            one_a_group("OneCycleLR", "max_momentum", max_momentum, optimizer)):
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
            set_momentum(group, momentum)
        return [self._between(group[first_lr], group[last_lr], way) for group in self.optimizer.param_groups]

    def _between(self, first, last, way):
        return first + (last - first) * (way if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * way)) / 2)

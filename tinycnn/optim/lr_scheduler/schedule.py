"""`LRScheduler`, what all schedules share."""
import warnings

from ..optimizer import Optimizer, number


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
                group.setdefault("initial_lr", number("lr", group["lr"]))
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

    def step(self, epoch=None):
        """Go one epoch on, or to `epoch`, and set the rates of the optimizer. Call it after `optimizer.step()`."""
        if epoch is not None:
            self._go_to(epoch)
            return
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
        self._begin()

    def _begin(self):
        """Go to epoch 0, from the current rates."""
        self._step_count, self.last_epoch = 1, 0
        self._set(self.get_lr())

    def _go_to(self, epoch):
        """Take the steps from the beginning to `epoch` in one."""
        if epoch != int(epoch) or epoch < 0:
            raise ValueError(f"{type(self).__name__}.step: epoch must be a whole number, not negative, got {epoch}")
        self._restart()
        while self.last_epoch < epoch:
            self._step_count += 1
            self.last_epoch += 1
            self._set(self.get_lr())

    def state_dict(self):
        """All attributes except the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned; the rates themselves are in the optimizer's state."""
        self.__dict__.update(state_dict)


def check_positive_integer(scheduler, **named):
    for name, value in named.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{scheduler}: {name} must be a positive integer, got {value!r}")


def one_a_group(scheduler, name, value, optimizer):
    """`value` for every group of the optimizer, or the values themselves where it is a list."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{scheduler}: {name} must be one number or {groups}, one a parameter group, got {len(values)}")
    return values


def check_momentum(scheduler, optimizer):
    """Raise ValueError where the optimizer has no momentum that a scheduler could change."""
    if not {"momentum", "betas"} & set(optimizer.defaults):
        raise ValueError(f"{scheduler}: {type(optimizer).__name__} has neither momentum nor betas: pass "
                         "cycle_momentum=False")


def set_momentum(group, momentum):
    """Make `momentum` the momentum, or the first beta, of a group."""
    group.update({"betas": (momentum, *group["betas"][1:])} if "betas" in group else {"momentum": momentum})

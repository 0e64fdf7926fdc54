"""Schedules made of schedules."""
from bisect import bisect_right

from .plateau import ReduceLROnPlateau
from .schedule import LRScheduler


class _Combined(LRScheduler):
    """What both share: several schedulers on one optimizer, and a state that holds theirs."""

    def __init__(self, optimizer, schedulers):
        for i, scheduler in enumerate(schedulers):
            if getattr(scheduler, "optimizer", None) is not optimizer or isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{type(self).__name__}: schedulers[{i}] must be a schedule of epochs on the same "
                                 "optimizer")
        self.optimizer, self._schedulers = optimizer, list(schedulers)

    def state_dict(self):
        """All attributes except the optimizer, with the states of the schedulers."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` returned."""
        super().load_state_dict({**state_dict, "_schedulers": self._schedulers})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Combined):
    """One scheduler after the other: `schedulers[i + 1]` takes over, from its own beginning, at epoch `milestones[i]`."""

    def __init__(self, optimizer, schedulers, milestones):
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: milestones must be one fewer than schedulers, got {len(milestones)} and "
                             f"{len(schedulers)}")
        super().__init__(optimizer, schedulers)
        self._milestones = list(milestones)
        self._restart()

    def _restart(self):
        self.last_epoch = 0
        for scheduler in self._schedulers:
            scheduler.last_epoch = -1
        self._scheduler()._restart()
        self._last_lr = self._current()

    def _scheduler(self):
        return self._schedulers[bisect_right(self._milestones, self.last_epoch)]

    def step(self):
        """Go one epoch on, to the next scheduler where it is time."""
        self.last_epoch += 1
        if self.last_epoch in self._milestones:
            self._scheduler()._restart()
        else:
            self._scheduler().step()
        self._last_lr = self._current()


class ChainedScheduler(_Combined):
    """Several schedulers at once: each step is a step of all, one after the other, so their factors multiply."""

    def __init__(self, schedulers, optimizer=None):
        if not schedulers:
            raise ValueError("ChainedScheduler: schedulers is empty")
        super().__init__(optimizer or getattr(schedulers[0], "optimizer", None), schedulers)
        self._last_lr = self._current()

    def _restart(self):
        self._set(self._schedulers[0].base_lrs)
        for scheduler in self._schedulers:
            scheduler._begin()
        self._last_lr = self._current()

    def step(self):
        """Take one step of every scheduler."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._current()

"""Schedules for whoever has half an hour and not a number of epochs, and for whoever thinks again about that number."""
import math
import time
import warnings


class Deadline:
    """A schedule of `steps` steps that is also over after `seconds`: where time is short, it goes on several steps at once.

    After the share p of the time, at least the share p of `schedule` (None for a constant learning rate) is behind; so a
    learning rate that falls to 0 arrives there in time, on a slow machine as on a fast one. How many steps that are depends
    on the machine, so the numbers are not the same from run to run. A continued training goes on with the time it had left.
    """

    def __init__(self, schedule, steps, seconds, clock=time.monotonic):
        self.schedule, self.steps, self.seconds, self.clock = schedule, steps, seconds, clock
        self.taken, self.position, self._before = 0, 0, clock()

    @property
    def elapsed(self):
        """The seconds that the training has had so far."""
        return self.clock() - self._before

    @property
    def is_over(self):
        """Whether all steps were taken or all time has passed."""
        return self.position >= self.steps

    def step(self):
        """Count a step and bring the schedule to where steps and time demand it."""
        self.taken += 1
        place = min(self.steps, max(self.taken, math.ceil(self.steps * self.elapsed / self.seconds)))
        while self.position < place:
            self.position += 1
            if self.schedule:
                self.schedule.step()

    def state_dict(self):
        """Where it stands, with the time that has passed."""
        return {"taken": self.taken, "position": self.position, "elapsed": self.elapsed,
                "schedule": self.schedule and self.schedule.state_dict()}

    def load_state_dict(self, state):
        """Continue from what `state_dict` returned."""
        self.taken, self.position = state["taken"], state["position"]
        self._before = self.clock() - state["elapsed"]
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])


class Stretched:
    """`schedule`, made for `steps` steps of `optimizer`, that may continue a training which had another number of steps.

    After k steps of the old training it stands where it would stand after k steps from the beginning: the learning rate
    follows the longer or shorter curve from there on, as if it had been asked for at once.
    """

    def __init__(self, optimizer, schedule, steps):
        self.optimizer, self.schedule, self.steps, self.taken = optimizer, schedule, steps, 0
        self._start = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]

    def step(self):
        """Take a step of the schedule."""
        self.taken += 1
        self.schedule.step()

    def state_dict(self):
        """Where it stands, and of how many steps."""
        return {"steps": self.steps, "taken": self.taken, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state):
        """Continue from what `state_dict` returned, here or for another number of steps."""
        if "steps" not in state:  # written when schedules could not be stretched
            self.schedule.load_state_dict(state)
            self.taken = state["last_epoch"]
        elif state["steps"] == self.steps:
            self.schedule.load_state_dict(state["schedule"])
            self.taken = state["taken"]
        else:
            for group, start in zip(self.optimizer.param_groups, self._start):
                group.update(start)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # these steps of the optimizer were another process's
                for _ in range(state["taken"]):
                    self.step()

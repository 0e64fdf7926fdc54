"""A schedule for whoever has half an hour and not a number of epochs."""
import math
import time


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

"""Where a training stands, kept in a file, so that it can be killed at any instant and continued as if nothing had been.

All chance in a training comes from tinycnn's default generator and from the loader's, all else from the weights, the
optimizer, the schedule and the numbers of the running epoch. What is written between two steps is therefore all that the
next step depends on, and as floating-point numbers are kept exactly, the continued training is the same to the last bit.
"""
import functools
import signal
import threading
import time
from pathlib import Path

from ..engine.generators import get_rng_state, set_rng_state
from ..files.atomic import remove_rests
from ..files.saving import save
from .fingerprint import differences, fingerprint
from .history import plain
from .mean import Mean

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class State:
    """All that the rest of a training depends on: `history`, the numbers of the running epoch, and what `fit` was given.

    `settings`, a dictionary of plain values, is kept to be compared when the training is continued. Of the several processes
    that `ranks` stands for, each has its own random numbers and its own part of the epoch's numbers.
    """

    def __init__(self, ranks, model, optimizer, schedule, train, val=None, settings=()):
        self.parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": train}
        self.ranks, self.loaders, self.settings = ranks, {"training": train, "validation": val}, dict(settings)
        self.history, self.stopped = [], False
        self.row = self.running = None  # of the epoch that is under way

    @property
    def _gpu(self):
        """The device of the model where it is a GPU, else None."""
        device = next(self.parts["model"].parameters()).device
        return device if device.type == "cuda" else None

    @property
    def epoch(self):
        """The number of the epoch that is under way or comes next, from 1."""
        return len(self.history) + 1

    def begin_epoch(self, lr):
        """Start the numbers of an epoch, unless it was continued in its middle."""
        if self.row is None:
            self.row, self.running = {"epoch": self.epoch, "lr": float(lr), "seconds": 0.0}, Mean("fit: train")
        self._started = time.perf_counter() - self.row["seconds"]
        return self.row, self.running

    def end_epoch(self):
        """Move the row of the epoch to the history."""
        self.row["seconds"] = self.row.pop("seconds")  # the last column
        self.history.append(self.row)
        self.row = self.running = None

    def count_time(self):
        """Bring the seconds of the epoch up to date."""
        self.row["seconds"] = time.perf_counter() - self._started

    @functools.cached_property
    def facts(self):
        """By what the training is known again: its settings and fingerprints of its data."""
        data = {name: fingerprint(loader.dataset) for name, loader in self.loaders.items() if hasattr(loader, "dataset")}
        optimizer = self.parts["optimizer"]
        return {"settings": {**{name: repr(plain(value)) for name, value in optimizer.defaults.items()},
                             "optimizer": type(optimizer).__name__, "schedule": type(self.parts["schedule"]).__name__,
                             **self.settings}, "data": data}

    def check_alike(self):
        """RuntimeError naming the process that trains with other settings or data than the first."""
        facts = self.ranks.everybody(self.facts)
        for rank, other in enumerate(facts):
            found = differences("", facts[0]["settings"], other["settings"])
            for name in facts[0]["data"]:
                found += differences(f"{name} data: ", facts[0]["data"][name], other["data"].get(name, {}))
            if found:
                raise RuntimeError(f"fit: rank {rank} trains otherwise than rank 0: {'; '.join(found)}")

    def check(self, state):
        """ValueError saying what differs where `state` comes from a training with other settings or data."""
        then = state.get("facts", self.facts)  # older files have none
        found = differences("", then["settings"], self.facts["settings"])
        for name, now in self.facts["data"].items():
            found += differences(f"{name} data: ", then["data"].get(name, {}), now)
        if found:
            raise ValueError("; ".join(found))

    def state_dict(self):
        """Everything as `tinycnn.save` takes it."""
        if self.row:
            self.count_time()
        own = {"random": get_rng_state(), "random_gpu": self._gpu and get_rng_state(self._gpu),
               "running": self.running and self.running.state_dict()}
        first, *others = self.ranks.everybody(own)
        return {**{name: part.state_dict() for name, part in self.parts.items() if part is not None},
                "facts": self.facts, "history": self.history, "stopped": self.stopped, "row": self.row,
                **first, **({"others": others} if others else {})}

    def load_state_dict(self, state):
        """Continue from what `state_dict` returned; ValueError where it belongs to another training."""
        expected = {name for name, part in self.parts.items() if part is not None} | {"random", "history", "row"}
        missing = sorted(expected - set(state))
        if missing:
            raise ValueError(f"the state of the training lacks {', '.join(missing)}")
        for name, part in self.parts.items():
            if part is not None:
                part.load_state_dict(state[name])
        self.history, self.stopped, self.row = state["history"], state["stopped"], state["row"]
        self._take_own([state, *state.get("others", ())])

    def _take_own(self, parts):
        """Take this process's part of what was written by as many processes as there are `parts`.

        Where they are not as many as now, the first goes on with all numbers of the running epoch, and chance is new.
        """
        own = parts[self.ranks.rank] if len(parts) == self.ranks.size else parts[0] if self.ranks.first else None
        if own:
            set_rng_state(own["random"])
            if self._gpu and own.get("random_gpu"):
                set_rng_state(own["random_gpu"], self._gpu)
        if parts[0]["running"]:
            self.running = Mean("fit: train")
            if len(parts) == self.ranks.size:
                self.running.__dict__.update(own["running"])
            elif self.ranks.first:
                self.running = self.running.merged([part["running"] for part in parts])
            else:
                self.running.batches = parts[0]["running"]["batches"]


FORM = {"model": dict, "optimizer": dict, "loader": dict, "history": list, "stopped": bool, "row": (dict, type(None)),
        "running": (dict, type(None)), "facts": dict}  # of a state in a file


def check_form(path, state):
    """ValueError naming the file where `state` is none that `State.state_dict` returned; older ones have no facts."""
    if not isinstance(state, dict):
        raise ValueError(f"{path} is no checkpoint of a training: it holds a {type(state).__name__}")
    wrong = [name for name, kinds in FORM.items() if not isinstance(state.get(name, {} if name == "facts" else ...), kinds)]
    if not wrong and state["row"] is not None and not {"epoch", "lr", "seconds"} <= set(state["row"]):
        wrong = ["row"]
    if wrong or not all(isinstance(row, dict) for row in state["history"]):
        raise ValueError(f"{path} is no checkpoint of a training: {', '.join(wrong) or 'history'} missing or damaged")


class Keeper:
    """Writes `state` to the file `path` every `seconds`, and when asked; does nothing where `path` is None.

    Inside `with keeper:` Ctrl-C is noted, and obeyed when the step under way is finished and the state is written; a second
    Ctrl-C stops at once. The same holds for the signals by which a system asks a program to end: SIGTERM, and SIGHUP, which
    comes when a terminal is closed (unless it is ignored, as `nohup` does).
    """

    def __init__(self, path, state, seconds):
        self.path, self.state, self.seconds = path and Path(path), state, seconds
        self.interrupted, self.saved_at, self.before = False, time.monotonic(), {}
        if path and not hasattr(state.parts["loader"], "state_dict"):
            raise TypeError("fit: a checkpoint needs a train loader with state_dict, such as tinycnn.data.DataLoader, got "
                            f"{type(state.parts['loader']).__name__}")

    def resume(self):
        """Load the state from the file, where there is one."""
        if self.state.ranks.first:
            remove_rests(self.path)
        state = self.state.ranks.load(self.path)
        if state is not None:
            check_form(self.path, state)
            try:
                self.state.check(state)
                self.state.load_state_dict(state)
            except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise ValueError(f"fit: {self.path} belongs to another training: {error}") from error

    def save(self):
        """Write the state now, and obey a Ctrl-C that came meanwhile."""
        if self.path:
            state = self.state.state_dict()  # every process has its part in it, and one writes
            if self.state.ranks.first:
                save(state, self.path)
            self.saved_at = time.monotonic()
        if self.interrupted:
            raise KeyboardInterrupt

    @property
    def due(self):
        """Whether it is time to write the state."""
        return bool(self.path) and time.monotonic() - self.saved_at >= self.seconds

    def __enter__(self):
        if self.path and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self.before[number] = signal.signal(number, self._on_interrupt)
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _on_interrupt(self, *_):
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

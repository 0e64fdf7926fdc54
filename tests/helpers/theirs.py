"""PyTorch's counterparts of what `fuzz_targets.py` calls, and of the arguments that `fuzzing.py` draws."""
import inspect
import re

import numpy as np

import tinycnn as t

from . import fuzz_targets, fuzzing

OTHER_NAMES = re.compile("unexpected keyword|multiple values|positional argument")  # ours has an option that theirs has not


class NoCounterpart(Exception):
    """An argument that PyTorch has not."""


def counterpart(torch, target):
    """PyTorch's function to compare with `target`, or None."""
    place, _, name = target.name.rpartition(".")
    if not place and name.startswith("__"):
        return getattr(torch.Tensor, name, None)
    places = {"": torch, "F": torch.nn.functional, "special": torch.special, "linalg": torch.linalg, "init": torch.nn.init,
              "nn.utils": torch.nn.utils, "Tensor": torch.Tensor, "nn": torch.nn, "optim": torch.optim,
              "lr_scheduler": torch.optim.lr_scheduler, "data": torch.utils.data}
    found = getattr(places.get(place), name, None)
    uses = {"nn": use_layer, "optim": use_optimizer, "data": lambda it, torch: fuzz_targets.use_data(it),
            "lr_scheduler": lambda it, torch: fuzz_targets.use_schedule(it)}
    if inspect.isclass(found) and place in uses:
        return lambda *args, **options: uses[place](found(*args, **options), torch)
    return found


def use_layer(layer, torch):
    """Call a layer, as `fuzz_targets.use_layer` does."""
    forward = type(layer).forward
    if forward is not torch.nn.Module.forward:
        count = len([p for p in fuzzing.parameters_of(forward) if p.default is p.empty])
        layer(*[torch.ones(2, 4, 4, 4)] * count)


def use_optimizer(it, torch):
    """Two steps."""
    for _ in range(2):
        it.step(*([lambda: torch.ones(())] if type(it) is torch.optim.LBFGS else []))


def translated(torch, value):
    """An argument for tinycnn as one for PyTorch, with memory of its own."""
    if isinstance(value, t.nn.Module):
        layers = {t.nn.Sequential: lambda: network(torch), t.nn.ReLU: torch.nn.ReLU}
        if type(value) not in layers:
            raise NoCounterpart
        return layers[type(value)]()
    if isinstance(value, t.Tensor):
        tensor = torch.from_numpy(np.array(value.numpy(force=True)))
        tensor.requires_grad_(value.requires_grad)
        return torch.nn.Parameter(tensor) if isinstance(value, t.nn.Parameter) else tensor
    if isinstance(value, t.optim.Optimizer):
        return torch.optim.SGD(network(torch).parameters(), 0.1, momentum=0.9)
    if isinstance(value, t.Generator):
        return torch.Generator()
    if isinstance(value, t.data.DataLoader):
        return torch.utils.data.DataLoader(translated(torch, value.dataset), 2)
    if isinstance(value, t.data.TensorDataset):
        return torch.utils.data.TensorDataset(*(translated(torch, x) for x in value.tensors))
    if isinstance(value, np.dtype):
        return getattr(torch, value.name)
    if isinstance(value, (list, tuple)):
        return type(value)(translated(torch, v) for v in value)
    if type(value).__module__.startswith("tinycnn"):
        raise NoCounterpart
    return value


def network(torch):
    """`fuzzing.network` in PyTorch."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    model(torch.ones(2, 1, 2, 2)).sum().backward()
    return model


class Comparison:
    """Calls of one target in both libraries: sensible ones that both accept, of which one argument then is replaced."""

    def __init__(self, torch, target, generator):
        self.torch, self.target, self.random = torch, target, generator
        self.theirs = counterpart(torch, target)
        self.replaceable = [p for p in target.parameters if p.name != "of"]

    def calls(self, count):
        """(argument's name, its value in words, ours, theirs): the exceptions of up to `count` calls, None for a result."""
        if self.theirs is None or not self.replaceable:
            return
        for _ in range(count):
            start = self.sensible()
            if start is None:
                continue
            p, wrong = self.random.choice(self.replaceable), self.random.choice(fuzzing.NONSENSE)
            if p.name.endswith("layers") and wrong() is fuzzing.HUGE:
                continue  # so many layers would be built for ever
            wrong = [wrong()] if p.kind is p.VAR_POSITIONAL else wrong()
            shown = words(wrong)
            after = self.random.getstate()
            outcomes = self.both(start, {p.name: wrong})
            self.random.setstate(after)
            if outcomes and not (outcomes[1] and OTHER_NAMES.search(str(outcomes[1]))):
                yield p.name, shown, *outcomes

    def sensible(self):
        """The state of the generator from which arguments are drawn that both accept; None where six are refused."""
        for _ in range(6):
            start = self.random.getstate()
            if self.both(start, {}) == (None, None):
                return start

    def both(self, start, replaced):
        """(ours, theirs) of a call with new arguments, drawn from the state `start`; None where PyTorch has no such."""
        answers = []
        for function, translate in ((self.target.call, lambda v: v), (self.theirs, lambda v: translated(self.torch, v))):
            self.random.setstate(start)
            arguments = {**fuzzing.draw(self.target.parameters, self.random.choice, sense=True), **replaced}
            try:
                arguments = {name: translate(value) for name, value in arguments.items()}
            except NoCounterpart:
                return None
            answers.append(fuzzing.refusal(function, self.target.parameters, arguments))
        return tuple(answers)


def words(value):
    """An argument in a few words."""
    if isinstance(value, (t.Tensor, np.ndarray)):
        return f"{type(value).__name__} {tuple(value.shape)} {value.dtype}"
    return "[" + ", ".join(map(words, value)) + "]" if isinstance(value, list) else repr(value)

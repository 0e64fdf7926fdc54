"""Averages of weights over training: a network that is often better than any that training passed through.

    ema = AveragedModel(model, avg_fn=get_ema_avg_fn(0.999))
    for x, t in loader:
        ...
        optimizer.step()
        ema.update_parameters(model)
    update_bn(loader, ema)          # where the network has batch norms

Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992); Izmailov et al., "Averaging
weights leads to wider optima and better generalization" (2018).
"""
import math
from copy import deepcopy
from itertools import chain

from ..engine.dtype import int64
from ..engine.grad_mode import no_grad
from ..nn.module import Module
from ..nn.norm import _BatchNorm
from ..ops.creation import zeros
from .lr_scheduler.schedule import LRScheduler, one_a_group


def get_swa_avg_fn():
    """The plain mean of all weights so far: average <- average + (weight - average) / (count + 1)."""
    return lambda average, weight, count: average + (weight - average) / (count + 1)


def get_ema_avg_fn(decay=0.999):
    """The exponential moving average: average <- decay average + (1 - decay) weight."""
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_avg_fn: decay must be between 0 and 1, got {decay}")
    return lambda average, weight, count: decay * average + (1 - decay) * weight


def _for_lists(average_of):
    """`average_of` for lists of tensors, of which the first is overwritten."""
    def update(averages, weights, count):
        for average, weight in zip(averages, weights, strict=True):
            average.copy_(average_of(average, weight, count))
    return update


def get_swa_multi_avg_fn():
    """`get_swa_avg_fn` for lists of tensors, of which the first is overwritten."""
    return _for_lists(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay=0.999):
    """`get_ema_avg_fn` for lists of tensors, of which the first is overwritten."""
    return _for_lists(get_ema_avg_fn(decay))


class AveragedModel(Module):
    """A copy of `model`, under `module`, whose weights are averages of those that `update_parameters(model)` reports.

    `avg_fn(average, weight, count)` returns the new average of a tensor, `multi_avg_fn(averages, weights, count)` writes
    those of lists; the plain mean where neither is given. `use_buffers` averages the buffers as well; otherwise they are
    copied. Buffer: `n_averaged`, the count.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", zeros((), dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model):
        """Let the weights of `model` count in the averages; the first ones are the averages."""
        averages, weights = (list(chain(m.parameters(), m.buffers()) if self.use_buffers else m.parameters())
                             for m in (self.module, model))
        averages = [a.detach() for a in averages]
        weights = [w.detach().to(a.device) for w, a in zip(weights, averages, strict=True)]
        if self.n_averaged == 0:
            for average, weight in zip(averages, weights):
                average.copy_(weight)
        else:
            update = self.multi_avg_fn or _for_lists(self.avg_fn or get_swa_avg_fn())
            update(averages, weights, self.n_averaged)
        if not self.use_buffers:
            for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
                own.copy_(other.detach().to(own.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader, model, device=None):
    """Compute the running statistics of all batch norms of `model` anew, in one pass over `loader`.

    Averaged weights never saw the data. `loader` yields input tensors, or tuples that begin with one.
    """
    norms = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for norm, momentum in norms.items():
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the current rate to `swa_lr` in `anneal_epochs` steps, along half a cosine or a line, and there it stays."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs must be an integer that is not negative, got {anneal_epochs!r}")
        for group, lr in zip(optimizer.param_groups, one_a_group("SWALR", "swa_lr", swa_lr, optimizer)):
            group["swa_lr"] = lr
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _way(self, step):
        """How much of the way to swa_lr is behind at `step`."""
        way = max(0, min(1, step / max(1, self.anneal_epochs)))
        return way if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * way)) / 2

    def get_lr(self):
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, now = self._way(step - 1), self._way(step)
        return [group["swa_lr"] if before == 1 else  # else the way that is left shrinks by (1 - now) / (1 - before)
                group["swa_lr"] + (group["lr"] - group["swa_lr"]) * (1 - now) / (1 - before)
                for group in self.optimizer.param_groups]

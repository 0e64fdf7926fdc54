"""The search for a learning rate: raise it from far too small to far too large, and watch the loss."""
import itertools
import math
from copy import deepcopy

import numpy as np

from ..nn import functional as F
from ..engine.checks import check_callable, check_iterable, check_number
from ..optim import Optimizer
from .loop import check_network, device_of, one_number, pair


def find_lr(model, train, optimizer, *, loss=F.cross_entropy, augment=None, low=1e-6, high=10.0, steps=100):
    """Try learning rates from `low` to `high`, each in one step, and suggest one; model and optimizer are left as they were.

    Returns a dictionary: "lr" and "loss", a number a step; "smooth", the running mean of the loss; "suggestion", the middle
    of the fifth of all rates over which the running mean fell most. The search ends early when the loss is four times its
    best. The suggestion is good as the rate of plain Adam or SGD; the highest rate of OneCycleLR may be a few times larger.
    Source: L. Smith, Cyclical learning rates for training neural networks (2017).
    """
    check_network("find_lr", model)
    check_iterable("find_lr", train=train)
    check_callable("find_lr", loss=loss)
    check_number("find_lr", low=low, high=high, steps=steps)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"find_lr: optimizer must be an optimizer of tinycnn.optim, got {type(optimizer).__name__}")
    if not (0 < low < high and steps >= 10):
        raise ValueError(f"find_lr: expected 0 < low < high and at least 10 steps, got {low}, {high} and {steps}")
    weights, before = deepcopy(dict(model.state_dict())), deepcopy(optimizer.state_dict())
    training, device = model.training, device_of(model)
    rates, losses, smooth, mean = [], [], [], 0.0
    try:
        model.train()
        for step, batch in enumerate(itertools.islice(_endless(train), steps)):
            rate = low * (high / low) ** (step / (steps - 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            x, y = pair("find_lr: train", batch, device)
            cost = one_number("find_lr", loss(model(augment(x) if augment else x), y))
            mean = 0.9 * mean + 0.1 * cost.item()
            running = mean / (1 - 0.9 ** (step + 1))
            if not math.isfinite(running) or smooth and running > 4 * min(smooth):
                break
            rates.append(rate)
            losses.append(cost.item())
            smooth.append(running)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
    finally:
        optimizer.zero_grad()
        model.load_state_dict(weights)
        optimizer.load_state_dict(before)
        model.train(training)
    if len(rates) < 3:
        raise FloatingPointError(f"find_lr: the loss grew without bound from the start: choose low below {low}")
    best = int(np.argmin(smooth))
    wide = min(steps // 5, best)  # of single steps the noise would decide, and the last ones are at the brink
    falls = np.subtract(smooth[wide:best + 1], smooth[:best + 1 - wide])
    return {"lr": rates, "loss": losses, "smooth": smooth, "suggestion": rates[int(np.argmin(falls)) + wide // 2]}


def _endless(loader):
    """The batches of pass after pass."""
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("find_lr: train has no samples")

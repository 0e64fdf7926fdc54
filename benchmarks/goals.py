"""How long until a network is good: `python -m benchmarks.goals LIBRARY GOAL` prints JSON.

LIBRARY is tinycnn or torch, GOAL "MNIST" (99 % of the test pictures) or "CIFAR-10" (75 %). Both libraries run the lines
below. The time is that of training alone; after each epoch the test pictures are named. All four take a quarter of an hour
on two cores, so `python -m benchmarks` runs them only when asked: `python -m benchmarks --only goals --write`. They need the
data sets, which `tinycnn data get mnist` and `tinycnn data get cifar10` fetch.
"""
import importlib
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

from .nets import mnist_net


@dataclass(frozen=True)
class Goal:
    """A data set, a network, its training, and the share of the test pictures to be named rightly."""
    data: str
    net: Callable
    epochs: int
    rate: float
    flips: bool
    accuracy: float


def cifar_net(t):
    """Six 3x3 convolutions with batch norm, 32 to 128 channels, two poolings, a global mean: 290,000 weights."""
    nn = t.nn
    layers, channels = [], 3
    for i, width in enumerate((32, 32, 64, 64, 128, 128)):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if i in (1, 3) else []
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


GOALS = {"MNIST": Goal("MNIST", mnist_net, 3, 0.1, False, 0.99), "CIFAR-10": Goal("CIFAR10", cifar_net, 4, 0.3, True, 0.75)}


def load(name):
    """(pictures (N, C, H, W) of about mean 0 and deviation 1, labels) to train, and to test."""
    data = importlib.import_module("tinycnn.data")
    parts = [getattr(data, name)(train=train) for train in (True, False)]
    return [(part.format.normalise(part.pictures), part.labels) for part in parts]


def accuracy(t, model, x, y):
    """The share of pictures that the model names rightly."""
    model.eval()
    with t.no_grad():
        right = sum((model(t.tensor(x[i:i + 500])).argmax(1).numpy() == y[i:i + 500]).sum() for i in range(0, len(x), 500))
    model.train()
    return float(right / len(x))


def reach(t, goal, batch=128):
    """Train by SGD with a one-cycle rate until the goal is reached or the epochs are over."""
    (x, y), (x_test, y_test) = load(goal.data)
    rng = np.random.default_rng(0)
    t.manual_seed(0)
    model = goal.net(t)
    steps = len(x) // batch
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = t.optim.lr_scheduler.OneCycleLR(optimizer, goal.rate, total_steps=steps * goal.epochs)
    seconds, found = 0.0, []
    for epoch in range(goal.epochs):
        start, order = time.perf_counter(), rng.permutation(len(x))
        for i in range(steps):
            chosen = order[i * batch:(i + 1) * batch]
            pictures = x[chosen]
            if goal.flips:
                pictures = np.where(rng.random((batch, 1, 1, 1)) < 0.5, pictures, pictures[..., ::-1])
            optimizer.zero_grad()
            t.nn.functional.cross_entropy(model(t.tensor(pictures)), t.tensor(y[chosen])).backward()
            optimizer.step()
            schedule.step()
        seconds += time.perf_counter() - start
        found.append(accuracy(t, model, x_test, y_test))
        if found[-1] >= goal.accuracy:
            break
    return dict(seconds=seconds, accuracies=found, reached=found[-1] >= goal.accuracy)


def main(library, name, *_):
    """Train and print."""
    t = importlib.import_module(library)
    if library == "torch":
        t.set_num_threads(os.cpu_count())
    print(json.dumps(reach(t, GOALS[name])))


if __name__ == "__main__":
    main(*sys.argv[1:])

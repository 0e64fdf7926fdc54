"""How the time of a step grows with the batch, the channels and the size of the pictures."""
import numpy as np

from .workloads import Workload

BASE = dict(batch=32, channels=32, size=32)
VALUES = dict(batch=(8, 16, 32, 64, 128), channels=(8, 16, 32, 64, 128), size=(8, 16, 32, 64, 128))


def network(channels):
    """Two 3x3 convolutions with batch norm, pooling, and a linear layer, as a function of the library."""
    def net(t):
        nn = t.nn
        return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(),
                             nn.MaxPool2d(2), nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels),
                             nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    return net


def points():
    """(dimension, value, workload): BASE with one dimension changed."""
    for dimension, values in VALUES.items():
        for value in values:
            p = {**BASE, dimension: value}
            shape = (p["batch"], p["channels"], p["size"], p["size"])
            yield dimension, value, Workload(f"{dimension} {value}", network(p["channels"]), shape, 10, 1.0)


def slope(values, times):
    """The power of the value with which the time grows over its upper half: the slope in a doubly logarithmic picture."""
    start = len(values) // 2
    return float(np.polyfit(np.log(values[start:]), np.log(times[start:]), 1)[0])

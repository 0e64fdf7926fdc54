"""One measurement in a process of its own: `python -m benchmarks.measure LIBRARY WORKLOAD SECONDS` prints JSON.

Each library gets a fresh process because both keep threads that go on spinning for a while after their work, and because
peak memory is a property of a process.
"""
import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from .workloads import find

LEAST_STEPS = 4


def resident(peak=False):
    """The memory that this process holds, or has held at most, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        wanted = "VmHWM:" if peak else "VmRSS:"
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(wanted))
    import resource  # only the peak is known here; it stands for both
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def repeat(work, seconds):
    """The times of `work()`, at least LEAST_STEPS of them, until `seconds` have passed; two rounds before do not count."""
    work()
    work()
    times, start = [], time.perf_counter()
    while len(times) < LEAST_STEPS or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return times


def training(t, workload, seconds):
    """Step times, peak memory above that before the first step, and the products of matrices in a step."""
    rng = np.random.default_rng(0)
    x = t.tensor(rng.standard_normal(workload.input, dtype=np.float32))
    labels = t.tensor(rng.integers(0, workload.classes, workload.input[0]))
    t.manual_seed(0)
    model = workload.net(t)
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    before = resident()

    def step():
        optimizer.zero_grad()
        t.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    times = repeat(step, seconds)
    return dict(times=times, memory=max(0, resident(peak=True) - before), flops=count_flops(t, model, x))


def count_flops(t, model, x):
    """The floating-point operations in the products of one step: forward, and twice as many backward.

    A layer multiplies every weight of a filter with something for each of its outputs. The first layer needs no gradient of
    its input.
    """
    counts = []

    def count(layer, inputs, y):
        counts.append(2 * y.numel() * layer.weight[0].numel())

    handles = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (t.nn.Conv2d, t.nn.Linear))]
    with t.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return 3 * sum(counts) - counts[0]


def dispatch(t, seconds):
    """Seconds for `add` on tensors of one element: forward, and a node's share of backward."""
    x = t.ones(1, requires_grad=True)
    count = 200

    def chain():
        y = x
        for _ in range(count):
            y = y + x
        return y

    forward = min(repeat(chain, seconds / 2)) / count
    both = min(repeat(lambda: chain().backward(), seconds / 2)) / count
    return dict(forward=forward, backward=both - forward)


def import_time():
    """Seconds that `import numpy` and then `import tinycnn` take."""
    start = time.perf_counter()
    importlib.import_module("numpy")
    middle = time.perf_counter()
    importlib.import_module("tinycnn")
    return dict(numpy=middle - start, tinycnn=time.perf_counter() - middle)


def product_peak(seconds):
    """Floating-point operations a second in a large product of float32 matrices, with all threads that NumPy uses."""
    n = 1536
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    return 2 * n**3 / min(repeat(lambda: a @ a, seconds))


def main(library, name, seconds):
    """Measure and print."""
    t = importlib.import_module(library)
    if name == "dispatch":
        result = dispatch(t, float(seconds))
    else:
        result = training(t, find(name), float(seconds))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One measurement in a process of its own: `python -m benchmarks.measure LIBRARY WHAT SECONDS` prints JSON.

WHAT is a workload, or "dispatch", "import" or "peak".

Each library gets a fresh process because both keep threads that go on spinning for a while after their work, and because
peak memory is a property of a process.
"""
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from .workloads import find

LEAST_STEPS = 3


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
    """The times of `work()`, at least LEAST_STEPS of them, until `seconds` have passed; the first does not count."""
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
    """Seconds that `import numpy`, and after it `import tinycnn`, take in fresh processes."""
    code = "import time; a = time.perf_counter(); import numpy; b = time.perf_counter(); import tinycnn; " \
           "print(b - a, time.perf_counter() - b)"
    command = [sys.executable, "-c", code]
    times = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    return dict(zip(("numpy", "tinycnn"), map(min, zip(*(map(float, t.split()) for t in times)))))


def product_peak(seconds):
    """Floating-point operations a second in large products of float32 matrices, one on every core."""
    n = 1024
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    workers = importlib.import_module("tinycnn.workers")
    count = workers.get_num_threads()

    def work(start, stop):
        for _ in range(start, stop):
            a @ a

    return dict(flops=count * 2 * n**3 / min(repeat(lambda: workers.parallel(work, count, flops=1e15), seconds)))


def main(library, what, seconds):
    """Measure and print."""
    t, seconds = importlib.import_module(library), float(seconds)
    others = {"dispatch": lambda: dispatch(t, seconds), "import": import_time, "peak": lambda: product_peak(seconds)}
    print(json.dumps(others[what]() if what in others else training(t, find(what), seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One measurement in a process of its own: `python -m benchmarks.measure LIBRARY WHAT SECONDS` prints JSON.

LIBRARY is tinycnn, torch, channels_last (PyTorch with that memory layout) or one of `peers.PEERS`; WHAT a workload, or one
of "operations", "where", "cases", "growth", "dispatch", "import", "peak".

Each library gets a fresh process because both keep threads that go on spinning for a while after their work, and because
peak memory is a property of a process.
"""
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from . import growth, where
from .peers import PEERS
from .workloads import OPERATIONS, WORKLOADS, find

LEAST_STEPS = 2
SHORTER = {"operations": 10, "growth": 10, "cases": 500}  # there are many of them, so each gets this part of the seconds


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


def load(library):
    """The module, and a function that lays a tensor or model out in memory as is to be measured."""
    t = importlib.import_module("torch" if library == "channels_last" else library)
    if library != "tinycnn":
        t.set_num_threads(int(os.environ.get("BENCHMARK_THREADS") or os.cpu_count()))
    if library == "channels_last":
        return t, lambda x: x.to(memory_format=t.channels_last)
    return t, lambda x: x


# ---- steps -----------------------------------------------------------------------------------------------------------

def first_step(t):
    """A step of a very small network: each library loads what it needs, before memory is looked at."""
    nn = t.nn
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(128, 10))
    optimizer = t.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    t.nn.functional.cross_entropy(net(t.randn(2, 3, 8, 8)), t.tensor([0, 1])).backward()
    optimizer.step()


def step_of(t, workload, layout=lambda x: x):
    """A function that takes one step of the workload."""
    rng = np.random.default_rng(0)
    x = layout(t.tensor(rng.standard_normal(workload.input, dtype=np.float32)))
    t.manual_seed(0)
    model = layout(workload.net(t))
    if not workload.training:
        return t.no_grad()(lambda: model(x)) if model.eval() else None
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    labels = {}

    def step():
        optimizer.zero_grad()
        scores = model(x)
        shape = (len(x), *scores.shape[2:])
        if shape not in labels:
            labels[shape] = t.tensor(rng.integers(0, workload.classes, shape))
        t.nn.functional.cross_entropy(scores, labels[shape]).backward()
        optimizer.step()

    return step


def workload_of(library, name, seconds):
    """Step times, the peak of memory above that before the first step, and for tinycnn the operations in products.

    The libraries' own code is not counted: PyTorch's comes with its import, Numba's with the first loop.
    """
    if library in PEERS:
        rng = np.random.default_rng(0)
        workload = find(name)
        x = rng.standard_normal(workload.input, dtype=np.float32)
        step = PEERS[library](x, rng.integers(0, workload.classes, len(x)))
    else:
        t, layout = load(library)
        first_step(t)
        step = step_of(t, find(name), layout)
    before = resident()
    times = repeat(step, seconds)
    result = dict(times=times, memory=max(0, resident(peak=True) - before))
    if library == "tinycnn":
        result["flops"] = count_flops(t, step)
    return result


def count_flops(t, step):
    """The floating-point operations in the products of one step."""
    with t.profile() as prof:
        step()
    return sum(row.flops for row in prof.rows)


# ---- operations ------------------------------------------------------------------------------------------------------

def forward_and_backward(t, call, arrays, layout=lambda x: x):
    """A function that runs `call`, and its backward where it has one, on tensors of the arrays."""
    tensors = [t.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    tensors = [layout(x.detach()).requires_grad_() if x.ndim == 4 and x.requires_grad else x for x in tensors]

    def forward():
        ys = call(t, *tensors)
        return [y for y in (ys if isinstance(ys, (tuple, list)) else [ys]) if getattr(y, "requires_grad", False)]

    ones = [t.ones_like(y) for y in forward()]

    def work():
        for y, one in zip(forward(), ones):
            y.backward(one, retain_graph=len(ones) > 1)

    return work


def operations(library, seconds):
    """{name: seconds forward and backward} of the operations at the sizes that networks have."""
    t, layout = load(library)
    rng, found = np.random.default_rng(0), {}
    for o in OPERATIONS:
        arrays = [rng.standard_normal(shape, dtype=np.float32) for shape in o.shapes]
        found[o.name] = lower_quartile(repeat(forward_and_backward(t, o.call, arrays, layout), seconds))
    return found


def cases(library, seconds):
    """{case: seconds forward and backward} of the gradient checker's cases: tiny arrays, so this is what a call costs."""
    t, _ = load(library)
    registry = importlib.import_module("tinycnn.gradcheck.registry")
    registry.load()
    found = {}
    for case in registry.CASES:
        arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in case.draw()]
        try:
            work = forward_and_backward(t, case.call if library == "tinycnn" else case.torch, arrays)
            found[case.id] = min(repeat(work, seconds))
        except (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError):  # float64 only, or not here
            continue
    return found


def lower_quartile(times):
    """Whatever disturbs a measurement makes it longer."""
    return float(np.quantile(times, 0.25))


def dispatch(library, seconds):
    """Seconds for `add` on tensors of one element: forward, and a node's share of backward."""
    t, _ = load(library)
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


def growth_of(library, seconds):
    """{"dimension value": seconds} of a training step of a small network that grows in one dimension."""
    t, layout = load(library)
    return {f"{dimension} {value}": lower_quartile(repeat(step_of(t, workload, layout), seconds))
            for dimension, value, workload in growth.points()}


def where_of(library, seconds):
    """{"workload: kind of operation": seconds in a step} for all workloads."""
    t, layout = load(library)
    found = {}
    for workload in WORKLOADS:
        found.update(where.kinds(t, workload, step_of(t, workload, layout), repeat))
    return found


def peak():
    """Floating-point operations a second in large products, one on every core."""
    return dict(flops=importlib.import_module("tinycnn.profiler").matrix_peak())


def main(library, what, seconds):
    """Measure and print."""
    seconds = float(seconds)
    parts = {"operations": operations, "cases": cases, "growth": growth_of, "dispatch": dispatch,
             "where": where_of}
    alone = {"import": import_time, "peak": peak}
    seconds /= SHORTER.get(what, 1)
    result = (alone[what]() if what in alone else parts[what](library, seconds) if what in parts
              else workload_of(library, what, seconds))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])

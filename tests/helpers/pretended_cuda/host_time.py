"""What a training step asks of CUDA, and how long Python needs to ask for it, where the GPU's own work takes no time.

    python -m tests.helpers.pretended_cuda run FOLDER -m tests.helpers.pretended_cuda.host_time

It does not depend on the batch, nor on the GPU, only on the network, the processor, and what else is running there.
"""
import statistics
import sys
import time

import numpy as np

import tinycnn
from benchmarks.gpu import find

from . import counts

BATCH, WARM_UP, STEPS = 8, 3, 50


def measure(name):
    """(milliseconds of each step, what one step asks for) of a network of the benchmark."""
    workload, rng = find(name), np.random.default_rng(0)
    model = workload.net(tinycnn).to("cuda")
    x = tinycnn.tensor(rng.standard_normal((BATCH, *workload.input[1:]), np.float32), device="cuda")
    labels = tinycnn.tensor(rng.integers(0, workload.classes, BATCH), device="cuda")
    optimizer = tinycnn.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step():
        optimizer.zero_grad()
        tinycnn.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    times = []
    with counts.idle():
        for _ in range(WARM_UP):
            step()
        for _ in range(STEPS):
            start = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - start))
        return times, counts.of(step)


def main():
    """Measure and print."""
    if not tinycnn.cuda.is_available() or tinycnn.cuda.get_device_name() != "Pretended GPU":
        print("host_time: this is no pretended GPU; see `python -m tests.helpers.pretended_cuda --help`", file=sys.stderr)
        return 1
    print(f"{'':<12}{'median ms':>11}{'least ms':>11}" + "".join(f"{name:>13}" for name in counts.NAMES))
    for name in ("LeNet-5", "ResNet-18"):
        times, asked = measure(name)
        print(f"{name:<12}{statistics.median(times):>11.2f}{min(times):>11.2f}"
              + "".join(f"{asked[what]:>13}" for what in counts.NAMES), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

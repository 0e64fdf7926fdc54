"""`python -m benchmarks.gpu [--quick] [--only NAME] [--json FILE]`: tinycnn on CuPy beside PyTorch on cuDNN, one table.

Each measurement has a process of its own, tinycnn's and PyTorch's in turn, for some rounds; within a round both meet the
same GPU in the same state, so what counts is the median over the rounds of the ratio tinycnn / PyTorch. Every network is
measured with exact products of float32 matrices and with TF32; PyTorch runs eagerly, with cuDNN's own choice of algorithms
(`cudnn.benchmark`).

- time: of one training step (forward, cross-entropy, backward, SGD with momentum), the median of what the GPU's own clock
  says, after a warm-up in which kernels are compiled and algorithms chosen;
- queued: how long Python needs to put a step into the queue. Where that is as long as the step itself, the GPU waits for
  Python, and a larger batch costs nothing;
- memory: the most that was ever held on the GPU;
- of peak: the operations in the products of a step, as a share of what the same library reaches in the same process and
  precision with one large product.
"""
import argparse
import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from . import nets
from .measure import count_flops
from .nets import zoo
from .workloads import Workload

WORKLOADS = [
    Workload("LeNet-5", nets.lenet5, (512, 1, 28, 28), 10, 2.0),
    Workload("ResNet-18", zoo("cifar_resnet", "cifar_resnet18"), (128, 3, 32, 32), 10, 2.0),
    Workload("ResNet-18, large batch", zoo("cifar_resnet", "cifar_resnet18"), (512, 3, 32, 32), 10, 2.0),
    Workload("VGG-16", nets.vgg16, (128, 3, 32, 32), 10, 2.0),
    Workload("ResNet-50", zoo("resnet", "resnet50"), (32, 3, 224, 224), 1000, 2.0),
    Workload("MobileNet v2", zoo("mobilenet_v2", "mobilenet_v2"), (128, 3, 224, 224), 1000, 2.0),
    Workload("ViT-Tiny", zoo("vit", "VisionTransformer", 32, 4, 12, 3, 192, 768, num_classes=10), (256, 3, 32, 32), 10, 2.0),
]
WARM_UP, LEAST_STEPS = 10, 20
PEAK_SIZE = 8192


class Clock:
    """Events, the GPU's stop watch, of either library."""

    def __init__(self, t):
        if t.__name__ == "tinycnn":
            cupy = importlib.import_module("tinycnn.engine.arrays").load_cupy()
            self.event, self.between = cupy.cuda.Event, cupy.cuda.get_elapsed_time
        else:
            self.event, self.between = lambda: t.cuda.Event(enable_timing=True), lambda a, b: a.elapsed_time(b)
        self.synchronize = t.cuda.synchronize

    def times(self, work, seconds):
        """(seconds that the GPU took, seconds that Python took to ask for it) of repeated calls of `work`."""
        for _ in range(WARM_UP):
            work()
        self.synchronize()
        gpu, python, start = [], [], time.perf_counter()
        while len(gpu) < LEAST_STEPS or time.perf_counter() - start < seconds:
            events = [self.event(), self.event()]
            before = time.perf_counter()
            events[0].record()
            work()
            events[1].record()
            python.append(time.perf_counter() - before)
            self.synchronize()  # each step begins with an empty queue: what Python needs is then seen, not hidden
            gpu.append(self.between(*events) / 1000)
        return gpu, python


def measure(library, name, tf32, seconds):
    """One measurement in this process."""
    t, workload = importlib.import_module(library), find(name)
    t.set_float32_matmul_precision("high" if tf32 else "highest")
    t.backends.cudnn.allow_tf32 = tf32
    t.backends.cudnn.benchmark = True
    t.manual_seed(0)
    rng = np.random.default_rng(0)
    x = t.tensor(rng.standard_normal(workload.input, dtype=np.float32)).to("cuda")
    labels = t.tensor(rng.integers(0, workload.classes, workload.input[0])).to("cuda")
    model = workload.net(t).to("cuda")
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad()
        t.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    clock = Clock(t)
    gpu, python = clock.times(step, seconds)
    reserved = t.cuda.memory_reserved if library == "tinycnn" else t.cuda.max_memory_reserved
    result = dict(times=gpu, queued=python, memory=reserved(), device=str(t.cuda.get_device_name()))
    if library == "tinycnn":
        result["flops"] = count_flops(t, step)
    optimizer.zero_grad()
    a = t.ones(PEAK_SIZE, PEAK_SIZE).to("cuda")
    result["peak"] = 2 * PEAK_SIZE**3 / statistics.median(clock.times(lambda: a @ a, seconds / 3)[0])
    return result


def find(name):
    """The workload of that name."""
    return next(w for w in WORKLOADS if w.name == name)


def in_process(*what):
    """`measure` in a fresh process; what went wrong, as text, where it did."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--measure", *map(str, what)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    return json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {"error": run.stderr.strip()[-2000:]}


def compare(workload, tf32, rounds, seconds, libraries):
    """One row: medians, and the ratio to PyTorch."""
    row = dict(name=workload.name, batch=workload.input[0], tf32=tf32, rounds=[])
    for r in range(rounds):
        print(f"{workload.name}, {'TF32' if tf32 else 'float32'}: round {r + 1} of {rounds}", file=sys.stderr, flush=True)
        row["rounds"].append({library: in_process(library, workload.name, int(tf32), seconds) for library in libraries})
    row["errors"] = sorted({f"{library}: {r[library]['error']}" for r in row["rounds"] for library in libraries
                            if "error" in r[library]})
    fine = [r for r in row["rounds"] if not any("error" in result for result in r.values())]
    if fine:
        flops = fine[0]["tinycnn"]["flops"]
        for library in libraries:
            times = [statistics.median(r[library]["times"]) for r in fine]
            row[library] = dict(
                time=statistics.median(times), memory=max(r[library]["memory"] for r in fine),
                queued=statistics.median(statistics.median(r[library]["queued"]) for r in fine),
                of_peak=statistics.median(flops / t / r[library]["peak"] for t, r in zip(times, fine)))
        if "torch" in libraries:
            row["ratio"] = statistics.median(statistics.median(r["tinycnn"]["times"])
                                             / statistics.median(r["torch"]["times"]) for r in fine)
        row["device"] = fine[0]["tinycnn"]["device"]
    return row


def table(rows, libraries):
    """The rows as text."""
    names = {"tinycnn": "tinycnn", "torch": "PyTorch"}
    head = ["network", "batch", "products", "time ratio"]
    head += [f"{what} {names[library]}" for library in libraries for what in ("ms", "ms queued", "GB", "of peak")]
    lines = [head]
    for row in rows:
        line = [row["name"], str(row["batch"]), "TF32" if row["tf32"] else "float32"]
        line.append(f"{row['ratio']:.2f}" if "ratio" in row else "-")
        for library in libraries:
            r = row.get(library)
            line += ["failed", "-", "-", "-"] if r is None else [
                f"{1e3 * r['time']:.2f}", f"{1e3 * r['queued']:.2f}", f"{r['memory'] / 1e9:.2f}",
                f"{100 * r['of_peak']:.0f} %"]
        lines.append(line)
    lines.insert(1, ["---"] * len(head))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments=None):
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", metavar="NAME", action="append", choices=[w.name for w in WORKLOADS],
                        help="this network only: " + ", ".join(w.name for w in WORKLOADS))
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all numbers to FILE")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.measure:
        library, name, tf32, seconds = args.measure
        print(json.dumps(measure(library, name, bool(int(tf32)), float(seconds))))
        return 0
    if not importlib.import_module("tinycnn").cuda.is_available():
        print("benchmarks.gpu needs a GPU and CuPy: pip install 'cupy-cuda12x[ctk]'", file=sys.stderr)
        return 1
    libraries = ["tinycnn"] + ["torch"] * (importlib.util.find_spec("torch") is not None)
    rounds, seconds = (1, 1) if args.quick else (3, 3)
    rows = [compare(w, tf32, rounds, seconds, libraries) for w in WORKLOADS for tf32 in (False, True)
            if not args.only or w.name in args.only]
    print(table(rows, libraries))
    errors = [error for row in rows for error in row["errors"]]
    print(*errors, sep="\n", file=sys.stderr, end="\n" if errors else "")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

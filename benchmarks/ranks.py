"""One rank of a data-parallel training: `mpiexec -n N python -m benchmarks.ranks tinycnn WORKLOAD BATCH SECONDS`.

Rank 0 prints JSON: the times of its steps, in seconds. "afterwards" in place of "tinycnn" sends gradients when backward is
done. WORKLOAD "all_reduce" times sums of arrays by size instead. For
PyTorch, with its gloo, the ranks are told apart by RANK and WORLD_SIZE, as its launcher does. BATCH is that of a rank.
"""
import dataclasses
import json
import os
import sys
import time

import numpy as np

from .measure import repeat, step_of
from .workloads import find

SIZES = [2**k for k in (3, 10, 16, 20, 24, 26)]  # bytes


def steps(t, workload, batch, seconds, wrap, agree):
    """Times of steps of `workload` on this rank; `agree(go)` tells all ranks whether rank 0 goes on."""
    mine = dataclasses.replace(workload, net=lambda t: wrap(workload.net(t)), input=(batch, *workload.input[1:]))
    step, times, start = step_of(t, mine), [], time.perf_counter()
    step()
    while agree(len(times) < 3 or time.perf_counter() - start < seconds):
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return times


def sums(distributed, tensor_of):
    """{bytes: seconds} of an all_reduce."""
    found = {}
    for size in SIZES:
        x = tensor_of(np.zeros(size // 4, np.float32))
        found[size] = min(repeat(lambda: distributed.all_reduce(x), 0.3 if size < 2**24 else 0))
    return found


def main(library, name, batch, seconds):
    """Measure, and print on rank 0."""
    if library != "torch":
        import tinycnn as t
        from tinycnn import distributed
        from tinycnn.nn.parallel import DistributedDataParallel
        if library == "afterwards":
            DistributedDataParallel._arrived = lambda self, bucket, i, parameter: bucket.put(i)
        if distributed.started()[0] > 1:
            distributed.init_process_group()
    else:
        import torch as t
        from torch import distributed
        from torch.nn.parallel import DistributedDataParallel
        t.set_num_threads(int(os.environ["BENCHMARK_THREADS"]))
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            distributed.init_process_group("gloo")
    many = distributed.is_initialized()

    def agree(go):
        flag = t.tensor([float(go)])
        if many:
            distributed.broadcast(flag, 0)
        return bool(flag.item())
    if name == "all_reduce":
        result = sums(distributed, t.tensor)
    else:
        wrap = DistributedDataParallel if many else lambda net: net
        result = steps(t, find(name), int(batch), float(seconds), wrap, agree)
    if not many or distributed.get_rank() == 0:
        print(json.dumps(result), flush=True)
    if many:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])

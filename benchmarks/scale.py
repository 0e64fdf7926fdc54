"""How much faster two processes are than one, with tinycnn over MPI and with PyTorch over gloo, on one machine.

A process has one thread here, but where "threads" says otherwise. `speed` is the global batch of NETWORKS on two ranks, half
of it each, against one process; `weak` a whole batch on each of two ranks against one on one rank; `link` what it gains to
send gradients while backward goes on, where the ranks are two machines with 1 Gbit/s between them.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path

from .machines import MPIEXEC, Impossible, two_machines

NETWORKS = {"LeNet-5": (128, 0.41), "ResNet-18": (32, 42.6), "ViT-Tiny": (32, 20.5)}  # workload: batch, MiB of weights
SIZES = (8, 64, 256, 1024)  # ranks, for the estimate
LATENCY, RATE = 50e-6, 10e9 / 8  # seconds a message and bytes a second between machines, for the estimate
LIBRARIES = ("tinycnn", "torch")
KINDS = {"one process, 1 thread": (1, 1, 1), "one process, 2 threads": (1, 2, 1), "2 ranks": (2, 1, 2),
         "2 ranks, a batch each": (2, 1, 1)}  # (ranks, threads, the batch is divided by)
LINK = "1gbit"


def start(library, ranks, threads, *arguments):
    """What `benchmarks.ranks` prints on rank 0."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.ranks", library, *map(str, arguments)]
    names = ("TINYCNN_THREADS", "BENCHMARK_THREADS", "OMP_NUM_THREADS")
    here = {**os.environ, **dict.fromkeys(names, str(threads))}
    cwd = Path(__file__).parent.parent
    if library == "tinycnn" or ranks == 1:
        command = [MPIEXEC, "-n", str(ranks), *command] if ranks > 1 else command
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=here, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{library}, {ranks} ranks: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout.splitlines()[-1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd, env={
        **here, "RANK": str(rank), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
        for rank in range(ranks)]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    return json.loads(outputs[0].splitlines()[-1])


def run(libraries, args):
    """Rounds of all kinds, one after the other: {network: {library: {kind: seconds}}}, and the times of sums by size."""
    if MPIEXEC is None:
        raise RuntimeError("mpiexec is not installed: pip install -e '.[mpi]'")
    libraries = [name for name in LIBRARIES if name in libraries]
    seconds, rounds = (1, 1) if args.quick else (4, 3)
    found = {}
    for network, (batch, _) in NETWORKS.items():
        for number in range(rounds):
            print(f"{network}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for library in libraries:
                for kind, (ranks, threads, parts) in KINDS.items():
                    times = start(library, ranks, threads, network, batch // parts, seconds)
                    at = found.setdefault(network, {}).setdefault(library, {}).setdefault(kind, [])
                    at.append(statistics.quantiles(times, n=4)[0])
    sums = {library: start(library, 2, 1, "all_reduce", 0, 0) for library in libraries}
    return dict(times=found, sums=sums, link=over_a_link(seconds, rounds))


def over_a_link(seconds, rounds):
    """{network: {library of benchmarks.ranks: [seconds of a step a round]}}; {} where there cannot be two machines."""
    found = {}
    try:
        with two_machines(LINK) as run_there:
            for number in range(rounds):
                for network, (batch, _) in NETWORKS.items():
                    print(f"{network} over {LINK}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                    for library in ("tinycnn", "afterwards"):
                        done = run_there("-W", "ignore", "-m", "benchmarks.ranks", library, network, batch // 2, seconds,
                                         TINYCNN_THREADS="1", PYTHONPATH=str(Path(__file__).parent.parent))
                        if done.returncode:
                            raise RuntimeError(f"{network} over {LINK}: {done.stderr.strip()[-300:]}")
                        times = json.loads(done.stdout.splitlines()[-1])
                        at = found.setdefault(network, {}).setdefault(library, [])
                        at.append(statistics.quantiles(times, n=4)[0])
    except Impossible as reason:
        print(f"no link is measured: {reason}", file=sys.stderr)
    return found


def ratios(times):
    """Of {kind: [seconds a round]}: {what: the median over the rounds of the ratio}."""
    one, threads, ranks, weak = (times[kind] for kind in KINDS)
    return {"2 threads against 1": statistics.median(a / b for a, b in zip(one, threads)),
            "2 ranks against 1": statistics.median(a / b for a, b in zip(one, ranks)),
            "2 ranks against 2 threads": statistics.median(a / b for a, b in zip(threads, ranks)),
            "weak scaling": statistics.median(a / b for a, b in zip(one, weak))}


def efficiency(seconds, megabytes, ranks):
    """The share of its speed that a rank keeps in a ring of `ranks`, whose step alone takes so many seconds.

    A ring sends 2 (n - 1) messages of 1/n of the gradients. A step is one part forward and two backward, of which half can
    hide messages.
    """
    message = 2 * (ranks - 1) * (LATENCY + megabytes * 2**20 / ranks / RATE)
    return seconds / (seconds + max(0, message - seconds / 3))

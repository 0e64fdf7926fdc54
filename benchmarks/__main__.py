"""`python -m benchmarks [--quick] [--only NAME] [--json FILE]`: tinycnn beside PyTorch, one table.

Every workload is measured in alternating fresh processes, tinycnn and PyTorch in turn, for some rounds. Absolute times are
noise on a machine that does other things as well; within a round both libraries meet the same conditions, so the result is
the median over the rounds of the ratio tinycnn / PyTorch: below 1, tinycnn is faster, or needs less memory.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from . import report
from .workloads import WORKLOADS

HERE = Path(__file__).parent
RIVAL = "torch"


def measure(library, *what):
    """One measurement in a fresh process; see `measure.py`."""
    command = [sys.executable, "-m", "benchmarks.measure", library, *map(str, what)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    if run.returncode:
        raise RuntimeError(f"measuring {what[0]} with {library} failed:\n{run.stderr}")
    return json.loads(run.stdout)


def step_time(result):
    """The time of a step: the lower quartile, because whatever disturbs a measurement makes it longer."""
    return statistics.quantiles(result["times"], n=4)[0]


def compare(workload, rounds, seconds, libraries):
    """Step times, memory and ratios of one workload."""
    found = []
    for r in range(rounds):
        print(f"{workload.name}: round {r + 1} of {rounds}", file=sys.stderr, flush=True)
        peak = measure("tinycnn", "peak", min(seconds, 1))["flops"]
        found.append({library: measure(library, workload.name, seconds) for library in libraries})
        mine = found[-1]["tinycnn"]
        mine["efficiency"] = mine["flops"] / step_time(mine) / peak
    row = dict(name=workload.name, batch=workload.input[0], target=workload.target, rounds=rounds,
               times=[{library: step_time(results[library]) for library in libraries} for results in found],
               memory={name: statistics.median(results[name]["memory"] for results in found) for name in libraries},
               efficiency=statistics.median(results["tinycnn"]["efficiency"] for results in found))
    if RIVAL in libraries:
        row["ratios"] = sorted(times["tinycnn"] / times[RIVAL] for times in row["times"])
        row["ratio"] = statistics.median(row["ratios"])
        row["memory_ratio"] = row["memory"]["tinycnn"] / max(row["memory"][RIVAL], 1)
    return row


def overheads(rounds, seconds, libraries):
    """The smallest times, over all rounds, of an operation on one element and of importing."""
    found = {"dispatch": {}, "import": {}}
    for r in range(rounds):
        print(f"overheads: round {r + 1} of {rounds}", file=sys.stderr, flush=True)
        for library in libraries:
            for name, value in measure(library, "dispatch", seconds).items():
                found["dispatch"].setdefault(f"{library} {name}", []).append(value)
        for name, value in measure("tinycnn", "import", 0).items():
            found["import"].setdefault(name, []).append(value)
    return {kind: {name: min(values) for name, values in table.items()} for kind, table in found.items()}


def main():
    """Measure what was asked for, print the table, and write the report of a complete run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="tinycnn beside PyTorch on this machine.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, and no report")
    parser.add_argument("--only", metavar="NAME", action="append", choices=[w.name for w in WORKLOADS],
                        help="this workload only, and no report: " + ", ".join(w.name for w in WORKLOADS))
    parser.add_argument("--rounds", type=int, help="how many rounds (default: 5)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all numbers to FILE")
    args = parser.parse_args()
    rounds, seconds = args.rounds or (1 if args.quick else 5), 1 if args.quick else 3
    libraries = ["tinycnn"] + [RIVAL] * (importlib.util.find_spec(RIVAL) is not None)
    if len(libraries) == 1:
        print(f"{RIVAL} is not installed: tinycnn is measured alone", file=sys.stderr)
    chosen = [w for w in WORKLOADS if not args.only or w.name in args.only]
    results = dict(machine=report.machine(), threads=os.cpu_count(),
                   workloads=[compare(w, rounds, seconds, libraries) for w in chosen])
    if not args.only:
        results["overheads"] = overheads(rounds, seconds, libraries)
    results["load"] = os.getloadavg()[2] if hasattr(os, "getloadavg") else float("nan")
    print(report.text(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if not (args.only or args.quick):
        (HERE / "RESULTS.md").write_text(report.page(results))


if __name__ == "__main__":
    main()

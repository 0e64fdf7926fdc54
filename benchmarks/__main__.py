"""`python -m benchmarks [--quick] [--only NAME ...] [--write]`: tinycnn beside PyTorch and others, as one table.

Everything is measured in alternating fresh processes, one library after the other, for some rounds. Absolute times are noise
on a machine that does other things as well; within a round the libraries meet the same conditions, so the result is the
median over the rounds of the ratio tinycnn / PyTorch: below 1, tinycnn is faster, or needs less memory.

A whole run takes a quarter of an hour on two idle cores. With `--write` each part goes into `results.json` when it is done,
in place of its older self, and in the end RESULTS.md and its pictures are made of all that is there; after an interruption
`--render` does so.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import pictures, report
from .goals import GOALS
from .peers import PEERS
from .scale import run as run_scale
from .workloads import WORKLOADS, find

HERE = Path(__file__).parent
STORE = HERE / "results.json"
RIVALS = ["torch", "channels_last"]
WITHOUT = "without_numba"  # tinycnn as it is where Numba is not installed
PEERS_ON = "MNIST net"   # the workload that the peers run
BUDGET = 15              # seconds for a part, after LEAST_ROUNDS
LEAST_ROUNDS, ROUNDS = 3, 5
PATIENCE = {"measure": 300, "goals": 7200}  # seconds after which a single measurement counts as failed


def measure(library, what, seconds, module="measure", threads=None):
    """One measurement in a fresh process; see `measure.py`. RuntimeError with the reason where it fails."""
    name = "tinycnn" if library == WITHOUT else library
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", name, what, str(seconds)]
    given = {"TINYCNN_NUMBA": "0"} if library == WITHOUT else {}
    given |= {"TINYCNN_THREADS": str(threads), "BENCHMARK_THREADS": str(threads)} if threads else {}
    try:
        run = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, timeout=PATIENCE[module],
                             env={**os.environ, **given})
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{library}, {what}: no result after {PATIENCE[module]} s") from None
    if run.returncode:
        raise RuntimeError(f"{library}, {what}: {(run.stderr.strip().splitlines() or [run.returncode])[-1]}")
    return json.loads(run.stdout.splitlines()[-1])


def rounds_of(what, libraries, args, most=ROUNDS, threads=None):
    """[{library: result}, ...], until the budget is used up; a library that fails once is left out, with a word."""
    found, start, libraries = [], time.perf_counter(), list(libraries)
    wanted = 1 if args.quick else most
    while len(found) < wanted and (len(found) < min(wanted, LEAST_ROUNDS) or time.perf_counter() - start < BUDGET):
        print(f"{what}: round {len(found) + 1} of at most {wanted}", file=sys.stderr, flush=True)
        results = {}
        for library in list(libraries):
            try:
                results[library] = measure(library, what, 0.5 if args.quick else 1.5, threads=threads)
            except RuntimeError as error:
                print(f"left out: {error}", file=sys.stderr)
                libraries.remove(library)
        if "tinycnn" not in results:
            raise RuntimeError(f"{what}: tinycnn could not be measured")
        found.append(results)
    return [{library: r[library] for library in libraries} for r in found]


def step_time(result):
    """The time of a step: the lower quartile, because whatever disturbs a measurement makes it longer."""
    return statistics.quantiles(result["times"], n=4)[0]


def compare(found, mine="tinycnn"):
    """Of rounds of steps, for each library: the best time, the memory, and the ratios of `mine` to it."""
    table = {}
    for library in found[0]:
        ratios = sorted(step_time(r[mine]) / step_time(r[library]) for r in found)
        memory = statistics.median(r[library]["memory"] for r in found)
        own = statistics.median(r[mine]["memory"] for r in found)
        table[library] = dict(time=min(step_time(r[library]) for r in found), memory=memory, ratios=ratios,
                              ratio=statistics.median(ratios), memory_ratio=own / max(memory, 1))
    return table


# ---- the parts: each returns what goes into the store under its name -------------------------------------------------

def run_workload(name, libraries, args):
    """Times, memory and ratios of one workload, and the fraction of the peak that tinycnn reaches."""
    peak = measure("tinycnn", "peak", 0)["flops"]
    found = rounds_of(name, [*libraries, WITHOUT], args)
    alone = rounds_of(name, [n for n in libraries if n != "channels_last"], args, most=1, threads=1)
    peak = max(peak, measure("tinycnn", "peak", 0)["flops"])
    flops = found[0]["tinycnn"]["flops"]
    efficiency = flops / min(step_time(r["tinycnn"]) for r in found) / peak
    return dict(kind="workload", batch=find(name).input[0], training=find(name).training, target=find(name).target,
                rounds=len(found), flops=flops, efficiency=efficiency, libraries=compare(found), one_thread=compare(alone))


def run_peers(libraries, args):
    """The MNIST net in other libraries on NumPy."""
    here = [name for name in PEERS if importlib.util.find_spec(name)]
    missing = sorted(set(PEERS) - set(here))
    if missing:
        print(f"peers: not installed: {', '.join(missing)}", file=sys.stderr)
    found = rounds_of(PEERS_ON, ["tinycnn", *here], args, most=LEAST_ROUNDS)
    return dict(rounds=len(found), libraries=compare(found), versions=report.versions(here))


def run_table(name, libraries, args):
    """A measurement that gives {what: seconds} for each library: the medians, and the ratios to tinycnn."""
    found = rounds_of(name, libraries, args, most=LEAST_ROUNDS)
    libraries = list(found[0])
    keys = [key for key in found[0]["tinycnn"] if all(key in r[library] for r in found for library in libraries)]
    return {key: {library: dict(time=min(r[library][key] for r in found),
                                ratio=statistics.median(r["tinycnn"][key] / max(r[library][key], 1e-9) for r in found))
                  for library in libraries} for key in keys}


def run_overheads(libraries, args):
    """An operation on one element, and importing."""
    table = run_table("dispatch", [name for name in libraries if name != "channels_last"], args)
    return dict(dispatch=table, imports=measure("tinycnn", "import", 0))


def run_goals(libraries, args):
    """Training until a network is good, once each."""
    found = {}
    for goal in GOALS:
        for library in (name for name in libraries if name != "channels_last"):
            print(f"{goal} with {library}: minutes", file=sys.stderr, flush=True)
            found.setdefault(goal, {"wanted": GOALS[goal].accuracy})[library] = measure(library, goal, 0, module="goals")
    return found


PARTS = {"peers": run_peers, "overheads": run_overheads,
         "operations": lambda libraries, args: run_table("operations", libraries, args),
         "where": lambda libraries, args: run_table("where", [n for n in libraries if n != "channels_last"], args),
         "cases": lambda libraries, args: run_table("cases", [n for n in libraries if n != "channels_last"], args),
         "growth": lambda libraries, args: run_table("growth", [n for n in libraries if n != "channels_last"], args),
         "scale": run_scale, "goals": run_goals}
NAMES = [*(w.name for w in WORKLOADS), *PARTS]


def stored():
    """What earlier runs left."""
    return json.loads(STORE.read_text()) if STORE.exists() else {}


def write(results):
    """RESULTS.md and the pictures."""
    if not results:
        raise SystemExit("there are no results yet: python -m benchmarks --write")
    (HERE / "RESULTS.md").write_text(report.page(results, pictures.draw(results, HERE / "pictures")))


def main():
    """Measure what was asked for, print the report, and keep it where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="tinycnn beside PyTorch on this machine.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", metavar="NAME", nargs="+", action="extend", choices=NAMES,
                        help="these parts only: " + ", ".join(NAMES) + " (default: all but goals, which "
                             "take as long as all else, and scale)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the numbers of this run to FILE")
    parser.add_argument("--write", action="store_true", help="merge them into results.json, write RESULTS.md and pictures/")
    parser.add_argument("--render", action="store_true", help="measure nothing: write RESULTS.md and pictures/ again")
    args = parser.parse_args()
    if args.render:
        return write(stored())
    libraries = ["tinycnn", *(RIVALS if importlib.util.find_spec("torch") else [])]
    if len(libraries) == 1:
        print("torch is not installed: tinycnn is measured alone", file=sys.stderr)
    results, failed = {}, []
    names, start = args.only or [name for name in NAMES if name not in ("goals", "scale")], time.perf_counter()
    for i, name in enumerate(names):
        print(f"[{i + 1}/{len(names)}, {(time.perf_counter() - start) / 60:.0f} min] {name}", file=sys.stderr, flush=True)
        try:
            result = PARTS[name](libraries, args) if name in PARTS else run_workload(name, libraries, args)
        except RuntimeError as error:
            failed.append(name)
            print(f"failed: {error}", file=sys.stderr)
            continue
        results[name] = dict(result=result, machine=report.machine(),
                             load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
        if args.write:
            STORE.write_text(json.dumps({**stored(), name: results[name]}, indent=1) + "\n")
    if args.write:
        write(stored())
    print(report.text(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

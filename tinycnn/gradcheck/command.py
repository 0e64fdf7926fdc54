"""`tinycnn gradcheck`: every operation against finite differences, and every known wrong backward against the checker."""
import argparse
import importlib
import json
import sys
import time
from contextlib import contextmanager

from ..engine.formula import plainly
from . import registry
from .checker import check_case
from .roads import difference

ROADS_AGREE = 1e-10  # in float64, in proportion to the largest number of an array


def main(argv=None):
    """Run the command line `argv` (default: that of the process); the exit code is 1 when anything fails."""
    parser = argparse.ArgumentParser(
        prog="tinycnn gradcheck", description="Compare the backward of every operation, computed plainly, with finite "
        "differences, in float64, with two random upstream gradients; then every road that a case takes with its formula. "
        "One line an operation: its cases, the worst relative error, entries at kinks.")
    parser.add_argument("--mutants", action="store_true",
                        help="put every known wrong backward in the place of the right one, and show how it is caught")
    parser.add_argument("--only", metavar="NAME", action="append", help="this operation only (may be repeated)")
    parser.add_argument("--seed", type=int, default=0, help="the start of all random numbers (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.seed < 0:
        parser.error(f"--seed must not be negative, got {args.seed}")
    registry.load()
    functions = sorted({case.function for case in registry.CASES}, key=lambda f: (_file(f), f.__name__))
    if args.only:
        wanted = {name.lower() for name in args.only}
        unknown = wanted - {f.__name__.lower() for f in functions}
        if unknown:
            parser.error(f"--only {', '.join(sorted(unknown))}: no such operation; there are "
                         f"{', '.join(f.__name__ for f in functions)}")
        functions = [f for f in functions if f.__name__.lower() in wanted]
    return (_mutants if args.mutants else _cases)(functions, args)


@contextmanager
def _bar(total, unit):
    """A step function that moves a progress bar, which appears on a terminal when the work takes longer than 2 seconds."""
    bar = importlib.import_module("tqdm").tqdm(total=total, unit=unit, delay=2, file=sys.stderr, leave=False, disable=None)
    with bar:
        yield bar.update


def _file(function):
    """Where a Function is defined, as ops/conv.py."""
    package, _, path = function.__module__.partition(".")
    return path.replace(".", "/") + ".py"


def _cases(functions, args):
    """Check every case; one line a Function, and the whole report of what fails."""
    start, rows, failures, taken = time.perf_counter(), [], [], set()
    with _bar(sum(case.function in functions for case in registry.CASES), "case") as step:
        for function in functions:
            row = dict(file=_file(function), function=function.__name__, cases=0, error=0.0, kinks=0, jumps=0, ok=True)
            for case in registry.cases_of(function):
                with plainly():
                    report = check_case(case, seed=args.seed)
                apart, by = difference(case, args.seed)
                taken |= by
                if not apart <= ROADS_AGREE:
                    row["ok"] = False
                    failures.append(f"{case.id}: by roads ({', '.join(sorted(w.__name__ for w in by))}) the numbers are "
                                    f"{apart:.1e} away from those of the formula")
                row["cases"] += 1
                row["error"] = max(row["error"], report.error)
                row["kinks"], row["jumps"] = row["kinks"] + report.kinks, row["jumps"] + report.jumps
                if not report:
                    row["ok"] = False
                    failures.append(str(report))
                step()
            rows.append(row)
    total = dict(functions=len(rows), cases=sum(r["cases"] for r in rows), error=max(r["error"] for r in rows),
                 kinks=sum(r["kinks"] for r in rows), failures=len(failures), roads=len(taken), seed=args.seed,
                 seconds=round(time.perf_counter() - start, 2))
    if args.json:
        print(json.dumps(dict(functions=rows, failures=failures, total=total), indent=2))
        return int(bool(failures))
    widths = [max((len(str(r[key])) for r in rows), default=0) for key in ("file", "function")]
    print(f"{'file':{widths[0]}}  {'operation':{widths[1]}}  cases  worst error  kinks")
    for r in rows:
        print(f"{r['file']:{widths[0]}}  {r['function']:{widths[1]}}  {r['cases']:5}  {r['error']:11.1e}  {r['kinks']:5}"
              f"{'' if r['ok'] else '  WRONG'}")
    for failure in failures:
        print("\n" + failure)
    verdict = "all right" if not failures else f"{len(failures)} WRONG"
    print(f"{total['functions']} operations, {total['cases']} cases, computed plainly: {verdict}; worst relative error "
          f"{total['error']:.1e}, {total['kinks']} entries at kinks, seed {args.seed}, {total['seconds']:.1f} s")
    agree = f", and give the numbers of their formulas to {ROADS_AGREE:.0e}" if not failures else ""
    print(f"{len(taken)} roads are taken at the sizes of these cases{agree}")
    return int(bool(failures))


def _mutants(functions, args):
    """Check every mutant until one of its Function's cases catches it; one line each."""
    start, rows = time.perf_counter(), []
    mutants = [m for function in functions for m in registry.mutants_of(function)]
    with _bar(len(mutants), "mutant") as step:
        for mutant in mutants:
            case, report = catch(mutant, args.seed)
            rows.append(dict(file=_file(mutant.function), function=mutant.function.__name__, mutant=mutant.name,
                             case=None if case is None else case.name, cause=None if case is None else report.cause))
            step()
    caught = sum(r["case"] is not None for r in rows)
    if args.json:
        print(json.dumps(dict(mutants=rows, caught=caught, total=len(rows), seed=args.seed,
                              seconds=round(time.perf_counter() - start, 2)), indent=2))
        return int(caught < len(rows))
    for r in rows:
        print(f"{r['function']}: {r['mutant']}")
        print(f"    caught by \"{r['case']}\": {r['cause']}" if r["case"] is not None else "    SURVIVED: no case notices")
    print(f"caught {caught} of {len(rows)} mutants, seed {args.seed}, {time.perf_counter() - start:.1f} s")
    return int(caught < len(rows))


def catch(mutant, seed=0):
    """(case, report) of the first case whose check fails with the mutant in place; (None, None) when it survives."""
    with registry.mutated(mutant):
        for case in registry.cases_of(mutant.function):
            report = check_case(case, seed=seed, partly=False)
            if not report:
                return case, report
    return None, None

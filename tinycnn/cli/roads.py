"""The command `tinycnn roads`: which formulas have faster ways to the same numbers, and which of these serve here."""
import inspect
import json

from ..engine.arrays import load_cupy
from ..engine.formula import ROADS, takes_roads


def add_roads(commands):
    """`tinycnn roads`."""
    p = commands.add_parser("roads", help="show the faster ways to the formulas, and which of them serve here",
                            description="Every formula of tinycnn can be computed as it stands, inside `with "
                            "tinycnn.plainly():`. This table shows for which there are faster ways to the same numbers, for "
                            "which arrays they serve, and whether they do on this machine.")
    p.add_argument("--json", action="store_true", help="print one JSON object")
    p.set_defaults(run=roads, forwards=False)


def roads(args):
    """`tinycnn roads`: a line a formula, and below it a line a road, in the order in which they are asked."""
    rows = [dict(formula=_name(formula), road=_name(way), serves=_words(serves), how=_words(way),
                 closed=_closed(serves, way))
            for formula, serves, way in reversed(ROADS)]
    rows.sort(key=lambda row: row["formula"])
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    before = None
    for row in rows:
        if row["formula"] != before:
            print(row["formula"])
        before = row["formula"]
        print(f"    {'-' if row['closed'] else '+'} {row['road']}: {row['serves']}. {row['how']}.")
    reasons = {row["road"].partition(".")[0]: row["closed"] for row in rows if row["closed"]}
    print(f"\n{len({row['formula'] for row in rows})} formulas have {len(rows)} roads; + are open here: "
          f"{sum(not row['closed'] for row in rows)}")
    for room, reason in sorted(reasons.items()):
        print(f"- {room}: {reason}")


def _name(function):
    """ops/conv.py's Conv.forward as conv.Conv.forward, with the room where it is a road."""
    module = function.__module__.partition(".")[2]
    return f"{module.removeprefix('ops.').removeprefix('engine.')}.{function.__qualname__}"


def _words(function):
    """The first line of a docstring, without its full stop."""
    return (function.__doc__ or "").partition("\n")[0].rstrip(".")


def _closed(serves, way):
    """Why a road is not taken on this machine; "" where it is."""
    if not takes_roads():
        return "TINYCNN_ROADS is 0"
    if way.__module__.startswith("tinycnn.gpu."):
        try:
            load_cupy()
        except RuntimeError as error:
            return str(error)
    return _never(serves)


def _never(serves):
    """Why a predicate is never true on this machine, which it or one that it asks says by a function `never`; else ""."""
    if hasattr(serves, "never"):
        return serves.never()
    asked = [serves.__globals__.get(name) for name in _names(serves.__code__)]
    asked = [other for other in asked if getattr(other, "__module__", "").startswith("tinycnn.cpu.")
             and (hasattr(other, "never") or inspect.isfunction(other))]
    return next(filter(None, map(_never, asked)), "")


def _names(code):
    """The names that code looks up, that of generators in it, too."""
    yield from code.co_names
    for part in filter(inspect.iscode, code.co_consts):
        yield from _names(part)

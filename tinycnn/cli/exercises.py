"""`tinycnn exercises list|start|check|hint`: the exercises, from the file to fill in to the verdict."""
import argparse
import json
from pathlib import Path


def add_exercises(commands):
    """`tinycnn exercises`."""
    p = commands.add_parser("exercises", help="list the exercises, start one, check it, ask for a hint",
                            description="Exercises: write what a network is made of, and learn what is wrong with it. All "
                            "of it works offline.")
    actions = p.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the exercises, lecture by lecture")
    listing.add_argument("--json", action="store_true", help="print one JSON list")
    listing.set_defaults(run=list_exercises, forwards=False)
    start = actions.add_parser("start", help="write the file of an exercise, to be filled in")
    start.add_argument("name", metavar="NAME", help="see tinycnn exercises list")
    start.add_argument("--file", type=Path, help="where to write it (default: NAME.py)")
    start.set_defaults(run=start_exercise, forwards=False)
    check = actions.add_parser("check", help="check a file: points, and what is wrong",
                               description="Check a file. The exit code is 0 when all is right, else 1.")
    check.add_argument("name", metavar="NAME", help="see tinycnn exercises list")
    check.add_argument("--file", type=Path, help="the file (default: NAME.py)")
    check.add_argument("--seed", type=int, help="the start of all random numbers (default: a fresh one)")
    check.set_defaults(run=check_exercise, forwards=False)
    hint = actions.add_parser("hint", help="a hint; the third nearly gives the answer")
    hint.add_argument("name", metavar="NAME", help="see tinycnn exercises list")
    hint.add_argument("number", type=_number, nargs="?", default=1, metavar="NUMBER", help="1, 2 or 3 (default: 1)")
    hint.set_defaults(run=give_hint, forwards=False)


def _number(text):
    if text not in ("1", "2", "3"):
        raise argparse.ArgumentTypeError(f"expected 1, 2 or 3, got {text!r}")
    return int(text)


def list_exercises(args):
    """`tinycnn exercises list`: one line an exercise."""
    from ..exercises import LECTURES, load, names
    known = set(names())
    if args.json:
        print(json.dumps([{"name": e.name, "title": e.title, "lecture": e.lecture, "minutes": e.minutes}
                          for e in map(load, names())], indent=2))
        return
    for number, (title, members) in enumerate(LECTURES, 1):
        members = [load(name) for name in members if name in known]
        if members:
            print(f"{number}. {title}")
        for exercise in members:
            print(f"   {exercise.name:22}  {exercise.minutes:3} min  {exercise.title}")


def start_exercise(args):
    """`tinycnn exercises start`: write the file and say what to do."""
    from ..exercises import start
    path = start(args.name, args.file)
    option = "" if path == Path(f"{args.name}.py") else f" --file {path}"
    print(f"{path}: fill it in, then run: tinycnn exercises check {args.name}{option}")


def check_exercise(args):
    """`tinycnn exercises check`: the report."""
    from ..exercises import check
    report = check(args.name, args.file or Path(f"{args.name}.py"), seed=args.seed)
    print(report)
    return 0 if report else 1


def give_hint(args):
    """`tinycnn exercises hint`."""
    from ..exercises import load
    print(load(args.name).hints[args.number - 1])

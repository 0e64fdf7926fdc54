"""`tinycnn exercises ...`: the exercises, from the file to fill in to the verdict; for students and for instructors."""
import argparse
import json
import sys
import textwrap
from pathlib import Path

from .arguments import count, positive


def add_exercises(commands):
    """`tinycnn exercises`."""
    p = commands.add_parser("exercises", help="list the exercises, start one, check it, ask for a hint, grade a class",
                            description="Exercises: write what a network is made of, and learn what is wrong with it. All "
                            "of it works offline.")
    p.add_argument("--with", dest="own", metavar="FILE", type=Path, action="append", default=[],
                   help="a Python file that registers exercises of one's own, or a folder of them (may be repeated)")
    actions = p.add_subparsers(metavar="ACTION", required=True)
    _add_students(actions)
    _add_instructors(actions)


def _action(actions, name, run, help, *, named=True, description=None):
    def go(args):
        _register(args.own)
        return run(args)
    p = actions.add_parser(name, help=help, description=description)
    p.set_defaults(run=go, forwards=False)
    if named:
        p.add_argument("name", metavar="NAME", help="see tinycnn exercises list")
    return p


def _register(paths):
    """Run the files that register exercises, those of a folder in the order of their names."""
    import runpy
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(2, "no such file", str(path))
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            try:
                runpy.run_path(str(file))
            except Exception as error:  # whatever it is, it is its author's
                raise RuntimeError(f"to the author of {file}: {_with_line(error, str(file))}") from error


def _with_line(error, file):
    """An error of a file that was run, with the line of it."""
    import traceback
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    return f"{type(error).__name__}{f' in line {line}' if line else ''}: {error}"


def _add_students(actions):
    p = _action(actions, "list", list_exercises, "the exercises, lecture by lecture", named=False)
    p.add_argument("--json", action="store_true", help="print one JSON list")
    p = _action(actions, "start", start_exercise, "write the file of an exercise, to be filled in")
    p.add_argument("--file", type=Path, help="where to write it (default: NAME.py)")
    p = _action(actions, "check", check_exercise, "check a file: points, and what is wrong",
                description="Check a file. The exit code is 0 when all is right, else 1.")
    p.add_argument("--file", type=Path, help="the file (default: NAME.py)")
    p.add_argument("--seed", type=int, help="the start of all random numbers (default: a fresh one)")
    p = _action(actions, "hint", give_hint, "a hint; the third nearly gives the answer")
    p.add_argument("number", type=_number, nargs="?", default=1, metavar="NUMBER", help="1, 2 or 3 (default: 1)")
    p = _action(actions, "demo", run_demo, "a small network learns digits with your function inside")
    p.add_argument("--file", type=Path, help="the file (default: NAME.py)")
    p.add_argument("--picture", type=Path, help="where to draw the curves (default: NAME.png)")
    p = _action(actions, "progress", show_progress, "what is solved, points, and the time that is left", named=False)
    p.add_argument("folder", type=Path, nargs="?", default=Path("."), metavar="FOLDER",
                   help="with your files (default: here)")


def _add_instructors(actions):
    p = _action(actions, "grade", grade_class, "grade a folder of submissions", named=False,
                description="Grade a folder with a folder, a .zip or a .py for each student. Writes a CSV, a record to go "
                "on from, and a Markdown file for each student.")
    p.add_argument("folder", type=Path, metavar="FOLDER", help="the submissions")
    p.add_argument("--out", type=Path, default=Path("grades.csv"), help="the CSV (default: %(default)s)")
    _add_only(p, "default: all that anybody handed in")
    p.add_argument("--seed", type=int, help="of an earlier grading, to repeat it (default: a fresh one)")
    p.add_argument("--seconds", type=positive, default=10.0, help="for one call (default: %(default)g)")
    p.add_argument("--total", type=positive, default=120.0, help="for all calls of an exercise (default: %(default)g)")
    p.add_argument("--memory", type=positive, default=2.0,
                   help="in GiB, where the system can limit it (default: %(default)g)")
    p.add_argument("--jobs", type=count, default=1, help="students at a time (default: %(default)s)")
    p.add_argument("--fresh", action="store_true", help="begin anew, whatever the record says")
    walls = p.add_mutually_exclusive_group()
    walls.add_argument("--container", choices=("docker", "podman"), help="run submissions there, not in bubblewrap")
    walls.add_argument("--trusted", action="store_true", help="run submissions without a sandbox, with your rights")
    p = _action(actions, "make-release", release, "write the stubs for students, without solutions", named=False)
    p.add_argument("folder", type=Path, metavar="DEST", help="a new folder")
    _add_only(p)
    p.add_argument("--nbgrader", action="store_true", help="write an nbgrader course instead")
    p = _action(actions, "gradescope", gradescope, "write the archive of a Gradescope autograder", named=False)
    p.add_argument("file", type=Path, metavar="DEST", help="a new .zip")
    _add_only(p)
    p = _action(actions, "bank", count_bank, "try every known mistake and every hostile submission, and count", named=False,
                description="Try every known mistake, every reference and every stub; mistakes and right answers that "
                "nobody who writes checks has looked at; and hostile submissions. The exit code is 1 where a mistake "
                "survives, an exercise is faulty, or a hostile submission gets another verdict than it should.")
    _add_only(p, "default: all, the unseen ones and the hostile submissions")
    p.add_argument("--seeds", type=count, default=5, help="how many seeds each is tried with (default: %(default)s)")
    p.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to this file")
    p.add_argument("--jobs", type=count, default=2, help="hostile submissions at a time (default: %(default)s)")


def _add_only(p, default="default: all"):
    p.add_argument("--only", metavar="NAME", action="append", default=[], help=f"this exercise (may be repeated; {default})")


def _number(text):
    if text not in ("1", "2", "3"):
        raise argparse.ArgumentTypeError(f"expected 1, 2 or 3, got {text!r}")
    return int(text)


# ---- for students -----------------------------------------------------------------------------------------------------

def list_exercises(args):
    """`tinycnn exercises list`: one line an exercise."""
    from ..exercises import lectures, load, names
    known = set(names())
    if args.json:
        print(json.dumps([{"name": e.name, "title": e.title, "lecture": e.lecture, "minutes": e.minutes}
                          for e in map(load, names())], indent=2))
        return
    for number, (title, members) in enumerate(lectures(), 1):
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
    """`tinycnn exercises check`: the report; what it says is noted in progress.json, here."""
    from ..exercises import check
    from ..exercises.progress import FILE, record
    path = _own_file(args)
    if not Path(FILE).exists():  # the first check in this folder
        print("tinycnn: check runs your file without a sandbox, as python would: check only what you know", file=sys.stderr)
    report = check(args.name, path, seed=args.seed)
    print(report)
    try:
        record(report, path)
    except OSError:  # a folder that cannot be written to has no record
        pass
    return 0 if report else 1


def _own_file(args):
    """The student's file; raises FileNotFoundError that says how to come by one."""
    from ..exercises import load
    load(args.name)
    path = args.file or Path(f"{args.name}.py")
    if path.is_file():
        return path
    if args.file is None and path.with_suffix(".ipynb").is_file():
        raise FileNotFoundError(2, f"no such file; for your notebook say --file {path.with_suffix('.ipynb')}", str(path))
    raise FileNotFoundError(2, f"no such file; `tinycnn exercises start {args.name}{f' --file {path}' * bool(args.file)}` "
                            "writes it for you to fill in, and --file names one that lies elsewhere", str(path))


def give_hint(args):
    """`tinycnn exercises hint`."""
    from ..exercises import load
    hints = load(args.name).hints
    print(f"Hint {args.number} of {len(hints)} for {args.name}", "",
          textwrap.fill(hints[args.number - 1], 100, break_on_hyphens=False, break_long_words=False), sep="\n")
    if args.number < len(hints):
        print(f"\nMore: tinycnn exercises hint {args.name} {args.number + 1}")


def run_demo(args):
    """`tinycnn exercises demo`: both accuracies, and the picture."""
    from ..exercises import demo, load
    from ..exercises.demos import DEMOS
    load(args.name)
    if args.name not in DEMOS:
        print(f"there is no demo for {args.name}; there is one for {', '.join(DEMOS)}")
        return
    picture = args.picture or Path(f"{args.name}.png")
    results = demo(args.name, _own_file(args), picture)
    print(f"{results['yours'][0]:6.1%} of the test digits with your function, loss {results['yours'][1][-1]:.3f}")
    print(f"{results['other'][0]:6.1%} {DEMOS[args.name].other}, loss {results['other'][1][-1]:.3f}")
    print(f"{picture}: the loss of both step by step, and how many digits they name rightly")
    print("to see the numbers inside a network, forward and backward, in the browser: tinycnn explore mnist")


def show_progress(args):
    """`tinycnn exercises progress`."""
    from ..exercises import progress
    print(progress(args.folder))


# ---- for instructors --------------------------------------------------------------------------------------------------

def grade_class(args):
    """`tinycnn exercises grade`: where the results are, and the average."""
    from ..exercises import grade
    grading = grade(args.folder, args.out, exercises=args.only, seed=args.seed, seconds=args.seconds, total=args.total,
                    memory=int(args.memory * 2**30), jobs=args.jobs, fresh=args.fresh, container=args.container,
                    trusted=args.trusted)
    of = 100 * len(grading.exercises)
    mean = sum(g.total for g in grading.grades) / len(grading.grades)
    kept = f", {grading.kept} of them kept from an earlier run" * bool(grading.kept)
    print(f"{len(grading.grades)} students{kept}, {len(grading.exercises)} exercises, {mean:.1f} of {of} points on average, "
          f"seed {grading.seed}")
    print(f"{args.out}: the points; {args.out.with_name(args.out.stem + '-feedback')}: a page for each student")


def release(args):
    """`tinycnn exercises make-release`."""
    from ..exercises import make_nbgrader, make_release
    paths = (make_nbgrader if args.nbgrader else make_release)(args.folder, args.only)
    print(f"{args.folder}: {len(paths)} files")
    if args.nbgrader:
        print(f"next: cd {args.folder} && nbgrader generate_assignment {paths[0].stem}")


def gradescope(args):
    """`tinycnn exercises gradescope`."""
    from ..exercises import make_gradescope
    print(f"{make_gradescope(args.file, args.only)}: upload it as the autograder")


def count_bank(args):
    """`tinycnn exercises bank`: the counts; the exit code is 1 where one of them is not as it should be."""
    from ..exercises.bank import count as count_all
    bank = count_all(args.only, args.seeds, args.jobs)
    print(bank)
    if args.markdown:
        args.markdown.write_text(bank.markdown(), encoding="utf-8")
    return 0 if bank.ok else 1

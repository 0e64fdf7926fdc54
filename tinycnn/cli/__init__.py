"""The command line: `tinycnn train`, `evaluate`, `predict`, `pack`, `plot`, `find-lr`, `summary`, `profile`,
`explore`, `roads`, `data`, `exercises`, `gradcheck`, `torch`, `book`.

Results go to stdout, progress and errors to stderr. The exit code is 0 for success, 1 for an error, 2 for a command that
makes no sense, 130 after Ctrl-C.
"""
import argparse
import contextlib
import os
import sys
import warnings

from .. import __version__
from . import asking, book, data, exercises, explore, packing, profiling, roads, torch, training
from .arguments import message

EXAMPLES = """examples:
  tinycnn train                                   8x8 digits, which come along, in half a minute
  tinycnn train --dataset shapes                  circles, squares and triangles, as in the lectures
  tinycnn train --resume runs/digits              continue what was interrupted or killed, bit for bit
  tinycnn evaluate runs/digits                    how good it is, class by class
  tinycnn predict runs/digits photo.png           what a picture shows
  tinycnn predict mnist photo.png                 the same, with a network that comes along
  tinycnn explore mnist                           see it happen, forward and backward, in the browser
  tinycnn plot runs/digits runs/digits-2          two runs in one figure
  tinycnn summary resnet18 --input-size 3x224x224 its layers, weights and multiply-adds
  tinycnn profile cifar_resnet20 --batch 32       where the time of a training step goes
  tinycnn data list                               the data sets, and which of them are here
  tinycnn exercises start linear                  an exercise: fill in the file, then check it
  tinycnn torch train.py --epochs 3               a script that says `import torch`, with tinycnn in its place
"""


def main(argv=None):
    """Run the command line `argv` (default: that of the process) and return its exit code."""
    args = None
    try:
        parser = _parser()
        args, rest = parser.parse_known_args(argv)
        if rest and not args.forwards:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        with warnings.catch_warnings():
            warnings.showwarning = lambda text, *_: print(f"tinycnn: warning: {text}", file=sys.stderr)
            code = args.run(rest if args.forwards else args) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as interrupt:
        _end_all(f"interrupted{interrupt}", 130)
        with contextlib.suppress(OSError):  # the terminal may be closed
            print(f"\ntinycnn: interrupted{interrupt}", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        if args is None or args.traceback:
            raise
        _end_all(f"error: {message(error)}", 1)
        print(f"tinycnn: error: {message(error)}", file=sys.stderr)
        return 1


def _end_all(reason, code):
    """End all processes that train together: the others would wait for this one."""
    from .. import distributed
    if distributed.is_initialized():
        distributed.process_group().abort(reason, code)


def _parser():
    parser = argparse.ArgumentParser(prog="tinycnn", description="Convolutional networks from scratch.", epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"tinycnn {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where in the program an error arose")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (training.add_train, asking.add_evaluate, asking.add_predict, packing.add_pack, asking.add_plot,
                training.add_find_lr, asking.add_summary, profiling.add_profile, explore.add_explore, roads.add_roads,
                data.add_data, exercises.add_exercises, _add_gradcheck, torch.add_torch, book.add_book):
        add(commands)
    return parser


def _add_gradcheck(commands):
    p = commands.add_parser("gradcheck", add_help=False, help="compare every backward with finite differences")
    p.set_defaults(run=gradcheck, forwards=True)


def gradcheck(argv):
    """`tinycnn gradcheck`: its own command line is in `gradcheck/command.py`."""
    from ..gradcheck import command
    return command.main(argv)

"""How often does the first line name the cause? `python -m tinycnn.exercises.unseen [--seeds N] [--show] [WORD ...]`."""
import argparse

from . import load_all
from .measure import measure, table


def show(entry, seed, word, line):
    """Print a first line beside the truth."""
    if word != "right":
        print(f"{word:11} {entry.name}, seed {seed}: {entry.truth}\n            {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="python -m tinycnn.exercises.unseen", description=__doc__.partition("?")[0] + "?")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds each entry is tried with (default 1)")
    parser.add_argument("--show", action="store_true", help="print each first line beside the truth")
    parser.add_argument("words", nargs="*", help="only entries in whose name, truth or code one of these occurs")
    options = parser.parse_args()
    entries = [e for e in load_all() if not options.words or any(
        w in f"{e.code if e.exercise else ''} {e.name} {e.truth}" for w in options.words)]
    shares = measure(entries, range(options.seeds), *[show] * options.show)
    print("", *table(shares, range(options.seeds)), sep="\n")
    for share in shares:
        for name, seed, line in share.alarms:
            print(f"false alarm: {name}, seed {seed}: {line}")


if __name__ == "__main__":
    main()

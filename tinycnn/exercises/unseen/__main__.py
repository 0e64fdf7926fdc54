"""How often does the first line name the cause? `python -m tinycnn.exercises.unseen [--seeds N] [--show] [WORD ...]`."""
import argparse
import re
from collections import Counter

from tinycnn.engine.function import Function
from tinycnn.gradcheck import check_functions, gradcheck

from .. import check
from . import load_all

COLUMNS = ("entries", "caught", "named", "vague", "misleading", "missed")


def report(entry, seed):
    """The library's report on an entry, true when it finds nothing."""
    if entry.exercise:
        names = {"__name__": "solution"}
        exec(compile(entry.text(), f"{entry.exercise}.py", "exec"), names)
        return check(entry.exercise, names, seed=seed)
    arrays = entry.draw(seed)
    if issubclass(entry.code, Function):
        return gradcheck(entry.code, *arrays, options=dict(entry.options), seed=seed)
    return check_functions(entry.code.forward, entry.code.backward, *arrays, options=dict(entry.options), seed=seed)


def said(entry, seed):
    """(whether anything was found, the first line without the name of what was checked)."""
    try:
        found = report(entry, seed)
    except Exception as error:
        return True, f"{type(error).__name__}: {error}".partition("\n")[0]
    line = str(found).partition("\n")[0]
    return not found, line if entry.exercise else line.partition(": ")[2] or line


def verdict(entry, found, line):
    """One of the COLUMNS for a wrong entry."""
    line = line.lower()
    if not found:
        return "missed"
    if any(re.search(p, line) for p in entry.misleading):
        return "misleading"
    return "named" if any(re.search(p, line) for p in entry.cause) else "vague"


def measure(seeds=1, words=(), show=False):
    """Counters of verdicts for functions and for exercises, over `seeds` seeds, and a list of the false alarms."""
    counts, alarms = {"functions": Counter(), "exercises": Counter()}, []
    for entry in load_all():
        if words and not any(w in f"{entry.code if entry.exercise else ''} {entry.name} {entry.truth}" for w in words):
            continue
        of = counts["exercises" if entry.exercise else "functions"]
        for seed in range(seeds):
            found, line = said(entry, seed)
            if entry.truth:
                word = verdict(entry, found, line)
                of.update(["entries", word] + ["caught"] * found)
            else:
                word = "false alarm" if found else "right"
                of.update(["right"] + ["false alarms"] * found)
                alarms += [(entry.name, seed, line)] * found
            if show and (entry.truth or found):
                print(f"{word:11} {entry.name}, seed {seed}: {entry.truth}\n            {line}", flush=True)
    return counts, alarms


def main():
    parser = argparse.ArgumentParser(prog="python -m tinycnn.exercises.unseen", description=__doc__.partition("?")[0] + "?")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds each entry is tried with (default 1)")
    parser.add_argument("--show", action="store_true", help="print each first line beside the truth")
    parser.add_argument("words", nargs="*", help="only entries in whose name, truth or code one of these occurs")
    options = parser.parse_args()
    counts, alarms = measure(options.seeds, options.words, options.show)
    print(f"\n| |{'|'.join(f' {c} ' for c in COLUMNS)}| right ones | false alarms |\n|---|{'---|' * (len(COLUMNS) + 2)}")
    for name, of in counts.items():
        print(f"| {name} |{'|'.join(f' {of[c]} ' for c in (*COLUMNS, 'right', 'false alarms'))}|")
    for name, seed, line in alarms:
        print(f"false alarm: {name}, seed {seed}: {line}")


if __name__ == "__main__":
    main()

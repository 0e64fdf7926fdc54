"""The folder of a run: its settings, in run.json, and what keeps two runs apart."""
import argparse
import json
import sys

from ..files.atomic import write_atomically
from ..files.saving import load, save

SETTINGS = ("dataset", "model", "epochs", "batch_size", "lr", "optimizer", "weight_decay", "schedule", "augment", "mix",
            "label_smoothing", "clip_norm", "accumulate", "patience", "time_limit", "workers", "seed")
CHANGEABLE = ("epochs", "patience", "time_limit", "workers")  # with --resume; by all others it would be another run
OPTIONAL = ("mix", "clip_norm", "patience", "time_limit", "workers")  # null where they were not asked for
CHECKPOINTS = ("last.safetensors", "model.safetensors")
PARTS = (*CHECKPOINTS, "history.csv", "curves.png", "confusion.png", "filters.png", "mistakes.png", "run.json")


def settings_of(args):
    """The settings in `args` that say which run it is, as JSON and a checkpoint hold them."""
    return {name: getattr(args, name) for name in SETTINGS if name not in CHANGEABLE}


def write_settings(folder, args):
    """Write run.json."""
    settings = {name: getattr(args, name) for name in SETTINGS}
    write_atomically(folder / "run.json", (json.dumps(settings, indent=2) + "\n").encode())


def clear(folder, overwrite):
    """Make the folder, and sure that it holds no other run: with `overwrite` that one is deleted, its checkpoints first."""
    folder.mkdir(parents=True, exist_ok=True)
    there = [name for name in PARTS if (folder / name).exists()]
    if there and not overwrite:
        raise ValueError(f"{folder}: another run is in this folder ({', '.join(there)}): choose another one with --out, "
                         f"continue that run with --resume {folder}, or put this one in its place with --overwrite")
    for path in [*(folder / name for name in there), *folder.glob("events.out.tfevents.*")]:
        path.unlink()


def read_settings(args, add_options):
    """Take the settings of the run in the folder `args.resume`, and what was asked for besides; returns what changes.

    ValueError naming each option that contradicts the run, or run.json where it is damaged. `add_options(parser)` adds the
    options of the settings, with which values in run.json are checked. The result is {name: (before, now)}.
    """
    asked = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    if args.out or args.overwrite:
        raise ValueError(f"--resume {args.resume} continues the run in that folder: leave out "
                         f"{'--out' if args.out else '--overwrite'}")
    settings, changes, contradictions = _checked(args.resume / "run.json", add_options), {}, []
    for name, value in asked.items():
        before = settings[name]
        if name == "augment":
            value = [a for a in value if a != "none"]
        if value != before:
            fixed = name not in CHANGEABLE or name == "time_limit" and before is None
            if fixed:
                contradictions.append(f"{_option(name)} {_said(value)} (the run has {_said(before)})")
            changes[name] = (before, value)
    if contradictions:
        raise ValueError(f"{args.resume}: the run in this folder has other settings than {', '.join(contradictions)}; with "
                         f"--resume only {', '.join(map(_option, CHANGEABLE))} may change, --time-limit where there was one")
    for name in SETTINGS:
        value = changes[name][1] if name in changes else settings[name]
        setattr(args, name, value if name != "augment" else value or ["none"])
    return changes


def _checked(path, add_options):
    """The settings in run.json, each as the command line would take it."""
    try:
        if path.is_fifo():
            raise ValueError("it is a pipe, and no file")
        settings = json.loads(path.read_bytes())
        if type(settings) is not dict:
            raise TypeError("no JSON object")
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the settings of the run are damaged ({error})") from None
    missing = [name for name in SETTINGS if name not in settings]
    if missing:
        raise ValueError(f"{path}: the settings of the run lack {', '.join(missing)}")
    parser, words = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False), []
    add_options(parser)
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"{path}: {name!r:.60} is no setting of a run")
        if isinstance(value, list) != (name == "augment") or value is None and name not in OPTIONAL:
            raise ValueError(f"{path}: the settings of the run are damaged ({_option(name)} cannot be {value!r:.60})")
        if isinstance(value, list):
            words += [_option(name), *(map(str, value) if value else ["none"])]
        elif value is not None:
            words.append(f"{_option(name)}={value}")
    try:
        found = parser.parse_args(words)
    except (argparse.ArgumentError, SystemExit) as error:
        raise ValueError(f"{path}: the settings of the run are damaged ({error})") from None
    read = {name: getattr(found, name) for name in SETTINGS}
    read["augment"] = [a for a in read["augment"] or () if a != "none"]
    return read


def extend(folder, args, changes):
    """Prepare the checkpoint of a run for what `changes`, say so, and write the settings; ValueError where it cannot be."""
    path = folder / CHECKPOINTS[0]
    if path.exists():
        from ..train.state import check_form
        state = load(path, "cpu")
        check_form(path, state)
        _compare(folder / "run.json", state, args)
        done = len(state["history"])
        if args.epochs < done:
            raise ValueError(f"{folder}: --epochs {args.epochs}, but the run has {done} epochs behind it")
        if state["stopped"] and set(changes) & {"epochs", "patience", "time_limit"}:
            save({**state, "stopped": False}, path)
    for name, (before, now) in changes.items():
        spread = f"; the schedule {args.schedule} is spread over {now} epochs, and goes on from there" \
            if name == "epochs" and args.schedule != "constant" else ""
        print(f"tinycnn: {_option(name)}: {_said(before)} becomes {_said(now)}{spread}", file=sys.stderr)
    if changes:
        write_settings(folder, args)


def _compare(path, state, args):
    """ValueError where the settings in run.json are not those that the checkpoint was written with."""
    from ..train import differences
    then = state.get("facts", {}).get("settings")
    found = differences("", {name: then[name] for name in settings_of(args) if name in then}, settings_of(args)) \
        if then and "dataset" in then else []
    if found:
        raise ValueError(f"{path}: changed since the run began: {'; '.join(found)}")


def _option(name):
    return "--" + name.replace("_", "-")


def _said(value):
    return "none" if value in (None, []) else " ".join(map(str, value)) if isinstance(value, list) else str(value)

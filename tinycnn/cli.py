"""The command line: `tinycnn train`, `tinycnn predict`, `tinycnn gradcheck`.

Results go to stdout, progress and errors to stderr. The exit code is 0 for success, 1 for an error, 2 for a command that
makes no sense, 130 after Ctrl-C.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

from . import __version__, manual_seed
from .backend import Device


def main(argv=None):
    """Run the command line `argv` (default: that of the process) and return its exit code."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    if rest and not args.forwards:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        code = args.run(rest if args.forwards else args) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\ntinycnn: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        if args.traceback:
            raise
        print(f"tinycnn: error: {_message(error)}", file=sys.stderr)
        return 1


def _parser():
    parser = argparse.ArgumentParser(prog="tinycnn", description="Convolutional networks from scratch.")
    parser.add_argument("--version", action="version", version=f"tinycnn {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where in the program an error arose")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_train, _add_predict, _add_gradcheck):
        add(commands)
    return parser


def _message(error):
    """An error in one line; those of the system start with the file."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


# ---- train -----------------------------------------------------------------------------------------------------------

def _add_train(commands):
    from .train.recipes import OPTIMIZERS, RECIPES

    def usual(setting):
        return "(default: " + ", ".join(f"{getattr(r, setting)} for {name}" for name, r in RECIPES.items()) + ")"

    p = commands.add_parser("train", help="train a network and draw what happened",
                            description="Train a network on labelled pictures. Writes the history, pictures and the network "
                            "of the epoch with the lowest validation loss into a folder, and says how good it is on the "
                            "test pictures, which training never saw.")
    p.add_argument("--dataset", choices=RECIPES, default="digits", help="the pictures (default: digits, which come along)")
    models = sorted({name for recipe in RECIPES.values() for name in recipe.arguments})
    p.add_argument("--model", choices=models, default="lenet5", help="the network (default: %(default)s)")
    p.add_argument("--epochs", type=_count, help=f"passes over the training pictures {usual('epochs')}")
    p.add_argument("--batch-size", type=_count, help=f"pictures a step {usual('batch_size')}")
    p.add_argument("--lr", type=_positive, help="the highest learning rate (default: what suits the optimizer)")
    p.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="how to step (default: %(default)s)")
    p.add_argument("--no-augment", dest="augment", action="store_false",
                   help="show the training pictures as they are, not turned, shifted and scaled at random")
    p.add_argument("--seed", type=int, default=0, help="the start of all chance (default: %(default)s)")
    p.add_argument("--device", type=_device, default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    p.add_argument("--out", type=Path, help="the folder to write (default: a new one under runs/)")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    p.set_defaults(run=train, forwards=False)


def train(args):
    """`tinycnn train`: load, train, test, draw."""
    from .data import DataLoader
    from .models import get_model
    from .optim.lr_scheduler import OneCycleLR
    from .train import fit, load_checkpoint, log_history, save_best, save_checkpoint
    from .train.recipes import OPTIMIZERS, RECIPES
    start = time.perf_counter()
    recipe = RECIPES[args.dataset]
    manual_seed(args.seed)
    arguments = recipe.arguments[args.model]
    model = get_model(args.model, **arguments).to(args.device)
    folder = args.out or _new_folder(Path("runs"), args.dataset)
    folder.mkdir(parents=True, exist_ok=True)

    train_set, val_set, test_set = recipe.load()
    train_loader = DataLoader(train_set, args.batch_size or recipe.batch_size, shuffle=True)
    val_loader, test_loader = DataLoader(val_set, 500), DataLoader(test_set, 500)
    epochs, lr = args.epochs or recipe.epochs, args.lr or recipe.lr[args.optimizer]
    optimizer = OPTIMIZERS[args.optimizer](model.parameters(), lr)
    schedule = OneCycleLR(optimizer, lr, total_steps=epochs * len(train_loader))
    metadata = dict(model=args.model, arguments=arguments, classes=test_set.classes, format=test_set.format,
                    dataset=args.dataset, seed=args.seed)
    weights = folder / "model.safetensors"
    if not args.quiet:
        count = sum(p.numel() for p in model.parameters())
        print(f"{args.dataset}: {len(train_set):,} pictures to train, {len(val_set):,} to validate, {len(test_set):,} to "
              f"test; {args.model} with {count:,} weights on {args.device}, seed {args.seed}", file=sys.stderr)
    history = fit(model, train_loader, val_loader, epochs=epochs, optimizer=optimizer, schedule=schedule,
                  augment=recipe.augment(test_set.format.background) if args.augment else None,
                  after_epoch=[log_history(folder / "history.csv"), save_best(weights, model, metadata)],
                  progress=not args.quiet)
    best, metadata = load_checkpoint(weights)
    model.load_state_dict(best)
    right, total = _test(model, test_loader, test_set, history, folder)
    save_checkpoint(weights, model, {**metadata, "test_acc": right / total})
    print(f"test accuracy {100 * right / total:.2f} % ({right:,} of {total:,}), with the weights of epoch "
          f"{metadata['epoch']}, after {time.perf_counter() - start:.1f} s")
    for name in ("history.csv", "curves.png", "confusion.png", "filters.png", "mistakes.png", "model.safetensors"):
        print(folder / name)


def _test(model, loader, dataset, history, folder):
    """Try `model` on the test pictures and draw everything into `folder`; returns (right answers, pictures)."""
    from . import viz
    from .train import confusion_matrix, predict
    probabilities, truth = predict(model, loader)
    answers = probabilities.argmax(1)
    first = next(p for p in model.parameters() if p.ndim == 4)
    viz.curves(history).savefig(folder / "curves.png")
    viz.confusion(confusion_matrix(truth, answers, len(dataset.classes)), dataset.classes).savefig(folder / "confusion.png")
    viz.filters(first, "what the first convolution looks for").savefig(folder / "filters.png")
    viz.mistakes(dataset.data, truth, answers, probabilities.max(1), dataset.classes).savefig(folder / "mistakes.png")
    return int((answers == truth).sum()), len(truth)


def _new_folder(parent, name):
    """parent/name, or the first of parent/name-2, parent/name-3, ... that does not exist."""
    folder, number = parent / name, 1
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _positive(text):
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number


def _device(text):
    try:
        return Device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# ---- predict ---------------------------------------------------------------------------------------------------------

def _add_predict(commands):
    p = commands.add_parser("predict", help="name what picture files show",
                            description="Name what picture files show: one sign each, of any size and colour, dark on light "
                            "or light on dark.")
    p.add_argument("checkpoint", type=Path, help="a model.safetensors that `tinycnn train` wrote")
    p.add_argument("pictures", type=Path, nargs="+", metavar="picture", help="a picture file")
    p.add_argument("--json", action="store_true", help="print one JSON list with the probabilities of all classes")
    p.set_defaults(run=predict, forwards=False)


def predict(args):
    """`tinycnn predict`: one line a picture; a picture that cannot be read is reported, and the others go on."""
    from . import from_numpy, no_grad
    from .data.reading import read_picture
    from .nn import functional as F
    from .train import load_model
    model, metadata = load_model(args.checkpoint)
    classes, format = metadata["classes"], metadata["format"]
    answers, failed = [], False
    for path in args.pictures:
        try:
            x = format.normalise(read_picture(path, format))
        except (OSError, ValueError) as error:
            print(f"tinycnn: error: {_message(error)}", file=sys.stderr)
            failed = True
            continue
        with no_grad():
            probabilities = F.softmax(model(from_numpy(x[None])), 1).numpy()[0]
        best = int(probabilities.argmax())
        answers.append({"picture": str(path), "class": classes[best], "probability": float(probabilities[best]),
                        "probabilities": dict(zip(classes, probabilities.tolist()))})
        if not args.json:
            print(f"{path}: {classes[best]} ({100 * probabilities[best]:.1f} %)")
    if args.json:
        print(json.dumps(answers, indent=2))
    return int(failed)


# ---- gradcheck -------------------------------------------------------------------------------------------------------

def _add_gradcheck(commands):
    p = commands.add_parser("gradcheck", add_help=False, help="compare every backward with finite differences")
    p.set_defaults(run=gradcheck, forwards=True)


def gradcheck(argv):
    """`tinycnn gradcheck`: its own command line is in `gradcheck/command.py`."""
    from .gradcheck import command
    return command.main(argv)

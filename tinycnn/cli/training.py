"""`tinycnn train` and `tinycnn find-lr`."""
import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from .. import manual_seed
from ..engine.generators import Generator, default_generator
from .arguments import count, device, fraction, message, network, new_folder, positive
from .run_folder import clear, extend, read_settings, settings_of, write_settings


def add_train(commands):
    """`tinycnn train`."""
    p = commands.add_parser("train", help="train a network and draw what happened",
                            description="Train a network on labelled pictures. Writes the history, pictures and the network "
                            "of the epoch with the lowest validation loss into a folder, and says how good it is on the "
                            "test pictures, which training never saw. Ctrl-C saves first; --resume continues, also after a "
                            "crash, as if nothing had happened; with --epochs it makes the run longer or shorter.")
    _add_training_settings(p)
    _add_surroundings(p)
    p.add_argument("--out", type=Path, help="the folder to write (default: a new one under runs/)")
    p.add_argument("--overwrite", action="store_true", help="delete another run that is in that folder")
    p.add_argument("--resume", type=Path, metavar="FOLDER", help="continue the run in this folder, with its settings")
    p.add_argument("--tensorboard", action="store_true", help="write the numbers of each epoch for TensorBoard, too")
    p.add_argument("--json", action="store_true", help="print the results as one JSON object")
    p.set_defaults(run=train, forwards=False)


def _add_training_settings(p):
    """The options that run.json keeps."""
    _add_settings(p)
    p.add_argument("--epochs", type=count, help=f"passes over the training pictures {_usual('epochs')}")
    p.add_argument("--schedule", choices=_recipes().SCHEDULES, help=f"of the learning rate {_usual('schedule')}")
    p.add_argument("--time-limit", type=positive, metavar="MINUTES",
                   help="end after so many minutes, the schedule with it, where the epochs take longer")
    p.add_argument("--label-smoothing", type=fraction, metavar="SHARE",
                   help="of each label, the share that goes to all classes alike (default: 0)")
    p.add_argument("--mix", choices=_recipes().MIXES, help="mix the pictures of a batch and their labels")
    p.add_argument("--clip-norm", type=positive, metavar="NORM", help="shorten gradients to at most this length")
    p.add_argument("--accumulate", type=count, metavar="N", help="one step for N batches (default: 1)")
    p.add_argument("--patience", type=count, metavar="N", help="stop when N epochs did not lower the validation loss")
    p.add_argument("--workers", type=count, metavar="N", help="threads that prepare batches (default: none)")


def _recipes():
    from ..train import recipes
    return recipes


def _usual(setting):
    """The usual values of a setting, for the help."""
    values = {}
    for name, recipe in _recipes().RECIPES.items():
        value = getattr(recipe, setting)
        values.setdefault(" ".join(value) or "none" if isinstance(value, tuple) else str(value), []).append(name)
    return "(default: " + "; ".join(f"{value} for {', '.join(names)}" for value, names in values.items()) + ")"


def _add_settings(p):
    """The options of training and of the search for a learning rate."""
    recipes = _recipes()
    p.add_argument("--dataset", choices=recipes.RECIPES,
                   help="the pictures: %(choices)s (default: digits, which come along)", metavar="NAME")
    p.add_argument("--model", type=network, metavar="NAME",
                   help=f"the network, one that `tinycnn summary` lists {_usual('model')}")
    p.add_argument("--batch-size", type=count, metavar="N", help=f"pictures a step {_usual('batch_size')}")
    p.add_argument("--lr", type=positive, help="the highest learning rate (default: what suits the optimizer)")
    p.add_argument("--optimizer", choices=recipes.OPTIMIZERS, help=f"how to step {_usual('optimizer')}")
    p.add_argument("--weight-decay", type=fraction, metavar="W",
                   help="how much each step shrinks the weights, in learning rates (default: "
                   + ", ".join(f"{decay:g} for {name}" for name, (*_, decay) in recipes.OPTIMIZERS.items()) + ")")
    p.add_argument("--augment", choices=[*recipes.AUGMENTS, "none"], nargs="+", metavar="NAME",
                   help=f"change the training pictures at random, in this order: {', '.join(recipes.AUGMENTS)}, or none "
                   f"{_usual('augment')}")
    p.add_argument("--no-augment", dest="augment", action="store_const", const=["none"], help="the same as --augment none")
    p.add_argument("--seed", type=int, help="the start of all chance (default: 0)")


def _add_surroundings(p):
    """The options that change nothing in the numbers."""
    p.add_argument("--device", type=device, default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    p.add_argument("--quiet", action="store_true", help="no progress bar")


def _settle(args):
    """Fill what was left open from the recipe, and build what both commands need: (recipe, model, arguments, data sets)."""
    from ..models import get_model
    recipes = _recipes()
    for name, value in dict(dataset="digits", seed=0, label_smoothing=0.0, accumulate=1).items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    recipe = recipes.RECIPES[args.dataset]
    for name in ("model", "batch_size", "optimizer", "epochs", "schedule"):
        if getattr(args, name, None) is None:
            setattr(args, name, getattr(recipe, name))
    args.augment = [a for a in (recipe.augment if args.augment is None else args.augment) if a != "none"]
    args.lr = args.lr or (recipe.lr or {}).get(args.optimizer, recipes.OPTIMIZERS[args.optimizer][1])
    if args.weight_decay is None:
        args.weight_decay = recipes.OPTIMIZERS[args.optimizer][2]
    manual_seed(args.seed)
    arguments = recipe.arguments.get(args.model)
    if arguments is not None:  # a device that is missing is told before data are fetched
        model = get_model(args.model, **arguments).to(args.device)
        sets = recipe.load()
        own = _differences(sets[2])
        if not own:
            _whiten(model, sets[0])
            return recipe, model, arguments, sets
        arguments = {**arguments, **own}
    else:
        sets = recipe.load()
        arguments = {"num_classes": len(sets[2].classes)}
    try:
        model = get_model(args.model, **arguments).to(args.device)
        _try_out(model, sets[2].format)
        _whiten(model, sets[0])
    except (TypeError, ValueError, RuntimeError) as error:
        shape = (sets[2].format.channels, *sets[2].format.size)
        raise ValueError(f"{args.model} does not fit the pictures of {args.dataset}, {shape}: {message(error)}") from error
    return recipe, model, arguments, sets


def _differences(dataset):
    """The arguments of a network for a set of one's own that lies in the place of a published one; {} for that one."""
    kind, own = type(dataset), {}
    if len(dataset.classes) != len(getattr(kind, "CLASSES", dataset.classes)):
        own["num_classes"] = len(dataset.classes)
    if dataset.format.size != getattr(kind, "FORMAT", dataset.format).size:
        own["image_size"] = dataset.format.size
    return own


def _build_optimizer(args, model):
    """The optimizer that was asked for; weights that do not learn are left out."""
    build = _recipes().OPTIMIZERS[args.optimizer][0]
    learning = [p for p in model.parameters() if p.requires_grad]
    return build(learning, args.lr, weight_decay=args.weight_decay)


def _whiten(model, train_set):
    """Give a network that starts from its pictures (QuickResNet) the first 5,000 of them."""
    if hasattr(model, "whiten"):
        model.whiten(train_set.batch(np.arange(min(5000, len(train_set))))[0].to(next(model.parameters()).device))


def _try_out(model, format):
    """Run the model once on nothing, in evaluation mode."""
    from ..train import summary
    summary(model, (format.channels, *format.size))


def train(args):
    """`tinycnn train`: load, train, test, draw."""
    from .. import distributed
    from ..train import FolderLock
    from ..train.ranks import Ranks
    start = time.perf_counter()
    if distributed.started()[0] > 1:
        distributed.init_process_group()
        args.quiet = args.quiet or distributed.get_rank() > 0
    changes = read_settings(args, _add_training_settings) if args.resume else {}
    settled = _settle(args)
    ranks = Ranks()
    if not ranks.first:  # the first process sees to the folder
        _train(args, ranks.from_first(None), start, *settled)
        return
    folder = args.resume or args.out or new_folder("runs", args.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder):
        if args.resume:
            extend(folder, args, changes)
        else:
            clear(folder, args.overwrite)
            write_settings(folder, args)
        _train(args, ranks.from_first(folder), start, *settled)


def _train(args, folder, start, recipe, model, arguments, sets):
    """The training itself, in a folder that is this run's alone."""
    from .. import distributed
    from ..data import DataLoader
    from ..nn import SyncBatchNorm, functional as F
    from ..train import (Deadline, Stretched, early_stopping, fit, load_checkpoint, log_history, log_tensorboard, save_best,
                         save_checkpoint)
    train_set, val_set, test_set = sets
    recipes = _recipes()
    rank, size = distributed.get_rank(), distributed.get_world_size()
    order = Generator.like(default_generator()) if size > 1 else None  # all ranks draw the order that one process would
    train_loader = DataLoader(train_set, args.batch_size, shuffle=True, num_workers=args.workers or 0, generator=order)
    val_loader, test_loader = DataLoader(val_set, 500, generator=order), DataLoader(test_set, 500)
    if size > 1:
        train_loader, val_loader = train_loader.shared(rank, size), val_loader.shared(rank, size)
        model = SyncBatchNorm.convert_sync_batchnorm(model)
        manual_seed(args.seed + rank)
    optimizer = _build_optimizer(args, model)
    steps = args.epochs * -(-len(train_loader) // args.accumulate)
    schedule, after_step = recipes.SCHEDULES[args.schedule](optimizer, args.lr, steps), []
    schedule = schedule and Stretched(optimizer, schedule, steps)
    if args.time_limit:
        schedule = Deadline(schedule, steps, 60 * args.time_limit)
        after_step.append(lambda info: schedule.is_over)
    metadata = dict(model=args.model, arguments=arguments, classes=test_set.classes, format=test_set.format,
                    dataset=args.dataset, seed=args.seed)
    weights = folder / "model.safetensors"
    after_epoch = [log_history(folder / "history.csv"), save_best(weights, model, metadata)]
    if args.patience:
        after_epoch.append(early_stopping(args.patience))
    if args.tensorboard and rank == 0:
        after_epoch.append(log_tensorboard(folder))
    if not args.quiet:
        weight_count = sum(p.numel() for p in model.parameters())
        print(f"{args.dataset}: {len(train_set):,} pictures to train, {len(val_set):,} to validate, {len(test_set):,} to "
              f"test; {args.model} with {weight_count:,} weights on {args.device}, seed {args.seed}"
              + (f", {size} processes" if size > 1 else ""), file=sys.stderr)
    mix = recipes.MIXES[args.mix](num_classes=len(test_set.classes)) if args.mix else None
    try:
        history = fit(model, train_loader, val_loader, epochs=args.epochs, optimizer=optimizer, schedule=schedule,
                      loss=partial(F.cross_entropy, label_smoothing=args.label_smoothing),
                      augment=recipes.build_augment(args.augment, test_set.format), mix=mix, clip_norm=args.clip_norm,
                      accumulate=args.accumulate, after_step=after_step, after_epoch=after_epoch,
                      checkpoint=folder / "last.safetensors", resume=bool(args.resume),
                      settings=settings_of(args), progress=not args.quiet)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; continue with: tinycnn train --resume {folder}") from None
    if size > 1:
        distributed.destroy_process_group()
    if rank > 0:
        return
    best, metadata = load_checkpoint(weights)
    model.load_state_dict(best)
    right, total = _test(model, test_loader, test_set, history, folder)
    save_checkpoint(weights, model, {**metadata, "test_acc": right / total})
    files = [folder / name for name in ("history.csv", "curves.png", "confusion.png", "filters.png", "mistakes.png",
                                        "model.safetensors")]
    seconds = time.perf_counter() - start
    if args.json:
        print(json.dumps({"test_accuracy": right / total, "right": right, "pictures": total, "epoch": metadata["epoch"],
                          "validation_accuracy": metadata["val_acc"], "seconds": seconds, "files": list(map(str, files))}))
        return
    print(f"test accuracy {100 * right / total:.2f} % ({right:,} of {total:,}), with the weights of epoch "
          f"{metadata['epoch']} (validation accuracy {100 * metadata['val_acc']:.2f} %), after {seconds:.1f} s")
    print(*files, sep="\n")


def _test(model, loader, dataset, history, folder):
    """Try `model` on the test pictures and draw everything into `folder`; returns (right answers, pictures)."""
    from .. import viz
    from ..train import confusion_matrix, predict
    probabilities, truth = predict(model, loader)
    answers = probabilities.argmax(1)
    first = next(p for p in model.parameters() if p.ndim == 4)
    viz.curves(history).savefig(folder / "curves.png")
    viz.confusion(confusion_matrix(truth, answers, len(dataset.classes)), dataset.classes).savefig(folder / "confusion.png")
    viz.filters(first, "what the first convolution looks for").savefig(folder / "filters.png")
    viz.mistakes(dataset.pictures, truth, answers, probabilities.max(1), dataset.classes).savefig(folder / "mistakes.png")
    return int((answers == truth).sum()), len(truth)


# ---- find-lr ---------------------------------------------------------------------------------------------------------

def add_find_lr(commands):
    """`tinycnn find-lr`."""
    p = commands.add_parser("find-lr", help="search for a good learning rate",
                            description="Raise the learning rate from far too small to far too large, a step each, and "
                            "suggest the one at which the loss falls fastest. Give it as --lr to `tinycnn train`.")
    _add_settings(p)
    _add_surroundings(p)
    p.add_argument("--steps", type=count, default=100, help="learning rates to try (default: %(default)s)")
    p.add_argument("--out", type=Path, help="a picture to write, loss against learning rate (.png, .pdf or .svg)")
    p.add_argument("--json", action="store_true", help="print all rates and losses as one JSON object")
    p.set_defaults(run=find_lr, forwards=False)


def find_lr(args):
    """`tinycnn find-lr`: the suggestion on stdout."""
    from .. import viz
    from ..data import DataLoader
    from ..train import find_lr as search
    recipe, model, _, (train_set, _, test_set) = _settle(args)
    recipes = _recipes()
    optimizer = _build_optimizer(args, model)
    found = search(model, DataLoader(train_set, args.batch_size, shuffle=True), optimizer, steps=args.steps,
                   augment=recipes.build_augment(args.augment, test_set.format))
    if args.out:
        viz.lr_curve(found).savefig(args.out)
    print(json.dumps(found) if args.json else f"{found['suggestion']:.2g}")

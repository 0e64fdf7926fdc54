"""`python -m benchmarks.curves [--only NAME] [--minutes M]`: learning curves on CIFAR-10, as one picture.

Three questions, a row of the picture each: how different architectures learn in the same time; whether depth helps, with
skips and without; what batch norm does. Every run sees as many training pictures as two idle cores compute in M minutes
(default 3.5), a fixed number, so the same seed gives the same curve; all twelve runs take about three quarters of an hour.
The 45,000 training pictures are drawn at random, accuracy is that of 1,000 others; the test pictures stay unseen.

A finished run is a file in `notebooks/curves`; it is not repeated unless it is deleted or its settings change, as they do
with M. What was interrupted goes on where it stopped. The picture, `notebooks/pictures/curves.png`, is drawn from the files
that are there. CIFAR-10 is looked for where `tinycnn data list` says (the variable TINYCNN_DATA).
"""
import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from tinycnn import data, manual_seed, models, nn
from tinycnn.data.transforms import Compose, RandomCrop, RandomHorizontalFlip
from tinycnn.files.atomic import write_atomically
from tinycnn.models.densenet import small_densenet
from tinycnn.models.vgg import make_layers
from tinycnn.optim import SGD, AdamW
from tinycnn.optim.lr_scheduler import OneCycleLR
from tinycnn.train import fit

from . import report

HERE = Path(__file__).parent.parent / "notebooks"
POINTS, SEED = 10, 0
ADAMW = dict(kind=AdamW, lr=2e-3, weight_decay=0.05)


def momentum(lr):
    """SGD as in the papers on residual networks."""
    return dict(kind=SGD, lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)


def halved(network):
    """`network` on 16x16 pixels, means of 2x2, which takes a quarter of the time."""
    return nn.Sequential(nn.AvgPool2d(2), network)


def stack(batch_norm):
    """Four 3x3 convolutions, with batch norm or without, and a linear layer."""
    layers = make_layers([32, "M", 64, "M", 128, 128, "M"], batch_norm)
    return nn.Sequential(layers, nn.Flatten(), nn.Linear(128 * 16, 10))


@dataclass(frozen=True)
class Run:
    """A network, the line that it draws and the row, how it learns; two idle cores train on `rate` pictures a second."""
    name: str
    label: str
    row: str
    network: Callable
    rate: int
    optimizer: dict

    def settings(self, minutes):
        """What decides the curve, as it stands in the file."""
        options = {key: value for key, value in self.optimizer.items() if key != "kind"}
        return dict(pictures=int(self.rate * 60 * minutes) // POINTS * POINTS, points=POINTS, seed=SEED, batch_size=64,
                    optimizer=self.optimizer["kind"].__name__, **options)


KINDS, DEPTH, NORM = "Architectures, the same time each", "Depth, with skips and without (16x16 pixels)", "Batch norm"
RUNS = [
    Run("lenet5", "LeNet-5", KINDS, lambda: models.lenet5(in_channels=3, image_size=32), 4000, ADAMW),
    Run("resnet20", "ResNet-20", KINDS, models.cifar_resnet20, 300, momentum(0.1)),
    Run("mobilenet_v2", "MobileNet v2 x0.35", KINDS, lambda: models.cifar_mobilenet_v2(width_mult=0.35), 130, momentum(0.1)),
    Run("densenet22", "DenseNet-22", KINDS, lambda: small_densenet(12, 3), 220, momentum(0.1)),
    Run("vit", "ViT, 6 blocks", KINDS, models.cifar_vit, 220, ADAMW),
    Run("plain20", "plain, 20 layers", DEPTH, lambda: halved(models.cifar_plain20()), 300, momentum(0.02)),
    Run("plain56", "plain, 56 layers", DEPTH, lambda: halved(models.cifar_plain56()), 300, momentum(0.02)),
    Run("residual20", "residual, 20 layers", DEPTH, lambda: halved(models.cifar_resnet20()), 300, momentum(0.02)),
    Run("residual56", "residual, 56 layers", DEPTH, lambda: halved(models.cifar_resnet56()), 300, momentum(0.02)),
    Run("with_norm", "with, rate 0.1", NORM, lambda: stack(True), 700, momentum(0.1)),
    Run("without_norm", "without, rate 0.1", NORM, lambda: stack(False), 700, momentum(0.1)),
    Run("without_norm_slow", "without, rate 0.01", NORM, lambda: stack(False), 700, momentum(0.01)),
]


def load():
    """(training pictures, pictures for the accuracy): 45,000 and 1,000 of CIFAR-10's training pictures."""
    known = data.CIFAR10(train=True)
    return data.Subset(known, range(45_000)), data.Subset(known, range(45_000, 46_000))


def train(run, minutes, sets, out):
    """Train, and write `out`/NAME.json; a network whose loss is no longer a number is written down as far as it came."""
    settings, (known, unknown) = run.settings(minutes), sets
    manual_seed(SEED)
    model = run.network()
    sampler = data.RandomSampler(known, num_samples=settings["pictures"] // POINTS)
    loader = data.DataLoader(known, settings["batch_size"], sampler=sampler)
    options = {key: value for key, value in run.optimizer.items() if key != "kind"}
    optimizer = run.optimizer["kind"](model.parameters(), **options)
    schedule = OneCycleLR(optimizer, options["lr"], total_steps=POINTS * len(loader))
    augment = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])
    rests = Path("runs") / "curves" / f"{run.name}-{settings['pictures']}.safetensors"
    rests.parent.mkdir(parents=True, exist_ok=True)
    points, diverged = [], False
    try:
        points = fit(model, loader, data.DataLoader(unknown, 500), epochs=POINTS, optimizer=optimizer, schedule=schedule,
                     augment=augment, after_epoch=lambda history: points.append(history[-1]), checkpoint=rests, resume=True)
    except FloatingPointError:
        diverged = True
    machine = report.machine()
    result = dict(name=run.name, settings=settings, diverged=diverged, parameters=sum(p.numel() for p in model.parameters()),
                  date=machine["date"], processor=machine["processor"], history=points)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / f"{run.name}.json", (json.dumps(result, indent=1) + "\n").encode())
    rests.unlink(missing_ok=True)


def stored(run, out):
    """What the run has written, None where it has not."""
    file = out / f"{run.name}.json"
    return json.loads(file.read_text()) if file.is_file() else None


def draw(results):
    """One row for each question; `results` are pairs of a Run and what it wrote. Returns the Figure."""
    from tinycnn.viz.compare import LINES
    from tinycnn.viz.style import new_figure, tidy
    rows = [row for row in (KINDS, DEPTH, NORM) if any(run.row == row for run, _ in results)]
    figure = new_figure(10, 3.4 * len(rows))
    for row, axes in zip(rows, figure.subplots(len(rows), 2, squeeze=False)):
        chosen = [(run, result) for run, result in results if run.row == row]
        for (run, result), (colour, dashes) in zip(chosen, LINES):
            history = result["history"]
            seen = [point["epoch"] * result["settings"]["pictures"] / POINTS / 1000 for point in history]
            minutes = [sum(point["seconds"] for point in history[:i + 1]) / 60 for i in range(len(history))]
            style = dict(color=colour, ls=dashes, marker="o", ms=3, label=run.label + " (diverged)" * result["diverged"])
            accuracy = [100 * point["val_acc"] for point in history]
            left = [point["train_loss"] for point in history]
            axes[0].plot(seen, left if row != KINDS else accuracy, **style)
            axes[1].plot(minutes if row == KINDS else seen, accuracy, **style)
        axes[0].set_title(row, loc="left", fontsize=10)
        axes[0].set_ylabel("validation accuracy (%)" if row == KINDS else "training loss")
        axes[1].set_ylabel("validation accuracy (%)")
        axes[0].set_xlabel("training pictures seen, thousands")
        axes[1].set_xlabel("minutes" if row == KINDS else "training pictures seen, thousands")
        if row == KINDS:
            axes[0].set_xscale("log")
            axes[0].xaxis.set_major_formatter("{x:g}")
        axes[1].legend(frameon=False, fontsize=8)
        for ax in axes:
            ax.grid(True, color="#E4E4E4", lw=0.7)
            tidy(ax)
    return figure


def main(argv=None):
    """Train what is missing and draw what is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description="Learning curves on CIFAR-10.")
    parser.add_argument("--only", action="append", choices=[run.name for run in RUNS], metavar="NAME",
                        help="this run only, may be repeated: " + ", ".join(run.name for run in RUNS))
    parser.add_argument("--minutes", type=float, default=3.5, help="of two idle cores for each run (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for curves/ and pictures/ (default: notebooks)")
    args = parser.parse_args(argv)
    if args.minutes * 60 * min(run.rate for run in RUNS) < POINTS * 2:
        parser.error(f"argument --minutes: must be enough for {2 * POINTS} pictures, got {args.minutes}")
    chosen = [run for run in RUNS if not args.only or run.name in args.only]
    out = args.out / "curves"
    missing = [run for run in chosen if (stored(run, out) or {}).get("settings") != run.settings(args.minutes)]
    sets, start = load() if missing else None, time.perf_counter()
    for i, run in enumerate(missing):
        print(f"{run.name}: run {i + 1} of {len(missing)}, {(time.perf_counter() - start) / 60:.1f} minutes so far",
              file=sys.stderr)
        train(run, args.minutes, sets, out)
    results = [(run, result) for run in RUNS if (result := stored(run, out))]
    picture = args.out / "pictures" / "curves.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(results).savefig(picture)
    print(picture)


if __name__ == "__main__":
    main()

"""`python -m benchmarks.augmentation`: what augmenting a batch of CIFAR-sized pictures costs beside a training step.

Times are those of the processor, over all threads, not of the clock: other programs on the machine do not count. Each is the
least of some repetitions.
"""
import argparse
import time

import numpy as np

import tinycnn
import tinycnn.models
from tinycnn.data import transforms as T

BATCH = 32


def pipelines():
    """{name: function of a batch of bytes (N, 3, 32, 32) and labels (N,)}; the first only normalises, as every one does."""
    normalise = [T.ToTensor(), T.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))]
    usual = [T.RandomCrop(32, 4), T.RandomHorizontalFlip()]
    before = {
        "normalising only": [],
        "crop, flip": usual,
        "crop, flip, ColorJitter": [*usual, T.ColorJitter(0.4, 0.4, 0.4, 0.1)],
        "crop, flip, TrivialAugmentWide": [*usual, T.TrivialAugmentWide()],
        "crop, flip, RandAugment": [*usual, T.RandAugment()],
        "crop, flip, AutoAugment": [*usual, T.AutoAugment("cifar10")],
        "crop, flip, AugMix": [*usual, T.AugMix()],
    }
    after = {"crop, flip, RandomErasing": T.RandomErasing(), "crop, flip, RandomAffine": T.RandomAffine(10, (0.1, 0.1))}
    mixes = {"crop, flip, MixUp": T.MixUp(num_classes=10), "crop, flip, CutMix": T.CutMix(num_classes=10)}
    plain = T.Compose([*usual, *normalise])
    found = {name: lambda x, y, f=T.Compose([*steps, *normalise]): f(x) for name, steps in before.items()}
    found.update({name: lambda x, y, f=T.Compose([plain, step]): f(x) for name, step in after.items()})
    found.update({name: lambda x, y, mix=mix: mix(plain(x), y) for name, mix in mixes.items()})
    return found


def least_time(work, repetitions):
    """The least processor time of `work()` in seconds; the first call does not count."""
    work()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def training_step(x, y):
    """A training step of ResNet-18 on a batch, to be called."""
    model = tinycnn.models.cifar_resnet18()
    optimizer = tinycnn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad()
        tinycnn.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return step


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augmentation", description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=20, help="of each pipeline (default: %(default)s)")
    args = parser.parse_args()
    tinycnn.manual_seed(0)
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (BATCH, 3, 8, 8), np.uint8).repeat(4, 2).repeat(4, 3)
    x, y = tinycnn.from_numpy(smooth), tinycnn.tensor(rng.integers(0, 10, BATCH))
    network = least_time(training_step(tinycnn.randn(BATCH, 3, 32, 32), y), 3)
    print(f"A step of ResNet-18 with {BATCH} pictures of 32x32: {1e3 * network:.0f} ms of processor time\n")
    print(f"| {'pipeline':30} | ms a batch | share of the step |")
    print(f"|{'-' * 32}|-----------:|------------------:|")
    for name, work in pipelines().items():
        spent = least_time(lambda: work(x, y), args.repetitions)
        print(f"| {name:30} | {1e3 * spent:10.2f} | {100 * spent / network:15.2f} % |")


if __name__ == "__main__":
    main()

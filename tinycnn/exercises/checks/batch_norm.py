"""Checks of batch normalisation, forward."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Batch normalisation, in training and in use", lecture=7, minutes=40,
    hints=("First decide whose mean and variance normalise, in training and in use; then write y once for both. A statistic "
           "of a channel is taken over every axis but that of the channels.",
           "mean and var over axis=(0, 2, 3) have shape (C,); np.var divides by n, which is right for y. For the running "
           "variance multiply by n / (n - 1), with n = N H W.",
           "new = (1 - momentum) * old + momentum * batch, for the mean and for the unbiased variance, only in training. "
           "y = w * (x - mean) / np.sqrt(var + eps) + b with all four as [:, None, None]: eps is added under the root."))


def statistics(x):
    """Mean and variance (biased) of each channel, summed number by number."""
    N, C, H, W = x.shape
    mean, var = np.zeros(C), np.zeros(C)
    for c in range(C):
        numbers = [float(x[n, c, i, j]) for n, i, j in np.ndindex(N, H, W)]
        mean[c] = sum(numbers) / len(numbers)
        var[c] = sum((number - mean[c])**2 for number in numbers) / len(numbers)
    return mean, var


def normalised(x, mean, var, w, b, eps):
    """The formula, with statistics of each channel (C) or of a part (anything that broadcasts to x)."""
    y = np.zeros(x.shape)
    mean, var = (np.broadcast_to(a[:, None, None] if a.ndim == 1 else a, x.shape) for a in (mean, var))
    for n, c, i, j in np.ndindex(*x.shape):
        y[n, c, i, j] = w[c] * (x[n, c, i, j] - mean[n, c, i, j]) / (var[n, c, i, j] + eps)**0.5 + b[c]
    return y


def draw(rng, N=None):
    """x, w, b, running_mean, running_var; the channels differ, and the mean is far from that of the past."""
    n, C, H, W = rng.permutation([2, 3, 4, 5])
    N = N or n
    x = (1 + rng.random(C))[:, None, None] * rng.standard_normal((N, C, H, W)) + rng.uniform(-3, 3, C)[:, None, None]
    return x, 0.5 + rng.random(C), rng.standard_normal(C), rng.standard_normal(C) + 4, 2 + rng.random(C)


def call(student, x, w, b, running_mean, running_var, training, momentum=0.1, eps=1e-2):
    """What the student's function returns, three values."""
    got = student.batch_norm(x, w, b, running_mean, running_var, training, momentum, eps)
    return expect.several("batch_norm", got, "y, running_mean, running_var")


def over(x, *axes):
    """Mean and variance over `axes`."""
    return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)


@exercise.check(points=35, name="y in training")
def training(student, rng):
    for eps in (1e-2, 0.5):
        x, w, b, *running = draw(rng)
        (mean, var), n = statistics(x), x.size // x.shape[1]
        one, b0 = np.ones_like(w), np.zeros_like(b)
        y = call(student, x, w, b, *running, True, eps=eps)[0]
        expect.close("y in training", y, normalised(x, mean, var, w, b, eps), mistaken={
            "is normalised by the running statistics: in training those of the batch count":
                normalised(x, *running, w, b, eps),
            "is normalised by running statistics that this batch has already moved: in training those of the batch count":
                normalised(x, .9 * running[0] + .1 * mean, .9 * running[1] + .1 * var * n / (n - 1), w, b, eps),
            "uses the unbiased variance (divided by n - 1): y is normalised by the biased one, divided by n":
                normalised(x, mean, var * n / (n - 1), w, b, eps),
            "takes its statistics over the batch alone: mean and variance run over the pixels too, axis=(0, 2, 3)":
                normalised(x, *over(x, 0), w, b, eps),
            "takes its statistics over the pixels alone (instance norm): they run over the batch too, axis=(0, 2, 3)":
                normalised(x, *over(x, 2, 3), w, b, eps),
            "takes one mean and variance for all channels: every channel has its own, axis=(0, 2, 3)":
                normalised(x, *over(x, 0, 1, 2, 3), w, b, eps),
            "takes its statistics over the channels (layer norm): they run over batch and pixels, axis=(0, 2, 3)":
                normalised(x, *over(x, 1, 2, 3), w, b, eps),
            "is divided by the variance: divide by its root, the standard deviation":
                normalised(x, mean, (var + eps)**2, w, b, 0),
            "adds eps behind the root: it belongs under it, sqrt(var + eps)":
                normalised(x, mean, (var**0.5 + eps)**2, w, b, 0),
            "is computed without eps: sqrt(var + eps)": normalised(x, mean, var, w, b, 0),
            "is computed without the weight w": normalised(x, mean, var, one, b, eps),
            "is computed without the bias b": normalised(x, mean, var, w, b0, eps)})


@exercise.check(points=25, name="y in use")
def use(student, rng):
    for N in (None, 1):
        x, w, b, *running = draw(rng, N=N)
        y = call(student, x, w, b, *running, False)[0]
        expect.close("y in use (training=False)", y, normalised(x, *running, w, b, 1e-2), mistaken={
            "is normalised by the statistics of the batch: the running ones count":
                normalised(x, *statistics(x), w, b, 1e-2)})


@exercise.check(points=25, name="the running statistics in training")
def running_statistics(student, rng):
    for momentum in (0.1, 0.3):
        x, w, b, old_mean, old_var = draw(rng)
        (mean, var), n = statistics(x), x.size // x.shape[1]
        unbiased, N = var * n / (n - 1), len(x)

        def moved(old, new, m=momentum):
            return (1 - m) * old + m * new

        _, new_mean, new_var = call(student, x, w, b, old_mean, old_var, True, momentum)
        swapped = "has momentum on the wrong side: running = (1 - momentum) running + momentum (this batch)"
        still = "has not moved: in training it follows the batch"
        expect.close("running_mean", new_mean, moved(old_mean, mean), mistaken={
            swapped: moved(old_mean, mean, 1 - momentum), still: old_mean,
            "is that of this batch alone: it follows slowly, momentum of the new and 1 - momentum of the old": mean})
        expect.close("running_var", new_var, moved(old_var, unbiased), mistaken={
            swapped: moved(old_var, unbiased, 1 - momentum), still: old_var,
            "follows the biased variance of the batch: what goes into it is divided by n - 1": moved(old_var, var),
            "follows the biased variance, and has momentum on the wrong side": moved(old_var, var, 1 - momentum),
            "takes n for the number of pictures: n = N H W numbers meet in a channel":
                moved(old_var, var * N / max(N - 1, 1)),
            "follows the standard deviation of the batch: it is a variance, without a root": moved(old_var, unbiased**0.5),
            "is that of this batch alone: it follows slowly, momentum of the new and 1 - momentum of the old": unbiased})


@exercise.check(points=15, name="what must not change")
def contract(student, rng):
    x, w, b, old_mean, old_var = (a.astype(np.float32) for a in draw(rng))
    _, new_mean, new_var = call(student, x, w, b, old_mean, old_var, False)
    for name, new, old in (("running_mean", new_mean, old_mean), ("running_var", new_var, old_var)):
        if not np.array_equal(expect.finite(name, new), old):
            raise expect.Wrong(f"{name} is updated in use (training=False): statistics are learned in training only")
    for training in (True, False):
        y, *running = expect.unchanged(student.batch_norm, x, w, b, old_mean, old_var, training, 0.1, 1e-5)
        for name, array in zip(("y", "running_mean", "running_var"), (y, *running)):
            expect.dtype(name, array, np.float32)


exercise.mistake("the unbiased variance normalises", old="var = x.var(axis=(0, 2, 3))",
                 new="var = x.var(axis=(0, 2, 3), ddof=1)", says="uses the unbiased variance")
exercise.mistake("the biased variance runs", old="momentum * unbiased", new="momentum * var",
                 says="running_var follows the biased")
exercise.mistake("momentum is swapped", old="(1 - momentum) * running_mean + momentum * mean",
                 new="momentum * running_mean + (1 - momentum) * mean", says="running_mean has momentum on the wrong side")
exercise.mistake("the running statistics move in use", old="    mean, var, w, b = (",
                 new="    else:\n        running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=(0, 2, 3))\n"
                 "    mean, var, w, b = (", says="updated in use")
exercise.mistake("the batch counts in use", old="    mean, var, w, b = (",
                 new="    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))\n    mean, var, w, b = (",
                 says="in use .*statistics of the batch")
exercise.mistake("training with the running statistics", old="    mean, var, w, b = (",
                 new="    mean, var = running_mean, running_var\n    mean, var, w, b = (",
                 says="running statistics that this batch has already moved")
exercise.mistake("statistics over the pixels alone", old="    y = w * (x - mean)", new="    if training:\n"
                 "        mean, var = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)\n"
                 "    y = w * (x - mean)", says="instance norm")
exercise.mistake("one mean for all channels", old="    y = w * (x - mean)",
                 new="    if training:\n        mean, var = x.mean(), x.var()\n    y = w * (x - mean)",
                 says="one mean and variance for all channels")
exercise.mistake("eps behind the root", old="np.sqrt(var + eps)", new="(np.sqrt(var) + eps)", says="eps behind the root")
exercise.mistake("divided by the variance", old="np.sqrt(var + eps)", new="(var + eps)", says="divided by the variance")
exercise.mistake("the running variance is a standard deviation", old="momentum * unbiased", new="momentum * unbiased**0.5",
                 says="standard deviation of the batch")
exercise.mistake("the running mean is changed in place",
                 old="running_mean = (1 - momentum) * running_mean + momentum * mean",
                 new="running_mean *= 1 - momentum\n        running_mean += momentum * mean",
                 says="changes its argument running_mean")

"""Checks of Grad-CAM."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Grad-CAM: where the network looked", lecture=10, minutes=30,
    hints=("Follow the axes: alpha has lost H and W, (N, C). To multiply it with A give it two axes of length 1, "
           "alpha[:, :, None, None]. The sum over the channels then loses axis 1.",
           "A pixel A[n, c, i, j] is one of H W numbers in the mean pooled[n, c], which enters logit k with the factor "
           "w[k, c]. w[labels] picks a row of w for each picture. It is the same for all pixels of a channel.",
           "L = np.maximum((alpha[:, :, None, None] * A).sum(axis=1), 0); its largest number a picture is "
           "L.max(axis=(1, 2), keepdims=True), and where that is 0 divide by 1."))


def channel_weights(G):
    """The oracle of alpha."""
    N, C, H, W = G.shape
    alpha = np.zeros((N, C))
    for n, c, i, j in np.ndindex(*G.shape):
        alpha[n, c] += G[n, c, i, j] / (H * W)
    return alpha


def evidence(A, alpha):
    """The sum over the channels."""
    total = np.zeros((len(A), *A.shape[2:]))
    for n, c, i, j in np.ndindex(*A.shape):
        total[n, i, j] += alpha[n, c] * A[n, c, i, j]
    return total


def scaled(L):
    """Each picture divided by its largest number."""
    return np.array([picture / picture.max() if picture.max() > 0 else 0 * picture for picture in L])


def grad_cam(A, G):
    """The oracle of the heat."""
    return scaled(np.maximum(evidence(A, channel_weights(G)), 0))


def draw(rng):
    """Activations as they come out of a ReLU, and gradients; in each picture some pixels speak for and some against."""
    (N, H, W), C = rng.permutation([2, 3, 5]), 4
    while True:
        signs = rng.permuted(np.tile([1.0, -1.0] * (C // 2), (N, 1)), axis=1)
        A = np.maximum(rng.standard_normal((N, C, H, W)), 0) * (1 + np.arange(N))[:, None, None, None]
        G = rng.standard_normal((N, C, H, W)) + signs[:, :, None, None]
        total = evidence(A, channel_weights(G))
        if (total.max((1, 2)) > 0.01).all() and (total.min((1, 2)) < -0.01).all():
            return A, G


@exercise.check(points=25, name="the gradient of the score")
def score(student, rng):
    A, _ = draw(rng)
    N, pixels = len(A), A[0, 0].size
    w, labels = rng.standard_normal((6, 4)), rng.permutation(6)[:N]

    def spread(rows):
        return np.broadcast_to(rows[:, :, None, None], A.shape) / pixels
    got, right = expect.unchanged(student.score_gradients, A, w, labels), spread(w[labels])
    expect.close("G", got, right, mistaken={
        "is not divided by the number of pixels: each pixel is one of H W in a mean": pixels * right,
        "is multiplied by the activations: the logit is linear in A, its derivative does not contain A": A * right,
        "is multiplied by the activations, and not divided by the number of pixels": A * pixels * right,
        "takes one class for all pictures: labels[n] is the class of picture n": spread(np.repeat(w[labels[:1]], N, 0)),
        "is the gradient of the sum of all logits: take row labels[n] of w": spread(np.repeat(w.sum(0)[None], N, 0))})


@exercise.check(points=25, name="the weights of the channels")
def weights(student, rng):
    _, G = draw(rng)
    right = channel_weights(G)
    expect.close("alpha", student.channel_weights(G), right, mistaken={
        "is the sum over the pixels: it is their mean": G[0, 0].size * right,
        "has lost its negative numbers: the ReLU comes later, behind the sum over channels": np.maximum(right, 0),
        "is the mean of the positive gradients only: the ReLU comes later": channel_weights(np.maximum(G, 0)),
        "is the mean of the sizes of the gradients: their sign counts": channel_weights(np.abs(G)),
        "is the largest gradient of each channel: it is the mean": G.max((2, 3))})


@exercise.check(points=40, name="the heat")
def heat(student, rng):
    A, G = draw(rng)
    alpha = channel_weights(G)
    total = evidence(A, alpha)
    L = np.maximum(total, 0)
    low, high = total.min((1, 2), keepdims=True), total.max((1, 2), keepdims=True)
    size = np.abs(total).max((1, 2), keepdims=True)
    expect.close("heat", student.grad_cam(A, G), scaled(L), mistaken={
        "lacks the ReLU: only what speaks for the class is shown": total / high,
        "lacks the ReLU and is divided by its largest size": total / size,
        "is the size of the evidence: what speaks against the class must become 0, not positive": np.abs(total) / size,
        "is stretched from its smallest number to its largest: use a ReLU, then divide by the largest":
            (total - low) / (high - low),
        "puts the ReLU before the sum over the channels: those that speak against the class cannot cancel others":
            scaled(np.maximum(A * alpha[:, :, None, None], 0).sum(1)),
        "leaves out the channels with negative weights: the ReLU comes behind the sum":
            scaled(evidence(A, np.maximum(alpha, 0))),
        "is divided by the largest number of the whole batch: every picture has its own": L / L.max(),
        "is not divided by its largest number": L,
        "adds up to 1: divide by the largest number, not by the sum": L / (L.sum((1, 2), keepdims=True) + 1e-300),
        "multiplies each pixel by its own gradient: average the gradients over the channel first":
            scaled(np.maximum((A * G).sum(1), 0)),
        "uses the gradients alone: their means weight the activations": scaled(np.maximum(G.sum(1), 0)),
        "adds up the channels without their weights": scaled(np.maximum(A.sum(1), 0))})


@exercise.check(points=10, name="nothing speaks for the class; the arguments")
def nothing(student, rng):
    A, G = draw(rng)
    G[-1] = -np.abs(G[-1])
    got = expect.unchanged(student.grad_cam, A, G)
    if not np.isfinite(expect.array("heat", got)).all():
        raise expect.Wrong("heat holds NaN where nothing speaks for the class: L[n] is zero there and 0/0 is not a number, "
                           "so divide by 1")
    expect.close("heat", got, grad_cam(A, G))
    expect.unchanged(student.channel_weights, G)
    for function, args in ((student.channel_weights, (G,)), (student.grad_cam, (A, G)),
                           (student.score_gradients, (A, rng.standard_normal((6, 4)), np.arange(len(A))))):
        expect.in_float32(function, *args)


exercise.mistake("G is not divided by the pixels", old="w[labels] / (H * W)", new="w[labels]",
                 says="not divided by the number of pixels")
exercise.mistake("alpha is the sum", old="G.mean(axis=(2, 3))", new="G.sum(axis=(2, 3))", says="sum over the pixels")
exercise.mistake("alpha is a mean over the channels", old="G.mean(axis=(2, 3))", new="G.mean(axis=1)",
                 says="alpha has shape")
exercise.mistake("the ReLU acts on alpha", old="G.mean(axis=(2, 3))", new="np.maximum(G.mean(axis=(2, 3)), 0)",
                 says="alpha has lost its negative numbers")
exercise.mistake("no ReLU", old="np.maximum((alpha[:, :, None, None] * A).sum(axis=1), 0)",
                 new="(alpha[:, :, None, None] * A).sum(axis=1)", says="lacks the ReLU")
exercise.mistake("the ReLU before the sum", old="np.maximum((alpha[:, :, None, None] * A).sum(axis=1), 0)",
                 new="np.maximum(alpha[:, :, None, None] * A, 0).sum(axis=1)", says="ReLU before the sum")
exercise.mistake("normalised over the batch", old="L.max(axis=(1, 2), keepdims=True)", new="L.max()",
                 says="largest number of the whole batch")
exercise.mistake("0/0", old="L / np.where(largest > 0, largest, 1)", new="L / largest", says="nothing speaks for the class")
exercise.mistake("each pixel with its own gradient", old="(alpha[:, :, None, None] * A).sum(axis=1)",
                 new="(G * A).sum(axis=1)", says="by its own gradient")
exercise.mistake("not normalised", old="return L / np.where(largest > 0, largest, 1)", new="return L",
                 says="not divided by its largest")

"""How good predictions are. All functions take NumPy arrays or Tensors and return NumPy values."""
import numpy as np

from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor


def _array(value):
    return to_numpy(value.array) if isinstance(value, Tensor) else np.asarray(value)


def top_k_accuracy(scores, truth, k=5):
    """The share of samples whose true class is among the k highest of scores (N, K); truth (N,) are class numbers.

    Of equal scores the lower class number counts as higher, as for argmax (in scikit-learn's top_k_accuracy_score the other
    one does); a NaN is never among the highest.
    """
    scores, truth = _array(scores), _array(truth)
    if scores.ndim != 2 or truth.shape != scores.shape[:1]:
        raise ValueError(f"accuracy: expected scores (N, K) and truth (N,), got shapes {scores.shape} and {truth.shape}")
    if len(truth) == 0:
        raise ValueError("accuracy: there are no samples")
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"top_k_accuracy: k must lie between 1 and the {scores.shape[1]} classes, got {k}")
    classes = np.arange(scores.shape[1])
    if not np.isin(truth, classes).all():
        raise ValueError(f"accuracy: truth must be class numbers from 0 to {len(classes) - 1}, as there are {len(classes)} "
                         f"scores each, got {truth.min()} to {truth.max()}")
    truth = truth.astype(np.int64)[:, None]
    own = np.take_along_axis(scores, truth, 1)  # compared, not negated: -1 of uint8 is 255, and -(-128) of int8 is -128
    higher = (scores > own) | (scores == own) & (classes < truth)
    return float(((higher.sum(1) < k) & (own == own)[:, 0]).mean())


def accuracy(scores, truth):
    """The share of samples whose true class has the highest of scores (N, K); truth (N,) are class numbers."""
    return top_k_accuracy(scores, truth, k=1)


def confusion_matrix(truth, predicted, num_classes=None):
    """The matrix (K, K) whose entry [t, p] counts the samples of class t that were taken for class p.

    `truth` and `predicted` (N,) are class numbers; K defaults to the largest of them plus 1.
    """
    truth, predicted = _array(truth), _array(predicted)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError("confusion_matrix: truth and predicted must be one row of class numbers each, got shapes "
                         f"{truth.shape} and {predicted.shape}")
    if truth.size and not {truth.dtype.kind, predicted.dtype.kind} <= set("biu"):
        raise TypeError(f"confusion_matrix: class numbers must be integers, got {truth.dtype} and {predicted.dtype}")
    truth, predicted = truth.astype(np.int64), predicted.astype(np.int64)
    both = np.concatenate([truth, predicted])
    highest = int(both.max(initial=-1))
    k = highest + 1 if num_classes is None else num_classes
    if both.size and (both.min() < 0 or highest >= k):
        raise ValueError(f"confusion_matrix: class numbers must lie between 0 and {k - 1}, got {both.min()} to {highest}")
    return np.bincount(truth * k + predicted, minlength=k * k).reshape(k, k)


def per_class(truth, predicted, num_classes=None):
    """How well each class is recognised: {"precision", "recall", "f1", "support"}, each one number a class (K,).

    Of what was taken for class c, the share `precision` is c; of what is c, the share `recall` was found; f1 is their
    harmonic mean 2 p r / (p + r); `support` counts the samples of c. What would be 0 / 0 is 0. Arguments as those of
    `confusion_matrix`.
    """
    matrix = confusion_matrix(truth, predicted, num_classes)
    hits, taken, there = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    return {"precision": _share(hits, taken), "recall": _share(hits, there), "f1": _share(2 * hits, taken + there),
            "support": there}


def _share(part, whole):
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def roc_curve(scores, truth):
    """(false positive rates, true positive rates, thresholds): what calling `scores >= threshold` positive would yield.

    `scores` (N,) are the higher the surer, `truth` (N,) is 1 (or True) for the positive samples. The curve starts at (0, 0)
    with an infinite threshold and has a point for every different score.
    """
    false, true, thresholds = _crossings(_array(scores), _array(truth))
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1]), np.append(np.inf, thresholds)


def _crossings(scores, truth):
    """(negative, positive samples, score) at and above every different score, the highest first."""
    if scores.ndim != 1 or truth.shape != scores.shape:
        raise ValueError(f"roc_curve: expected scores (N,) and truth (N,), got shapes {scores.shape} and {truth.shape}")
    if not np.isin(truth, (0, 1)).all() or not 0 < (truth == 1).sum() < len(truth):
        raise ValueError("roc_curve: truth must be 0 or 1, with at least one of each")
    if (scores != scores).any():
        raise ValueError(f"roc_curve: {(scores != scores).sum()} of {len(scores)} scores are NaN, which are in no order")
    order = np.argsort(scores, kind="stable")[::-1]
    scores, hits = scores[order], np.cumsum(truth[order] == 1)
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True))  # equal scores are on the same side of every threshold
    return last + 1 - hits[last], hits[last], scores[last].astype(np.float64)


def roc_auc(scores, truth):
    """The area under the ROC curve: how often a positive sample has a higher score than a negative one, ties half.

    For scores (N,) and truth (N,) of 0 and 1, one number; for scores (N, K) and class numbers (N,), one for each class
    against all others (K,), NaN for a class of which there are no samples or nothing else.
    """
    scores, truth = _array(scores), _array(truth)
    if scores.ndim == 2:
        if truth.shape != scores.shape[:1]:
            raise ValueError(f"roc_auc: expected scores (N, K) and truth (N,), got {scores.shape} and {truth.shape}")
        both = [0 < (truth == c).sum() < len(truth) for c in range(scores.shape[1])]
        return np.array([roc_auc(scores[:, c], truth == c) if both[c] else np.nan for c in range(scores.shape[1])])
    false, true, _ = _crossings(scores, truth)
    pairs = np.diff(false, prepend=0) * (true + np.append(0, true[:-1]))  # counted twice, in whole numbers
    return int(pairs.sum()) / (2 * int(false[-1]) * int(true[-1]))


def calibration(probabilities, truth, bins=15):
    """Whether a network that is 80 % sure is right in 80 % of the cases.

    The samples are sorted into `bins` intervals of equal width by the probability of the class that each is taken for.
    Returns a dictionary: "confidence" and "accuracy", the means in each bin (NaN where it is empty), "count", and "ece", the
    expected calibration error: the mean distance of the two, weighted with the samples.
    Source: C. Guo et al., On calibration of modern neural networks (2017).
    """
    probabilities, truth = _array(probabilities), _array(truth)
    accuracy(probabilities, truth)  # checks the shapes
    if bins < 1:
        raise ValueError(f"calibration: bins must be at least 1, got {bins}")
    confidence = probabilities.max(1).astype(np.float64)
    if not (confidence.max() <= 1 + 1e-5 and probabilities.min() >= 0):  # false with a NaN too
        raise ValueError("calibration: probabilities must lie between 0 and 1: apply softmax to scores first")
    right = probabilities.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # the upper end belongs to the bin
    count, sure, hits = (np.bincount(place, weights, bins) for weights in (None, confidence, right))
    means = [np.divide(total, count, out=np.full(bins, np.nan), where=count > 0) for total in (sure, hits)]
    return {"confidence": means[0], "accuracy": means[1], "count": count,
            "ece": float(np.abs(sure - hits).sum() / len(truth))}

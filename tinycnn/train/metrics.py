"""How good predictions are. All functions take NumPy arrays or Tensors and return NumPy values."""
import numpy as np

from ..backend import to_numpy
from ..tensor import Tensor


def _array(value):
    return to_numpy(value.array) if isinstance(value, Tensor) else np.asarray(value)


def top_k_accuracy(scores, truth, k=5):
    """The share of samples whose true class is among the k highest of scores (N, K); truth (N,) are class numbers.

    Of equal scores the lower class number counts as higher.
    """
    scores, truth = _array(scores), _array(truth)
    if scores.ndim != 2 or truth.shape != scores.shape[:1]:
        raise ValueError(f"accuracy: expected scores (N, K) and truth (N,), got shapes {scores.shape} and {truth.shape}")
    if len(truth) == 0:
        raise ValueError("accuracy: there are no samples")
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"top_k_accuracy: k must lie between 1 and the {scores.shape[1]} classes, got {k}")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(1).mean())


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
    both = np.concatenate([truth, predicted])
    if both.dtype.kind not in "iu" and both.size:
        raise TypeError(f"confusion_matrix: class numbers must be integers, got {truth.dtype} and {predicted.dtype}")
    highest = int(both.max(initial=-1))
    k = highest + 1 if num_classes is None else num_classes
    if both.size and (both.min() < 0 or highest >= k):
        raise ValueError(f"confusion_matrix: class numbers must lie between 0 and {k - 1}, got {both.min()} to {highest}")
    return np.bincount(truth.astype(np.int64) * k + predicted.astype(np.int64), minlength=k * k).reshape(k, k)

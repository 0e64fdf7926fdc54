"""How a training or a validation is going: the mean loss and the accuracy of many batches."""
import numpy as np

from ..engine.arrays import array_module
from ..engine.grad_mode import no_grad
from ..engine.tensor import Tensor, wrap


class Mean:
    """The mean loss a sample and the share of right answers of the batches added so far.

    Right are, with scores s of K classes (N, K, *S), for instance (N, K) for pictures or (N, K, H, W) for every pixel:

    - labels (N, *S), class numbers, where s is highest at the label; those outside 0 to K - 1 (ignore_index) do not count;
    - labels (N, K, *S), probabilities that sum to 1, where s is highest at the likeliest class;
    - labels 0 to 1 of one score each, (N,) or (N, 1, *S), where s and the label are on the same side of the middle. The
      middle is 0 for a loss that takes logits and 1/2 for one that takes probabilities; the loss tells which it is.

    A score that is NaN is never right. Of everything else, as the targets of a regression, the accuracy is NaN: there is
    none.
    On a GPU the sums are kept there: to see them means to wait for it, and nobody waits before somebody asks.
    """

    def __init__(self, name):
        self.name = name
        self.samples = self.batches = self.asked = self.correct = 0
        self.total, self.middle = 0.0, None

    def add(self, cost, scores, y, loss):
        """Count a batch: its mean loss `cost`, which is loss(scores, y)."""
        self.samples += len(y)
        self.batches += 1
        right, asked = self._judge(scores, y, loss)
        if cost.is_cuda:
            self.total = self.total + cost.array.astype(np.float64) * len(y)
            self.correct, self.asked = self.correct + right, self.asked + asked
        else:
            self.total += cost.item() * len(y)
            self.correct += float(right)
            self.asked += int(asked)

    def skip(self):
        """Count a batch in which this process has no sample."""
        self.batches += 1

    def merged(self, states):
        """The Mean over all batches of several processes, from their `state_dict`s."""
        whole = Mean(self.name)
        whole.__dict__.update(states[0])
        for name in ("samples", "asked", "correct", "total"):
            setattr(whole, name, sum(state[name] for state in states))
        return whole

    def _judge(self, scores, y, loss):
        """(right answers, answers) of a batch."""
        nothing = np.nan, len(y)
        if not isinstance(scores, Tensor) or scores.ndim == 0:
            return nothing
        s, t = scores.array, y.array
        xp = array_module(s)
        if s.size == t.size and (s.ndim == 1 or s.shape[1] == 1):
            if self.middle is None:
                self.middle = middle(loss, scores, y)
            t = t.reshape(s.shape)
            right, possible = ((s > self.middle) == (t > 0.5)) & (s == s), (t >= 0) & (t <= 1)
        elif s.ndim > 1 and s.shape == t.shape:
            right, possible = _highest(s, t.argmax(1)), abs(t.sum(1) - 1) < 1e-2
        else:
            t = t[:, 0] if t.ndim == s.ndim and t.shape[1] == 1 else t
            if s.ndim < 2 or t.shape != (s.shape[0], *s.shape[2:]):
                return nothing
            right, possible = _highest(s, t), (t >= 0) & (t < s.shape[1])
        if t.dtype.kind == "f":
            return xp.where(possible, right.astype(np.float64), np.float64("nan")).sum(), right.size
        return (right & possible).sum(), possible.sum()

    @property
    def loss(self):
        """The mean loss a sample."""
        if self.samples == 0:
            raise ValueError(f"{self.name} has no samples")
        return float(self.total) / self.samples

    @property
    def accuracy(self):
        """The share of right answers, NaN where nothing can be right."""
        asked = int(self.asked)
        return float(self.correct) / asked if asked else float("nan")

    def state_dict(self):
        """All numbers."""
        return {**vars(self), "total": float(self.total), "correct": float(self.correct), "asked": int(self.asked)}


def middle(loss, scores, y):
    """The score between the two classes of one score each: 0 for logits, 1/2 for probabilities.

    To answer 0 where the label is 0 costs nothing where scores are probabilities, and log 2 or 1 where they are logits, of
    which 0 stands for "no idea".
    """
    with no_grad():
        cost = loss(*(wrap(array_module(t.array).zeros_like(t.array)) for t in (scores, y)))
    return 0.5 if abs(cost.item()) < 1e-3 else 0.0


def _highest(scores, truth):
    """Where the highest of scores (N, K, *S) is that of `truth` (N, *S), and a number."""
    best = scores.max(1)
    return (scores.argmax(1) == truth) & (best == best)

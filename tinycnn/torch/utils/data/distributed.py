"""The share of one process among several. tinycnn has one; programs written for many take theirs from here."""
from ...engine.generators import Generator
from ...data import Sampler
from ...ops.random import randperm

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, from `rank` on, in an order that is shuffled anew after `set_epoch`.

    All processes get equally many: indices from the front come twice, or with `drop_last` the last ones are left out.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        super().__init__(dataset)
        self.num_replicas, self.rank = num_replicas or 1, rank or 0
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"DistributedSampler: rank must be from 0 to {self.num_replicas - 1}, got {self.rank}")
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0

    def __len__(self):
        n = len(self.data_source)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)

    def __iter__(self):
        n = len(self.data_source)
        order = range(n)
        if self.shuffle:
            order = randperm(n, generator=Generator().manual_seed(self.seed + self.epoch)).tolist()
        return (order[i % n] for i in range(self.rank, len(self) * self.num_replicas, self.num_replicas))

    def set_epoch(self, epoch):
        """Draw the order of epoch `epoch`."""
        self.epoch = epoch

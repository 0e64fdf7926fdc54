"""The share of one process among several that train together."""
from ... import distributed
from ...engine.generators import Generator
from ...data import Sampler
from ...ops.random import randperm

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, from `rank` on, in an order that is shuffled anew after `set_epoch`.

    `num_replicas` and `rank` are by default those of the process group. All processes get equally many: indices from the
    front come twice, or with `drop_last` the last ones are left out.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        super().__init__(dataset)
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
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

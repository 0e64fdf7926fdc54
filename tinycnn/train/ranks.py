"""What several processes that train together have to agree on; where there is one, there is nothing to agree on."""
import contextlib
import io

from .. import distributed
from ..files.saving import load
from ..nn.parallel import DistributedDataParallel


class Ranks:
    """The processes that share out the batches of `loader`; one alone where there is no process group.

    Each has its part of every batch (`DataLoader.shared`), of which the first takes the place of all towards the world: it
    calls the callbacks, writes files and shows the progress.
    """

    def __init__(self, loader=None):
        sampler = getattr(loader, "batch_sampler", None)
        self.weight = getattr(sampler, "weight", lambda number: 1.0)  # of this process's part of batch `number`
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.many, self.first = self.size > 1, self.rank == 0
        self.share = self.many and hasattr(sampler, "weight")

    def everybody(self, value):
        """[the value of each process]."""
        values = [value] * self.size
        if self.many:
            distributed.all_gather_object(values, value)
        return values

    def from_first(self, value):
        """The value of the first process."""
        box = [value]
        if self.many:
            distributed.broadcast_object_list(box)
        return box[0]

    def agree(self, *flags):
        """Each of the flags is true for all where it is for one."""
        return [any(values) for values in zip(*self.everybody(flags))]

    def total(self, mean):
        """`mean` over what all processes have seen, where they shared the batches out."""
        return mean.merged(self.everybody(mean.state_dict())) if self.share else mean

    def load(self, path):
        """What is in the file that the first process finds, for all; None where there is none."""
        content = self.from_first(path.read_bytes() if self.first and path.exists() else None)
        return None if content is None else load(io.BytesIO(content), "cpu")

    def same_rates(self, optimizer):
        """The learning rates of the first process for all: those of a schedule that looks at the clock would differ."""
        if self.many:
            for group, rate in zip(optimizer.param_groups, self.from_first([g["lr"] for g in optimizer.param_groups])):
                group["lr"] = rate


class Together:
    """`model` on all processes, inside a `with` block: a backward pass gives each the gradient of the whole batch."""

    def __init__(self, model, ranks):
        self.own = ranks.many and not isinstance(model, DistributedDataParallel)
        self.model, self.many = DistributedDataParallel(model) if self.own else model, ranks.many

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.own:
            self.model.close()

    @contextlib.contextmanager
    def part(self, weight, last):
        """Around forward and backward of a part of a batch that counts `weight`; `last` before a step."""
        if not self.many:
            yield self.model
            return
        group = distributed.process_group()
        group.borrowing, self.model.synchronises = weight == 0, last
        try:
            yield self.model
        finally:
            group.borrowing, self.model.synchronises = False, True

    def send_buffers(self):
        """The statistics of the first process for all, which are also those that are saved."""
        if self.many:
            self.model.send_buffers()

"""One network on several processes: each computes the gradients of its part of the batch, and all take the same step.

The loss of a batch is the mean over its samples, so its gradient is the mean of theirs. N ranks that each average over their
own share therefore get the gradient of the whole batch by averaging once more, over the ranks.
"""
import contextlib
import functools
import hashlib
import itertools

from .. import distributed
from ..engine import early
from ..engine.arrays import array_module
from ..engine.checks import check_callable
from .module import Module
from .norm import _BatchNorm
from .sync_norm import batch_norm_of_all


class DataParallel(Module):
    """`module` itself, on one device; its state has the prefix "module.", as in PyTorch."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        check_callable("DataParallel", module=module)
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """module(*inputs, **module_kwargs), on one device; `inputs` is a tuple, or a tensor for one."""
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))


class _Bucket:
    """Parameters whose gradients travel in one message, and behind them for each a 1 where this rank has one."""

    def __init__(self, parameters):
        self.parameters, self.request = parameters, None
        xp, ends = array_module(parameters[0].array), [0, *itertools.accumulate(p.numel() for p in parameters)]
        self.message = xp.zeros(ends[-1] + len(parameters), parameters[0].dtype)
        self.views = [self.message[a:b].reshape(p.shape) for p, a, b in zip(parameters, ends, ends[1:])]
        self.gradients, self.present = self.message[:ends[-1]], self.message[ends[-1]:]
        self.missing = set(range(len(parameters)))

    def put(self, i):
        """Note the gradient of parameter number i."""
        self.views[i][...] = self.parameters[i].grad.array
        self.present[i] = 1
        self.missing.discard(i)

    def fill(self):
        """Zeros for the gradients that did not come."""
        for i in self.missing:
            self.views[i][...] = self.present[i] = 0
        self.missing.clear()

    def hand_out(self, size):
        """The means over `size` ranks, as the gradients of all parameters that any rank has one of."""
        self.gradients /= size
        for parameter, view, present in zip(self.parameters, self.views, self.present.tolist()):
            if present:
                if parameter.grad is None:
                    parameter.grad = parameter.new_zeros(parameter.shape)
                parameter.grad.array[...] = view
        self.request, self.missing = None, set(range(len(self.parameters)))


class DistributedDataParallel(DataParallel):
    """`module` on every rank of a process group: the same weights, each rank with its own samples.

    All ranks begin with the weights and buffers of rank 0. In backward, the gradients are averaged over the ranks while the
    walk goes on: they lie in buckets of `bucket_cap_mb` megabytes, in the reverse order of the parameters, in which they
    are finished, and each bucket is sent as soon as it is full. When `backward` returns, every rank has the mean. A
    parameter that no rank used keeps the gradient it has; one that some used gets a mean in which the others count as 0.

    Before each forward pass in training the buffers (the running statistics of batch norm) become those of rank 0, unless
    `broadcast_buffers` is False; `SyncBatchNorm` keeps them the same by itself. Inside `with model.no_sync():` gradients
    only add up on their own rank, until the next backward outside. RuntimeError where the ranks have different parameters.
    Where there is one process, this is `module` itself. Other options are accepted.
    Source: Li et al., PyTorch distributed: experiences on accelerating data parallel training, 2020 (arXiv:2006.15704).
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0, broadcast_buffers=True, process_group=None,
                 bucket_cap_mb=25, find_unused_parameters=False, gradient_as_bucket_view=False, static_graph=False,
                 **options):
        super().__init__(module, device_ids, output_device, dim)
        self.broadcast_buffers, self.synchronises = broadcast_buffers, True
        self._group, self._buckets = None, []
        if not distributed.is_initialized() or distributed.process_group(process_group).size == 1:
            return
        self._group = distributed.process_group(process_group)
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise RuntimeError("DistributedDataParallel: module has no parameter that requires a gradient")
        _check_alike(self._group, named)
        for t in itertools.chain(module.parameters(), module.buffers()):
            distributed.broadcast(t, 0, self._group)
        self._messages = self._group.twin()  # messages of gradients keep an order of their own
        self._buckets, self._next = [_Bucket(parameters) for parameters in _shared_out(named, bucket_cap_mb)], 0
        for bucket in self._buckets:
            for i, parameter in enumerate(bucket.parameters):
                parameter.register_post_accumulate_grad_hook(functools.partial(self._arrived, bucket, i))
        early.LISTENERS.append(self._finish)

    def forward(self, *inputs, **kwargs):
        if self._group and self.training and self.broadcast_buffers and self.synchronises:
            self.send_buffers()
        return self.module(*inputs, **kwargs)

    def send_buffers(self):
        """Give all ranks the buffers of rank 0, but those on which they agree by themselves."""
        for module in self.module.modules() if self._group else ():
            if not isinstance(module, SyncBatchNorm):
                for buffer in module._buffers.values():
                    if buffer is not None:
                        distributed.broadcast(buffer, 0, self._group)

    @contextlib.contextmanager
    def no_sync(self):
        """Inside the block gradients stay on their rank."""
        before, self.synchronises = self.synchronises, False
        try:
            yield
        finally:
            self.synchronises = before

    def _arrived(self, bucket, i, parameter):
        """The gradient of parameter i of a bucket is complete."""
        if self.synchronises:
            bucket.put(i)
            self._send()
            for sent in self._buckets[:self._next]:
                sent.request.Test()  # MPI moves on only when it is called

    def _send(self):
        """Send the buckets that are full, in the one order that all ranks keep."""
        while self._next < len(self._buckets) and not self._buckets[self._next].missing:
            bucket = self._buckets[self._next]
            bucket.request = self._messages.start_all_reduce(bucket.message)
            self._next += 1

    def _finish(self, reached):
        """At the end of a backward that reached some of the parameters: send the rest, wait, hand the means out."""
        if not self.synchronises or not any(p in reached for bucket in self._buckets for p in bucket.parameters):
            return
        for bucket in self._buckets[self._next:]:
            bucket.fill()
        self._send()
        for number, bucket in enumerate(self._buckets, 1):
            self._messages.wait(bucket.request, f"backward, part {number} of {len(self._buckets)} of the gradients")
            bucket.hand_out(self._messages.size)
        self._next = 0

    def close(self):
        """Stop listening to backward passes; the module is the rank's own from now on."""
        if self._finish in early.LISTENERS:
            early.LISTENERS.remove(self._finish)
            self.synchronises = False
            self._messages.free()


def _shared_out(named, megabytes):
    """The parameters in the reverse of their order, cut into lists of one dtype and a limited size; the first is small."""
    lists, size = [], 0
    for _, parameter in reversed(named):
        limit = min(1, megabytes) if len(lists) == 1 else megabytes
        fits = lists and lists[-1][0].dtype == parameter.dtype and size + parameter.nbytes <= limit * 2**20
        if not fits:
            lists.append([])
            size = 0
        lists[-1].append(parameter)
        size += parameter.nbytes
    return lists


def _check_alike(group, named):
    """RuntimeError naming the rank and the parameter where a rank has others than rank 0."""
    mine = [f"{name} {tuple(p.shape)} {p.dtype}" for name, p in named]
    digests = [None] * group.size
    distributed.all_gather_object(digests, hashlib.sha256("\n".join(mine).encode()).hexdigest(), group)
    if len(set(digests)) == 1:
        return
    lists = [None] * group.size
    distributed.all_gather_object(lists, mine, group)
    found = [(rank, a, b) for rank, other in enumerate(lists) for a, b in itertools.zip_longest(other, lists[0]) if a != b]
    rank, theirs, first = found[0]
    raise RuntimeError(f"DistributedDataParallel: the ranks have different networks: rank {rank} has "
                       f"{theirs or 'no further parameter'} where rank 0 has {first or 'no further parameter'}")


class SyncBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of all ranks' samples together; see `sync_norm.py`.

    x (N, C, *S) with any N, also 0, on each rank. Parameters and buffers are those of BatchNorm, and so is the result where
    there is one process, or outside training. `process_group`: the ranks, by default all.
    """
    dimensions = (2, 3, 4, 5)

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, process_group=None,
                 device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _normalise(self, input, running_mean, running_var, training, momentum):
        if not training or not distributed.is_initialized() or distributed.process_group(self.process_group).size == 1:
            return super()._normalise(input, running_mean, running_var, training, momentum)
        return batch_norm_of_all(input, running_mean, running_var, self.weight, self.bias, momentum, self.eps,
                                 distributed.process_group(self.process_group))

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """`module` with every batch norm in it as a SyncBatchNorm, of the same parameters and statistics."""
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            new = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                      process_group, bias=module.bias is not None)
            new._parameters, new._buffers, new.training = module._parameters, module._buffers, module.training
            return new
        for name, child in module.named_children():
            module.register_module(name, cls.convert_sync_batchnorm(child, process_group))
        return module

"""Names of PyTorch's for several GPUs, on one: code written for many runs, and its checkpoints load."""
from ..engine.checks import check_callable
from .module import Module
from .norm import _BatchNorm


class DataParallel(Module):
    """`module` itself, on one device; its state has the prefix "module.", as in PyTorch."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        check_callable("DataParallel", module=module)
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(DataParallel):
    """`module` itself: there is one process. The options are accepted."""

    def __init__(self, module, device_ids=None, output_device=None, dim=0, **options):
        super().__init__(module, device_ids, output_device, dim)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """module(*inputs, **module_kwargs), on one device; `inputs` is a tuple, or a tensor for one."""
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))


class SyncBatchNorm(_BatchNorm):
    """Batch norm for any number of spatial dimensions; there is one process, so it has no others to agree with."""
    dimensions = (2, 3, 4, 5)

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, process_group=None,
                 device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """`module` with every batch norm in it as a SyncBatchNorm, of the same parameters and statistics."""
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            new = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                      bias=module.bias is not None)
            new._parameters, new._buffers, new.training = module._parameters, module._buffers, module.training
            return new
        for name, child in module.named_children():
            module.register_module(name, cls.convert_sync_batchnorm(child))
        return module

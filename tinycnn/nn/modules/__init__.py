"""The layers where PyTorch keeps them, for code that says `from torch.nn.modules.batchnorm import _BatchNorm`."""
import sys

from .. import (activation, attention, container, conv, distance, dropout, embedding, flatten, fold, lazy, linear, loss,
                module, norm, padding, parallel, pool, resize, transformer)
from ..module import Module
from . import utils

_PLACES = dict(activation=activation, batchnorm=norm, channelshuffle=resize, container=container, conv=conv,
               distance=distance, dropout=dropout, flatten=flatten, fold=fold, instancenorm=norm, lazy=lazy, linear=linear,
               loss=loss, module=module, normalization=norm, padding=padding, pixelshuffle=resize, pooling=pool,
               sparse=embedding, transformer=transformer, upsampling=resize)
for _name, _module in _PLACES.items():
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _module
for _module in (*_PLACES.values(), attention, parallel):
    globals().update({name: value for name, value in vars(_module).items()
                      if isinstance(value, type) and issubclass(value, Module)})

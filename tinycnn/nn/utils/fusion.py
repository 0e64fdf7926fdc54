"""A batch norm in evaluation, joined to the layer before it: the same numbers for less work.

There the norm is linear in each channel, y = scale x + shift with scale = w / sqrt(var + eps) and shift = b - scale mean, so
scale goes into the weights before it, and shift into the bias.
"""
from copy import deepcopy

from ...ops.creation import ones_like, zeros_like
from ..parameter import Parameter


def _scale_and_shift(mean, var, eps, weight, bias):
    scale = (ones_like(mean) if weight is None else weight) / (var + eps).sqrt()
    return scale, (zeros_like(mean) if bias is None else bias) - scale * mean


def _fused(weight, bias, scale, shift, dim):
    """The Parameters of the joint layer; `dim` of the weight counts the output channels."""
    shape = [1] * weight.ndim
    shape[dim] = -1
    fused = weight * scale.reshape(shape), shift if bias is None else bias * scale + shift
    return tuple(Parameter(p.detach(), weight.requires_grad) for p in fused)


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """Weight and bias of a convolution with the batch norm behind it; bn_rm and bn_rv are its running mean and variance."""
    return _fused(conv_w, conv_b, *_scale_and_shift(bn_rm, bn_rv, bn_eps, bn_w, bn_b), 1 if transpose else 0)


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of the convolution `conv` that also does the work of the batch norm behind it; both must be in evaluation."""
    return _fuse("fuse_conv_bn_eval", conv, bn, 1 if transpose else 0)


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of a linear layer with the batch norm behind it; bn_rm and bn_rv are its running mean and variance."""
    return _fused(linear_w, linear_b, *_scale_and_shift(bn_rm, bn_rv, bn_eps, bn_w, bn_b), 0)


def fuse_linear_bn_eval(linear, bn):
    """A copy of the linear layer that also does the work of the batch norm behind it; both must be in evaluation."""
    return _fuse("fuse_linear_bn_eval", linear, bn, 0)


def _fuse(function, layer, bn, dim):
    if layer.training or bn.training:
        raise ValueError(f"{function}: both layers must be in evaluation (training=False): call eval() first")
    if bn.running_mean is None:
        raise ValueError(f"{function}: the batch norm has no running statistics (track_running_stats=False)")
    if bn.num_features != layer.weight.shape[dim]:
        raise ValueError(f"{function}: the layer has weights of shape {layer.weight.shape}, the batch norm "
                         f"{bn.num_features} features")
    fused = deepcopy(layer)
    fused.weight, fused.bias = _fused(layer.weight, layer.bias, *_scale_and_shift(
        bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias), dim)
    return fused

"""The operations under the names of `torch.nn.functional`.

| family | where it is written |
|---|---|
| convolution: conv1d, conv2d, conv3d, conv_transpose1d, ... | `ops/conv.py` |
| windows as columns: unfold, fold | `ops/unfold.py` |
| pooling: max_pool2d, adaptive_max_pool2d, max_unpool2d, ... | `ops/pool_max.py` |
| pooling: avg_pool2d, adaptive_avg_pool2d, lp_pool2d, ... | `ops/pool_average.py` |
| normalisation: batch_norm, layer_norm, group_norm, instance_norm, normalize, ... | `ops/norm.py` |
| activations: gelu, silu, sigmoid, ... | `ops/activation.py` |
| activations: relu, leaky_relu, hardtanh, ... | `ops/rectifier.py` |
| softmax and cross entropy: softmax, log_softmax, cross_entropy, nll_loss | `ops/softmax.py` |
| other losses and distances: mse_loss, l1_loss, cosine_similarity, ... | `ops/loss.py` |
| losses with margins between classes: multi_margin_loss, ... | `ops/margin.py` |
| a sample with a gradient: gumbel_softmax | `ops/gumbel.py` |
| linear, bilinear | `ops/matmul.py` |
| distances of all pairs: pdist | `ops/vectors.py` |
| attention: scaled_dot_product_attention | `ops/attention.py` |
| attention in several heads: multi_head_attention_forward | `ops/multihead_attention.py` |
| embedding, one_hot | `ops/embedding.py` |
| dropout, dropout2d, alpha_dropout, ... | `ops/dropout.py` |
| pad | `ops/pad.py` |
| interpolate, pixel_shuffle, ... | `ops/resize.py` |
| grid_sample, affine_grid | `ops/grid_sample.py` |
"""
from functools import partial

from ..engine.names import no_such_name
from ..ops.activation import (celu, elu, gelu, glu, logsigmoid, mish, selu, sigmoid, silu, softplus, softsign, tanh,
                              tanhshrink)
from ..ops.attention import scaled_dot_product_attention
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from ..ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from ..ops.embedding import embedding, one_hot
from ..ops.grid_sample import affine_grid, grid_sample
from ..ops.gumbel import gumbel_softmax
from ..ops.loss import (binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cosine_similarity,
                        gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss, margin_ranking_loss, mse_loss,
                        pairwise_distance, poisson_nll_loss, smooth_l1_loss, soft_margin_loss, triplet_margin_loss)
from ..ops.margin import (multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss,
                          triplet_margin_with_distance_loss)
from ..ops.matmul import bilinear, linear
from ..ops.multihead_attention import multi_head_attention_forward
from ..ops.norm import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, normalize, rms_norm
from ..ops.pad import pad
from ..ops.pool_average import (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, avg_pool1d, avg_pool2d,
                                avg_pool3d, lp_pool1d, lp_pool2d, lp_pool3d)
from ..ops.pool_max import (adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d, max_pool1d, max_pool2d,
                            max_pool3d, max_unpool1d, max_unpool2d, max_unpool3d)
from ..ops.rectifier import (hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, prelu, relu, relu6, relu_, rrelu,
                             softshrink, threshold)
from ..ops.resize import (channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle, upsample, upsample_bilinear,
                          upsample_nearest)
from ..ops.softmax import cross_entropy, log_softmax, nll_loss, softmax, softmin
from ..ops.unfold import fold, unfold
from ..ops.vectors import pdist

max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (
    partial(pool, return_indices=True) for pool in (max_pool1d, max_pool2d, max_pool3d))
adaptive_max_pool1d_with_indices, adaptive_max_pool2d_with_indices, adaptive_max_pool3d_with_indices = (
    partial(pool, return_indices=True) for pool in (adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d))
celu_, elu_, hardtanh_, leaky_relu_, rrelu_, selu_, threshold_ = (
    partial(function, inplace=True) for function in (celu, elu, hardtanh, leaky_relu, rrelu, selu, threshold))


def __getattr__(name):
    raise no_such_name("module 'tinycnn.nn.functional'", name, __all__)


__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
           "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
           "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "affine_grid", "alpha_dropout", "avg_pool1d",
           "avg_pool2d", "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy",
           "binary_cross_entropy_with_logits", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d",
           "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity",
           "cross_entropy", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu", "elu_", "embedding",
           "feature_alpha_dropout", "fold", "gaussian_nll_loss", "gelu", "glu", "grid_sample", "group_norm",
           "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_", "hinge_embedding_loss",
           "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "leaky_relu_",
           "linear", "local_response_norm", "log_softmax", "logsigmoid", "lp_pool1d", "lp_pool2d", "lp_pool3d",
           "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices",
           "max_pool3d", "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss",
           "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
           "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle",
           "poisson_nll_loss", "prelu", "relu", "relu6", "relu_", "rms_norm", "rrelu", "rrelu_",
           "scaled_dot_product_attention", "selu", "selu_", "sigmoid", "silu", "smooth_l1_loss", "soft_margin_loss",
           "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
           "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold", "upsample", "upsample_bilinear",
           "upsample_nearest"]

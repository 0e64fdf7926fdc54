"""The differentiable operations, one family a file, each with its derivation, forward and backward.

Below every family stand the functions a user calls, with PyTorch's names; `@method` also makes them methods of Tensor.
"""
from ..engine.answers import answer_clearly
from . import (activation, assemble, attention, comparison, conv, creation, decomposition, dropout, elementwise,
               embedding, extreme, gamma, gather, grid_sample, gumbel, indexing, inverse,
               loss, margin, matmul, multihead_attention, norm, pad, pool_average, pool_max,
               random, rearrange, rectifier, reduce, resize, running, scatter_reduce, selection,
               shape, softmax, sort, special, statistics, unary, unfold, vectors)

for _family in (activation, assemble, attention, comparison, conv, creation, decomposition, dropout, elementwise,
                embedding, extreme, gamma, gather, grid_sample, gumbel, indexing, inverse,
                loss, margin, matmul, multihead_attention, norm, pad, pool_average, pool_max,
                random, rearrange, rectifier, reduce, resize, running, scatter_reduce, selection,
                shape, softmax, sort, special, statistics, unary, unfold, vectors):
    answer_clearly(_family, _family.__all__)

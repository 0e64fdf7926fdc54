"""The differentiable operations, one family a file, each with its derivation, forward and backward.

Below every family stand the functions a user calls, with PyTorch's names; `@method` also makes them methods of Tensor.
"""

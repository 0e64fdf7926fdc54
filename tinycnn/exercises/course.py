"""The lectures in order, and the exercises of each."""
import functools
import importlib

from .exercise import SOURCES

LECTURES = (
    ("Derivatives that compute themselves", ("value", "unbroadcast", "tape")),
    ("A network by hand", ("linear", "activations", "softmax_cross_entropy", "numerical_gradient")),
    ("Going downhill", ("momentum", "adaptive_rates", "adam", "initialisation")),
    ("Convolution", ("im2col", "col2im", "conv_forward", "conv_backward")),
    ("More of convolution", ("conv_stride_padding", "grouped_conv", "conv_transpose")),
    ("Pooling", ("max_pool", "average_pool")),
    ("Normalisation", ("batch_norm", "batch_norm_backward", "layer_norm")),
    ("More from little data", ("dropout", "augmentation")),
    ("Depth and attention", ("residual_block", "attention", "positional_encoding", "vit_block")),
    ("Training, reusing and looking inside", ("learning_rate_schedule", "transfer", "grad_cam")),
    ("Not to be found in any book", ("find_the_bug", "nhwc_conv", "rms_norm", "pool_ties_split")),
)


def names():
    """The names of all exercises, in the order of the course."""
    return [name for _, exercises in LECTURES for name in exercises if (SOURCES / f"{name}.py").exists()]


@functools.cache
def load(name):
    """The Exercise `name`; raises ValueError where there is none."""
    if name not in names():
        raise ValueError(f"exercises: there is no exercise {name!r}; there are {', '.join(names())}")
    exercise = importlib.import_module(f"{__package__}.checks.{name}").exercise
    exercise.name = name
    return exercise

"""The lectures in order, and the exercises of each."""
import importlib
import re

from ..engine.names import did_you_mean
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


_own = {}


def lectures():
    """(title, names of the exercises) of every lecture; the last are exercises that were registered."""
    return (*LECTURES, *((("Your own", tuple(_own)),) if _own else ()))


def names():
    """The names of all exercises, in the order of the course."""
    return [name for _, exercises in lectures() for name in exercises if name in _own or (SOURCES / f"{name}.py").exists()]


def load(name):
    """The Exercise `name`; raises ValueError where there is none."""
    if name in _own:
        return _own[name]
    if name not in names():
        raise ValueError(f"exercises: there is no exercise {name!r}{did_you_mean(name, names())}; `tinycnn exercises list` "
                         "has them all")
    exercise = importlib.import_module(f"{__package__}.checks.{name}").exercise
    exercise.name = name
    return exercise


def register(name, exercise, source):
    """Add an exercise of one's own, from now on and in this process: `source` is the text of the file with the reference.

    Raises ValueError for a name that is taken or cannot be a file's, a source of which no stub can be made or that is no
    Python, points that do not add up to 100, hints that are not three, and mistakes that do not fit the source.
    """
    if name in _own and _own[name].text == source:
        return
    if not name.isidentifier() or name in names():
        raise ValueError(f"register: {name!r} is taken, or is no name; an identifier of its own is expected")
    if sum(check.points for check in exercise.checks) != 100:
        raise ValueError(f"register: the points of {name} add up to {sum(c.points for c in exercise.checks)}, expected 100")
    if len(exercise.hints) != 3:
        raise ValueError(f"register: {name} has {len(exercise.hints)} hints, expected 3")
    exercise.name, exercise.text = name, source
    try:
        compile(source, f"the source of {name}", "exec")
        compile(exercise.stub, f"the stub of {name}", "exec")
        for mistake in exercise.mistakes:
            mistake.apply(source)
            re.compile(mistake.says)
    except (SyntaxError, re.error, ValueError) as error:
        raise ValueError(f"register: {name}: {error}") from None
    _own[name] = exercise

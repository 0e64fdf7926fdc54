"""The models by name, and how one is built."""
import os
import sys

from .. import zeros
from ..engine.names import did_you_mean
from ..nn.utils import skip_init
from ..files.saving import load
from . import weights

_BUILDERS = {}
PHOTOGRAPH, SMALL = (3, 224, 224), (3, 32, 32)  # the pictures of ImageNet and of CIFAR


class Text(tuple):
    """The size of an input of whole numbers, the tokens of a text."""


def register_model(builder):
    """Make the decorated function available to `get_model` under its name.

    Its attribute `input_size`, if any, says what the model is made for, see `example_inputs`.
    """
    _BUILDERS[builder.__name__] = builder
    return builder


def list_models():
    """The names that `get_model` knows, in alphabetical order."""
    return sorted(_BUILDERS)


def get_model(name, **options):
    """The model called `name`, built with `options`. ValueError for an unknown name, with those that are near."""
    return _builder("get_model", name)(**options)


def _builder(function, name):
    """What builds the model `name`."""
    if name not in _BUILDERS:
        raise ValueError(f"{function}: name must be one of the {len(_BUILDERS)} of tinycnn.models.list_models(), got "
                         f"{name!r}{did_you_mean(name, _BUILDERS)}")
    return _BUILDERS[name]


def example_inputs(name, batch_size=1):
    """What the model `name` with its own options is made for: a tuple with a tensor of zeros (batch_size, ...) an input.

    Most take one photograph of 224x224 pixels, those whose names begin with cifar_ one of 32x32; texts are whole numbers.
    ValueError for an unknown name.
    """
    own = getattr(_builder("example_inputs", name), "input_size", None)
    sizes = own or (SMALL if name.startswith("cifar_") else PHOTOGRAPH)
    return tuple(zeros(batch_size, *size, dtype="int64" if isinstance(size, Text) else None)
                 for size in (sizes if isinstance(sizes, list) else [sizes]))


def variant(name, architecture, *args, rename=None, input_size=None, **defaults):
    """Define and register the model `name`: the function `name(*, weights=None, progress=True, **options)`.

    It returns architecture(*args, **defaults, **options) with initial weights or, if given, with `weights`: the name of
    weights that come along (see `weights/`), the path of a file that `tinycnn.load` reads, for example a checkpoint of
    PyTorch, a state_dict, or a member of `tinycnn.vision.models.ResNet18_Weights` and its like. `rename` turns the names in
    such a file into ours where they differ. `progress` and `pretrained=False`, which older code says, change nothing: no
    file is downloaded. `input_size` is what the model is made for, without the batch, or a list of sizes where it has
    several inputs; by default what the name says.
    """
    def build(*, weights=None, progress=True, pretrained=False, **options):
        if pretrained and weights is None:
            raise FileNotFoundError(f"{name}: pretrained weights are not downloaded: pass weights=, the path of a file")
        if weights is None:
            return architecture(*args, **{**defaults, **options})
        state = weights if hasattr(weights, "keys") else _read(name, weights)
        model = skip_init(architecture, *args, **{**defaults, **options})
        model.load_state_dict({rename(key): value for key, value in state.items()} if rename else state)
        return model

    build.__name__ = build.__qualname__ = name
    settings = [*map(_shown, args), *(f"{key}={_shown(value)}" for key, value in defaults.items())]
    along = [f" Comes along: weights={tag!r}, {weights.describe(name, tag)}." for tag in weights.shipped(name)]
    build.__doc__ = f"{architecture.__name__}({', '.join(settings)}) with `options`, see there.{''.join(along)}"
    build.__module__, build.input_size = sys._getframe(1).f_globals["__name__"], input_size  # of the file that calls us
    return register_model(build)


def _shown(value):
    return getattr(value, "__name__", repr(value))


def _read(name, source):
    if hasattr(source, "get_state_dict"):
        if source.model != name:
            raise ValueError(f"{name}: {source} are weights of {source.model}")
        return source.get_state_dict()
    if source in weights.shipped(name):
        return load(weights.shipped_file(name, source))
    if isinstance(source, (str, os.PathLike)) and not os.path.exists(source):
        along = "".join(f"{tag!r}, which comes along, " for tag in weights.shipped(name))
        raise FileNotFoundError(f"{name}: weights must be None, {along}a state_dict or the path of a file with one, got "
                                f"{source!r}, which does not exist; published weights are not downloaded")
    return load(source)

"""Everything that `fuzzing.py` calls: functions, methods, layers, optimizers, schedules, transforms, loaders, files."""
import functools
import inspect
import re

import tinycnn as t

from . import fuzzing
from .fuzzing import Target, flat, network, parameters_of

LEFT_OUT = {"set_default_tensor_type", "compile", "no_such_name", "method", "set_printoptions", "set_rng_state", "plainly",
            "inference_mode", "enable_grad", "no_grad", "opened", "register_hook", "array_module", "check_floating",
            "check_tensor", "answer_clearly", "check_generator", "default_generator", "is_array", "update_bn", "zeros_",
            "set_num_threads", "check_dim", "check_dims"}


def functions_of(place, prefix="", names=()):
    """A Target for every public function of a module."""
    for name in sorted(dir(place)):
        function = getattr(place, name)
        if name[0] != "_" and name not in LEFT_OUT and inspect.isfunction(function) and "tinycnn" in function.__module__:
            parameters = parameters_of(function)
            if parameters:
                known = (name, function.__name__, name.rstrip("_"), *["Tensor"] * (name.endswith("Tensor")), *names)
                yield Target(prefix + name, function, parameters, known)


def methods():
    """A Target for every method of Tensor, operators too; `input` is the tensor."""
    operators = [n for n in dir(t.Tensor) if n.startswith("__") and inspect.isfunction(getattr(t.Tensor, n)) and n not in (
        "__init__", "__getattr__", "__deepcopy__", "__repr__", "__array__", "__format__", "__dir__", "__new__", "__iter__")]
    for name in [*(n for n in dir(t.Tensor) if n[0] != "_" and n not in LEFT_OUT), *operators]:
        function = getattr(t.Tensor, name)
        if not inspect.isfunction(function):
            continue
        plain = getattr(t.Tensor, name[:-1], None) if name[-1:] == "_" and name[-2:] != "__" else function
        plain = plain if inspect.isfunction(plain) else function
        parameters = list(inspect.signature(plain).parameters.values())
        unwanted = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)[:1 + (name in operators)]
        parameters = [p for p in parameters[1:] if p.kind not in unwanted]
        me = inspect.Parameter("of", inspect.Parameter.POSITIONAL_ONLY)
        yield Target(f"Tensor.{name}" if name[0] != "_" else name, function, [me, *parameters],
                     (*OPERATORS.get(re.sub("^__[ir](?!nvert|ndex|shift__)", "__", name), ()), name.strip("_"),
                      function.__name__.strip("_"), plain.__name__.strip("_"), "Tensor"))


fuzzing.ALMOST["of"] = fuzzing.TENSORS
OPERATORS = {"__add__": ["add"], "__sub__": ["sub"], "__mul__": ["mul"], "__truediv__": ["div"], "__mod__": ["remainder"],
             "__floordiv__": ["floor_divide", "div"], "__pow__": ["pow"], "__matmul__": ["matmul"],
             "__and__": ["bitwise_and"], "__or__": ["bitwise_or"], "__xor__": ["bitwise_xor"],
             "__lshift__": ["bitwise_left_shift"],
             "__rshift__": ["bitwise_right_shift"], "__getitem__": ["index"], "__setitem__": ["index"]}


def classes_of(place, prefix, use, names=()):
    """A Target for every class of a module: make one, then `use(object, choose)`."""
    for name in sorted(dir(place)):
        kind = getattr(place, name)
        if name[0] != "_" and inspect.isclass(kind) and "tinycnn" in kind.__module__ and name not in ABSTRACT and (
                kind.__init__ is not object.__init__):
            yield Target(prefix + name, functools.partial(make_and_use, kind, use), parameters_of(kind.__init__),
                         (name, *names, *(base.__name__ for base in kind.__mro__[1:-1] if base.__name__ not in ABSTRACT)))


def make_and_use(kind, use, *positional, **keywords):
    """Build an object and use it."""
    return use(kind(*positional, **keywords))


def small_transformer(build, **arguments):
    """A Transformer that is built quickly."""
    return build(**{**dict(d_model=4, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=4), **arguments})


ABSTRACT = {"Module", "Optimizer", "LRScheduler", "Transform", "Sampler", "Dataset", "IterableDataset", "Parameter",
            "Buffer", "UninitializedParameter", "PictureDataset", "MNIST", "FashionMNIST", "KMNIST", "CIFAR10",
            "CIFAR100", "Digits",
            "ImageFolder", "PictureFormat", "RandomAffine", "InterpolationMode", "FolderLock", "AutoAugmentPolicy",
            "Stretched", "Summary", "Shapes", "Deadline"}


def calls_of_layers():
    """A Target for the call of every layer, well built."""
    for name in sorted(dir(t.nn)):
        kind = getattr(t.nn, name)
        if not inspect.isclass(kind) or not issubclass(kind, t.nn.Module) or name in ABSTRACT:
            continue
        build = LAYERS.get(name)
        if build is None:
            build = default_layer(kind)
        if build is not None:
            bases = [base.__name__ for base in kind.__mro__[1:-1] if base.__name__ not in ABSTRACT]
            yield Target(f"nn.{name}()", lambda *a, build=build, **k: build()(*a, **k), parameters_of(kind.forward),
                         (name, re.sub("^Lazy", "", name), re.sub("Loss$", "", name), *bases))


LAYERS = {"Bilinear": lambda: t.nn.Bilinear(3, 3, 2), "Fold": lambda: t.nn.Fold((4, 4), 2), "Unflatten":
          lambda: t.nn.Unflatten(1, (3, 1)), "Upsample": lambda: t.nn.Upsample(scale_factor=2),
          "MultiheadAttention": lambda: t.nn.MultiheadAttention(4, 2), "DataParallel": lambda: t.nn.DataParallel(network()),
          "Transformer": lambda: t.nn.Transformer(4, 2, 1, 1, 4), "CELU": t.nn.CELU,
          "TransformerEncoder": lambda: t.nn.TransformerEncoder(t.nn.TransformerEncoderLayer(4, 2, 4), 1),
          "TransformerDecoder": lambda: t.nn.TransformerDecoder(t.nn.TransformerDecoderLayer(4, 2, 4), 1),
          "TransformerEncoderLayer": lambda: t.nn.TransformerEncoderLayer(4, 2, 4),
          "TransformerDecoderLayer": lambda: t.nn.TransformerDecoderLayer(4, 2, 4), "Sequential": network,
          "ModuleList": None, "ModuleDict": None, "ParameterList": None, "ParameterDict": None,
          "TripletMarginWithDistanceLoss": t.nn.TripletMarginWithDistanceLoss}


def default_layer(kind):
    """A function that builds a layer of small sizes, or None."""
    if kind.__name__ in LAYERS:
        return None
    needed = [p for p in parameters_of(kind.__init__) if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    return lambda: kind(*(3 if p.name in ("in_channels", "num_features", "in_features", "num_channels", "normalized_shape")
                          else 1 if p.name in ("num_groups", "padding") else 2 for p in needed))


def use_layer(layer):
    """Call a layer with the first tensor that has the right number of dimensions, where it says so."""
    if type(layer).forward is t.nn.Module.forward:
        return
    count = len([p for p in parameters_of(type(layer).forward) if p.default is p.empty])
    layer(*[t.ones(2, 4, 4, 4)] * count)


def use_optimizer(it):
    """Two steps."""
    for _ in range(2):
        it.step(*([lambda: t.ones(())] if type(it) is t.optim.LBFGS else []))


def use_schedule(it):
    """Two steps."""
    for _ in range(2):
        it.step(*([0.5] if "metrics" in inspect.signature(type(it).step).parameters else []))


def use_transform(it):
    """Change a picture."""
    it(t.rand(3, 6, 6))


def use_data(it):
    """Read from a data set, a sampler or a loader."""
    for i, _ in enumerate(it):
        if i > 3:
            break


def targets():
    """All of them."""
    from tinycnn import data, nn, optim, serialization, train
    from tinycnn.vision.transforms import functional as pictures
    seen = set()
    for target in [*functions_of(t), *functions_of(nn.functional, "F."), *functions_of(t.special, "special."),
                   *functions_of(t.linalg, "linalg."), *functions_of(nn.init, "init."), *functions_of(nn.utils, "nn.utils."),
                   *functions_of(serialization, ""), *functions_of(data, "data."),
                   *functions_of(train, "train.", ("flatten", "linear", "cross_entropy")),
                   *functions_of(pictures, "transforms.functional."), *methods()]:
        if (target.call, target.name[0] == "_") not in seen:  # F.relu is tinycnn.relu
            seen.add((target.call, target.name[0] == "_"))
            yield target
    functional = [name for name in dir(nn.functional) if name[0] != "_"]
    layers = classes_of(nn, "nn.", use_layer)
    for target in [*layers, *calls_of_layers()]:
        same = [f for f in functional if flat(f) in (flat(n) for n in target.names)]
        containers = ["flatten", "linear", "register_module"] if target.names[0] in ("Sequential", "DataParallel") else []
        call = target.call if target.name != "nn.Transformer" else functools.partial(small_transformer, target.call)
        yield target._replace(names=(*target.names, *same, *containers, "call"), call=call)
    yield from classes_of(optim, "optim.", use_optimizer)
    yield from classes_of(optim.lr_scheduler, "lr_scheduler.", use_schedule)
    yield from classes_of(data.transforms, "transforms.", use_transform)
    yield from classes_of(data, "data.", use_data)

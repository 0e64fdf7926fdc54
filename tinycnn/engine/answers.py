"""Whom to blame: an exception that Python or NumPy raised inside a function becomes one about the arguments of the call.

The functions of `ops/` check what they need in order to be right, and are otherwise mathematics. Called with nonsense, one
of them stumbles somewhere in its middle: `trapezoid(y, dx=1j)` over "unsupported operand type(s) for *". At the door, where
users come in, `answer_clearly` puts something round the function that then, and only then, looks for the argument that does
not fit its name or its default: "trapezoid: dx must be a number, got 1j". What Python said stays below it as the cause.
Calls from one operation to another do not pass the door.

Nonsense does not always make a function stumble: whatever it is, Python reads it as true or false, and True as the number 1.
So the door asks before the call for those arguments whose kind can be seen at a glance: switches, dtypes, devices, whole
numbers, numbers. Tensors pass unasked.
"""
import dis
import functools
import inspect
import sys

import numpy as np

from .arrays import Device, is_array
from .dtype import KNOWN, as_dtype, bfloat16
from .generators import Generator
from .tensor import Tensor

KINDS = (TypeError, ValueError, RuntimeError, LookupError, AttributeError, ArithmeticError, MemoryError)  # are explained
KEPT = (TypeError, ValueError, RuntimeError, IndexError, KeyError, NotImplementedError)  # kinds that the explanation keeps

OURS = {__name__.partition(".")[0], "numpy", "cupy", "PIL", *sys.stdlib_module_names}  # whose exceptions need an explanation
LAYOUTS = ("contiguous_format", "preserve_format", "channels_last")
PYTHONS = ("__bool__", "__getattr__", "__index__", "__iter__", "__len__", "item")  # methods of Tensor that Python calls


# ---- what fits -------------------------------------------------------------------------------------------------------

def _tensor(value):
    return isinstance(value, (Tensor, int, float, np.generic)) or is_array(value)


def _number(value):
    if isinstance(value, Tensor) or is_array(value):
        return value.ndim == 0
    return isinstance(value, (int, float, np.number, np.bool_))


def _switch(value):
    return isinstance(value, (bool, np.bool_)) or isinstance(value, int) and value in (0, 1)


def _whole(value):
    if isinstance(value, Tensor):
        return value.ndim == 0 and value.dtype.kind in "iu"
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _several(fits):
    return lambda value: isinstance(value, (tuple, list)) and all(map(fits, value))


def _wholes(value):
    return _whole(value) or _several(_whole)(value)


def _numbers(value):
    return _number(value) or _several(_number)(value)


def _dtype(value):
    try:
        return bool(as_dtype(value).name)
    except TypeError:
        return False


def _device(value):
    try:
        return not isinstance(value, bool) and bool(Device(value))
    except ValueError:
        return False


def _iterable(value):
    return hasattr(value, "__iter__") and not (isinstance(value, Tensor) and value.ndim == 0)


_TENSOR = _tensor, "a Tensor"
_NUMBER = _number, "a number"
_SCALAR = lambda value: _number(value), "a number"  # wherever it stands: `scale` may be two numbers elsewhere
_WHOLE = _whole, "an integer"
_WHOLES = _wholes, "an integer or a tuple of integers"
_NUMBERS = _numbers, "a number or a tuple of numbers"
_SWITCH = _switch, "True or False"
_TEXT = lambda value: isinstance(value, str), "a string"
_DTYPE = _dtype, "a dtype such as tinycnn.float32"
_DEVICE = _device, "'cpu', 'cuda' or 'cuda:N'"
_GENERATOR = lambda value: isinstance(value, Generator), "a tinycnn.Generator"
_LAYOUT = lambda value: isinstance(value, str) and value in LAYOUTS, f"one of {', '.join(LAYOUTS)}"
FITS = {
    "dtype": _DTYPE, "device": _DEVICE, "generator": _GENERATOR, "memory_format": _LAYOUT, "enabled": _SWITCH,
    "unbiased": _SWITCH,
    **dict.fromkeys("schedulers datasets lengths transforms modules parameters params milestones".split(),
                    (_iterable, "something to iterate over")),
    "tensors": (_several(_tensor), "a list or tuple of Tensors"), "matrices": (_several(_tensor), "a list of Tensors"),
    **dict.fromkeys("input x other tensor a b x1 x2 input1 input2 mat mat1 mat2 vec vec1 vec2 batch1 batch2 tensor1 tensor2 "
                    "weight target bias index source src mask query key grid theta anchor positive negative logits values "
                    "running_mean running_var boundaries sorted_sequence".split(), _TENSOR),
    **dict.fromkeys("dim dims axis axes size sizes shape kernel_size stride padding "
                    "dilation output_padding shifts normalized_shape unflattened_size tile".split(), _WHOLES),
    **dict.fromkeys("dim0 dim1 dim2 start_dim end_dim groups n m k N steps row col offset diagonal chunks num_classes bins "
                    "decimals minlength num_groups upscale_factor downscale_factor in_channels out_channels "
                    "in_features out_features num_features num_channels embedding_dim num_embeddings last_epoch "
                    "storage_offset divisor_override".split(), _WHOLE),
    **dict.fromkeys("alpha beta p dx value correction scale lambd margin base step start end exponent lr momentum "
                    "weight_decay dropout gamma factor".split(), _NUMBER),
    **dict.fromkeys("eps nan posinf neginf rtol atol".split(), _SCALAR),
    **dict.fromkeys("betas q scale_factor".split(), _NUMBERS),
}


def _kind(name, default):
    """(what fits, in words) for a parameter, known by its name or by its default; None where nothing is known."""
    kind = type(default)
    by_default = _SWITCH if kind is bool else _TEXT if kind is str else _NUMBERS if kind in (int, float) else None
    return FITS.get(name, by_default)


def _misfit(parameter, value):
    """What an argument should be, where `value` is something else; None where it may be right."""
    if value is parameter.default or value is None and parameter.default is None:
        return None
    fits, words = _kind(parameter.name, parameter.default) or (lambda value: True, "")
    if parameter.kind is parameter.VAR_POSITIONAL:  # f(2, 3), f((2, 3))
        right = fits is _tensor or fits(value) or all(map(fits, value)) or len(value) == 1 and fits(value[0])
        return None if right else words
    return None if fits(value) else words


# ---- at a glance -----------------------------------------------------------------------------------------------------

def _single(value):
    """Whether a whole number may be meant: True is none, although Python counts with it."""
    if isinstance(value, Tensor) or is_array(value):
        return value.ndim == 0 and value.dtype.kind in "iu"
    return not isinstance(value, (bool, float, complex, tuple, list, np.bool_, np.inexact))


def _calculable(value):
    """Whether a number may be meant, or a tensor of them."""
    if isinstance(value, Tensor) or is_array(value):
        return value.dtype.kind in "biuf"
    return isinstance(value, (int, complex, np.number, np.bool_))


GLANCES = {  # kind: (types that fit, of which nothing else is asked, what else fits)
    _SWITCH: ([bool], _switch), _GENERATOR: ([Generator], _GENERATOR[0]), _LAYOUT: ([], _LAYOUT[0]),
    _DTYPE: (map(type, KNOWN.values()),  # FloatTensor, a function, names a dtype, too
             lambda value: isinstance(value, (np.dtype, str, type(bfloat16))) or callable(value)),
    _DEVICE: ([Device, str, type(None)], lambda value: isinstance(value, int) and not isinstance(value, bool)),
    _WHOLE: ([int], _single), _SCALAR: ([int, float], _calculable)}
GLANCES = {kind: (frozenset(types), fits, kind[1]) for kind, (types, fits) in GLANCES.items()}


def _glances(function):
    """(names of the positional parameters, {name: (types that fit, what else fits, in words)} of those to look at)."""
    function = inspect.unwrap(function)
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    positional = names[:code.co_argcount]
    default = dict(zip(positional[len(positional) - len(defaults):], defaults)) | (function.__kwdefaults__ or {})
    glances = {}
    for name in names:
        kind = _kind(name, default.get(name))
        if kind in GLANCES:
            types, fits, words = GLANCES[kind]
            glances[name] = types | {type(default[name])} if name in default else types, fits, words
    return positional, glances


def _look_at(function, args, name, value, fits, words):
    """Raise TypeError unless the argument `name` of `function` fits."""
    if not fits(value):
        raise TypeError(f"{_name(function, args)}: {name} must be {words}, got {shown(value)}")


# ---- what is said ----------------------------------------------------------------------------------------------------

def shown(value):
    """A value in a few words, for messages."""
    if isinstance(value, Tensor) or is_array(value):
        return f"{type(value).__name__} of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) or is_array(v) for v in value):
        return f"{type(value).__name__} of {', '.join(map(shown, value[:4]))}{', ...' * (len(value) > 4)}"
    plain = (int, float, complex, str, bytes, tuple, list, dict, set, type(None), np.generic)
    words = repr(value) if isinstance(value, plain) else type(value).__name__
    return words if len(words) <= 60 else words[:57] + "..."


def _on_purpose(place):
    """Whether it was a `raise` of this package that made an exception, given the deepest entry of its traceback.

    Those with which a Tensor answers Python (`bool(x)`, `for ... in x`, `x.name`) know nothing of the call either.
    """
    code, module = place.tb_frame.f_code, place.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] == __name__.partition(".")[0] and code.co_name not in PYTHONS \
        and code.co_code[place.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _same(name, words):
    """Whether the error `words` begin with the name of the function, but for underscores and capitals."""
    return words.replace("_", "").lower().startswith(name.replace("_", "").lower())


def explain(error, function, args, options):
    """The exception to raise in place of `error`, which came out of function(*args, **options); it may be `error` itself."""
    deepest = error.__traceback__.tb_next
    if not isinstance(error, KINDS) or deepest is None:
        return error  # another kind of trouble, or the call itself does not fit the signature, which Python says well
    while deepest.tb_next is not None:
        deepest = deepest.tb_next
    if deepest.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in OURS:
        return error  # raised by the user's own code, which an operation called
    words = str(error.args[0] if isinstance(error, KeyError) and error.args else error) or type(error).__name__
    name = _name(function, args)
    if _on_purpose(deepest):
        return error if _same(name, words) or type(error) not in KEPT else type(error)(f"{name}: {words}")
    blamed = blame(function, args, options)
    if blamed is not None:
        return blamed
    if isinstance(error, MemoryError):
        return MemoryError(f"{name}: {words}; use smaller sizes")
    given = inspect.signature(function).bind(*args, **options).arguments
    values = ", ".join(f"{argument}={shown(value)}" for argument, value in given.items() if argument != "self")
    kind = next((kind for kind in KEPT if type(error) is kind), TypeError if isinstance(error, TypeError) else RuntimeError)
    return kind(f"{name}: cannot be called with {values}: {words}")


def explain_forward(layer, error, args, options):
    """`explain` of a layer that was called; of one that is not the library's, or only holds others, the error as it is."""
    forward = type(layer).forward
    module = getattr(forward, "__module__", "")
    if not module.startswith(__name__.partition(".")[0] + ".nn.") or module.endswith((".container", ".parallel", ".module")):
        return error
    return explain(error, forward, (layer, *args), options)


def blame(function, args, options):
    """A TypeError that names the first argument of function(*args, **options) that does not fit; None where all may."""
    name = _name(function, args)
    try:
        given = inspect.signature(function).bind(*args, **options)
    except TypeError as misfit:
        return TypeError(f"{name}: {misfit}, expected {inspect.signature(function)}")
    for argument, value in given.arguments.items():
        expected = _misfit(given.signature.parameters[argument], value)
        if expected:
            return TypeError(f"{name}: {argument} must be {expected}, got {shown(value)}")
    return None


def _name(function, args):
    """What the user called: the function or, of a method with `self`, the class."""
    return type(args[0]).__name__ if function.__code__.co_varnames[:1] == ("self",) else function.__name__.strip("_")


# ---- the door --------------------------------------------------------------------------------------------------------

@functools.cache
def clear(function, beforehand=False):
    """`function`, with an explanation where it fails; `beforehand`, its arguments are looked at even if it does not."""
    names, glances = _glances(function)
    places = [(i, name, glances[name][0]) for i, name in enumerate(names) if name in glances]
    first = min((i for i, *_ in places), default=len(names))

    @functools.wraps(function)
    def answering(*args, **options):
        if len(args) > first:
            for i, name, types in places:
                if i < len(args) and type(args[i]) not in types:
                    _look_at(function, args, name, args[i], *glances[name][1:])
        if options:
            for name in options:
                if name in glances and type(options[name]) not in glances[name][0]:
                    _look_at(function, args, name, options[name], *glances[name][1:])
        blamed = blame(function, args, options) if beforehand else None
        if blamed is not None:
            raise blamed
        try:
            return function(*args, **options)
        except Exception as error:
            explained = explain(error, function, args, options)
            if explained is error:
                raise
            raise explained from error
    answering.answers_clearly = True
    return answering


def answer_clearly(place, names, methods=("__init__",), beforehand=False):
    """Let what `names` names in `place`, a module or a class, explain its errors: functions, and of classes the `methods`.

    `beforehand` is for constructors of what works only later, such as optimizers.
    """
    for name in names:
        value = getattr(place, name)
        if inspect.isclass(value):
            for m in methods:  # where it is written, be it in a base, so that others find and replace it there
                writer = next((c for c in value.__mro__ if inspect.isfunction(vars(c).get(m))), None)
                if writer is not None and writer.__name__ != "Module":
                    answer_clearly(writer, [m], beforehand=beforehand)
        elif inspect.isfunction(value) and not hasattr(value, "answers_clearly"):
            setattr(place, name, clear(value, beforehand))

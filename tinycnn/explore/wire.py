"""How a Record travels to the page: JSON, and behind it the bytes of all arrays."""
import inspect
import json

import numpy as np

from .record import MOVES
from .words import EXERCISES, LESSONS

MOST = 6_000_000     # numbers in one answer; what is beyond them is named, and not shown


def packed(answer, arrays):
    """bytes: the length of the JSON in four, the JSON `answer` with the places of the arrays, and the arrays.

    Bytes and float32 travel as they are, everything else as float64. Each array begins at a multiple of 8.
    """
    places, parts, at = {}, [], 0
    for name, array in arrays.items():
        kind = {"uint8": "|u1", "float32": "<f4"}.get(array.dtype.name, "<f8")
        content = np.ascontiguousarray(array, kind).tobytes()
        places[name] = {"at": at, "shape": list(array.shape), "type": kind[1:]}
        parts.append(content + bytes(-len(content) % 8))
        at += len(parts[-1])
    text = json.dumps({**answer, "arrays": places}, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return len(text).to_bytes(4, "little") + text + b"".join(parts)


def described(record, most=MOST):
    """(the Record as JSON can hold it, its arrays by name): y of output 0 of operation 3 is "3.y.0", its gradient "3.dy.0".

    A parameter's array is "w.NAME", its gradient "dw.NAME". Beyond `most` numbers, arrays are left out; "left_out" names
    them.
    """
    arrays = {"x": record.picture, "dx": record.picture_gradient, "scores": record.scores,
              "probabilities": record.probabilities, "loss": np.array(record.loss)}
    for i, operation in enumerate(record.operations):
        for nr, (y, dy) in enumerate(zip(operation.outputs, operation.gradients)):
            arrays[f"{i}.y.{nr}"] = y
            if dy is not None:
                arrays[f"{i}.dy.{nr}"] = dy
        arrays.update({f"{i}.{name}": array for name, array in operation.kept.items()})
    for name, w in record.parameters.items():
        arrays[f"w.{name}"] = w
        if record.gradients[name] is not None:
            arrays[f"dw.{name}"] = record.gradients[name]
    sent, left_out, count = {}, [], 0
    for name, array in arrays.items():
        if count + array.size > most:
            left_out.append(name)
        else:
            sent[name], count = array, count + array.size
    shapes = {name: list(array.shape) for name, array in record.parameters.items()}
    return {"operations": [program(o) for o in record.operations], "label": record.label, "parameters": shapes,
            "left_out": {name: list(arrays[name].shape) for name in left_out}}, sent


def program(operation):
    """An Operation without its numbers."""
    named = [source["parameter"] for source in operation.inputs if source and "parameter" in source]
    return {"name": operation.name, "module": operation.module, "kind": operation.kind, "inputs": operation.inputs,
            "options": operation.options, "shapes": [list(y.shape) for y in operation.outputs],
            "moves": operation.name in MOVES, "parameters": named, "multiply_adds": operation.multiply_adds}


def words(functions):
    """{name: what is written about it} for classes of operations: its file, its docstring, a lesson and an exercise."""
    return {f.__name__: {"file": f.__module__.replace(".", "/") + ".py", "doc": inspect.cleandoc(f.__doc__ or ""),
                         "lesson": LESSONS.get(f.__name__), "exercise": EXERCISES.get(f.__name__)} for f in functions}

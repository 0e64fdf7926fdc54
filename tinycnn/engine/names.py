"""What a user reads who asks for a name that does not exist."""


_ADVICE = {
    "bfloat16": "NumPy has no such number type: use float32, or float16",
    "resize_": "the memory of a tensor keeps its size: use x.reshape(...), or create a new tensor",
}


def no_such_name(owner, name, known):
    """The AttributeError for `name`, which `owner` ("module 'tinycnn.nn'") lacks, with the nearest of `known`."""
    if name.startswith("__"):  # Python itself asks for such names while it imports
        return AttributeError(f"{owner} has no attribute {name!r}")
    import difflib  # only now: it takes a millisecond to import
    if name in _ADVICE:
        return AttributeError(f"{owner} has no attribute {name!r}: {_ADVICE[name]}")
    nearest = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], 3, 0.6)
    advice = f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    return AttributeError(f"{owner} has no attribute {name!r}{advice} (tinycnn has PyTorch's names for convolutional "
                          "networks and transformers for vision, not all of PyTorch)")

"""What a user reads who asks for a name that does not exist."""


def no_such_name(owner, name, known):
    """The AttributeError for `name`, which `owner` ("module 'tinycnn.nn'") lacks, with the nearest of `known`."""
    if name.startswith("__"):  # Python itself asks for such names while it imports
        return AttributeError(f"{owner} has no attribute {name!r}")
    return AttributeError(f"{owner} has no attribute {name!r}{did_you_mean(name, known)} (tinycnn has PyTorch's names for "
                          "convolutional networks and transformers for vision, not all of PyTorch)")


def did_you_mean(name, known):
    """"; did you mean 'a' or 'b'?", with the nearest of `known`, each once; "" where none is near."""
    import difflib  # only now: it takes a millisecond to import
    names = sorted({k for k in known if not k.startswith("_")} - {name})
    alike = [k for k in names if k.lower() == str(name).lower()]  # but for capitals
    nearest = alike or difflib.get_close_matches(str(name), names, 3, 0.6)
    return f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""


def printable(text, most=80):
    """`text`, which a stranger wrote, fit for a message: cut off, and what would move a terminal's cursor written out."""
    text = str(text[:most]) + "..." if len(text) > most else str(text)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

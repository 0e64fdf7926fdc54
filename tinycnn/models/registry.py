"""The models by name."""
_BUILDERS = {}


def register_model(builder):
    """Make the decorated function available to `get_model` under its name."""
    _BUILDERS[builder.__name__] = builder
    return builder


def list_models():
    """The names that `get_model` knows, in alphabetical order."""
    return sorted(_BUILDERS)


def get_model(name, **options):
    """The model called `name`, built with `options`. ValueError for an unknown name, listing the known ones."""
    if name not in _BUILDERS:
        raise ValueError(f"get_model: name must be one of {', '.join(list_models())}, got {name!r}")
    return _BUILDERS[name](**options)

"""Apple's GPUs, which tinycnn does not use."""


def is_available():
    """False."""
    return False

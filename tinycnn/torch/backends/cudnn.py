"""Switches of a library that tinycnn does not use; they can be set and change nothing. Results repeat anyway."""
enabled = False
benchmark = False
deterministic = True


def is_available():
    """False: the convolutions here are our own."""
    return False

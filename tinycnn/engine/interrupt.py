"""Ctrl-C while the command `tinycnn` is still being loaded: one line instead of a traceback."""
import os
import sys


def _say(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print("\ntinycnn: interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


_program = os.path.basename((getattr(sys, "argv", None) or [""])[0])
if _program in ("-m", "tinycnn", "tinycnn.exe"):  # `python -m tinycnn` is called "-m" while its package is loaded
    sys.excepthook = _say

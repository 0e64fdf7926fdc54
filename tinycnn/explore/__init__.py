"""A page in the browser on which a network runs forward and backward: `tinycnn explore`.

`record.py` notes what one pass does; `subject.py` finds the network and its pictures; `session.py` is what a reader does
with it; `answers.py` and `wire.py` carry that to the page, which `server.py` serves and `saving.py` writes to a file. The
page is in `page/`: HTML, CSS and JavaScript as they are read, without a build.
"""
from .saving import save
from .server import Server
from .subject import Subject, find

__all__ = ["Server", "Subject", "find", "save"]

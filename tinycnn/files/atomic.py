"""Writing files so that a crash at any moment leaves the old file or the new one, never half of one."""
import contextlib
import glob
import os
from pathlib import Path


def write_atomically(path, content):
    """Make `content` (bytes) the content of the file `path`, all at once.

    The bytes go to a new file in the same folder, are forced to the disk, and take the name in one step. An OSError (no
    space left, no such folder, no right to write) names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def remove_rests(path):
    """Delete what a process that was killed while it wrote the file `path` left beside it."""
    path = Path(path)
    for rest in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        rest.unlink(missing_ok=True)

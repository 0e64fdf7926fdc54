"""A lock that keeps two trainings out of one folder."""
import json
import os
import socket
from pathlib import Path

NAME = "training.lock"


class FolderLock:
    """While `with FolderLock(folder):` runs, no other process gets in; ValueError says which one is there.

    The system holds the lock for a process, and lets go of it when the process ends, however it ends. So a file that was
    left by one that was killed locks nothing: the next training takes it over. Inside the file stands who holds the lock,
    for the message.
    """

    def __init__(self, folder):
        self.path, self.file = Path(folder) / NAME, None

    def __enter__(self):
        while self.file is None:
            file = open(self.path, "a+")
            try:
                _lock(file)
            except OSError:
                file.seek(0)
                holder = _holder(file.read(1000))
                file.close()
                raise ValueError(f"{self.path}: another training is at work in this folder{holder}") from None
            if self._is_there(file):
                self.file = file
            else:  # the one before deleted it meanwhile
                file.close()
        self.file.truncate(0)
        self.file.write(json.dumps({"process": os.getpid(), "machine": socket.gethostname()}) + "\n")
        self.file.flush()
        return self

    def _is_there(self, file):
        """Whether the locked file is still the one under the name."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def __exit__(self, *_):
        try:
            os.unlink(self.path)
        except OSError:
            pass  # the folder is gone, or Windows keeps a file that is open; the lock ends with the file in any case
        self.file.close()


def _lock(file):
    """Lock the open file, or raise OSError where another process has it."""
    try:
        import fcntl
    except ImportError:
        import msvcrt
        file.seek(2**30)  # beyond what others want to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(text):
    """Who holds a lock, in words."""
    try:
        facts = json.loads(text)
        return f": process {int(facts['process'])} on {str(facts['machine'])[:80]!r}"
    except (KeyError, TypeError, ValueError):
        return ""

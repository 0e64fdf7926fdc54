"""What students hand in: a folder, a .zip or one .py or .ipynb a student, found and read without trusting any of it.

Nothing is unpacked onto the disk and no link is followed. A file is a text of at most a megabyte, or it is not read (of a
notebook, which has pictures in it, sixteen, and a megabyte of code), and what is no ordinary file (a pipe, a device) is not
opened for longer than it takes to see that.
"""
import difflib
import hashlib
import os
import re
import stat
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .course import load, names
from .exercise import defined
from .notebook import SUFFIXES, source_of

LARGEST = {".py": 2**20, ".ipynb": 2**24}     # bytes of a file
ARCHIVE = 2**25      # bytes of an archive
MANY = 2000          # files of one student that are looked at
TEXTS = 100          # and .py files that are read
TOLD = 20            # remarks of one student


@dataclass
class Submission:
    """What one student handed in: the text of each exercise's file, and remarks on what was odd."""
    student: str
    sources: dict = field(default_factory=dict)      # {exercise: text}
    remarks: list = field(default_factory=list)
    guessed: set = field(default_factory=set)        # exercises whose file has another name
    read: int = 0                                    # files

    @property
    def digest(self):
        """A fingerprint of it all."""
        content = "\0".join(f"{name}\0{self.sources[name]}" for name in sorted(self.sources))
        return hashlib.sha256("\0".join([content, *self.remarks]).encode(errors="surrogatepass")).hexdigest()


def collect(folder, only=()):
    """A Submission for each student in `folder`, by name; with `only`, other exercises are left out.

    Raises NotADirectoryError where there is no such folder.
    """
    folder, found = Path(folder), {}
    if not folder.is_dir():
        raise NotADirectoryError(20, "a folder of submissions is expected", str(folder))
    for path in sorted(folder.iterdir(), key=lambda p: p.name.casefold()):
        if path.name.startswith((".", "__")):
            continue
        single = path.suffix.lower() in SUFFIXES and not path.is_dir()
        student, exercise = _of_single(path.stem, only) if single else (path.name, None)
        if path.suffix.lower() == ".zip" and not path.is_dir():
            student = path.stem
        entry = found.setdefault(student, Submission(student))
        try:
            if path.is_symlink():
                entry.remarks.append(f"{path.name} is a link, and links are not followed")
            elif single:
                _add(entry, path.name, _reader(path), only, exercise)
            elif path.is_dir():
                _from_folder(entry, path, only)
            elif path.suffix.lower() == ".zip":
                _from_zip(entry, path, only)
            else:
                entry.remarks.append(f"{path.name} is neither a folder nor a .zip, a .py or an .ipynb")
        except Exception as error:  # whatever zipfile, zlib or the system make of it: it is this student's alone
            entry.remarks.append(f"{path.name} cannot be read: {type(error).__name__}: {error}"[:300])
    for entry in found.values():
        if len(entry.remarks) > TOLD:
            entry.remarks[TOLD:] = [f"and {len(entry.remarks) - TOLD} remarks more"]
        if not entry.sources and not entry.remarks:
            entry.remarks.append("nothing was handed in")
    return list(found.values())


def _of_single(stem, only):
    """(student, exercise or None) of a single file: ada_linear, linear_ada, or ada."""
    for name in sorted(names(), key=len, reverse=True):
        for pattern in (rf"(?P<who>.+?)[-_. ]+{name}", rf"{name}[-_. ]+(?P<who>.+)"):
            match = re.fullmatch(pattern, stem, re.IGNORECASE)
            if match:
                return match["who"], name
    return stem, only[0] if len(only) == 1 else None


def _from_folder(entry, folder, only):
    base, count, waiting = folder.resolve(), 0, [folder]
    while waiting:
        for path in sorted(waiting.pop(0).iterdir()):
            count += 1
            if count > MANY:
                entry.remarks.append(f"only the first {MANY} files were looked at")
                return
            if path.is_symlink():
                entry.remarks.append(f"{path.name} is a link, and links are not followed")
            elif path.is_dir():
                waiting += [path] * (not path.name.startswith((".", "__")))
            elif path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                _add(entry, path.resolve().relative_to(base).as_posix(), _reader(path), only)


def _from_zip(entry, path, only):
    if path.lstat().st_size > ARCHIVE:
        entry.remarks.append(f"{path.name} has more than {ARCHIVE // 2**20} MiB and was not read")
        return
    with _opened(path) as opened, zipfile.ZipFile(opened) as archive:
        for info in archive.infolist()[:MANY]:
            name = PurePosixPath(info.filename.replace("\\", "/"))
            hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
            if not info.is_dir() and not hidden and name.suffix.lower() in SUFFIXES:
                def read(most, info=info):
                    with archive.open(info) as file:
                        return file.read(most + 1)  # whatever the archive says about its size
                _add(entry, str(name), read, only)


@contextmanager
def _opened(path):
    """The ordinary file `path`, open; raises OSError for a link, and for a pipe without waiting for who writes into it."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no ordinary file")
        yield file


def _reader(path):
    def read(most):
        with _opened(path) as file:
            return file.read(most + 1)
    return read


def _add(entry, shown, read, only, exercise=None):
    """Read one file into `entry`, under the exercise that its name or what it defines says."""
    entry.read += 1
    if entry.read > TEXTS:
        entry.remarks.append(f"only the first {TEXTS} files were read")
        return
    stem, suffix, shown = PurePosixPath(shown).stem[:100], PurePosixPath(shown).suffix.lower(), shown[-100:]
    close = exercise or _nearest(stem)
    content = read(LARGEST[suffix])
    if len(content) > LARGEST[suffix]:
        entry.remarks.append(f"{shown} has more than {LARGEST[suffix] // 2**20} MiB and was not read")
        return
    try:
        source = source_of(content, shown)
        if len(source) > LARGEST[".py"]:
            raise ValueError(f"{shown} holds more than {LARGEST['.py'] // 2**20} MiB of code and was not read")
    except ValueError as error:
        entry.remarks.append(str(error))
        return
    if close is None:
        close = _by_content(source)
        if close is None:
            entry.remarks.append(f"{shown} is not the name of an exercise; {_did_you_mean(stem)}")
            return
        entry.remarks.append(f"{shown} was taken for {close}.py, whose functions it defines")
    elif exercise is None and stem != close:
        entry.remarks.append(f"{shown} was taken for {close}.py")
    if only and close not in only:
        return
    exact = suffix == ".py" and (exercise is not None or stem == close)     # a file goes before a notebook of its name
    if close in entry.sources and not (exact and close in entry.guessed):
        entry.remarks.append(f"there are several files for {close}; {shown} was left out")
        return
    if close in entry.sources:
        entry.remarks.append(f"there are several files for {close}; {shown} was graded")
    entry.guessed = entry.guessed - {close} if exact else entry.guessed | {close}
    entry.sources[close] = source


def _plain(stem):
    """A stem without what browsers, editors and students add: linear (1), Linear-final, copy of linear."""
    stem = re.sub(r"[\W_]+", "_", stem.casefold()).strip("_")
    stem = re.sub(r"^(copy_of|my)_|_(copy|final|solution|submission|v?\d+)$", "", stem)
    return stem


def _nearest(stem):
    """The exercise that the name of a file means, None where that is unclear."""
    if stem in names():
        return stem
    plain = _plain(_plain(stem))
    return plain if plain in names() else None


def _did_you_mean(stem):
    close = difflib.get_close_matches(_plain(stem), names(), 1, 0.6)
    return f"did you mean {close[0]}.py?" if close else "see tinycnn exercises list"


def _by_content(source):
    """The one exercise whose functions a file defines, all of them; None where there is none or several."""
    found = set(defined(source))
    fitting = [name for name in names() if found and found.issuperset(load(name).defines)]
    return fitting[0] if len(fitting) == 1 else None

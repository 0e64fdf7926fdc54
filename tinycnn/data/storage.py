"""Where data files lie, and how they get there."""
import contextlib
import hashlib
import os
import sys
import zlib
from pathlib import Path
from urllib.parse import urlsplit

from ..files.sealed import most_unpacked


def data_folder():
    """The folder of the data files: the variable TINYCNN_DATA, else the per-user cache folder of the system."""
    if os.environ.get("TINYCNN_DATA"):
        return Path(os.environ["TINYCNN_DATA"]).expanduser()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        cache = "~/Library/Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "tinycnn"


def data_root(root):
    """The folder that a data set's argument `root` means: itself, or the data folder where it is None."""
    return data_folder() if root is None else Path(root).expanduser()


def find(name, folders):
    """The file `name`, or `name`.gz, in the first of `folders` that has it; None where none has."""
    return next((f for folder in folders for f in (folder / name, folder / f"{name}.gz") if f.is_file()), None)


def download(name, mirrors, folder, known_hash):
    """Fetch the file `name` from the first of `mirrors` (addresses) that delivers it, into `folder`; returns its path.

    The file appears under its name only once it is complete and has the published hash ("sha256:..." or "md5:..."); until
    then it has another one, and an attempt that fails leaves nothing behind. Files that are there already are not fetched
    again, so a data set of several files continues with the missing ones. Raises OSError with what each mirror said where
    none delivers; needs pooch.
    """
    try:
        import pooch
    except ImportError:
        raise RuntimeError(f"downloading {name} needs pooch: pip install pooch, or put the file into {folder} "
                           "yourself") from None
    pooch.get_logger().setLevel("ERROR")
    complaints = []
    for mirror in mirrors:
        try:
            return Path(pooch.retrieve(mirror + name, known_hash, fname=name, path=folder))
        except (OSError, ValueError) as error:
            complaints.append(f"{urlsplit(mirror).netloc or mirror}: {_reason(error)}")
    with contextlib.suppress(OSError):
        Path(folder).rmdir()  # made for nothing
    raise OSError(f"no mirror delivered {name}:\n" + "".join(f"  {line}\n" for line in complaints)
                  + f"Without a network, put the file into {folder} yourself")


def _reason(error):
    """Why a download failed, in a few words: what the innermost error says, without the addresses around it."""
    inner = error
    while isinstance(inner, Exception):
        error = inner
        inner = getattr(error, "reason", None) or error.__cause__ or next(iter(error.args), None)
    text = str(error).partition(" for url")[0].splitlines()[0].rpartition("): ")[2] if str(error) else type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def unpack(path):
    """The bytes of a file, unpacked where it is gzipped.

    Gzip ends with the number of bytes that it unpacks to, and no more are unpacked. ValueError where the packing is
    damaged, ends early, or makes more of its bytes than honest data do.
    """
    packed = Path(path).read_bytes()
    if packed[:2] != b"\x1f\x8b":
        return packed
    stream, declared = zlib.decompressobj(wbits=31), int.from_bytes(packed[-4:], "little")
    try:
        unpacked = stream.decompress(packed, min(declared, most_unpacked(len(packed))) + 1)
    except zlib.error as error:
        raise ValueError(f"{path}: the gzip data are damaged ({error}); delete the file and fetch it again") from None
    if stream.unconsumed_tail or len(unpacked) > declared:
        raise ValueError(f"{path}: the gzip data, {len(packed):,} bytes, make more than {len(unpacked) - 1:,}, which is "
                         "more than they say, or than is unpacked; delete the file and fetch it again")
    if not stream.eof:
        raise ValueError(f"{path}: the gzip data end early: {len(packed):,} bytes found, which unpack to {len(unpacked):,}, "
                         "and more expected; delete the file and fetch it again")
    return unpacked


def check_hash(path, content, expected, kind="sha256"):
    """ValueError naming `path` where `content` has not the hash `expected`."""
    found = hashlib.new(kind, content).hexdigest()
    if found != expected:
        name = {"sha256": "SHA-256", "md5": "MD5"}[kind]
        raise ValueError(f"{path}: the content is not the published one: {name} {found} found, {expected} expected; delete "
                         "the file and fetch it again")

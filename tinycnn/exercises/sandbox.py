"""The process of a submission: it gets the text through a pipe, calls its functions on arrays that it is sent, and answers.

    python -I sandbox.py '{"memory": 2147483648, "seconds": 60}' [the folder with numpy in it]

It knows no seed, no oracle and no check, so there is nothing in it to be stolen, and what it answers is only ever compared.
Strangers' code runs behind a wall of the operating system (`walls.py`). This is the second one, which Python builds itself:
a hook refuses what no exercise needs (other packages, files outside the own folder, the network, other processes), and the
system limits time, memory, processes, files and their sizes where it can (not on Windows, where only the grader's clock
stops a submission). It keeps honest mistakes and idle curiosity in, and explains them; whoever writes into memory switches
the hook off.
"""
import importlib.util
import json
import linecache
import os
import sys
import types

FORBIDDEN = {"ctypes", "_ctypes", "_posixsubprocess", "_winapi", "_socket", "multiprocessing", "_multiprocessing"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HARMLESS = frozenset({"os.putenv", "os.unsetenv", "os.walk", "os.fwalk"})
REFUSED = ("os.", "socket.", "subprocess.", "ctypes.", "gc.", "shutil.", "tempfile.", "winreg.", "resource.", "signal.",
           "fcntl.", "mmap.", "msvcrt.", "pty.", "urllib.", "http.", "ftplib.", "smtplib.", "sqlite3.", "webbrowser.",
           "syslog.", "_winapi.", "cpython.remote_debugger_script", "sys.remote_exec")


def forbid(own, readable, denied, numpys):
    """Refuse, from now on and for good, what a submission has no business with.

    `own` is its folder, `readable` the folders of Python and `numpys` those of numpy; `denied` are the folder of tinycnn and
    parts of the paths of other libraries. All the hook needs is bound to it here: a submission may put whatever it likes in
    the place of `str` or `os.path`.
    """
    def hook(event, args, *, kind=type, text=str, binary=bytes, integer=int, decode=os.fsdecode, failure=PermissionError,
             missing=ImportError, own=own, readable=(*readable, *numpys), denied=denied, numpys=numpys, writing=WRITING,
             harmless=HARMLESS, refused=REFUSED, windows=os.name == "nt",
             modules=frozenset(sys.stdlib_module_names - FORBIDDEN | {"numpy", "submission"})):
        if event == "import":
            name = args[0]
            if kind(name) is not text or name.partition(".")[0] not in modules:
                raise missing(f"import of {name if kind(name) is text else 'a strange name'} is not allowed here: write it "
                              "with numpy alone")
        elif event == "open" or event == "os.listdir" or event == "os.scandir":
            path = args[0]
            if path is None or kind(path) is integer:
                return
            if kind(path) is binary:
                path = decode(path)
            if kind(path) is not text:
                raise failure("a path that is no plain string is refused here")
            place = path.replace("\\", "/").lower() if windows else path
            if place[:1] != "/" and place[1:2] != ":":
                place = own + place
            place = place + "/"
            if "/../" in place or place.startswith(denied[0]) or (
                    (denied[1] in place or denied[2] in place) and not place.startswith(numpys)):
                raise failure(f"the file {path} is out of bounds here")
            if event == "open" and kind(args[2]) is integer and args[2] & writing:
                readable = (own,)
            if not place.startswith(own) and not place.startswith(readable):
                raise failure(f"the file {path} is out of bounds here: an exercise needs no files")
        elif event not in harmless and event.startswith(refused):
            raise failure(f"{event} is refused here: an exercise needs only numpy")

    sys.addaudithook(hook)


def as_root(folder):
    """A folder as the hook compares it: absolute, with slashes, one at the end."""
    folder = os.path.abspath(folder)
    return (folder.replace("\\", "/").lower() if os.name == "nt" else folder).rstrip("/") + "/"


def limit(limits):
    """Let the system stop what takes too long or too much; what it does not know it leaves out."""
    try:
        import resource
    except ImportError:
        return
    for name, value in (("RLIMIT_CPU", limits["seconds"]), ("RLIMIT_AS", limits["memory"]), ("RLIMIT_FSIZE", 16 * 2**20),
                        ("RLIMIT_CORE", 0), ("RLIMIT_NPROC", 0), ("RLIMIT_NOFILE", 64), ("RLIMIT_MEMLOCK", 0),
                        ("RLIMIT_MSGQUEUE", 0)):
        try:
            hard = resource.getrlimit(getattr(resource, name))[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):
            continue


def serve(requests, replies, submission, filename, wire):
    """Answer requests until the grader closes."""
    while (request := wire.receive(requests)) is not None:
        try:
            if "run" in request:
                reply = {"value": wire.run(request["run"], submission.__dict__, request["values"]), "changed": []}
            else:
                function = getattr(submission, request["call"])
                value, changed = wire.call(function, request["args"], request["kwargs"])
                reply = {"value": value, "changed": changed}
        except BaseException as error:  # SystemExit and MemoryError too: whatever it is, it is the submission's
            reply = {"fault": wire.fault(error, filename)}
        try:
            wire.send(replies, reply)
        except RecursionError:
            wire.send(replies, {"unfit": "something that contains itself"})
        except OSError:  # the submission has closed the pipe
            return
        except BaseException as error:
            reason = str(error) if type(error) is TypeError else f"what cannot be sent ({type(error).__name__})"
            wire.send(replies, {"unfit": reason})


def load(name, path):
    """The module in the file `path`, without a look at any folder."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    """Receive a submission, say what is in it, and serve."""
    limits = json.loads(sys.argv[1])
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)  # what the submission prints must not stand among the answers
    sys.stdout.reconfigure(line_buffering=True)
    sys.path += sys.argv[2:]
    import numpy
    import numpy.fft  # noqa: F401  (loaded before the limits, as a submission may want them)
    import numpy.linalg  # noqa: F401
    import numpy.random  # noqa: F401
    here, filename = os.path.dirname(os.path.abspath(__file__)), "submission.py"
    wire = load("wire", os.path.join(here, "wire.py"))
    wire.send(replies, {"awake": True})
    request = wire.receive(requests)
    if request is None:
        return
    source = request["source"].tobytes().decode()
    linecache.cache[filename] = len(source), None, source.splitlines(True), filename
    submission = sys.modules["submission"] = types.ModuleType("submission")
    submission.__file__ = filename
    python = {sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)}
    home = os.path.dirname(numpy.__file__)
    limit(limits)
    forbid(as_root(os.getcwd()), tuple(as_root(p) for p in python if as_root(p) != "/"),
           (as_root(os.path.dirname(here)), "/site-packages/", "/dist-packages/"), (as_root(home), as_root(home + ".libs")))
    try:
        wire.execute(source, filename, submission.__dict__)
    except BaseException as error:
        wire.send(replies, {"fault": wire.fault(error, filename)})
        return
    functions = [(name, f) for name, f in submission.__dict__.items() if callable(f) and not name.startswith("_")][:500]
    wire.send(replies, {"names": {name: wire.parameters(f) for name, f in functions}})
    serve(requests, replies, submission, filename, wire)


if __name__ == "__main__":
    main()

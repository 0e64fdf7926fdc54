"""What holds a stranger's code: the command in which the process of a submission is started.

Python cannot hold Python code, so the operating system does. `Bubblewrap` (Linux) gives a submission namespaces of its own
for users, processes, network, IPC, mounts, host name and control groups: it sees Python, NumPy and an empty /tmp of 16 MiB,
all else is not there, no /proc either; when its process ends, so does everything that it has started. `Container` has docker
or podman do the same. `Open` is no wall at all, for code that one trusts. What `sandbox.py` limits and refuses is the second
wall, inside of the first.
"""
import math
import os
import secrets
import shutil
import site
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE, NUMPY = Path(__file__).resolve().parent, Path(np.__file__).resolve().parent
INSIDE = "/tinycnn/exercises"      # where sandbox.py and wire.py stand behind a wall
NOBODY = "65534"
ROOM = 16 * 2**20                  # bytes of /tmp
SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
IMAGE = "tinycnn-grader"
BUILD = f"printf 'FROM python:3.13-slim\\nRUN pip install numpy\\n' | {{}} build -t {IMAGE} -"


class Open:
    """No wall: a process with the rights of whoever starts it."""
    name = "none"

    def command(self, limits, seconds=60):
        """(the command that runs sandbox.py with `limits`, a text; what it is known by)."""
        return [sys.executable, "-I", "-B", "-X", "utf8", str(HERE / "sandbox.py"), limits, NUMPY.parent], None

    def environment(self):
        """The variables that the command needs."""
        kept = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LD_LIBRARY_PATH")
        return {name: os.environ[name] for name in kept if name in os.environ} | SINGLE

    def end(self, known):
        """End what the death of the command itself would leave."""


class Bubblewrap(Open):
    """The command bwrap: nothing of the system but libraries, Python and NumPy, to be read only, and no way out."""
    name = "bubblewrap"

    def command(self, limits, seconds=60):
        """As `Open.command`.

        The superuser first becomes an account that owns nothing, since a limit on processes binds only others: an outer
        bwrap shows the system (Python may lie where only the superuser may look), setpriv changes the account, and the inner
        bwrap is that of everybody else.
        """
        python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        inside = [python, "-I", "-S", "-B", "-X", "utf8", f"{INSIDE}/sandbox.py", limits, NUMPY.parent]
        variables = [word for variable in SINGLE.items() for word in ("--setenv", *variable)]
        apart = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY,
                 "--cap-drop", "ALL", "--die-with-parent", "--new-session", "--clearenv", *variables, "--chdir", "/tmp"]
        if os.getuid():
            return ["bwrap", *apart, *_view(python), "--remount-ro", "/", *inside], None
        tools = [os.path.realpath(shutil.which(tool) or tool) for tool in ("setpriv", "bwrap")]
        return ["bwrap", "--die-with-parent", *_view(python), "--bind", "/proc", "/proc", *_shown(*tools),
                "--remount-ro", "/", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
                tools[0], "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups",
                tools[1], *apart, "--dev-bind", "/", "/", "--tmpfs", "/proc", "--remount-ro", "/proc", *inside], None


class Container(Open):
    """`engine run`, docker's or podman's, in the image of which BUILD says how it is made."""

    def __init__(self, engine):
        self.name = engine

    def command(self, limits, seconds=60):
        """As `Open.command`; `seconds` after its start the container ends, even where the grader has been killed."""
        known = f"tinycnn-{secrets.token_hex(8)}"
        variables = [f"--env={name}={value}" for name, value in SINGLE.items()]
        files = [f"--volume={HERE / file}:{INSIDE}/{file}:ro" for file in ("sandbox.py", "wire.py")]
        return [self.name, "run", "--rm", "--interactive", f"--name={known}", "--network=none", "--ipc=private",
                "--read-only", f"--user={NOBODY}:{NOBODY}",
                "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=8",
                "--memory=4g", "--memory-swap=4g", "--cpus=1", f"--tmpfs=/tmp:size={ROOM},noexec,nosuid,nodev",
                "--workdir=/tmp", *variables, *files, IMAGE, "timeout", "--signal=KILL", str(math.ceil(seconds)),
                "python3", "-I", "-B", "-X", "utf8", f"{INSIDE}/sandbox.py", limits], known

    def environment(self):
        """All variables: docker and podman find their engine by them, and none of them goes inside."""
        return dict(os.environ)

    def end(self, known):
        """End the container."""
        subprocess.run([self.name, "kill", known], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def choose(container=None, trusted=False):
    """The wall for strangers' code: a container where `container` names an engine, none with `trusted`, else bubblewrap.

    Raises RuntimeError, saying what to install, where that does not work.
    """
    wall = Container(container) if container else Open() if trusted else Bubblewrap()
    trouble = None if trusted and not container else trouble_with(wall)
    if not trouble:
        return wall
    if container:
        raise RuntimeError(f"grade: {container} cannot run a submission: {trouble}. Start the engine, and build the image "
                           f"that it needs: {BUILD.format(container)}")
    raise RuntimeError(f"grade: submissions are strangers' code, and there is no sandbox for them: {trouble}. On Linux "
                       "install bubblewrap 0.8 or newer (Debian, Ubuntu: apt-get install bubblewrap), or give --container "
                       "docker or podman; --trusted grades without a sandbox, with your rights, and says so in the results")


def trouble_with(wall):
    """Why `wall` does not work on this machine, tried with Python in it; None where it does."""
    program = "bwrap" if isinstance(wall, Bubblewrap) else wall.name
    if not shutil.which(program):
        return f"there is no command {program}"
    command, known = wall.command("{}")
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=wall.environment())
    except subprocess.TimeoutExpired:
        wall.end(known)
        return f"{program} does not end"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else f"{program} says: {said[-1][:300] if said else f'code {done.returncode}'}"


def _view(python):
    """bwrap's options for what there is to be seen: libraries, Python without its packages, NumPy, and the two files."""
    trees = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", f"{sys.base_prefix}/lib", f"{sys.base_prefix}/lib64"]
    known = {os.path.realpath(path) for path in (*sys.path, *site.getsitepackages([sys.base_prefix]), HERE.parent)}
    within = tuple(os.path.realpath(tree) + "/" for tree in trees)
    hidden = [path for path in sorted(known) if path.startswith(within) and os.path.isdir(path)
              and (path.endswith("-packages") or path == str(HERE.parent))]
    view = ["--perms", "1777", "--size", str(ROOM), "--tmpfs", "/tmp", *_shown(*trees, python, "/etc/ld.so.cache")]
    for path in hidden:
        view += ["--tmpfs", path]
    view += _shown(str(NUMPY), f"{NUMPY}.libs")
    for path in hidden:
        view += ["--remount-ro", path]
    view += ["--dir", "/tinycnn", "--dir", INSIDE]
    for file in ("sandbox.py", "wire.py"):
        view += ["--ro-bind", str(HERE / file), f"{INSIDE}/{file}"]
    return [*view, "--dir", "/dev", "--dev-bind", "/dev/null", "/dev/null"]


def _shown(*paths):
    """Options that show each of `paths` where it is, if it is there; every folder above it may be passed by anybody."""
    options = []
    for path in paths:
        above = [str(folder) for folder in reversed(Path(path).parents)][1:]
        options += [word for folder in above for word in ("--dir", folder)] + ["--ro-bind-try", path, path]
    return options


__all__ = ["Bubblewrap", "Container", "Open", "choose", "trouble_with"]

"""Two "machines" for two ranks: network namespaces of this one, each with a host name, shared memory and IPC of its own."""
import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
LAUNCH = """#!/bin/bash
# what mpiexec calls in place of ssh: OPTIONS... HOST COMMAND...
while [[ $1 == -* ]]; do shift; done
space={prefix}$(( ${{1##*.}} - 1 ))
shift
exec ip netns exec $space unshare --uts --ipc --mount bash -c "hostname $space; mount -t tmpfs tmpfs /dev/shm; $*"
"""


class Impossible(Exception):
    """Network namespaces cannot be made here; the text says why."""


def _do(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise Impossible(f"network namespaces cannot be made here: {done.stderr.strip()}")
    return done.stdout.strip()


def _wait_for(space, device):
    """The kernel says some time later that a device which was set up is up; until then MPI passes it over."""
    for _ in range(100):
        if _do("ip", "netns", "exec", space, "cat", f"/sys/class/net/{device}/operstate") == "up":
            return
        time.sleep(0.1)
    raise Impossible(f"{device} does not come up")


@contextlib.contextmanager
def two_machines(rate=None):
    """A function (arguments of Python, environment) -> the CompletedProcess of two ranks of it, one on each machine.

    Their link carries `rate`, as `tc` writes it ("1gbit"), or as much as it can. Impossible is raised for all but the
    superuser of a Linux with `ip`, `tc` and `unshare`.
    """
    if os.name != "posix" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc", "unshare"))):
        raise Impossible("only root, with ip, tc and unshare, can make network namespaces")
    prefix = "tc" + uuid.uuid4().hex[:6]
    with tempfile.TemporaryDirectory() as folder:
        try:
            for i in range(2):
                _do("ip", "netns", "add", f"{prefix}{i}")
                _do("ip", "-n", f"{prefix}{i}", "link", "set", "lo", "up")
            _do("ip", "link", "add", f"{prefix}v0", "netns", f"{prefix}0", "type", "veth", "peer", "name", f"{prefix}v1",
                "netns", f"{prefix}1")
            for i in range(2):
                _do("ip", "-n", f"{prefix}{i}", "addr", "add", f"10.77.0.{i + 1}/24", "dev", f"{prefix}v{i}")
                _do("ip", "-n", f"{prefix}{i}", "link", "set", f"{prefix}v{i}", "up")
                if rate:
                    _do("tc", "-n", f"{prefix}{i}", "qdisc", "add", "dev", f"{prefix}v{i}", "root", "tbf", "rate", rate,
                        "burst", "256kb", "latency", "50ms")
            for i in range(2):
                _wait_for(f"{prefix}{i}", f"{prefix}v{i}")
            launch = Path(folder) / "launch.sh"
            launch.write_text(LAUNCH.format(prefix=prefix))
            launch.chmod(launch.stat().st_mode | stat.S_IXUSR)
            start = ["ip", "netns", "exec", f"{prefix}0", MPIEXEC, "-launcher", "ssh", "-launcher-exec", str(launch),
                     "-hosts", "10.77.0.1,10.77.0.2", "-iface", f"{prefix}v0", "-ppn", "1", "-n", "2", sys.executable]

            def run(*arguments, timeout=300, **environment):
                return subprocess.run([*start, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                                      env={**os.environ, "FI_PROVIDER": "tcp", **environment})
            yield run
        finally:
            for i in range(2):
                subprocess.run(["ip", "netns", "del", f"{prefix}{i}"], capture_output=True)

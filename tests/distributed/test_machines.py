"""Ranks on two "machines": network namespaces of this one, with host names, shared memory and IPC of their own."""
import os
import shutil
import stat
import subprocess
import sys
import time
import uuid

import pytest

from tests.helpers.ranks import ALONE, MPIEXEC, START, needs_mpi

pytestmark = [pytest.mark.slow, needs_mpi]
LAUNCH = """#!/bin/bash
# what mpiexec calls in place of ssh: OPTIONS... HOST COMMAND...
while [[ $1 == -* ]]; do shift; done
space={prefix}$(( ${{1##*.}} - 1 ))
shift
exec ip netns exec $space unshare --uts --ipc --mount bash -c "hostname $space; mount -t tmpfs tmpfs /dev/shm; $*"
"""
PROGRAM = START + """
import socket
from tinycnn.nn.parallel import DistributedDataParallel
dist.init_process_group(timeout=60)
hosts = [None] * 2
dist.all_gather_object(hosts, socket.gethostname())
assert len(set(hosts)) == 2, hosts
tinycnn.manual_seed(dist.get_rank())
net = DistributedDataParallel(nn.Sequential(nn.Linear(500, 500), nn.ReLU(), nn.Linear(500, 3)))
x = tinycnn.tensor(np.random.default_rng(0).standard_normal((8, 500)), dtype=tinycnn.float32)
net(x[dist.get_rank()::2]).square().mean().backward()
gradient = net.module[0].weight.grad.clone()
net.close()
net.zero_grad()
net.module(x).square().mean().backward()               # the whole batch on each rank
assert (gradient - net.module[0].weight.grad).abs().max() < 1e-6
print("the same", flush=True)
"""


def command(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True)


def wait_for_link(space, device):
    """The kernel says some time later that a device which was set up is up; until then MPI passes it over."""
    for _ in range(100):
        if command("ip", "netns", "exec", space, "cat", f"/sys/class/net/{device}/operstate").stdout.strip() == "up":
            return
        time.sleep(0.1)
    pytest.skip(f"{device} does not come up")


@pytest.fixture
def spaces(tmp_path):
    """A prefix: the namespaces prefix0 and prefix1 reach each other at 10.77.0.1 and 10.77.0.2, by the device prefixv0."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("needs root, ip and unshare to make network namespaces")
    prefix = "tc" + uuid.uuid4().hex[:6]
    try:
        try:
            for i in range(2):
                command("ip", "netns", "add", f"{prefix}{i}")
                command("ip", "netns", "exec", f"{prefix}{i}", "ip", "link", "set", "lo", "up")
            command("ip", "link", "add", f"{prefix}v0", "netns", f"{prefix}0", "type", "veth", "peer", "name", f"{prefix}v1",
                    "netns", f"{prefix}1")
            for i in range(2):
                inside = ("ip", "netns", "exec", f"{prefix}{i}", "ip")
                command(*inside, "addr", "add", f"10.77.0.{i + 1}/24", "dev", f"{prefix}v{i}")
                command(*inside, "link", "set", f"{prefix}v{i}", "up")
            for i in range(2):
                wait_for_link(f"{prefix}{i}", f"{prefix}v{i}")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
        yield prefix
    finally:
        for i in range(2):
            subprocess.run(["ip", "netns", "del", f"{prefix}{i}"], capture_output=True)


def test_two_machines_train_together(spaces, tmp_path):
    launch, program = tmp_path / "launch.sh", tmp_path / "program.py"
    launch.write_text(LAUNCH.format(prefix=spaces))
    launch.chmod(launch.stat().st_mode | stat.S_IXUSR)
    program.write_text(PROGRAM)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run(
        ["ip", "netns", "exec", f"{spaces}0", MPIEXEC, "-launcher", "ssh", "-launcher-exec", str(launch), "-hosts",
         "10.77.0.1,10.77.0.2", "-iface", f"{spaces}v0", "-ppn", "1", "-n", "2", sys.executable, str(program)],
        capture_output=True, text=True, timeout=120, env={**os.environ, **ALONE, "FI_PROVIDER": "tcp", "PYTHONPATH": root})
    assert done.returncode == 0 and done.stdout.count("the same") == 2, done.stdout + done.stderr

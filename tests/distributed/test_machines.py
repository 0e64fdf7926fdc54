"""Ranks on two "machines": network namespaces of this one, with host names, shared memory and IPC of their own."""
from pathlib import Path

import pytest

from benchmarks.machines import Impossible, two_machines
from tests.helpers.ranks import ALONE, START, needs_mpi

pytestmark = [pytest.mark.slow, needs_mpi]
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


@pytest.mark.parametrize("rate", [None, "1gbit"])
def test_two_machines_train_together(rate, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    try:
        with two_machines(rate) as run:
            done = run(program, timeout=120, **ALONE, PYTHONPATH=str(Path(__file__).parents[2]))
    except Impossible as reason:
        pytest.skip(str(reason))
    assert done.returncode == 0 and done.stdout.count("the same") == 2, done.stdout + done.stderr

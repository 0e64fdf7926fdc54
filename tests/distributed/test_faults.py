"""Ranks that die, hang, leave, or do something else than the others: everybody ends soon, and somebody says who it was."""
import re

import pytest

from tests.helpers.ranks import needs_mpi, run

pytestmark = needs_mpi
PROGRAM = """
    import os, signal, time
    from tinycnn.optim import SGD
    from tinycnn.nn.functional import cross_entropy
    fault, culprit, at = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dist.init_process_group(timeout=3)
    mine = dist.get_rank() == culprit
    net = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)))
    optimizer, group = SGD(net.parameters(), 0.1), dist.process_group()
    for step in range(6):
        if mine and step == at:
            if fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "exits":
                sys.exit(3)
            if fault == "ends":
                break
            if fault == "raises":
                raise ValueError("the disk is full")
            if fault == "interrupted":
                os.kill(os.getpid(), signal.SIGINT)
            if fault == "hangs":
                time.sleep(1000)
            if fault == "skips":
                continue
            if fault == "barrier":
                dist.barrier()
            if fault == "shape":
                dist.all_reduce(tinycnn.ones(3))
        elif step == at and fault == "shape":
            dist.all_gather([tinycnn.ones(1)] * group.size, tinycnn.ones(1))
        optimizer.zero_grad()
        cross_entropy(net(tinycnn.ones(2, 8)), tinycnn.zeros(2).long()).backward()
        optimizer.step()
    print("reached the end", flush=True)
"""
# what is said: by the culprit itself, or by those who wait for it
WAITS = "rank {culprit}( waits| of 3: waited 3 s) in "
SAID = {"exits": WAITS + "the end of its program", "ends": WAITS + "the end of its program",
        "raises": "rank {culprit} of 3: ValueError: the disk is full",
        "interrupted": "rank {culprit} of 3: KeyboardInterrupt",
        "hangs": "rank {culprit} did not come", "skips": WAITS + "the end of its program", "barrier": WAITS + "barrier",
        "killed": "(?i)killed|exit code: 9"}  # of that one the launcher speaks, who ends the others, too
CASES = [(fault, culprit, at) for fault in SAID for culprit, at in ((1, 0), (0, 3), (2, 5))]


@pytest.mark.parametrize("fault, culprit, at", [c for c in CASES if c[1] == 1] + [
    pytest.param(*c, marks=pytest.mark.slow) for c in CASES if c[1] != 1])
def test_a_fault_of_one_ends_all_and_is_named(fault, culprit, at, tmp_path):
    code, out, err = run(3, PROGRAM, tmp_path, fault, culprit, at, check=False, timeout=60)
    assert code, "nobody noticed"
    assert re.search(SAID[fault].format(culprit=culprit), out + err), out + err


@pytest.mark.parametrize("what, said", [
    ("optimizer", "rank 1 trains otherwise than rank 0: lr was 0.1 and is 0.2"),
    ("data", "rank 1 trains otherwise than rank 0: training data: "),
    ("version", "rank 0 0.1.0, rank 1 9.9"),
])
def test_ranks_with_something_else_are_told_apart(what, said, tmp_path):
    code, _, err = run(2, """
        from tinycnn.data import DataLoader, TensorDataset
        from tinycnn.optim import SGD
        from tinycnn.train import fit
        other = sys.argv[1] if __import__("os").environ["PMI_RANK"] == "1" else ""
        if other == "version":
            tinycnn.__version__ = "9.9"
        dist.init_process_group(timeout=20)
        data = TensorDataset(tinycnn.ones(8, 4) * (2 if other == "data" else 1), tinycnn.zeros(8, dtype=tinycnn.int64))
        net = nn.Linear(4, 2)
        fit(net, DataLoader(data, 4).shared(dist.get_rank(), 2), epochs=1, progress=False,
            optimizer=SGD(net.parameters(), 0.2 if other == "optimizer" else 0.1))
        """, tmp_path, what, check=False)
    assert code and said in err, err

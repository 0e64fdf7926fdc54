"""The collective operations, against what they mean, on 1 to 4 ranks."""
import re

import pytest

from tests.helpers.ranks import needs_mpi, run

import tinycnn
from tinycnn import distributed as dist

pytestmark = needs_mpi
COLLECTIVES = """
    dist.init_process_group("mpi", timeout=60)
    rank, n = dist.get_rank(), dist.get_world_size()
    everybody = range(n)

    def values(r, dtype):  # what rank r brings
        return (np.arange(6).reshape(2, 3) + 2 * r + 1).astype(dtype)

    def of_all(function, dtype):  # of the values of all ranks, rounded once
        return function([values(r, dtype).astype("float64") for r in everybody]).astype(dtype)

    for dtype in ("float64", "float32", "float16", "int64", "uint8"):
        for op, function in ((dist.ReduceOp.SUM, sum), (dist.ReduceOp.MAX, np.maximum.reduce),
                             (dist.ReduceOp.MIN, np.minimum.reduce), (dist.ReduceOp.PRODUCT, np.multiply.reduce)):
            if op == dist.ReduceOp.PRODUCT and dtype == "uint8":
                continue
            expected = of_all(function, dtype)
            x = tinycnn.tensor(values(rank, dtype))
            assert dist.all_reduce(x, op) is None and (x.array == expected).all(), (dtype, op, x)
            x = tinycnn.tensor(values(rank, dtype))
            work = dist.all_reduce(x, op, async_op=True)
            assert work.wait() and work.is_completed() and (x.array == expected).all()
            x, target = tinycnn.tensor(values(rank, dtype)), n - 1
            dist.reduce(x, target, op)
            assert (x.array == (expected if rank == target else values(rank, dtype))).all()
        x = tinycnn.tensor(values(rank, dtype))
        dist.broadcast(x, n - 1)
        assert (x.array == values(n - 1, dtype)).all()
        parts = [tinycnn.zeros(2, 3, dtype=dtype) for _ in everybody]
        dist.all_gather(parts, tinycnn.tensor(values(rank, dtype)))
        assert all((part.array == values(r, dtype)).all() for r, part in enumerate(parts))
        parts = [tinycnn.zeros(2, 3, dtype=dtype) for _ in everybody] if rank == 0 else None
        dist.gather(tinycnn.tensor(values(rank, dtype)), parts, dst=0)
        assert rank or all((part.array == values(r, dtype)).all() for r, part in enumerate(parts))
        x = tinycnn.zeros(2, 3, dtype=dtype)
        dist.scatter(x, [tinycnn.tensor(values(r, dtype)) for r in everybody] if rank == 0 else None, src=0)
        assert (x.array == values(rank, dtype)).all()

    x = tinycnn.tensor(values(rank, "float32"))
    dist.all_reduce(x, dist.ReduceOp.AVG)
    assert np.allclose(x.array, np.mean([values(r, "float32") for r in everybody], 0))
    base = tinycnn.zeros(3, 4)
    view = base[:, 1:3]                                  # not contiguous: the result arrives in the view's own memory
    view.array[...] = rank + 1
    dist.all_reduce(view)
    assert (base.array[:, 1:3] == n * (n + 1) / 2).all() and (base.array[:, [0, 3]] == 0).all()
    y = tinycnn.ones(2, requires_grad=True)
    z = y * y
    with tinycnn.no_grad():
        dist.all_reduce(y)                               # autograd notices that a saved tensor was overwritten
    try:
        z.sum().backward()
    except RuntimeError as error:
        assert "changed in place" in str(error)
    else:
        raise AssertionError("an overwritten tensor went unnoticed")

    found = [None] * n
    dist.all_gather_object(found, {"rank": rank, "text": "x" * 1000 * rank})
    assert [f["rank"] for f in found] == list(everybody) and [len(f["text"]) for f in found] == [1000 * r for r in everybody]
    box = [rank, "from", rank]
    dist.broadcast_object_list(box, src=n - 1)
    assert box == [n - 1, "from", n - 1]
    found = [None] * n if rank == 0 else None
    dist.gather_object(rank ** 2, found, dst=0)
    assert rank or found == [r ** 2 for r in everybody]
    out = [None]
    dist.scatter_object_list(out, [f"for {r}" for r in everybody] if rank == 0 else None, src=0)
    assert out == [f"for {rank}"]

    even = dist.new_group(range(0, n, 2))
    if rank % 2 == 0:
        x = tinycnn.tensor([1.0])
        dist.all_reduce(x, group=even)
        assert x.item() == len(range(0, n, 2)) and dist.get_rank(even) == rank // 2 and dist.get_world_size(even) == x.item()
        dist.destroy_process_group(even)
    else:
        assert even is dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(even) == -1
        assert dist.all_reduce(tinycnn.ones(1), group=even) is None
    assert dist.group.WORLD.size == n and dist.get_backend() == "mpi" and dist.is_initialized()
    dist.barrier()
    for call, words in ((lambda: dist.all_reduce(np.ones(2)), "tensor must be a Tensor"),
                        (lambda: dist.all_reduce(tinycnn.ones(1), "mean"), "op must be one of"),
                        (lambda: dist.broadcast(tinycnn.ones(1), n), "src must be a rank"),
                        (lambda: dist.all_gather([], tinycnn.ones(1)), f"list of {n} tensors"),
                        (lambda: dist.all_gather([tinycnn.ones(2)] * n, tinycnn.ones(1)), "like the one that is sent"),
                        (lambda: dist.new_group([0, 0]), "different numbers"),
                        (lambda: dist.init_process_group(), "called before")):
        try:
            call()
        except (TypeError, ValueError, RuntimeError) as error:
            assert words in str(error), error
        else:
            raise AssertionError(words)
    dist.destroy_process_group()
    assert not dist.is_initialized() and dist.group.WORLD is None
    print("all right")
"""


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_collectives(n, tmp_path):
    _, out, _ = run(n, COLLECTIVES, tmp_path)
    assert out.count("all right") == n


def test_a_program_that_ends_without_destroying_the_group_ends_well(tmp_path):
    assert run(2, 'dist.init_process_group()\nprint("end")', tmp_path)[1].count("end") == 2


def test_without_a_group_there_is_one_process():
    assert dist.get_rank() == 0 and dist.get_world_size() == 1 and not dist.is_initialized() and dist.group.WORLD is None
    with pytest.raises(RuntimeError, match="there is no process group: call tinycnn.distributed.init_process_group"):
        dist.all_reduce(tinycnn.ones(1))
    with pytest.raises(RuntimeError, match="destroy_process_group: there is no process group"):
        dist.destroy_process_group()


@pytest.mark.parametrize("arguments, message", [
    ({"backend": "gloo"}, r"init_process_group: backend must be 'mpi' \(CPUs\) or 'nccl' \(GPUs\), got 'gloo'"),
    ({"timeout": 0}, "init_process_group: timeout must be a timedelta or seconds above 0, got 0"),
    ({"world_size": 2}, "world_size says 2 processes, MPI .* sees 1: start the program with mpiexec -n 2"),
    ({"rank": 1}, "init_process_group: rank=1 was asked for, but MPI made this process rank 0"),
])
def test_a_group_that_cannot_be(arguments, message, tmp_path):
    code, _, err = run(0, f"dist.init_process_group(**{arguments})", tmp_path, check=False)
    assert code == 1
    assert re.search(message, err), err


@pytest.mark.parametrize("name", ["WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_processes_that_another_launcher_started_are_told_so(name, tmp_path):
    code, _, err = run(0, "dist.init_process_group()", tmp_path, check=False, **{name: "3", "PYTHONWARNINGS": "default"})
    assert code == 1 and f"{name} says 3 processes, MPI" in err and "sees 1" in err


def test_the_local_rank_comes_from_the_environment(monkeypatch):
    for name in dist.launch.LOCAL_RANKS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="none of LOCAL_RANK, .* is set: start the program with mpiexec"):
        dist.get_node_local_rank()
    assert dist.get_node_local_rank(fallback_rank=3) == 3
    monkeypatch.setenv("SLURM_LOCALID", "2")
    assert dist.get_node_local_rank() == 2
    monkeypatch.setenv("LOCAL_RANK", "x")
    with pytest.raises(ValueError, match="the environment variable LOCAL_RANK must be a whole number, got 'x'"):
        dist.get_node_local_rank()

"""The group of all ranks: how it begins and ends, and who is in it."""
import atexit
import importlib
import importlib.util
import sys
import traceback
from datetime import timedelta

from .group import ProcessGroup
from .launch import number, started
from .roll_call import RollCall

TIMEOUT = timedelta(minutes=10)
BACKENDS = ("mpi", "nccl", "cpu:mpi,cuda:nccl")


class GroupMember:
    """`NON_GROUP_MEMBER` is what `new_group` returns to ranks that are not in the new group."""
    NON_GROUP_MEMBER = object()


_world = None
_groups = []  # those that `new_group` made


def is_mpi_available():
    """Whether mpi4py is installed, by which processes find each other."""
    return importlib.util.find_spec("mpi4py") is not None


def is_nccl_available():
    """Whether GPUs can exchange arrays: CuPy is installed, and with it NCCL."""
    if importlib.util.find_spec("cupy") is None:
        return False
    from .nccl import library
    return library() is not None


def is_available():
    """Whether processes can train together: mpi4py is installed."""
    return is_mpi_available()


def is_initialized():
    """Whether `init_process_group` was called."""
    return _world is not None


class _Groups:
    """What PyTorch calls `distributed.group`: `group.WORLD` is the group of all ranks, None before there is one."""

    @property
    def WORLD(self):  # noqa: N802 (PyTorch's name)
        """The group of all ranks."""
        return _world


group = _Groups()


def process_group(given=None):
    """The ProcessGroup `given`, by default that of all ranks; RuntimeError before `init_process_group`."""
    if given is not None:
        if not isinstance(given, ProcessGroup):
            raise TypeError(f"group must be a ProcessGroup that new_group returned to this rank, got {type(given).__name__}")
        return given
    if _world is None:
        raise RuntimeError("there is no process group: call tinycnn.distributed.init_process_group() first, in a program "
                           "started with mpiexec -n N python ...")
    return _world


def get_rank(group=None):
    """The number of this process in the group, 0 where there is one process only, -1 outside the group."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return -1
    found = group or _world
    return found.rank if found else 0


def get_world_size(group=None):
    """How many processes are in the group; 1 where there is one process only, -1 outside the group."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return -1
    found = group or _world
    return found.size if found else 1


def get_backend(group=None):
    """"mpi" or "nccl"."""
    return process_group(group).backend


def init_process_group(backend=None, init_method=None, timeout=None, world_size=-1, rank=-1, **options):
    """Join the ranks that `mpiexec` or `srun` started.

    `backend`: "mpi", or "nccl" where the arrays live on GPUs (MPI then only brings the ranks together). `timeout`: a
    timedelta, or seconds, by default 10 minutes, after which ranks that wait for another one give up. `world_size` and
    `rank`, or the variable WORLD_SIZE, are compared with what MPI says. `init_method` and other options are accepted: MPI
    needs none. RuntimeError where mpi4py is missing, or where the processes were started by something else.
    """
    global _world
    if _world is not None:
        raise RuntimeError("init_process_group: it was called before; destroy_process_group() ends that group")
    if backend not in (None, *BACKENDS):
        raise ValueError(f"init_process_group: backend must be 'mpi' (CPUs) or 'nccl' (GPUs), got {backend!r}")
    seconds = _seconds(TIMEOUT if timeout is None else timeout)
    comm = _communicator(world_size, rank)
    kind = ProcessGroup
    if backend not in (None, "mpi"):
        from .nccl import GPUGroup as kind
    _world = kind(comm, seconds, list(range(comm.Get_size())), RollCall(comm))
    _check_versions(_world)
    _world.hook, sys.excepthook = sys.excepthook, _die_together
    atexit.register(_leave)


def _seconds(timeout):
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not isinstance(seconds, (int, float)) or not seconds > 0:
        raise ValueError(f"init_process_group: timeout must be a timedelta or seconds above 0, got {timeout!r}")
    return float(seconds)


def _communicator(world_size, rank):
    """MPI's communicator of all ranks, after a look at who started them."""
    try:
        import mpi4py
        mpi4py.rc.thread_level = "serialized"
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise RuntimeError("init_process_group: processes find each other by MPI: pip install mpi4py, and where there is no "
                           f"MPI, pip install mpich ({error})") from None
    comm = MPI.COMM_WORLD
    library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
    asked = {"world_size": None if world_size == -1 else world_size, "WORLD_SIZE": number("WORLD_SIZE")}
    count, variable = started()
    for by, wanted in (asked | ({variable: count} if variable else {})).items():
        if wanted is not None and wanted != comm.Get_size():
            raise RuntimeError(f"init_process_group: {by} says {wanted} processes, MPI ({library}) sees {comm.Get_size()}: "
                               f"start the program with mpiexec -n {wanted} python ..., by the mpiexec that belongs to this "
                               "MPI")
    if rank not in (-1, comm.Get_rank()):
        raise RuntimeError(f"init_process_group: rank={rank} was asked for, but MPI made this process rank "
                           f"{comm.Get_rank()}: leave rank out")
    return comm


def _check_versions(world):
    versions = world.comm.allgather(importlib.import_module(__package__.partition(".")[0]).__version__)
    if len(set(versions)) > 1:
        raise RuntimeError("init_process_group: the ranks run different versions of tinycnn: "
                           + ", ".join(f"rank {rank} {version}" for rank, version in enumerate(versions)))


def _die_together(kind, error, trace):
    """An exception that nobody caught ends all ranks, which would wait for this one."""
    traceback.print_exception(kind, error, trace)
    if _world is not None:
        _world.abort(f"{kind.__name__}: {error}", 130 if issubclass(kind, KeyboardInterrupt) else 1)


def _leave():
    """At the end of the program: nobody leaves before the others have come there, too."""
    if _world is not None:
        _world.wait(_world.start_barrier(), "the end of its program")
        destroy_process_group()


def destroy_process_group(group=None):
    """End a group that `new_group` made, or without `group` all of them; the ranks then go their own ways."""
    global _world
    if _world is None:
        raise RuntimeError("destroy_process_group: there is no process group")
    ending = [group] if group not in (None, _world) else [*_groups, _world]
    for g in ending:
        if g in _groups:
            _groups.remove(g)
        g.free()
    if _world in ending:
        _world.calls.free()
        sys.excepthook, _world = _world.hook, None
        atexit.unregister(_leave)


def new_group(ranks=None, timeout=None, backend=None, **options):
    """The group of the given ranks, by default of all; every rank of the world must call it, those outside included."""
    world = process_group()
    ranks = list(range(world.size)) if ranks is None else list(ranks)
    if len(set(ranks)) < len(ranks) or not all(isinstance(r, int) and 0 <= r < world.size for r in ranks):
        raise ValueError(f"new_group: ranks must be different numbers from 0 to {world.size - 1}, got {ranks}")
    inside = world.rank in ranks
    comm = world.comm.Split(0 if inside else world.mpi.UNDEFINED, ranks.index(world.rank) if inside else 0)
    if not inside:
        return GroupMember.NON_GROUP_MEMBER
    _groups.append(type(world)(comm, world.timeout if timeout is None else _seconds(timeout), ranks, world.calls))
    return _groups[-1]

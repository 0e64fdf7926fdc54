"""What the program that started this process says in the environment: how many there are, and which one this is."""
import os

SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
LOCAL_RANKS = ("LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK",
               "SLURM_LOCALID")


def number(name):
    """The variable `name` as a whole number of at least 0, None where it is not set; ValueError for anything else."""
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ValueError(f"the environment variable {name} must be a whole number, got {text!r}")
    return int(text)


def started():
    """(how many processes a launcher of MPI programs started, the variable that says so); (1, None) where none did."""
    for name in SIZES:
        if number(name):
            return number(name), name
    return 1, None


def get_node_local_rank(fallback_rank=None):
    """The number of this process among those of its machine, which is also that of its GPU.

    RuntimeError where no launcher says so and no `fallback_rank` is given.
    """
    for name in LOCAL_RANKS:
        if number(name) is not None:
            return number(name)
    if fallback_rank is None:
        raise RuntimeError(f"get_node_local_rank: none of {', '.join(LOCAL_RANKS)} is set: start the program with mpiexec "
                           "or srun, or give a fallback_rank")
    return fallback_rank

"""Several processes that train one network together: PyTorch's names, over MPI, and over NCCL between GPUs.

    mpiexec -n 4 python train.py

starts the program four times. Each process, a *rank*, calls `init_process_group()` and then differs from the others by its
number alone. What they compute together they ask for in the same order: `all_reduce(x)` on one rank waits for `all_reduce`
on all others. Where somebody does not come, everybody ends after a while and says who it was.
"""
from .collectives import (ReduceOp, Work, all_gather, all_gather_object, all_reduce, barrier, broadcast,
                          broadcast_object_list, gather, gather_object, reduce, scatter, scatter_object_list)
from .group import ProcessGroup
from .launch import get_node_local_rank, started
from .world import (GroupMember, destroy_process_group, get_backend, get_rank, get_world_size, group, init_process_group,
                    is_available, is_initialized, is_mpi_available, is_nccl_available, new_group, process_group)

__all__ = ["GroupMember", "ProcessGroup", "ReduceOp", "Work", "all_gather", "all_gather_object", "all_reduce", "barrier",
           "broadcast", "broadcast_object_list", "destroy_process_group", "gather", "gather_object", "get_backend",
           "get_node_local_rank", "get_rank", "get_world_size", "group", "init_process_group", "is_available",
           "is_initialized", "is_mpi_available", "is_nccl_available", "new_group", "process_group", "reduce", "scatter",
           "scatter_object_list", "started"]

"""A process group: ranks that compute together, and that do not wait for ever for one that does not come.

Every collective operation is a request: it is started, and goes on while the rank does other things; `wait` looks again
and again whether it is finished. Who has waited for a while tells the others so (see `roll_call.py`). When the time is up,
those who did not call are the ones that are missing: the message names them, or says where all stand, and all ranks are
ended.
"""
import os
import sys
import threading
import time

import numpy as np

PATIENT = 0.002   # seconds of waiting in which the processor is kept; after that it is given to the other ranks
CALLING = 1.0     # seconds after which a rank tells the others that it waits
GRACE = 5         # seconds that MPI has to end all ranks
FAILED, TIMED_OUT = 1, 75  # exit codes


class ProcessGroup:
    """The ranks of an MPI communicator `comm`: this one is number `rank` of `size`.

    `timeout` in seconds; `members`, the numbers that the ranks have among all, and `calls`, the RollCall of all.
    """
    backend, reads_gpus = "mpi", False

    def __init__(self, comm, timeout, members, calls):
        from mpi4py import MPI
        self.mpi, self.comm, self.timeout, self.members, self.calls = MPI, comm, timeout, members, calls
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.waited, self.borrowing = 0.0, False  # seconds spent waiting; whether this rank's batch is not its own

    def twin(self):
        """The same ranks on a communicator of their own: what is started there keeps an order of its own."""
        return type(self)(self.comm.Dup(), self.timeout, self.members, self.calls)

    def free(self):
        """Let go of the communicator."""
        if self.comm != self.mpi.COMM_WORLD:
            self.comm.Free()

    # ---- collective operations on contiguous arrays, as requests ----
    def start_all_reduce(self, array, op="sum"):
        """Every rank's `array` becomes the sum (or "max", "min", "prod") of all of them."""
        return self.comm.Iallreduce(self.mpi.IN_PLACE, array, self.operation(op))

    def start_reduce(self, array, dst, op="sum"):
        """`array` of rank `dst` becomes the sum of all of them."""
        buffers = (self.mpi.IN_PLACE, array) if self.rank == dst else (array, None)
        return self.comm.Ireduce(*buffers, self.operation(op), dst)

    def start_broadcast(self, array, src):
        """Every rank's `array` becomes that of rank `src`."""
        return self.comm.Ibcast(array, src)

    def start_all_gather(self, array, parts):
        """parts[r] becomes `array` of rank r."""
        return self.comm.Iallgather(array, parts)

    def start_gather(self, array, parts, dst):
        """On rank `dst`, parts[r] becomes `array` of rank r; on the others `parts` is None."""
        return self.comm.Igather(array, parts, dst)

    def start_scatter(self, array, parts, src):
        """`array` becomes parts[r] of rank `src` on rank r; on the others `parts` is None."""
        return self.comm.Iscatter(parts, array, src)

    def start_barrier(self):
        """Finished when all ranks have started it."""
        return self.comm.Ibarrier()

    def operation(self, op):
        """MPI's operation of a name in ReduceOp."""
        return {"sum": self.mpi.SUM, "max": self.mpi.MAX, "min": self.mpi.MIN, "prod": self.mpi.PROD}[op]

    # ---- waiting ----
    def wait(self, request, what):
        """Wait until the request is finished, in the operation `what`; end all ranks when the time is up."""
        start, called = time.monotonic(), False
        while not request.Test():
            seconds = time.monotonic() - start
            if seconds > PATIENT:
                time.sleep(50e-6 if seconds < 0.1 else 1e-3)
            if seconds > min(CALLING, self.timeout / 2) and not called:
                self.calls.call(what)
                called = True
            if seconds > self.timeout:
                self.abort(f"waited {self.timeout:g} s in {what}: {self.calls.missing(self.members)}; a training continues "
                           "with --resume", TIMED_OUT)
        self.waited += time.monotonic() - start
        if called:
            self.calls.call("")

    def total(self, array):
        """The sum of every rank's array, in this rank's own memory."""
        result = np.ascontiguousarray(array).copy()
        self.wait(self.start_all_reduce(result), "a sum")
        return result

    def abort(self, reason, code=FAILED):
        """End all ranks, with a word on stderr."""
        print(f"tinycnn: rank {self.calls.rank} of {self.calls.size}: {reason}; all ranks are ended", file=sys.stderr,
              flush=True)
        ending = threading.Timer(GRACE, os._exit, (code,))  # where MPI itself does not end
        ending.daemon = True
        ending.start()
        self.comm.Abort(code)

"""How ranks that wait learn from each other who is missing."""
import numpy as np

LENGTH = 200  # bytes of a call


class RollCall:
    """Whoever has waited for a while tells all others where, and whoever then goes on takes that back.

    The messages have a communicator of their own, shared by all groups of a process, and nobody ever waits for one.
    """

    def __init__(self, comm):
        from mpi4py import MPI
        self.mpi, self.comm, self.heard, self.sent = MPI, comm.Dup(), {}, []
        self.rank, self.size = comm.Get_rank(), comm.Get_size()

    def call(self, what):
        """Tell the others that this rank waits in the operation `what`; "" that it goes on."""
        text = np.frombuffer(what.encode()[:LENGTH].ljust(LENGTH), np.uint8).copy()
        self.sent += [self.comm.Isend(text, other) for other in range(self.size) if other != self.rank]

    def hear(self):
        """{rank: where it waits} of all that have called."""
        status, text = self.mpi.Status(), np.empty(LENGTH, np.uint8)
        while self.comm.Iprobe(status=status):
            self.comm.Recv(text, status.Get_source())
            self.heard[status.Get_source()] = text.tobytes().decode(errors="replace").strip()
        self.sent = [request for request in self.sent if not request.Test()]
        return {rank: what for rank, what in self.heard.items() if what}

    def missing(self, ranks):
        """What those of the `ranks` do that this one waits for, as far as it is known."""
        waiting = self.hear()
        silent = [str(rank) for rank in ranks if rank not in waiting and rank != self.rank]
        if silent:
            return (f"rank {', '.join(silent)} did not come; it has died or hangs, or went another way through the program")
        return "; ".join(f"rank {rank} waits in {waiting[rank]}" for rank in ranks if rank != self.rank)

    def free(self):
        """Let go of the communicator."""
        self.hear()
        for request in self.sent:
            request.Free()
        self.comm.Free()

"""Programs that run on several processes, started by mpiexec, for tests."""
import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None or MPIEXEC is None,
                               reason="mpi4py and mpiexec are not installed")
ALONE = {"TINYCNN_THREADS": "1", "TINYCNN_NUMBA": "0", "PYTHONWARNINGS": "error"}  # small programs that start quickly
START = "import sys, numpy as np, tinycnn, tinycnn.nn as nn, tinycnn.distributed as dist\n"


def run(n, program, folder, *arguments, timeout=120, check=True, **environment):
    """What the text `program` does on n ranks: (exit code, stdout, stderr), after checking that the code is 0 (`check`)."""
    path = Path(folder) / "program.py"
    path.write_text(START + textwrap.dedent(program))
    command = [sys.executable, str(path), *map(str, arguments)]
    environment = {**os.environ, **ALONE, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    done = subprocess.run([MPIEXEC, "-n", str(n), *command] if n else command, capture_output=True, text=True,
                          timeout=timeout, cwd=folder, env=environment)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done.returncode, done.stdout, done.stderr

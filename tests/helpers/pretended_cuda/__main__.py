"""A pretended GPU, on which CuPy itself runs without a GPU, and with it the tests that need one.

    python -m tests.helpers.pretended_cuda build FOLDER     makes it: a minute, 500 MB, needs Linux, g++, a network
    python -m tests.helpers.pretended_cuda run FOLDER ...   runs Python there, with ... as its arguments:
    python -m tests.helpers.pretended_cuda run FOLDER -m pytest -n auto -m gpu tests/gpu
    python -m tests.helpers.pretended_cuda run FOLDER -m tests.helpers.pretended_cuda.host_time

`emulated.py` runs the project's own kernels on a pretended CuPy. Here CuPy is the real one, from PyPI, and what lies below
it is pretended: the driver, the runtime, the compiler, cuBLAS and cuSOLVER are one library that computes on the CPU. CuPy's
kernels and the project's are compiled by g++ from the very text that the GPU would get; each is kept, so that the first
run of the tests takes much longer than the next. With PRETENDED_GPUS=2 in the environment there are two GPUs. A function
that is not there says its name when it is called.

That shows what CuPy takes and gives: functions and arguments, dtypes, strides, numbers, errors, memory that runs out; and,
by counting, where something is copied between host and GPU, and where the host waits.

It cannot show
- speed, nor what a GPU does while Python goes on: every call has done its work when it returns, and streams mean nothing;
- races: threads take turns, and blocks follow one another;
- errors of the memory: a kernel that is given the host's addresses, or writes behind an array, may get away with it;
- the arithmetic of the GPU's compiler and libraries: fused products and sums, functions like exp, the rounding of cuBLAS;
- the roads that CuPy takes with CUB, cuTENSOR and cuFFT, and its sorting: CUB is switched off, and NumPy sorts.
"""
import argparse
import hashlib
import os
import sys

from .build import HERE, ROOT, CannotBuild, Folder, build


def environment(folder):
    """The variables with which programs find the pretended CUDA."""
    compiler = ("g++ -std=c++17 -O1 -w -fpermissive -ffp-contract=off -fno-stack-protector -fvisibility=hidden -shared -fPIC"
                f" -D__CUDACC_VER_MAJOR__=13 -I'{folder.cuda}/include' -include '{HERE}/device.h'")
    sides = (HERE / "device.h").read_bytes() + (HERE.parent / "emulation.h").read_bytes()
    programs = folder.path / "programs" / hashlib.sha256(sides).hexdigest()[:16]
    programs.mkdir(parents=True, exist_ok=True)
    paths = (str(ROOT), os.environ.get("PYTHONPATH"))
    return os.environ | {
        "LD_LIBRARY_PATH": str(folder.libraries), "PRETENDED_COMPILER": compiler, "PRETENDED_PROGRAMS": str(programs),
        "CUDA_PATH": str(folder.cuda), "CUPY_ACCELERATORS": "", "CUPY_CACHE_IN_MEMORY": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main(arguments=None):
    """Run the command; returns what the process ends with."""
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.pretended_cuda", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("build", "make the pretended GPU"), ("run", "run Python on it")):
        commands.add_parser(name, help=text).add_argument("folder")
    commands.choices["run"].add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args(arguments)
    if asked.command == "build":
        try:
            build(asked.folder)
        except CannotBuild as error:
            print(f"pretended_cuda: {error}", file=sys.stderr)
            return 1
        print("Run the tests:\n    "
              f"python -m tests.helpers.pretended_cuda run {asked.folder} -m pytest -n auto -m gpu tests/gpu")
        return 0
    folder = Folder(asked.folder)
    if not folder.done.exists():
        print(f"pretended_cuda: run `python -m tests.helpers.pretended_cuda build {asked.folder}` first", file=sys.stderr)
        return 1
    os.execve(folder.python, [str(folder.python), *asked.arguments], environment(folder))


if __name__ == "__main__":
    sys.exit(main())

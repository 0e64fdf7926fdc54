"""The command `tinycnn torch`: run a script, module or notebook whose text says `torch` and `torchvision`."""
import json
import os
import runpy
import sys
import traceback

from .. import as_torch

USAGE = """usage: tinycnn torch SCRIPT [ARGUMENT ...]
       tinycnn torch -m MODULE [ARGUMENT ...]

Run a Python script, a notebook (.ipynb) or a module, written for PyTorch, with tinycnn in the place of torch and
tinycnn.vision in that of torchvision. The arguments go to the script. Of a notebook the code is run, cell after cell,
without the lines that begin with % or !.
"""


def add_torch(commands):
    """`tinycnn torch`."""
    p = commands.add_parser("torch", add_help=False, help="run a script or notebook that was written for PyTorch")
    p.set_defaults(run=torch, forwards=True)


def torch(argv):
    """`tinycnn torch`: its exit code is that of the script, 1 after an exception."""
    module = argv[:1] == ["-m"]
    argv = argv[module:]
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if not module and not os.path.isfile(argv[0]):
        raise FileNotFoundError(f"torch: there is no script {argv[0]}")
    as_torch()
    sys.argv[:] = argv
    sys.path.insert(0, os.getcwd() if module else os.path.dirname(os.path.abspath(argv[0])))
    try:
        if module:
            runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
        elif argv[0].endswith(".ipynb"):
            _run_notebook(argv[0])
        else:
            runpy.run_path(argv[0], run_name="__main__")
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and str(error.name).startswith(("torch.", "torchvision.")):
            error.add_note(f"tinycnn stands in for PyTorch here, and has no {error.name}.")
        traceback.print_exc()
        return 1


def _run_notebook(path):
    """Run the code cells of a notebook one after the other, as one program."""
    with open(path, encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    names = {"__name__": "__main__", "__file__": path}
    for nr, cell in enumerate(cells, 1):
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            kept = ["" if line.lstrip().startswith(("%", "!")) else line for line in lines]
            exec(compile("\n".join(kept), f"{path}, cell {nr}", "exec"), names)

"""Run programs, one after the other, and print as JSON what each of them printed: run_programs.py LIBRARY FOLDER."""
import contextlib
import io
import json
import runpy
import sys
import traceback
from pathlib import Path


def main(library, folder):
    """Run every program of `folder`; `library` is torch, or tinycnn in its place."""
    if library == "tinycnn":
        import tinycnn
        tinycnn.as_torch()
    printed = {}
    for path in sorted(Path(folder).glob("*.py")):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            try:
                runpy.run_path(str(path), run_name="__main__")
            except Exception:
                traceback.print_exc(file=output)
        printed[path.stem] = output.getvalue()
    print(json.dumps(printed))


main(*sys.argv[1:])

"""How well the textbook can be read: how much of what runs is what one reads, and how far one has to turn pages.

    python -m benchmarks.reading

The network is the README's, run inside `with tinycnn.plainly():`. Calls are those of Python functions of the package,
without comprehensions; a change of file is a call whose function stands in another file than that of the call before.
"""
import ast
import re
import sys
from pathlib import Path

import tinycnn
import tinycnn.nn as nn
import tinycnn.nn.functional as F
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.checker import check_case
from tinycnn.ops import conv, unfold

PACKAGE = Path(tinycnn.__file__).parent
MACHINERY = re.compile(r"\bkernels\.|\bshare\(|\blarge\(|\bparallel\(|\bfast_\w+|\bworkers\b|\bnumba\b"
                       r"|\.\.(cpu|gpu|torch)\b", re.IGNORECASE)
TEXTBOOK = (conv.convolve, conv.weight_gradient, conv.input_gradient, unfold.im2col, unfold.col2im)


def readme():
    """The loss of the README's example."""
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(7 * 7 * 32, 10))
    return F.cross_entropy(model(tinycnn.randn(8, 1, 28, 28)), tinycnn.randint(10, (8,)))


def calls(function):
    """[code of each function of the package that `function()` enters, in order]."""
    codes = []

    def profile(frame, event, arg):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and not code.co_name.startswith("<"):
            codes.append(code)
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return codes


def backward():
    """How many calls, files and changes of file `loss.backward()` needs, plainly."""
    loss = readme()
    files = [code.co_filename for code in calls(loss.backward)]
    return len(files), len(set(files)), sum(a != b for a, b in zip(files, files[1:]))


def lines_hit():
    """(lines, of how many) of the functions of TEXTBOOK that run in the README's example."""
    codes = {getattr(function, "plain", function).__code__ for function in TEXTBOOK}
    hit = set()

    def trace(frame, event, arg):
        if frame.f_code not in codes:
            return None
        if event == "line":
            hit.add((frame.f_code, frame.f_lineno))
        return trace
    sys.settrace(trace)
    try:
        readme().backward()
    finally:
        sys.settrace(None)
    return len(hit), {code.co_name: len([1 for c, _ in hit if c is code]) for code in codes}


def frames_to_the_product():
    """Frames from `Conv2d.__call__` to the product of matrices, both included."""
    layer, x, depth = nn.Conv2d(1, 2, 3), tinycnn.randn(1, 1, 5, 5), []

    def profile(frame, event, arg):
        if event == "call" and frame.f_code is getattr(conv.convolve, "plain", conv.convolve).__code__:
            n = 0
            while frame and frame.f_code.co_name != "frames_to_the_product":
                n, frame = n + 1, frame.f_back
            depth.append(n)
    sys.setprofile(profile)
    try:
        layer(x)
    finally:
        sys.setprofile(None)
    return depth[0]


def machinery():
    """Lines in engine, ops, nn and optim that name the machinery of roads."""
    return sum(bool(MACHINERY.search(line)) for room in ("engine", "ops", "nn", "optim")
               for path in (PACKAGE / room).rglob("*.py") for line in path.read_text().splitlines())


def checked_plainly():
    """(cases of convolutions, of all operations) of the registry that the checker finds right on the plain formulas."""
    registry.load()
    right = [case for case in registry.CASES if check_case(case)]
    convolutions = [case for case in right if case.function.__module__ == conv.__name__]
    return len(convolutions), len(right), len(registry.CASES)


def code_lines(path):
    """Lines of a file that are neither empty, nor comment, nor docstring."""
    text = path.read_text()
    silent = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            silent |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return sum(bool(line.strip()) and not line.strip().startswith("#") and n not in silent
               for n, line in enumerate(text.splitlines(), 1))


def main():
    """Print the table."""
    with tinycnn.plainly():
        hit, by_name = lines_hit()
        (count, files, changes), frames = backward(), frames_to_the_product()
        convolutions, right, cases = checked_plainly()
    print(f"lines of {', '.join(sorted(by_name))} that the README's example runs: {hit} ({by_name})")
    print(f"cases checked on the plain formulas: {right} of {cases}, {convolutions} of them convolutions")
    print(f"lines in engine, ops, nn, optim that name the machinery of roads: {machinery()}")
    print(f"entries at the package's top: {sum(p.name != '__pycache__' for p in PACKAGE.iterdir())}")
    print(f"loss.backward(): {count} calls, {files} files, {changes} changes of file")
    print(f"frames from Conv2d.__call__ to the product: {frames}")
    print(f"lines of code in engine/tensor.py, function.py, autograd.py: "
          f"{sum(code_lines(PACKAGE / 'engine' / name) for name in ('tensor.py', 'function.py', 'autograd.py'))}")


if __name__ == "__main__":
    main()

"""Compiled loops on disk: found by the next process, made anew where anything is wrong; what users are told of them."""
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinycnn.cpu import compiled

pytestmark = pytest.mark.skipif(bool(compiled.missing()), reason=compiled.missing() or "there are loops")

LOOPS = '''
from tinycnn.cpu.compiled import compiled, loop
from factors import factor


@loop
def twice(x, y):
    """y = 2 x"""
    for i in range(len(x)):
        y[i] = x[i] * 2


@loop
def scaled(x, y):
    for i in range(len(x)):
        y[i] = factor(x[i])


def times(n, m):
    """The loop that computes y = n x + m."""
    def run(x, y):
        for i in range(len(x)):
            y[i] = n * x[i] + m
    return compiled(run)


def tile(J):
    from tinycnn.cpu.registers import put, zero

    def run(x, y):
        put(zero(J, 1, x), y, 0, 1)
        for i in range(len(x)):
            y[i] = x[i] + J
    return compiled(run)
'''

PROGRAM = """
import numpy as np
from numba.core import event

class Count(event.Listener):
    made = []
    def on_start(self, event):
        self.made.append(event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event):
        pass

event.register("numba:compile", Count())
import loops
calls = loops.twice, loops.scaled, loops.times(1, 2), loops.times(2, 1), loops.tile(1), loops.tile(2)
for f, dtype in [*((f, "float32") for f in calls), (loops.twice, "float64")]:
    y = np.zeros(32, dtype)
    f(np.ones(1, dtype), y)
    print(y[0], end=" ")
print(len(Count.made))
"""
RIGHT = "2.0 5.0 3.0 3.0 2.0 3.0 2.0 "
ALL = 8  # loops: `scaled` brings `factor`, and there are two of `twice`


@pytest.fixture
def kept(tmp_path):
    """The folder for machine code."""
    return tmp_path / "kept"


@pytest.fixture
def run(tmp_path, kept):
    """Runs PROGRAM in a process of its own: (what it printed, how many loops it compiled)."""
    (tmp_path / "loops.py").write_text(LOOPS)
    (tmp_path / "factors.py").write_text("from tinycnn.cpu.compiled import loop\n@loop\ndef factor(x):\n    return 5 * x\n")

    def run(**variables):
        path = os.pathsep.join([str(tmp_path), str(Path(compiled.__file__).parents[2])])
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=tmp_path, env={
            **os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(kept), "TINYCNN_NUMBA": "1", **variables})
        assert done.returncode == 0 and done.stderr == "", done.stderr
        numbers, _, count = done.stdout.strip().rpartition(" ")
        return numbers + " ", int(count)
    return run


def test_the_next_process_compiles_nothing_and_gets_the_loops_that_it_asks_for(run, kept):
    assert run() == (RIGHT, ALL)
    assert run() == (RIGHT, 0)
    assert len(list(kept.rglob("*.nbc"))) == ALL


def test_loops_of_another_processor_are_not_loaded(run):
    assert run() == (RIGHT, ALL)
    assert run(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == (RIGHT, ALL)
    assert run() == (RIGHT, 0)


def test_damaged_files_are_made_anew(run, kept):
    harms = [lambda b: b[:len(b) // 2], lambda b: b"", lambda b: b"garbage" * 100, lambda b: b[:-99] + bytes(99)]
    assert run() == (RIGHT, ALL)
    for i, path in enumerate(kept.rglob("*.nbc")):
        path.write_bytes(harms[i % 4](path.read_bytes()))
    assert run() == (RIGHT, ALL)
    assert run() == (RIGHT, 0)


def test_a_loop_is_compiled_again_if_one_that_it_calls_changes_in_another_file(run, kept, tmp_path):
    assert run() == (RIGHT, ALL)
    path = tmp_path / "factors.py"
    path.write_text(path.read_text().replace("5 * x", "7 * x"))
    assert run() == (RIGHT.replace("5", "7"), 2)
    assert len(list(kept.rglob("*.nbc"))) == ALL  # the old ones are gone


def test_where_nothing_can_be_written_loops_compile_in_memory(run, kept):
    kept.write_text("a file: there can be no folder below it")
    variables = dict(NUMBA_CACHE_DIR=str(kept / "below"), NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert run(**variables) == (RIGHT, ALL)
    assert kept.is_file()


def test_a_folder_that_becomes_unwritable_is_no_error(tmp_path):
    loop = compiled.compiled(sum_of)
    loop._cache._folder = tmp_path / "missing"
    assert loop(np.ones(3)) == 3
    assert not list(tmp_path.iterdir())


def sum_of(x):
    """The sum of an array."""
    total = 0.0
    for number in x:
        total += number
    return total


class Terminal(io.StringIO):
    """A terminal, or not."""

    def __init__(self, interactive):
        super().__init__()
        self.isatty = lambda: interactive


@pytest.mark.parametrize("interactive, patience", [(True, -1), (True, 1000), (False, -1)])
def test_a_terminal_shows_one_line_while_loops_are_compiled_if_that_takes_long(interactive, patience, monkeypatch):
    from tinycnn.cpu import kept
    monkeypatch.setattr(kept, "PATIENCE", patience)
    monkeypatch.setattr(sys, "stderr", Terminal(interactive))
    progress = kept.Progress()

    class Event:
        data = {"dispatcher": compiled.compiled(sum_of)}
    monkeypatch.setattr(kept, "ours", lambda event: True)
    for step in "((())())":
        (progress.on_start if step == "(" else progress.on_end)(Event)
    shown = sys.stderr.getvalue()
    if interactive and patience < 0:
        assert "once: 1" in shown and "once: 4" in shown and "\n" not in shown and shown.endswith(f"\r{'':60}\r")
    else:
        assert shown == ""


def test_loops_of_others_are_not_told_of():
    from numba import njit
    from tinycnn.cpu import kept, pool

    class Event:
        def __init__(self, function):
            self.data = {"dispatcher": function}
    maxima = pool.maxima.loop() if hasattr(pool.maxima, "loop") else pool.maxima  # compiled by another test
    assert kept.ours(Event(maxima)) and not kept.ours(Event(njit(sum_of)))


def test_roads_says_once_why_loops_do_not_serve():
    def closed(numba):
        command = [sys.executable, "-m", "tinycnn", "roads", "--json"]
        output = subprocess.check_output(command, env={**os.environ, "TINYCNN_NUMBA": numba})
        return {row["road"].rpartition(".")[2]: row["closed"] for row in json.loads(output)
                if row["road"].startswith("cpu.")}
    assert set(closed("1").values()) == {""}
    reasons = closed("0")
    assert reasons["gelu_in_a_loop"] == "TINYCNN_NUMBA is 0" and reasons["convolve_on_cpu"] == ""

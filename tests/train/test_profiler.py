"""The profiler: what it counts, that its times add up, and that it leaves nothing behind."""
import doctest
import json
import subprocess
import sys
import time

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.train import profiler
from tinycnn.cli import main
from tinycnn.engine.function import Function
from tinycnn.nn import functional as F


def net():
    return nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 5, bias=False))


def step(model, batch=4):
    model(tinycnn.ones(batch, 2, 8, 8)).square().mean().backward()


class Slow(Function):
    """y = x, after a while, and an addition inside."""

    @staticmethod
    def forward(ctx, x):
        time.sleep(0.02)
        Inside.apply(tinycnn.ones(1))
        return x * 1

    @staticmethod
    def backward(ctx, dy):
        time.sleep(0.01)
        return dy


class Inside(Function):
    """Takes longer than what is around it."""

    @staticmethod
    def forward(ctx, x):
        time.sleep(0.04)
        return x * 1


def test_the_example_of_the_docstring_runs():
    results = doctest.testmod(profiler)
    assert results.attempted > 4 and not results.failed


def test_calls_bytes_and_operations_are_counted():
    model = net()
    with tinycnn.profile() as prof:
        step(model)
        step(model)
    conv, linear, relu = map(prof.row, ("Conv", "Linear", "ReLU"))
    y, x, weights = 4 * 8 * 36 * 4, 4 * 2 * 64 * 4, 8 * 2 * 9 * 4
    assert conv.count == relu.count == linear.count == 2
    assert conv.forward_flops == 2 * (2 * 4 * 8 * 36 * 18)
    assert conv.backward_flops == conv.forward_flops, "the pictures need no gradient"
    assert linear.flops == 3 * linear.forward_flops == 3 * 2 * (2 * 4 * 288 * 5)
    assert relu.flops == 0
    assert (conv.inputs, conv.outputs) == (2 * (x + weights + 8 * 4), 2 * y)
    assert (conv.saved, relu.saved) == (0, 2 * y), "pictures and weights live anyway"
    assert linear.saved == 2 * y, "to flatten what lies in memory channels last makes a copy"
    assert conv.rate == conv.flops / (conv.forward + conv.backward)


def test_what_two_operations_keep_counts_for_the_first():
    x = tinycnn.ones(5, requires_grad=True)
    with tinycnn.profile() as prof:
        x.relu().log()
    assert prof.row("ReLU").saved == 5 * 4 and prof.row("Log").saved == 0


def test_attention_and_transposed_convolutions_have_their_products_counted():
    q, k, v = (tinycnn.randn(2, n, e, requires_grad=True) for n, e in ((3, 4), (5, 4), (5, 6)))
    with tinycnn.profile() as prof:
        F.scaled_dot_product_attention(q, k, v).sum().backward()
        F.conv_transpose2d(tinycnn.ones(1, 3, 4, 4), tinycnn.ones(3, 2, 2, 2, requires_grad=True), stride=2).sum().backward()
    attention = 2 * (2 * 3 * 5 * 4 + 2 * 3 * 5 * 6)
    assert (prof.row("Attention").forward_flops, prof.row("Attention").backward_flops) == (attention, 2 * attention)
    transposed = prof.row("ConvTranspose")
    assert transposed.forward_flops == transposed.backward_flops == 2 * 3 * 16 * 8


def test_times_are_those_of_the_operation_alone_and_add_up():
    x = tinycnn.ones(1, requires_grad=True)
    with tinycnn.profile() as prof:
        y = Slow.apply(x)
        time.sleep(0.03)
        y.backward()
    slow, inside = prof.row("Slow"), prof.row("Inside")
    assert slow.forward >= 0.02 and slow.backward >= 0.01 and inside.forward >= 0.04 and inside.backward == 0
    assert slow.forward < inside.forward, "what runs inside is counted there"
    assert prof.total >= slow.time + inside.time + 0.03
    assert [row.name for row in prof.rows] == ["Inside", "Slow"]


def test_nothing_is_measured_outside_and_apply_is_as_before():
    before = Function.__dict__["apply"]
    x = tinycnn.ones(3, requires_grad=True)
    with pytest.raises(ZeroDivisionError), tinycnn.profile() as prof:
        y = x * 2
        1 / 0
    assert Function.__dict__["apply"] is before
    (y * 3).sum().backward()
    assert prof.row("Mul").count == 1 and prof.row("Mul").backward == 0
    assert x.grad.array.tolist() == [6, 6, 6]


def test_results_are_the_same_bit_for_bit():
    model = net()
    step(model)
    expected = [p.grad.array.copy() for p in model.parameters()]
    model.zero_grad()
    with tinycnn.profile():
        step(model)
    for p, e in zip(model.parameters(), expected):
        np.testing.assert_array_equal(p.grad.array, e)


def test_recorded_gradients_and_profiles_inside_profiles():
    x = tinycnn.randn(2, 3, dtype=tinycnn.float64, requires_grad=True)
    with tinycnn.profile() as outer, tinycnn.profile() as inner:
        (g,) = tinycnn.autograd.grad(F.layer_norm(x, (3,)).square().sum(), x, create_graph=True)
        g.square().sum().backward()
    assert inner.row("Normalize").backward > 0 and [r.name for r in outer.rows] != []
    assert {r.name: r.count for r in outer.rows} == {r.name: r.count for r in inner.rows}


def test_a_profile_can_go_on_but_not_inside_itself():
    prof = tinycnn.profile()
    for _ in range(2):
        with prof:
            tinycnn.ones(2).exp()
    assert prof.row("Exp").count == 2
    with prof, pytest.raises(RuntimeError, match="already running"):
        prof.__enter__()


def test_table_can_be_sorted_and_cut():
    with tinycnn.profile() as prof:
        step(net())
    names = [line.split()[0] for line in prof.table("name").splitlines()[2:-2]]
    assert names == sorted(row.name for row in prof.rows) and "Conv" in names
    assert prof.table("count", limit=1).splitlines()[-1].endswith(f"{len(names) - 1} more operations")
    lines = str(prof).splitlines()
    assert lines[0].split()[:5] == ["operation", "calls", "forward", "backward", "share"] and "peak" not in lines[0]
    with pytest.raises(ValueError, match="sort_by must be one of time, .*'size'"):
        prof.table("size")
    assert json.loads(json.dumps(prof.as_dict()))["total"] == prof.total


def test_peak_is_measured_once_and_shown(monkeypatch):
    measured = []
    monkeypatch.setattr(profiler, "matrix_peak", lambda: measured.append(1) or 1e9)
    with tinycnn.profile(peak=True) as prof:
        step(net())
    conv = prof.row("Conv")
    assert prof.peak == 1e9 and measured == [1]
    line = next(line for line in str(prof).splitlines() if line.startswith("Conv"))
    assert line.endswith(f"{conv.rate / 1e9:.0%}") and "the peak is 1 GFLOP/s" in str(prof)


def test_speed_of_products_is_measured():
    assert profiler.matrix_peak(64, 2) > 1e6 and profiler.matrix_peak(64, 2) is profiler.matrix_peak(64, 2)


def test_picture_shows_every_operation():
    pytest.importorskip("matplotlib")
    with tinycnn.profile() as prof:
        step(net())
    figure = prof.plot(limit=3)
    figure.canvas.draw()
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == [r.name for r in prof.rows[:3]] + ["everything else"]
    widths = [bar.get_width() for bar in ax.patches]
    assert widths[:3] == pytest.approx([1e3 * r.forward for r in prof.rows[:3]])
    assert sum(widths) == pytest.approx(1e3 * prof.total)
    with pytest.raises(ValueError, match="no operation"):
        tinycnn.profile().plot()


def test_import_of_the_package_does_not_load_it():
    code = ("import sys, tinycnn; "
            "print('tinycnn.train.profiler' in sys.modules, tinycnn.profile.__module__, tinycnn.profiler.profile)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("False tinycnn.train.profiler <class")


def test_command_prints_a_table_or_json_and_draws(capsys, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(profiler, "matrix_peak", lambda: 1e9)
    arguments = ["profile", "lenet5", "--batch", "2", "--steps", "1", "--input-size", "1x28x28"]
    assert main([*arguments, "--sort-by", "name"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:-3]]
    assert names == sorted(names) and "Conv" in names
    assert main([*arguments, "--json", "--plot", str(tmp_path / "x.png")]) == 0
    rows = {r["name"]: r for r in json.loads(capsys.readouterr().out)["operations"]}
    assert rows["Conv"]["count"] == 2 and (tmp_path / "x.png").exists()
    assert main(["profile", "lenet_5"]) == 1 and "lenet5" in capsys.readouterr().err

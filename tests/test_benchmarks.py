"""The benchmarks: what a measurement counts, and what the report says. Nothing here is timed."""
import socket

import numpy as np
import pytest

import tinycnn
from benchmarks import measure, nets, report, workloads
from benchmarks.workloads import Workload


@pytest.mark.parametrize("workload", workloads.WORKLOADS, ids=lambda w: w.name)
def test_every_network_takes_its_pictures(workload):
    with tinycnn.no_grad():
        scores = workload.net(tinycnn)(tinycnn.zeros(2, *workload.input[1:]))
    assert scores.shape == (2, workload.classes)


def test_both_libraries_get_the_same_network():
    torch = pytest.importorskip("torch")
    for workload in workloads.WORKLOADS:
        shapes = [{name: tuple(p.shape) for name, p in workload.net(t).named_parameters()} for t in (tinycnn, torch)]
        assert shapes[0] == shapes[1]


def test_products_are_counted():
    """By hand: 5x5 convolutions of 28x28x6 and 14x14x16 outputs, then three matrices; the pictures need no gradient."""
    forward = [2 * 784 * 6 * 25, 2 * 196 * 16 * 150, 2 * 784 * 120, 2 * 120 * 84, 2 * 84 * 10]
    assert measure.count_flops(tinycnn, nets.lenet5(tinycnn), tinycnn.zeros(1, 1, 28, 28)) == 3 * sum(forward) - forward[0]


def test_a_measurement_trains_and_reports():
    result = measure.training(tinycnn, Workload("small", nets.lenet5, (2, 1, 28, 28), 10, 1.0), seconds=0)
    assert len(result["times"]) == measure.LEAST_STEPS and min(result["times"]) > 0 and result["memory"] >= 0


def test_the_report_shows_ratios_and_names_no_host():
    row = dict(name="small", batch=2, target=1.0, rounds=3, times=[dict(tinycnn=0.002, torch=0.004)] * 3,
               memory=dict(tinycnn=5e6, torch=1e7), efficiency=0.25, ratios=[0.4, 0.5, 0.6], ratio=0.5, memory_ratio=0.5)
    overheads = {"dispatch": {"tinycnn forward": 5e-6}, "import": {"numpy": 0.1, "tinycnn": 0.02}}
    page = report.page(dict(machine=report.machine(), threads=2, workloads=[row], overheads=overheads, load=1.5))
    assert "| small    | 2     | 0.50 | 1.00   | 0.40 - 0.60 | 0.50   | 2.0 | 4.0        | 5  | 10         | 25% " in page
    for part in ("medians over 3 rounds", "was 1.5 at", "tinycnn forward 5.0", np.__version__):
        assert part in page
    assert socket.gethostname() not in page


def test_without_pytorch_tinycnn_is_shown_alone():
    row = dict(name="small", batch=2, target=1.0, rounds=1, times=[dict(tinycnn=0.002)], memory=dict(tinycnn=5e6),
               efficiency=0.25)
    assert "| 2.0 |" in report.text(dict(workloads=[row]))

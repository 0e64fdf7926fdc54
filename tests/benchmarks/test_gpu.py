"""The benchmark for GPUs, as far as it runs without one."""
import pytest

import tinycnn
from benchmarks import gpu


@pytest.mark.parametrize("workload", gpu.WORKLOADS, ids=lambda w: w.name)
def test_both_libraries_get_the_same_network(workload):
    torch = pytest.importorskip("torch")
    shapes = [{name: tuple(p.shape) for name, p in workload.net(t).named_parameters()} for t in (tinycnn, torch)]
    assert shapes[0] == shapes[1]


@pytest.mark.skipif(tinycnn.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_what_is_missing(capsys):
    assert gpu.main([]) == 1
    assert "needs a GPU and CuPy" in capsys.readouterr().err


def test_a_row_holds_medians_and_a_failure_does_not_hide_the_rest(monkeypatch):
    times = iter([[0.010, 0.012, 0.011], [0.005] * 3, [0.03], [0.01]])
    fine = dict(queued=[0.004], memory=2e9, device="a GPU", flops=1e9, peak=1e12)
    monkeypatch.setattr(gpu, "in_process", lambda *what: {**fine, "times": next(times)})
    row = gpu.compare(gpu.WORKLOADS[0], True, 2, 1, ["tinycnn", "torch"])
    assert row["ratio"] == pytest.approx((2.2 + 3) / 2) and row["tinycnn"]["time"] == pytest.approx(0.0205)
    monkeypatch.setattr(gpu, "in_process", lambda *what: {"error": "no memory"})
    failed = gpu.compare(gpu.WORKLOADS[1], False, 1, 1, ["tinycnn", "torch"])
    assert failed["errors"] == ["tinycnn: no memory", "torch: no memory"]
    lines = gpu.table([row, failed], ["tinycnn", "torch"]).splitlines()
    assert "| LeNet-5 | 512 | TF32 | 2.60 | 20.50 | 4.00 | 2.00 |" in lines[2] and "failed" in lines[3]
    assert len({line.count("|") for line in lines}) == 1

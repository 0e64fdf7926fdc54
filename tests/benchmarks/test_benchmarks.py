"""The benchmarks: what a measurement counts, and what the report says. Nothing here is timed."""
import json
import socket

import numpy as np
import pytest

import tinycnn
from benchmarks import __main__ as runner
from benchmarks import growth, measure, nets, peers, report, where, workloads
from benchmarks.goals import GOALS
from benchmarks.workloads import Workload

LIGHT = [w for w in workloads.WORKLOADS if w.name in ("MNIST net", "LeNet-5", "DenseNet-40", "MobileNet v1", "ViT-Tiny")]


@pytest.mark.parametrize("workload", LIGHT, ids=lambda w: w.name)
def test_networks_take_their_pictures(workload):
    with tinycnn.no_grad():
        scores = workload.net(tinycnn)(tinycnn.zeros(2, *workload.input[1:]))
    assert scores.shape == (2, workload.classes)


@pytest.mark.parametrize("workload", workloads.WORKLOADS, ids=lambda w: w.name)
def test_both_libraries_get_the_same_network(workload):
    torch = pytest.importorskip("torch")
    shapes = [{name: tuple(p.shape) for name, p in workload.net(t).named_parameters()} for t in (tinycnn, torch)]
    assert shapes[0] == shapes[1]


def test_products_are_counted():
    """By hand: 5x5 convolutions of 28x28x6 and 14x14x16 outputs, then three matrices; the pictures need no gradient."""
    forward = [2 * 784 * 6 * 25, 2 * 196 * 16 * 150, 2 * 784 * 120, 2 * 120 * 84, 2 * 84 * 10]
    step = measure.step_of(tinycnn, Workload("small", nets.lenet5, (1, 1, 28, 28), 10, 1.0))
    assert measure.count_flops(tinycnn, step) == 3 * sum(forward) - forward[0]
    step = measure.step_of(tinycnn, Workload("small", nets.lenet5, (1, 1, 28, 28), 10, 1.0, training=False))
    assert measure.count_flops(tinycnn, step) == sum(forward)


def test_a_step_learns_and_an_inference_does_not():
    workload = Workload("small", lambda t: network, (2, 1, 28, 28), 10, 1.0)
    network = nets.lenet5(tinycnn)
    before = [p.array.copy() for p in network.parameters()]
    measure.step_of(tinycnn, Workload("small", lambda t: network, (2, 1, 28, 28), 10, 1.0, training=False))()
    assert all((p.array == b).all() for p, b in zip(network.parameters(), before)) and not network.training
    measure.step_of(tinycnn, workload)()
    assert any((p.array != b).any() for p, b in zip(network.parameters(), before))


def test_scores_for_every_pixel_get_labels_for_every_pixel(monkeypatch):
    network, labels = tinycnn.nn.Conv2d(1, 2, 3, padding=1), []
    monkeypatch.setattr(tinycnn.nn.functional, "cross_entropy", lambda scores, y: labels.append(y) or scores.sum())
    measure.step_of(tinycnn, Workload("pixels", lambda t: network, (2, 1, 8, 8), 2, 1.0))()
    assert labels[0].shape == (2, 8, 8) and set(labels[0].numpy().ravel()) == {0, 1}


def test_a_measurement_is_repeated_until_the_time_is_over():
    calls = []
    assert len(measure.repeat(lambda: calls.append(1), seconds=0)) == measure.LEAST_STEPS == len(calls) - 1


def test_operations_run_forward_and_backward(monkeypatch):
    small = [workloads.Operation("conv", workloads.functions("conv2d", padding=1), ((2, 3, 5, 5), (4, 3, 3, 3))),
             workloads.Operation("norm", workloads.batch_norm, ((2, 3, 4, 4), (3,), (3,)))]
    monkeypatch.setattr(measure, "OPERATIONS", small)
    found = measure.operations("tinycnn", 0)
    assert list(found) == ["conv", "norm"] and min(found.values()) > 0
    arrays = [np.ones((2, 3, 4, 4), np.float32)]
    with tinycnn.profile() as prof:
        measure.forward_and_backward(tinycnn, lambda t, x: (x * 2, x.argmax(1), t.exp(x)), arrays)()
    assert prof.row("Mul").backward > 0 and prof.row("Exp").backward > 0


def test_growth_changes_one_dimension_at_a_time():
    shapes = {(dimension, value): w.input for dimension, value, w in growth.points()}
    assert shapes["batch", 8] == (8, 32, 32, 32) and shapes["channels", 64] == (32, 64, 32, 32)
    assert shapes["size", 16] == (32, 32, 16, 16) and len(shapes) == 15
    assert growth.slope([1, 2, 4, 8, 16], [9, 9, 2, 8, 32]) == pytest.approx(2)


def test_the_time_of_a_step_is_told_by_kinds_of_operations():
    workload = Workload("small", nets.lenet5, (2, 1, 28, 28), 10, 1.0)
    for t in (tinycnn, pytest.importorskip("torch")):
        step = measure.step_of(t, workload)
        found = where.kinds(t, workload, step, lambda step, seconds: measure.repeat(step, 0), steps=1)
        assert list(found) == [f"small: {kind}" for kind in where.KINDS]
        assert min(found[f"small: {kind}"] for kind in ("convolution", "products", "pooling", "activations")) > 0
        assert found["small: normalisation"] == 0


@pytest.mark.parametrize("name, kind", [("Conv", "convolution"), ("aten::convolution_backward", "convolution"),
                                        ("Linear", "products"), ("aten::addmm", "products"), ("AdaptiveAvgPool", "pooling"),
                                        ("aten::max_pool2d_with_indices", "pooling"), ("aten::clamp_min", "activations"),
                                        ("aten::native_batch_norm", "normalisation"),
                                        ("aten::add_", "rest"), ("Add", "rest")])
def test_operations_of_both_libraries_belong_to_the_same_kinds(name, kind):
    assert where.kind_of(name) == kind


def test_goals_are_trained_on_networks_that_run():
    for goal in GOALS.values():
        shape = (2, 1, 28, 28) if goal.data == "MNIST" else (2, 3, 32, 32)
        assert goal.net(tinycnn)(tinycnn.zeros(*shape)).shape == (2, 10)


@pytest.mark.parametrize("name", peers.PEERS)
def test_peers_compute_the_gradients_that_tinycnn_computes(name, monkeypatch):
    monkeypatch.setattr(np, "int", int, raising=False)  # DeZero needs it when it is imported
    pytest.importorskip(name)
    x, labels = np.random.default_rng(0).standard_normal((4, 1, 28, 28), dtype=np.float32), np.arange(4)
    seen = []
    monkeypatch.setattr(peers, "momentum_sgd", lambda values, gradients, velocities: seen.append(gradients))
    peers.PEERS[name](x, labels)()
    p, F = {name: tinycnn.tensor(w, requires_grad=True) for name, w in peers.weights().items()}, tinycnn.nn.functional
    y = F.max_pool2d(F.conv2d(tinycnn.tensor(x), p["w1"], p["b1"], padding=2).relu(), 2)
    y = F.max_pool2d(F.conv2d(y, p["w2"], p["b2"], padding=2).relu(), 2)
    F.cross_entropy(y.flatten(1) @ p["w3"] + p["b3"], tinycnn.tensor(labels)).backward()
    for key, w in p.items():
        np.testing.assert_allclose(np.asarray(seen[0][key]).reshape(w.shape), w.grad.numpy(), rtol=1e-3, atol=1e-5)


# ---- the runner ------------------------------------------------------------------------------------------------------

def pretend(library, what, seconds, module="measure", threads=None):
    """Measurements of a machine on which PyTorch takes twice as long, and one of the peers does not work."""
    scales = {"tinycnn": 1, "torch": 5 if threads else 2, "channels_last": 4, "mygrad": 10, "without_numba": 3}
    scale = scales.get(library)
    if scale is None:
        raise RuntimeError(f"{library} does not run here")
    if what == "peak":
        return dict(flops=1e9)
    if what == "import":
        return dict(numpy=0.1, tinycnn=0.02)
    if what == "dispatch":
        return dict(forward=5e-6 * scale, backward=2e-6 * scale)
    if what == "growth":
        return {f"{d} {v}": 1e-3 * scale * v for d, v, _ in growth.points()}
    if what == "where":
        return {f"MNIST net: {kind}": 1e-3 * scale for kind in where.KINDS}
    if what in ("operations", "cases"):
        return {"Conv: a": 1e-3 * scale, "Conv: b": 2e-3 * scale, "ReLU: a": 1e-3 * scale}
    if module == "goals":
        return dict(seconds=10 * scale, accuracies=[0.9, 0.995], reached=True)
    return dict(times=[0.001 * scale, 0.002 * scale], memory=10_000_000 // scale, flops=500_000)


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(runner, "measure", pretend)
    monkeypatch.setattr(runner, "HERE", tmp_path)
    monkeypatch.setattr(runner, "STORE", tmp_path / "results.json")
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: name != "dezero")

    def main(*argv):
        monkeypatch.setattr("sys.argv", ["benchmarks", *argv])
        return runner.main(), capsys.readouterr()
    return main


def test_a_complete_run_writes_a_page_that_names_no_host(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, _ = run("--quick", "--write")
    page = (tmp_path / "RESULTS.md").read_text()
    assert code == 0 and socket.gethostname() not in page
    row = next(line for line in page.splitlines() if line.startswith("| MNIST net"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["MNIST net", "128", "0.50", "0.80", "0.50 - 0.50", "0.20", "1.50", "0.25", "2.00", "0.8", "1.5", "10",
                     "5", "67%"]
    for words in (f"PyTorch, {len(workloads.WORKLOADS)} workloads: 0.50.", "With one thread each: 0.20.",
                  "Without Numba: 1.50.", "MyGrad", "10.0 times", "3 calls of 2 operations",
                  "the batch to the power of", "tinycnn forward 5.0", "import tinycnn` after it 20 ms", np.__version__,
                  "| MNIST net | 1.0 / 2.0"):
        assert words in page
    assert "HIPS" not in page and "99%" not in page, "autograd failed, and the goals were not asked for"
    for picture in ("networks", "growth", "cases"):
        assert f"pictures/{picture}.png" in page and (tmp_path / "pictures" / f"{picture}.png").stat().st_size > 1000


def test_one_part_replaces_only_itself(run, tmp_path):
    store = tmp_path / "results.json"
    run("--quick", "--only", "MNIST net", "goals", "--write")
    before = json.loads(store.read_text())
    before["goals"]["load"] = 123.0
    store.write_text(json.dumps(before))
    run("--quick", "--only", "LeNet-5", "--write", "--json", str(tmp_path / "x.json"))
    after = json.loads(store.read_text())
    assert list(after) == ["MNIST net", "goals", "LeNet-5"] and after["goals"]["load"] == 123.0
    assert list(json.loads((tmp_path / "x.json").read_text())) == ["LeNet-5"]
    page = (tmp_path / "RESULTS.md").read_text()
    assert page.index("| MNIST net") < page.index("| LeNet-5") and "99.50%" in page
    (tmp_path / "RESULTS.md").unlink()
    run("--render")
    assert (tmp_path / "RESULTS.md").read_text() == page


def test_without_write_nothing_is_written(run, tmp_path):
    code, printed = run("--quick", "--only", "peers")
    assert code == 0 and "MyGrad" in printed.out and "round 1" in printed.err and "does not run here" in printed.err
    assert not list(tmp_path.iterdir())


def test_without_pytorch_tinycnn_is_shown_alone(run, monkeypatch):
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None)
    code, printed = run("--quick")
    assert code == 0 and "measured alone" in printed.err and "PyTorch," not in printed.out
    assert next(line for line in printed.out.splitlines() if "MNIST net" in line).count("|") == len(report.HEAD) + 1


def test_a_failed_part_leaves_the_others(run, monkeypatch):
    def fail(library, what, *rest, **options):
        if what == "LeNet-5":
            raise RuntimeError("out of memory")
        return pretend(library, what, *rest, **options)
    monkeypatch.setattr(runner, "measure", fail)
    code, printed = run("--quick", "--only", "LeNet-5", "MNIST net")
    assert code == 1 and "out of memory" in printed.err and "| MNIST net" in printed.out


def test_a_measurement_that_fails_says_why():
    with pytest.raises(RuntimeError, match="no_such_library, peers_on.*No module named 'no_such_library'"):
        runner.measure("no_such_library", "peers_on", 0)

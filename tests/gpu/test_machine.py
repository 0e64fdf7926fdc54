"""On a GPU: what only a GPU has. Kernels against the plain roads, queues, memory, precision, random numbers."""
import time

import numpy as np
import pytest

import tinycnn
import tinycnn.nn as nn
import tinycnn.nn.functional as F
from tinycnn.engine import arrays
from tinycnn.gpu import cuda
from tinycnn.gpu.launch import serves
from tinycnn.gpu.random import uniform

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not tinycnn.cuda.is_available(), reason="needs a GPU and CuPy")]
PRETENDED = tinycnn.cuda.is_available() and tinycnn.cuda.get_device_name() == "Pretended GPU"
computes_meanwhile = pytest.mark.skipif(PRETENDED, reason="needs a GPU that computes while Python goes on")

SPIN = """
extern "C" __global__ void spin(long long nanoseconds) {
    unsigned long long start, now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    do asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now)); while (now - start < nanoseconds);
}
"""


def cupy():
    return arrays.load_cupy()


def occupy(seconds):
    """Keep the queue of computations busy for so long; returns at once."""
    cupy().RawKernel(SPIN, "spin")((1,), (1,), (int(seconds * 1e9),))


def net():
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(16, 16, 3, groups=16), nn.ReLU(), nn.Conv2d(16, 24, 1), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Dropout(0.2), nn.Linear(24, 10))


def trained(steps=3, optimizer=tinycnn.optim.SGD, device="cuda", dtype=tinycnn.float32, **options):
    """The state of a net after some steps on random pictures, as NumPy arrays."""
    tinycnn.manual_seed(0)
    model = net().to(device).to(dtype)
    for p in model.parameters():  # the same weights on every device
        p.data.copy_(tinycnn.tensor(np.random.default_rng(p.numel()).standard_normal(p.shape) / 4).to(dtype).to(device))
    rng, optimizer = np.random.default_rng(0), optimizer(model.parameters(), 0.05, **options)
    for _ in range(steps):
        x = tinycnn.tensor(rng.standard_normal((16, 3, 20, 20))).to(dtype).to(device)
        y = tinycnn.tensor(rng.integers(0, 10, 16)).to(device)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return {name: t.numpy(force=True) for name, t in model.state_dict().items()}


@pytest.mark.parametrize("optimizer, options", [
    (tinycnn.optim.SGD, dict(momentum=0.9, weight_decay=1e-3)), (tinycnn.optim.AdamW, {}), (tinycnn.optim.RMSprop, {})])
def test_training_by_kernels_and_by_the_formulas_is_the_same(optimizer, options):
    options = dict(options, optimizer=optimizer, dtype=tinycnn.float64)
    found = trained(**options)
    assert serves(cupy().ones(1))
    with tinycnn.plainly():
        plain = trained(**options)
    for name, expected in plain.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_numbers_are_those_of_the_formula_bit_for_bit(dtype):
    for seed, first, count in ((0, 0, 7), (2**63 + 5, 2**33, 100001)):
        found = cupy().asnumpy(uniform(cupy(), seed, first, count, np.dtype(dtype)))
        assert (found == uniform(np, seed, first, count, np.dtype(dtype))).all()


# ---- queues --------------------------------------------------------------------------------------------------------------

@computes_meanwhile
def test_a_training_step_returns_before_the_gpu_has_done_it():
    from tinycnn.train.mean import Mean
    model = net().to("cuda")
    optimizer = tinycnn.optim.AdamW(model.parameters(), 1e-3)
    x, y = tinycnn.randn(16, 3, 20, 20, device="cuda"), tinycnn.randint(10, (16,), device="cuda")
    running = Mean("test")

    def step():
        optimizer.zero_grad()
        scores = model(x)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running.add(loss, scores, y, F.cross_entropy)
    for _ in range(3):  # compiles the kernels, fills the memory pool
        step()
    tinycnn.cuda.synchronize()
    occupy(3)
    step()
    assert not cupy().cuda.get_current_stream().done, "something in the step waited for the GPU"
    tinycnn.cuda.synchronize()


@pytest.mark.skipif(not PRETENDED, reason="needs the pretended GPU, which counts")
def test_a_training_step_neither_copies_between_host_and_gpu_nor_waits():
    from tests.helpers.pretended_cuda import counts
    model = net().to("cuda")
    optimizer = tinycnn.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    x, y = tinycnn.randn(16, 3, 20, 20, device="cuda"), tinycnn.randint(10, (16,), device="cuda")

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    step()  # makes the momenta
    asked = counts.of(step)
    assert asked["launches"] > 20 and asked["products"] > 2
    assert asked["uploads"] == asked["downloads"] == asked["waits"] == 0
    assert counts.of(lambda: x.numpy(force=True))["downloads"] == 1 and counts.of(lambda: y.sum().item())["waits"] > 0


@computes_meanwhile
def test_the_next_batch_is_copied_while_the_gpu_computes():
    host = arrays.pin(np.ones((64, 3, 64, 64), np.float32))
    assert cuda.is_pinned(cupy(), host) and not cuda.is_pinned(cupy(), np.ones(3))
    device = tinycnn.device("cuda")
    first = arrays.to_device(host, device, non_blocking=True)  # now there is room for the next one
    tinycnn.cuda.synchronize()
    occupy(3)
    second = arrays.to_device(host, device, non_blocking=True)
    arrived, _ = cuda.uploads(cupy(), device.index).waiting[-1]
    limit = time.monotonic() + 1
    while not arrived.done and time.monotonic() < limit:
        time.sleep(0.001)
    assert arrived.done and not cupy().cuda.get_current_stream().done
    assert float((first + second).sum()) == 2 * host.size


def test_batches_from_pinned_memory_arrive_unharmed():
    data = np.arange(200 * 1000, dtype=np.float32).reshape(200, 1000)
    loader = tinycnn.data.DataLoader(tinycnn.data.TensorDataset(tinycnn.from_numpy(data)), 8, num_workers=2, pin_memory=True)
    sums = []
    for _ in range(5):
        for (x,) in loader:
            x = x.to("cuda", non_blocking=True)
            for _ in range(20):  # work that reads x late
                y = x * 2 - x
            sums.append(y.sum(1))
    found = np.concatenate([s.numpy(force=True) for s in sums])
    np.testing.assert_allclose(found, np.tile(data.sum(1), 5), rtol=1e-5)


# ---- memory, precision, devices ------------------------------------------------------------------------------------------

def test_memory_that_runs_out_is_reported_and_the_program_can_go_on():
    total = tinycnn.cuda.mem_get_info()[1]
    with pytest.raises(tinycnn.cuda.OutOfMemoryError, match=r"GPU \d+: .* MiB were asked for, .* MiB of .* MiB are free"):
        tinycnn.zeros(2 * total, dtype=tinycnn.uint8, device="cuda")
    assert tinycnn.ones(3, device="cuda").sum().item() == 3


def test_tf32_is_coarser_only_when_asked_for():
    if tinycnn.cuda.get_device_capability() < (8, 0):
        pytest.skip("TF32 needs compute capability 8.0")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((256, 512)).astype(np.float32), rng.standard_normal((512, 256)).astype(np.float32)
    exact = a.astype(np.float64) @ b
    roads = [lambda x, y: x @ y, lambda x, y: tinycnn.bmm(x[None], y[None])[0],
             lambda x, y: F.conv2d(y.T.reshape(256, 2, 16, 16), x.reshape(256, 2, 16, 16)).reshape(256, 256).T]

    def errors():
        x, y = tinycnn.tensor(a, device="cuda"), tinycnn.tensor(b, device="cuda")
        return [np.abs(road(x, y).numpy(force=True) - exact).max() / np.abs(exact).max() for road in roads]

    assert max(errors()) < 1e-5
    tinycnn.set_float32_matmul_precision("high")
    try:
        assert all(1e-5 < error < 5e-3 for error in errors())
    finally:
        tinycnn.set_float32_matmul_precision("highest")
    assert max(errors()) < 1e-5


def test_float16_products_are_added_up_in_float32():
    x = tinycnn.ones(1, 8192, dtype=tinycnn.float16, device="cuda")
    assert (x @ x.T).item() == 8192  # float16 additions of 1 stop at 2048


def test_another_gpu_gives_the_same_numbers():
    if tinycnn.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    expected = trained(dtype=tinycnn.float64)
    with tinycnn.cuda.device(1):
        assert tinycnn.zeros(1, device="cuda").device == tinycnn.device("cuda:1")
        found = trained(dtype=tinycnn.float64)
    assert tinycnn.cuda.current_device() == 0
    for name in expected:
        if "num_batches" not in name:
            assert found[name].tobytes() == expected[name].tobytes(), name
    assert tinycnn.ones(3, device="cuda:0").to("cuda:1").device == tinycnn.device("cuda:1")

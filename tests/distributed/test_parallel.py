"""Networks on several ranks against one process with the whole batch, in float64."""
import re

import pytest

from tests.helpers.ranks import needs_mpi, run

pytestmark = needs_mpi
NETWORKS = """
    from tinycnn.nn import functional as F
    from tinycnn.nn.parallel import DistributedDataParallel

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(channels)

        def forward(self, x):
            return F.relu(x + self.norm(self.conv(x)))

    def residual():
        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), Block(6), nn.AdaptiveAvgPool2d(2),
                             nn.Flatten(), nn.Linear(24, 10)).double()

    def lenet():
        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10)).double()

    chance = np.random.default_rng(0)
    x, y = tinycnn.tensor(chance.normal(size=(23, 3, 8, 8)) * 3 + 5), tinycnn.tensor(chance.integers(0, 10, 23))
"""
EQUAL = NETWORKS + """
    from tinycnn.optim import Adam, SGD

    def train(build, make, many):
        tinycnn.manual_seed(1 + 10 * many * dist.get_rank())     # other initial weights on each rank: rank 0's count
        net = build()
        if many:
            net = DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(net), bucket_cap_mb=0.002)
            assert len(net._buckets) > 2
        rank, n = (dist.get_rank(), dist.get_world_size()) if many else (0, 1)
        optimizer = make(net.parameters())
        for step in range(4):
            optimizer.zero_grad()
            mine = slice(rank, None, n)
            loss = F.cross_entropy(net(x[mine]), y[mine]) * (len(x[mine]) * n / len(x))
            loss.backward()
            optimizer.step()
        if many:
            net.close()
        return {name.removeprefix("module."): t.array.copy() for name, t in net.state_dict().items()}

    cases = [(build, make) for build in (residual, lenet)
             for make in (lambda p: SGD(p, 0.05, momentum=0.9, weight_decay=1e-3), lambda p: Adam(p, 1e-3))]
    alone = [train(*case, False) for case in cases]
    dist.init_process_group(timeout=60)
    for case, one in zip(cases, alone):
        together = train(*case, True)
        for name in one:
            assert np.abs(one[name] - together[name]).max() < 1e-10, (name, np.abs(one[name] - together[name]).max())
        bits = [None] * dist.get_world_size()
        dist.all_gather_object(bits, b"".join(a.tobytes() for a in together.values()))
        assert len(set(bits)) == 1
    print("equal")
"""


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_networks_train_as_in_one_process(n, tmp_path):
    assert run(n, EQUAL if n > 1 else EQUAL.replace("assert len(net._buckets) > 2", ""), tmp_path)[1].count("equal") == n


GRADIENT = """
    from tinycnn.nn.sync_norm import SyncNormalize, moments_of_all
    dist.init_process_group(timeout=60)
    group, rank, n = dist.process_group(), dist.get_rank(), dist.get_world_size()
    chance = np.random.default_rng(7 + rank)
    shape = (3 - rank, 4, 3, 2)                       # the last rank of three has one sample
    x, dy = chance.normal(size=shape) + 3, chance.normal(size=shape)
    w, b = np.linspace(0.5, 2, 4), np.linspace(-1, 1, 4)

    def forward(x, w, b):
        x, w, b = (tinycnn.tensor(a).requires_grad_() for a in (x, w, b))
        mu, var, count = moments_of_all(x.array, group.total)
        assert count == sum(range(4 - n, 4)) * 6
        return (x, w, b), SyncNormalize.apply(x, w, b, eps=1e-5, statistics=[mu, var], count=count, total=group.total)

    def loss(x, w, b):                                # of all ranks together
        return group.total(np.array([(forward(x, w, b)[1].array * dy).sum()]))[0]

    leaves, y = forward(x, w, b)
    everybody = [None] * n
    dist.all_gather_object(everybody, x)
    whole = np.concatenate(everybody)                 # against the batch norm of one process
    mu, var = whole.mean((0, 2, 3), keepdims=True), whole.var((0, 2, 3), keepdims=True)
    expected = (x - mu) / np.sqrt(var + 1e-5) * w.reshape(1, 4, 1, 1) + b.reshape(1, 4, 1, 1)
    assert np.abs(y.array - expected).max() < 1e-12
    y.backward(tinycnn.tensor(dy))
    h, worst = 1e-6, 0.0
    for owner in range(n):                            # each rank in turn moves one number of its x; all ranks compute
        places = [None] * n
        dist.all_gather_object(places, list(np.ndindex(x.shape)))
        for place in places[owner][::5]:
            moved = [x.copy(), x.copy()]
            if rank == owner:
                moved[0][place] += h
                moved[1][place] -= h
            slope = (loss(moved[0], w, b) - loss(moved[1], w, b)) / (2 * h)
            if rank == owner:
                worst = max(worst, abs(slope - leaves[0].grad.array[place]))
    for k in range(4):                                # w and b are the same on all ranks, whose gradients add up
        for vector, leaf in ((w, leaves[1]), (b, leaves[2])):
            up, down = vector.copy(), vector.copy()
            up[k] += h
            down[k] -= h
            slope = (loss(x, up, b) - loss(x, down, b) if vector is w else loss(x, w, up) - loss(x, w, down)) / (2 * h)
            worst = max(worst, abs(slope - group.total(leaf.grad.array)[k]))
    assert worst < 1e-7, worst
    print("right", worst)
"""


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_gradient_of_sync_batch_norm_is_right_across_ranks(n, tmp_path):
    assert run(n, GRADIENT, tmp_path)[1].count("right") == n


REST = NETWORKS + """
    dist.init_process_group(timeout=60)
    rank, n = dist.get_rank(), dist.get_world_size()

    class Halves(nn.Module):                          # rank 0 uses one layer, the others the other one, nobody the third
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(2, 1).double() for _ in range(3))

        def forward(self, x):
            return self.a(x) if rank == 0 else self.b(x)

    tinycnn.manual_seed(0)
    net = DistributedDataParallel(Halves())
    net(tinycnn.ones(3, 2, dtype=tinycnn.float64)).sum().backward()
    for layer, share in ((net.module.a, 1 / n), (net.module.b, (n - 1) / n)):
        assert np.allclose(layer.weight.grad.array, 3 * share)
    assert net.module.c.weight.grad is None
    net.close()

    model = lenet()
    net = DistributedDataParallel(model)
    with net.no_sync():
        F.cross_entropy(net(x[rank::n]), y[rank::n]).backward()
    local = model[0].weight.grad.array.copy()
    locals_ = [None] * n
    dist.all_gather_object(locals_, local)
    assert not np.allclose(locals_[0], locals_[1])    # each rank has its own
    F.cross_entropy(net(x[rank::n]), y[rank::n]).backward()
    assert np.allclose(model[0].weight.grad.array, 2 * np.mean(locals_, 0), atol=1e-12)
    seen = model[0].weight.grad.array.copy()
    with tinycnn.no_grad():
        net(x)                                        # a forward pass without a backward pass disturbs nothing
    net.close()
    assert net.state_dict().keys() == {"module." + name for name in model.state_dict()}

    norm = nn.Sequential(nn.BatchNorm2d(3)).double()  # not synchronised: buffers are rank 0's
    net = DistributedDataParallel(norm)
    net(x[rank::n] + rank)
    net(x[rank::n] + rank)
    net.send_buffers()
    found = [None] * n
    dist.all_gather_object(found, norm[0].running_mean.array.tolist())
    assert all(f == found[0] for f in found)
    net.close()

    half = nn.SyncBatchNorm(3).half()                 # float16 statistics are those of float32
    out = half(x[rank::n].half())
    assert out.dtype == tinycnn.float16 and abs(out.float().mean().item()) < 0.2
    for batch in (x[rank::n][:1 if rank else 0], ):   # a rank without samples
        sync = nn.SyncBatchNorm(3).double()
        assert sync(batch).shape == batch.shape and int(sync.num_batches_tracked) == 1
    print("all right")
"""


@pytest.mark.parametrize("n", [2, 3])
def test_unused_parameters_accumulation_buffers_and_half_precision(n, tmp_path):
    assert run(n, REST, tmp_path)[1].count("all right") == n


OVERLAP = """
    from tinycnn.engine import early
    dist.init_process_group(timeout=60)
    layers = [nn.Linear(50, 50).double() for _ in range(6)]
    net = nn.parallel.DistributedDataParallel(nn.Sequential(*layers), bucket_cap_mb=0.02)
    events, start = [], type(net._messages).start_all_reduce

    class Mark(tinycnn.engine.function.Function):     # notes when backward comes by
        @staticmethod
        def forward(ctx, x, name):
            ctx.name = name
            return x.copy()

        @staticmethod
        def backward(ctx, dy):
            events.append(ctx.name)
            return dy

    def noting(self, message, *options):
        events.append("send")
        return start(self, message, *options)
    type(net._messages).start_all_reduce = noting
    x = tinycnn.ones(4, 50, dtype=tinycnn.float64)
    for i, layer in enumerate(layers):
        x = Mark.apply(layer(x), name=i)
    x.sum().backward()
    assert events.index("send") < events.index(3), events   # the last layers' gradients leave before the first layers' turn
    assert events.count("send") == len(net._buckets)
    print("overlaps")
"""


def test_gradients_are_sent_while_backward_goes_on(tmp_path):
    assert run(2, OVERLAP, tmp_path)[1].count("overlaps") == 2


TUTORIAL = """
    import tinycnn as torch
    from tinycnn.nn.parallel import DistributedDataParallel as DDP
    from tinycnn.optim import SGD
    from tinycnn.utils.data import DataLoader, TensorDataset
    from tinycnn.utils.data.distributed import DistributedSampler

    def main():
        dist.init_process_group(backend="mpi")
        rank, world_size = dist.get_rank(), dist.get_world_size()
        torch.manual_seed(0)
        data = TensorDataset(torch.randn(100, 10), torch.randn(100, 5))
        sampler = DistributedSampler(data)
        loader = DataLoader(data, batch_size=8, sampler=sampler)
        assert len(sampler) == -(-100 // world_size)
        model = DDP(nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 5)))
        optimizer = SGD(model.parameters(), lr=0.01)
        for epoch in range(2):
            sampler.set_epoch(epoch)
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = nn.MSELoss()(model(inputs), targets)
                loss.backward()
                optimizer.step()
        total = torch.tensor(loss.item())
        dist.all_reduce(total, op=dist.ReduceOp.SUM)
        if rank == 0:
            torch.save(model.module.state_dict(), "model.safetensors")
        dist.barrier()
        state = torch.load("model.safetensors")
        assert all((state[name] == t).all() for name, t in model.module.state_dict().items())
        dist.destroy_process_group()
        print("trained", round(total.item(), 6))
    main()
"""


def test_the_usual_program(tmp_path):
    _, out, _ = run(3, TUTORIAL, tmp_path)
    losses = re.findall(r"\d+\.\d+", out)  # lines of several ranks may run into each other
    assert out.count("trained") == len(losses) == 3 and len(set(losses)) == 1


def test_networks_that_differ_are_named(tmp_path):
    code, _, err = run(2, """
        dist.init_process_group(timeout=20)
        nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2 + dist.get_rank())))
        """, tmp_path, check=False)
    assert code
    assert "different networks: rank 1 has 1.weight (3, 3) float32 where rank 0 has 1.weight (2, 3) float32" in err

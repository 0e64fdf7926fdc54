"""Names under which PyTorch keeps the same things: `torch.nn.modules`, older spellings, names for several GPUs."""
import importlib

import numpy as np
import pytest

import tinycnn
import tinycnn.nn.functional as F
from tinycnn import nn, optim


def test_layers_are_where_pytorch_keeps_them():
    torch = pytest.importorskip("torch")
    for place in ("activation", "batchnorm", "channelshuffle", "container", "conv", "distance", "dropout", "flatten", "fold",
                  "instancenorm", "linear", "loss", "normalization", "padding", "pixelshuffle", "pooling", "transformer",
                  "upsampling"):
        ours = importlib.import_module(f"tinycnn.nn.modules.{place}")
        for name, value in vars(getattr(torch.nn.modules, place)).items():
            there = isinstance(value, type) and value.__module__ == f"torch.nn.modules.{place}" and hasattr(nn, name)
            if there and name not in ("MultiheadAttention", "SyncBatchNorm") and not name.startswith("Lazy"):  # own files
                assert getattr(ours, name) is getattr(nn, name) is getattr(nn.modules, name)


def test_base_classes_and_tuples_have_pytorchs_names():
    from tinycnn.nn.modules.batchnorm import _BatchNorm
    from tinycnn.nn.modules.conv import _ConvNd
    from tinycnn.nn.modules.dropout import _DropoutNd
    from tinycnn.nn.modules.utils import _pair, _single, _triple
    from tinycnn.nn.parameter import Parameter
    assert isinstance(nn.BatchNorm2d(3), _BatchNorm) and isinstance(nn.ConvTranspose1d(1, 1, 1), _ConvNd)
    assert isinstance(nn.Dropout2d(), _DropoutNd) and Parameter is nn.Parameter
    assert (_single(3), _pair(3), _triple([1, 2, 3])) == ((3,), (3, 3), (1, 2, 3))


def test_initialisation_has_its_older_names():
    x = nn.init.constant(tinycnn.zeros(2, 2), 3)
    assert x.tolist() == [[3, 3], [3, 3]] and nn.init.kaiming_normal is nn.init.kaiming_normal_


@pytest.mark.parametrize("module, name, words", [(nn, "Convolution2d", "Conv2d"), (F, "leakyrelu", "'leaky_relu'"),
                                                 (optim, "Adan", "'Adam'"), (nn, "LSTM", "module 'tinycnn.nn' has no")])
def test_a_name_that_does_not_exist_leads_to_one_that_does(module, name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(module, name)


def test_data_parallel_is_the_module_and_its_state_has_the_prefix():
    net = nn.Linear(3, 2)
    parallel = nn.DataParallel(net, device_ids=[0, 1])
    x = tinycnn.randn(4, 3)
    assert (parallel(x) == net(x)).all() and parallel.module is net
    assert list(parallel.state_dict()) == ["module.weight", "module.bias"]


def test_synchronised_batch_norm_is_batch_norm():
    net = nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3, affine=False))).eval()
    x = tinycnn.randn(2, 1, 4, 4)
    y, keys = net(x), list(net.state_dict())
    twin = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert twin is net and isinstance(net[1], nn.SyncBatchNorm) and isinstance(net[2][0], nn.SyncBatchNorm)
    assert (net(x) == y).all() and list(net.state_dict()) == keys and not net[1].training
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm1d(2)), nn.SyncBatchNorm)
    assert nn.SyncBatchNorm(2)(tinycnn.randn(3, 2)).shape == (3, 2)


def test_a_buffer_registers_itself():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scratch = 3
            self.mean, self.scratch = nn.Buffer(tinycnn.zeros(2)), nn.Buffer(tinycnn.ones(1), persistent=False)

    net = Net()
    assert list(net.state_dict()) == ["mean"] and [name for name, _ in net.named_buffers()] == ["mean", "scratch"]
    assert not list(net.parameters()) and net.double().mean.dtype == tinycnn.float64
    net.mean = nn.Buffer(tinycnn.ones(2), persistent=False)
    assert not net.state_dict() and net.mean.tolist() == [1, 1]
    with pytest.raises(TypeError, match="Buffer: data must be a Tensor, got list"):
        nn.Buffer([1.0])


def test_sequences_are_joined_and_repeated():
    a, b = nn.Sequential(nn.Linear(1, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 1))
    first = a
    a += b
    assert a is first and [type(m) for m in a] == [nn.Linear, nn.ReLU, nn.Linear] and list(a.state_dict())[-1] == "2.bias"
    twice = 2 * b
    assert len(twice) == 2 and twice[0] is twice[1] is b[0] and len(b * 3) == 3
    with pytest.raises(ValueError, match="repeated a positive number of times, got 0"):
        b * 0
    with pytest.raises(TypeError, match="only a Sequential can be added, got list"):
        b += [nn.ReLU()]


def test_dictionaries_of_parameters_are_dictionaries():
    d = nn.ParameterDict({"a": tinycnn.zeros(1)})
    assert d.get("b") is None and d.get("a") is d["a"]
    assert d.setdefault("b", tinycnn.ones(2)) is d["b"] and isinstance(d["b"], nn.Parameter)
    twin = d.copy()
    assert twin["a"] is d["a"] and list(twin) == ["a", "b"]
    d.clear()
    assert not d.state_dict() and len(twin) == 2


def test_rows_of_an_embedding_that_are_looked_up_are_shortened():
    table = nn.Embedding(4, 2, max_norm=1.0)
    nn.init.constant_(table.weight, 3.0)
    y = table(tinycnn.tensor([[0, 2], [2, 2]]))
    np.testing.assert_allclose(np.linalg.norm(y.detach().numpy(), axis=-1), 1, rtol=1e-6)
    assert table.weight[1].tolist() == [3, 3] and table.weight.dtype == tinycnn.float32
    y.sum().backward()
    assert table.weight.grad.tolist() == [[1, 1], [0, 0], [3, 3], [0, 0]]


def test_mixed_precision_computes_in_full_precision():
    from tinycnn.cuda.amp import GradScaler, autocast
    net, x = nn.Linear(3, 2), tinycnn.randn(4, 3)
    for make, lower in ((autocast, "float16"), (lambda: tinycnn.autocast("cuda", dtype=tinycnn.float16), "float16"),
                        (lambda: tinycnn.autocast("cpu"), "bfloat16")):
        with pytest.warns(UserWarning, match=f"autocast: .* float32 unless they are others, not in {lower}"):
            context = make()
        with context:
            assert net(x).dtype == tinycnn.float32 and not tinycnn.is_autocast_enabled()
    with tinycnn.amp.autocast("cpu", enabled=False):
        assert net(x).dtype == tinycnn.float32
    assert autocast(False)(net)(x).dtype == tinycnn.float32
    optimizer, scaler = optim.SGD(net.parameters(), lr=0.5), GradScaler(enabled=True)
    loss, before = net(x).sum(), net.bias.detach().clone()
    assert scaler.scale(loss) is loss and scaler.get_scale() == 1.0 and not scaler.is_enabled()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    assert net.bias.grad.tolist() == [4, 4]
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_allclose((before - net.bias.detach()).numpy(), 2)
    tinycnn.amp.GradScaler("cuda").load_state_dict({"scale": 65536.0})
    assert scaler.state_dict() == {}


def test_what_compilers_are_given_comes_back():
    net = nn.Linear(3, 2)
    assert tinycnn.compile(net, mode="max-autotune") is net is tinycnn.jit.script(net)
    assert tinycnn.jit.trace(net, tinycnn.randn(1, 3)) is net

    @tinycnn.compile(fullgraph=True)
    @tinycnn.jit.ignore(drop=True)
    @tinycnn.jit.unused
    def double(x: tinycnn.jit.Final[int]):
        return 2 * x
    assert double(4) == 8 and tinycnn.jit.ignore(double) is double and tinycnn.jit.annotate(list[int], [3]) == [3]
    assert not tinycnn.jit.is_scripting() and not tinycnn.jit.is_tracing()
    with pytest.raises(AssertionError, match="wrong size"):
        tinycnn._assert(1 == 2, "wrong size")


def test_one_process_is_not_distributed():
    import tinycnn.distributed as dist
    import tinycnn.multiprocessing as mp
    from tinycnn.nn.parallel import DistributedDataParallel, data_parallel
    assert not dist.is_initialized() and (dist.get_rank(), dist.get_world_size()) == (0, 1)
    assert mp.cpu_count() > 0 and tinycnn.multiprocessing is mp
    with pytest.raises(RuntimeError, match="pip install mpi4py|world_size says 4 processes, MPI"):
        dist.init_process_group(world_size=4, rank=0)
    net, x = nn.Linear(3, 2), tinycnn.randn(4, 3)
    assert (DistributedDataParallel(net, device_ids=[0], find_unused_parameters=True)(x) == net(x)).all()
    assert (data_parallel(net, x, range(2)) == net(x)).all() and (data_parallel(net, (x,)) == net(x)).all()


def test_processes_share_all_samples():
    from tinycnn.utils.data.distributed import DistributedSampler
    shares = [DistributedSampler(range(10), 4, rank) for rank in range(4)]
    assert [len(s) for s in shares] == [len(list(s)) for s in shares] == [3] * 4
    assert sorted(set(sum(map(list, shares), []))) == list(range(10))
    before = list(shares[0])
    assert before == list(shares[0]) and before != list(range(0, 10, 4))
    shares[0].set_epoch(1)
    assert before != list(shares[0])
    assert list(DistributedSampler(range(10), 4, 1, shuffle=False)) == [1, 5, 9]
    assert list(DistributedSampler(range(10), 4, 3, shuffle=False)) == [3, 7, 1]
    assert list(DistributedSampler(range(10), 4, 3, shuffle=False, drop_last=True)) == [3, 7]
    with pytest.raises(ValueError, match="rank must be from 0 to 3, got 4"):
        DistributedSampler(range(10), 4, 4)


def test_weights_come_from_the_web_once(tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    import hashlib
    import http.server
    import threading
    from functools import partial
    from tinycnn.hub import load_state_dict_from_url
    from tinycnn.utils import model_zoo
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TINYCNN_DATA", str(tmp_path / "data"))
    web = tmp_path / "web"
    web.mkdir()
    tinycnn.save({"w": tinycnn.ones(2)}, web / "net.pth")
    content = (web / "net.pth").read_bytes()
    (web / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth").write_bytes(content)
    (web / "net-01234567.pth").write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=web))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        assert model_zoo.load_url(address + "net.pth", map_location="cpu", progress=False)["w"].tolist() == [1, 1]
        right = next(p.name for p in web.iterdir() if p.name not in ("net.pth", "net-01234567.pth"))
        state = load_state_dict_from_url(address + right, model_dir=tmp_path / "mine", check_hash=True, file_name="a.pth")
        assert state["w"].tolist() == [1, 1] and [p.name for p in (tmp_path / "mine").iterdir()] == ["a.pth"]
        for name, words in (("net-01234567.pth", "not with 01234567"), ("net.pth", "check_hash needs a name")):
            with pytest.raises(ValueError, match=words):
                load_state_dict_from_url(address + name, model_dir=tmp_path / "bad", check_hash=True)
        assert not list((tmp_path / "bad").iterdir())
    finally:
        server.shutdown()
        server.server_close()
    assert model_zoo.load_url(address + "net.pth")["w"].tolist() == [1, 1], "what is there needs no network"
    assert (tmp_path / "data" / "checkpoints" / "net.pth").is_file()


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"padding_value": -1.0}, {"padding_side": "left"}], ids=str)
def test_rows_of_unequal_length_are_filled_up(options):
    torch = pytest.importorskip("torch")
    from tinycnn.nn.utils.rnn import pad_sequence
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((n, 2)) for n in (3, 1, 4)]
    rows = [tinycnn.tensor(a, requires_grad=True) for a in arrays]
    y = pad_sequence(rows, **options)
    expected = torch.nn.utils.rnn.pad_sequence([torch.tensor(a) for a in arrays], **options)
    np.testing.assert_array_equal(y.detach().numpy(), expected.numpy())
    y.sum().backward()
    assert rows[1].grad.tolist() == [[1, 1]]
    for bad, words in (([], "at least one dimension"), ([tinycnn.tensor(1.0)], "at least one dimension")):
        with pytest.raises(ValueError, match=words):
            pad_sequence(bad)
    with pytest.raises(ValueError, match="padding_side must be 'right' or 'left', got 'up'"):
        pad_sequence(rows, padding_side="up")
    with pytest.raises(TypeError, match="pad_sequence"):
        pad_sequence([3])


def test_kernels_of_attention_can_be_chosen():
    from tinycnn.nn.attention import SDPBackend, sdpa_kernel
    q = tinycnn.randn(1, 2, 4, 3)
    expected = F.scaled_dot_product_attention(q, q, q)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        assert (F.scaled_dot_product_attention(q, q, q) == expected).all()


def test_random_numbers_inside_a_fork_do_not_move_those_outside():
    assert tinycnn.random.manual_seed is tinycnn.manual_seed and tinycnn.random.initial_seed() == tinycnn.initial_seed()
    tinycnn.random.manual_seed(5)
    expected = tinycnn.rand(3).tolist()
    tinycnn.manual_seed(5)
    with tinycnn.random.fork_rng():
        tinycnn.manual_seed(1)
        tinycnn.rand(7)
    assert tinycnn.rand(3).tolist() == expected
    with tinycnn.random.fork_rng(enabled=False, devices=[]):
        tinycnn.manual_seed(5)
    assert tinycnn.rand(3).tolist() == expected

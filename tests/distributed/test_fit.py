"""`fit` and `tinycnn train` on several processes: what one process does, resumed, and on any number of them."""
import csv

import numpy as np
import pytest

from tests.helpers.ranks import needs_mpi, run

pytestmark = needs_mpi
FIT = """
    from tinycnn.data import DataLoader, TensorDataset
    from tinycnn.engine.generators import Generator
    from tinycnn.optim import SGD
    from tinycnn.optim.lr_scheduler import CosineAnnealingLR
    from tinycnn.train import fit

    def network():
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                             nn.Conv2d(8, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(DROP), nn.Flatten(),
                             nn.Linear(72, 5)).double()

    def train(many, epochs=3, **options):
        chance = np.random.default_rng(0)
        x, y = tinycnn.tensor(chance.normal(size=(101, 3, 8, 8))), tinycnn.tensor(chance.integers(0, 5, 101))
        tinycnn.manual_seed(1)
        net, data = network(), TensorDataset(x, y)
        loaders = DataLoader(data, 14, shuffle=True, generator=Generator().manual_seed(3)), DataLoader(data, 33)
        if many:
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
            loaders = [loader.shared(dist.get_rank(), dist.get_world_size()) for loader in loaders]
            tinycnn.manual_seed(5 + dist.get_rank())
        optimizer = SGD(net.parameters(), 0.1, momentum=0.9)
        history = fit(net, *loaders, epochs=epochs, optimizer=optimizer, schedule=CosineAnnealingLR(optimizer, 24),
                      progress=False, **options)
        state = {name: t.array.copy() for name, t in net.state_dict().items()}
        return state, [{k: v for k, v in row.items() if k != "seconds"} for row in history]

    def differ(a, b):
        return max(np.abs(a[0][name] - b[0][name]).max() for name in a[0])
"""
EQUAL = FIT.replace("DROP", "0.0") + """
    options = [dict(clip_norm=1.0), dict(accumulate=3)]
    alone = [train(False, **o) for o in options]
    dist.init_process_group(timeout=60)
    for one, o in zip(alone, options):
        together = train(True, **o)
        assert differ(one, together) < 1e-10
        assert all(abs(a[k] - b[k]) < 1e-10 for a, b in zip(one[1], together[1]) for k in a) and len(one[1]) == 3
    print("equal")
"""


@pytest.mark.parametrize("n", [  # batches of 14, the last one of 3: with five processes two have no share in it
    pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow), 5])
def test_fit_does_what_one_process_does(n, tmp_path):
    assert run(n, EQUAL, tmp_path)[1].count("equal") == n


RESUME = FIT.replace("DROP", "0.3") + """
    import pathlib
    dist.init_process_group(timeout=60)
    file, what, calls = pathlib.Path("last.safetensors"), sys.argv[1], []

    def stop(info):                                  # Ctrl-C on the first process, in the middle of the second epoch
        calls.append(info)
        if len(calls) == 11:
            import os, signal
            os.kill(os.getpid(), signal.SIGINT)
    if what == "whole":
        state = train(True, checkpoint="whole.safetensors")
    elif what == "interrupted":
        try:
            train(True, checkpoint=file, after_step=stop)
        except KeyboardInterrupt:
            print("saved")
        dist.destroy_process_group()
        sys.exit()
    else:
        state = train(True, checkpoint=file, resume=True)
    history = np.array([list(row.values()) for row in state[1]])
    np.savez(f"{what}-{dist.get_world_size()}-{dist.get_rank()}.npz", **state[0], history=history)
    print("done")
"""


def test_an_interrupted_training_continues_bit_by_bit(tmp_path):
    assert run(2, RESUME, tmp_path, "whole")[1].count("done") == 2
    assert run(2, RESUME, tmp_path, "interrupted")[1].count("saved") == 2
    kept = (tmp_path / "last.safetensors").read_bytes()
    assert run(2, RESUME, tmp_path, "resumed")[1].count("done") == 2
    for rank in range(2):
        whole, resumed = (np.load(tmp_path / f"{what}-2-{rank}.npz") for what in ("whole", "resumed"))
        assert all((whole[name] == resumed[name]).all() for name in whole)
    for n in (1, 3):  # on another number of processes: the same samples, other dropout
        (tmp_path / "last.safetensors").write_bytes(kept)
        assert run(n, RESUME, tmp_path, "resumed")[1].count("done") == n
        other = np.load(tmp_path / f"resumed-{n}-0.npz")
        assert other["history"].shape == whole["history"].shape
        assert np.abs(other["history"][:, 1] - whole["history"][:, 1]).max() < 0.3  # the training losses of three epochs


TRAIN = """
    from tinycnn.cli import main
    sys.exit(main(sys.argv[1:]))
"""
OPTIONS = ("train", "--quiet", "--epochs", 2, "--batch-size", 100, "--optimizer", "sgd", "--no-augment", "--seed", 3)


def history(folder):
    with open(folder / "history.csv") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_the_command_trains_as_one_process_does(tmp_path):
    run(0, TRAIN, tmp_path, *OPTIONS, "--out", "one")
    _, out, err = run(2, TRAIN, tmp_path, *OPTIONS[:1], *OPTIONS[2:], "--out", "two")
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one) == len(two) == 2
    for a, b in zip(one, two):
        assert all(abs(a[name] - b[name]) < 2e-3 for name in a if name != "seconds")  # float32, other order of sums
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == sorted(p.name for p in (tmp_path / "two").iterdir())
    assert out.count("test accuracy") == 1 and err.count("2 processes") == 1 and "epoch 2/2" in err
    assert run(2, TRAIN, tmp_path, "train", "--quiet", "--resume", "two", "--epochs", 3)[1].count("test accuracy") == 1
    assert len(history(tmp_path / "two")) == 3


def test_the_command_ends_all_processes_where_one_cannot_go_on(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    code, _, err = run(2, TRAIN, tmp_path, *OPTIONS, "--out", "run", check=False)
    assert code and "rank 0 of 2: error: run: another run is in this folder (run.json)" in err

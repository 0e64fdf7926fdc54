"""The loader: samplers, threads, reproducibility, interruption, and continuing in the middle."""
import json
import threading
import time
from collections import Counter, namedtuple

import numpy as np
import pytest

import tinycnn
from tinycnn.engine.generators import Generator
from tinycnn.data import (BatchSampler, ChainDataset, DataLoader, Dataset, IterableDataset, RandomSampler, Subset,
                          SubsetRandomSampler, TensorDataset, WeightedRandomSampler, default_collate, default_convert,
                          get_worker_info)


class Noisy(Dataset):
    """Sample i is (a random number of tinycnn's, i)."""

    def __init__(self, n=23):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        time.sleep(0.0005 * (i % 3))
        return tinycnn.rand(2), i


class Stream(IterableDataset):
    def __init__(self, n=10):
        self.n = n

    def __iter__(self):
        for i in range(self.n):
            yield tinycnn.rand(()), i


def everything(loader):
    return [(x.tolist(), y.tolist()) for x, y in loader]


def numbers(n):
    return TensorDataset(tinycnn.arange(n))


def threads_of_loaders():
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader")]


# ---- order and chance ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dataset, options", [(Noisy(), dict(shuffle=True)), (Noisy(), {}), (Stream(), {}),
                                              (Noisy(), dict(sampler=WeightedRandomSampler(np.arange(23), 12)))])
def test_order_and_augmentation_do_not_depend_on_the_number_of_threads(dataset, options):
    seen = []
    for workers in (0, 1, 2, 5):
        tinycnn.manual_seed(7)
        loader = DataLoader(dataset, 4, num_workers=workers, **options)
        seen.append([everything(loader), everything(loader), tinycnn.rand(1).item()])
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert seen[0][0] != seen[0][1]


def test_generator_of_the_loader_fixes_its_order_and_leaves_the_default_one_alone():
    before = tinycnn.get_rng_state()
    passes = [everything(DataLoader(Noisy(), 5, shuffle=True, num_workers=2, generator=Generator().manual_seed(s)))
              for s in (1, 1, 2)]
    assert passes[0] == passes[1] != passes[2] and tinycnn.get_rng_state() == before


def test_threads_prepare_batches_while_others_are_used():
    class Slow(Noisy):
        def __getitem__(self, i):
            time.sleep(0.02)
            return i

    def seconds(workers):
        start = time.perf_counter()
        for _ in DataLoader(Slow(12), 2, num_workers=workers):
            time.sleep(0.02)
        return time.perf_counter() - start
    assert seconds(3) < 0.75 * seconds(0)  # 0.36 s one after the other, 0.16 s at best


def test_prefetching_is_bounded():
    asked = []

    class Counting(Noisy):
        def __getitem__(self, i):
            asked.append(i)
            return i
    passing = iter(DataLoader(Counting(100), 1, num_workers=2, prefetch_factor=3))
    next(passing)
    deadline = time.time() + 5
    while len(asked) < 6 and time.time() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert sorted(asked) == [0, 1, 2, 3, 4, 5]


def test_worker_information_and_its_first_function():
    started = []

    class Asking(Noisy):
        def __getitem__(self, i):
            time.sleep(0.003)
            info = get_worker_info()
            return info.id, info.num_workers, info.dataset is self
    rows = [tuple(int(v) for v in b) for b in DataLoader(Asking(), None, num_workers=3, worker_init_fn=started.append)]
    assert {n for _, n, _ in rows} == {3} and all(same for *_, same in rows)
    assert sorted(started) == sorted({i for i, *_ in rows}) and set(started) <= {0, 1, 2}
    assert get_worker_info() is None


# ---- interruption and errors -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("leave", ["break", "error", "interrupt"])
def test_leaving_early_stops_the_threads(leave):
    loader = DataLoader(Noisy(200), 2, num_workers=3)
    try:
        passing = iter(loader)
        for number, _ in enumerate(passing):
            assert threads_of_loaders()
            if number == 2 and leave == "break":
                break
            if number == 2:
                raise {"error": ValueError, "interrupt": KeyboardInterrupt}[leave]
    except (ValueError, KeyboardInterrupt):
        pass
    del passing
    assert not threads_of_loaders()
    assert len(list(loader)) == 100


def test_persistent_threads_stay_and_go_with_the_loader():
    loader = DataLoader(Noisy(), 4, num_workers=2, persistent_workers=True)
    list(loader)
    first = set(threads_of_loaders())
    list(loader)
    assert len(first) == 2 and set(threads_of_loaders()) == first
    for _ in loader:
        break
    assert len(list(loader)) == 6
    del loader
    deadline = time.time() + 5
    while threads_of_loaders() and time.time() < deadline:
        time.sleep(0.01)
    assert not threads_of_loaders()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("options", [{}, dict(batch_size=None), dict(collate_fn=lambda s: s)])
def test_an_error_names_the_sample_and_stays_what_it_is(workers, options):
    class Broken(Noisy):
        def __getitem__(self, i):
            if i == 13:
                raise FileNotFoundError(2, "gone", "cat.png")
            return i
    with pytest.raises(FileNotFoundError, match="gone: 'cat.png'") as error:
        list(DataLoader(Broken(), **{"batch_size": 4, **options}, num_workers=workers))
    assert error.value.__notes__ == ["raised for sample 13 of Broken"]
    assert not threads_of_loaders()


def test_an_error_in_a_stream_or_the_first_function_arrives():
    class Broken(IterableDataset):
        def __iter__(self):
            yield 1
            raise OSError("torn")
    for workers in (0, 2):
        with pytest.raises(OSError, match="torn"):
            list(DataLoader(Broken(), 2, num_workers=workers))

    def refuse(number):
        raise ZeroDivisionError(number)
    with pytest.raises(ZeroDivisionError):
        list(DataLoader(Noisy(), 2, num_workers=1, worker_init_fn=refuse))


def test_timeout_says_which_batch_and_does_not_wait():
    release = threading.Event()

    class Stuck(Noisy):
        def __getitem__(self, i):
            if i == 2:
                release.wait(10)
            return i
    start = time.perf_counter()
    with pytest.raises(RuntimeError, match="batch 1 was not ready within 0.1 s"):
        list(DataLoader(Stuck(), 2, num_workers=1, timeout=0.1))
    assert time.perf_counter() - start < 2
    release.set()

    class Own(Noisy):
        def __getitem__(self, i):
            raise TimeoutError("the server")
    with pytest.raises(TimeoutError, match="the server"):
        list(DataLoader(Own(), 2, num_workers=1, timeout=5))


# ---- continuing ------------------------------------------------------------------------------------------------------

def resumable(kind):
    own = Generator().manual_seed(3)
    return {
        "shuffle": lambda: DataLoader(Noisy(), 4, shuffle=True, num_workers=2),
        "own generator": lambda: DataLoader(Noisy(), 4, shuffle=True, generator=Generator().manual_seed(1)),
        "sampler": lambda: DataLoader(Noisy(), 4, sampler=RandomSampler(Noisy(), generator=Generator().manual_seed(2))),
        "shared": lambda: DataLoader(Noisy(), 4, sampler=SubsetRandomSampler(range(23), own), generator=own),
        "batches": lambda: DataLoader(Noisy(), batch_sampler=BatchSampler(RandomSampler(Noisy()), 4, False)),
        "stream": lambda: DataLoader(Stream(23), 4, num_workers=1),
        "samples": lambda: DataLoader(Noisy(6), None, shuffle=True),
    }[kind]()


@pytest.mark.parametrize("kind", ["shuffle", "own generator", "sampler", "shared", "batches", "stream", "samples"])
@pytest.mark.parametrize("after", [1, 5, 6])
def test_a_loader_continues_exactly_where_another_one_was(kind, after):
    tinycnn.manual_seed(11)
    loader = resumable(kind)
    earlier, rest = everything_of(loader), []
    for number, batch in enumerate(loader, 1):
        if number == after:
            saved = json.dumps([loader.state_dict(), tinycnn.get_rng_state()])
        elif number > after:
            rest.append(as_numbers(batch))
    later = everything_of(loader)
    tinycnn.manual_seed(999)
    other = resumable(kind)
    state, rng = json.loads(saved)
    other.load_state_dict(state)
    tinycnn.set_rng_state(rng)
    assert everything_of(other) == rest
    assert everything_of(other) == later != earlier


def as_numbers(batch):
    return [np.asarray(getattr(v, "array", v)).tolist() for v in batch]


def everything_of(loader):
    return [as_numbers(batch) for batch in loader]


@pytest.mark.parametrize("kind", ["shuffle", "own generator", "sampler"])
def test_between_passes_the_state_draws_the_same_next_pass(kind):
    loader = resumable(kind)
    list(loader)
    state, rng = loader.state_dict(), tinycnn.get_rng_state()
    assert state["seed"] is None and state["next_batch"] == 0
    following = everything_of(loader)
    other = resumable(kind)
    other.load_state_dict(state)
    tinycnn.set_rng_state(rng)
    assert everything_of(other) == following


def test_after_leaving_early_the_state_is_that_of_the_last_batch_handed_out():
    loader = DataLoader(Noisy(), 4, shuffle=True, num_workers=3)
    for number, _ in enumerate(loader):
        if number == 2:
            break
    assert loader.state_dict()["next_batch"] == 3
    assert len(list(loader)) == 6, "a new iteration is a new pass"


def test_a_state_of_another_loader_is_refused():
    state = DataLoader(Noisy(23), 4).state_dict()
    with pytest.raises(ValueError, match="6 batches.* has 12"):
        DataLoader(Noisy(23), 2).load_state_dict(state)
    with pytest.raises(ValueError, match="0 generators.* have 1"):
        DataLoader(Noisy(23), 4, generator=Generator()).load_state_dict(state)


# ---- samplers --------------------------------------------------------------------------------------------------------

def test_random_sampler_counts_and_replacement():
    assert sorted(RandomSampler(range(9))) == list(range(9)) and len(RandomSampler(range(9))) == 9
    many = list(RandomSampler(range(4), num_samples=10))
    assert sorted(many[:4]) == sorted(many[4:8]) == [0, 1, 2, 3] and len(many) == 10
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=400))
    assert len(drawn) == 400 and set(Counter(drawn)) == {0, 1, 2, 3} and min(Counter(drawn).values()) > 60
    assert list(RandomSampler([])) == []
    for wrong in (dict(num_samples=0), dict(num_samples=2.5)):
        with pytest.raises(ValueError, match="num_samples"):
            RandomSampler(range(4), **wrong)
    with pytest.raises(TypeError, match="replacement"):
        RandomSampler(range(4), 1)


def test_weighted_sampler_draws_in_proportion():
    drawn = Counter(WeightedRandomSampler([0, 1, 3, 0], 4000, generator=Generator()))
    assert set(drawn) == {1, 2} and abs(drawn[2] / 4000 - 0.75) < 0.03
    firsts, stream = Counter(), Generator()
    for _ in range(2000):
        order = list(WeightedRandomSampler([1, 0, 2, 5], 3, replacement=False, generator=stream))
        assert sorted(order) == [0, 2, 3]
        firsts[order[0]] += 1
    assert abs(firsts[3] / 2000 - 5 / 8) < 0.04 and abs(firsts[2] / 2000 - 2 / 8) < 0.04


@pytest.mark.parametrize("weights, count, replacement", [([], 1, True), ([0, 0], 1, True), ([1, -1], 1, True),
                                                         ([1, np.nan], 1, True), ([[1]], 1, True), ([1, 0], 2, False),
                                                         ([1], 0, True)])
def test_weighted_sampler_refuses_what_cannot_be_drawn(weights, count, replacement):
    with pytest.raises(ValueError, match="WeightedRandomSampler"):
        WeightedRandomSampler(weights, count, replacement)


def test_batch_sampler_decides_the_batches():
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]] and len(BatchSampler(range(5), 2, True)) == 2
    loader = DataLoader(numbers(9), batch_sampler=[[8], [1, 2], [1, 2, 3]])
    assert [b[0].tolist() for b in loader] == [[8], [1, 2], [1, 2, 3]] and len(loader) == 3
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]


def test_batch_size_none_gives_single_samples():
    loader = DataLoader(list(zip(np.eye(3), "abc")), None)
    samples = list(loader)
    assert len(loader) == 3 and [s for _, s in samples] == list("abc")
    assert isinstance(samples[0][0], tinycnn.Tensor) and samples[0][0].shape == (3,)
    assert [int(v) for v in DataLoader(range(4), None, sampler=[3, 1], collate_fn=lambda v: 10 * v)] == [30, 10]


def test_iterable_data_sets_are_cut_into_batches_and_chained():
    for workers in (0, 1, 4):
        loader = DataLoader(Stream(7), 3, num_workers=workers)
        assert [y.tolist() for _, y in loader] == [[0, 1, 2], [3, 4, 5], [6]]
        whole = DataLoader(Stream(7), 3, drop_last=True, num_workers=workers)
        assert [y.tolist() for _, y in whole] == [[0, 1, 2], [3, 4, 5]]
        assert [y for _, y in DataLoader(Stream(2) + Stream(1), None, num_workers=workers)] == [0, 1, 0]
    with pytest.raises(TypeError, match="len"):
        len(loader)
    chain = ChainDataset([[1, 2], [3]])
    assert len(chain) == 3 and [len(DataLoader(chain, 2, drop_last=d)) for d in (False, True)] == [2, 1]


def test_an_iterable_data_set_that_shares_itself_out_gives_everything():
    class Sharing(IterableDataset):
        def __iter__(self):
            info = get_worker_info()
            start, step = (0, 1) if info is None else (info.id, info.num_workers)
            return iter(range(start, 10, step))
    for workers in (0, 3):
        assert [int(v) for b in DataLoader(Sharing(), 4, num_workers=workers) for v in b] == list(range(10))


@pytest.mark.parametrize("options, name", [
    (dict(num_workers=-1), "num_workers"), (dict(num_workers=1.5), "num_workers"), (dict(timeout=-1), "timeout"),
    (dict(prefetch_factor=2), "prefetch_factor"), (dict(persistent_workers=True), "persistent_workers"),
    (dict(num_workers=1, prefetch_factor=0), "prefetch_factor"), (dict(batch_size=None, drop_last=True), "drop_last"),
    (dict(batch_sampler=[[0]], batch_size=2), "batch_sampler"), (dict(batch_sampler=[[0]], shuffle=True), "batch_sampler"),
    (dict(sampler=[0], shuffle=True), "sampler")])
def test_arguments_that_contradict_are_refused(options, name):
    with pytest.raises(ValueError, match=name):
        DataLoader(numbers(4), **options)


def test_iterable_data_sets_refuse_an_order_from_outside():
    for options in (dict(shuffle=True), dict(sampler=[0]), dict(batch_sampler=[[0]])):
        with pytest.raises(ValueError, match="Stream is an iterable data set"):
            DataLoader(Stream(), **options)


def test_what_only_processes_and_gpus_need_is_accepted():
    loader = DataLoader(numbers(4), batch_size=2, num_workers=1, pin_memory=True, shuffle=True, pin_memory_device="cuda",
                        multiprocessing_context="fork", in_order=True)
    assert sorted(int(v) for b, in loader for v in b) == [0, 1, 2, 3]


def test_errors_of_a_subset_name_the_sample_of_both():
    with pytest.raises(IndexError) as error:
        list(DataLoader(Subset([1, 2, 3], [0]) + [5], sampler=[7]))
    assert "sample 7 of ConcatDataset" in error.value.__notes__[0]


# ---- collating -------------------------------------------------------------------------------------------------------

def test_collate_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    Point = namedtuple("Point", "x y")
    samples = [{"a": (1, 2.5), "b": [True, "s"], "c": Point(np.float32(1), b"z"), "d": np.ones((2, 1))}] * 3

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(*map(plain, value)) if hasattr(value, "_fields") else [plain(v) for v in value]
        return value if isinstance(value, (str, bytes)) else (str(value.dtype).split(".")[-1], value.tolist())
    assert plain(default_collate(samples)) == plain(torch.utils.data.default_collate(samples))


def test_collate_refuses_what_cannot_be_stacked():
    with pytest.raises(TypeError, match="got object"):
        default_collate([object()])
    Image = pytest.importorskip("PIL.Image")
    with pytest.raises(TypeError, match=r"ToTensor\(\)"):
        default_collate([Image.new("L", (2, 2))])
    with pytest.raises(RuntimeError, match=r"\[1, 2\]"):
        default_collate([(1,), (1, 2)])


def test_convert_turns_arrays_into_tensors_and_keeps_the_rest():
    Point = namedtuple("Point", "x y")
    out = default_convert({"a": [np.ones(2), 3], "b": Point("s", np.zeros(1)), "c": (None,)})
    assert isinstance(out["a"][0], tinycnn.Tensor) and out["a"][1] == 3 and out["c"] == (None,)
    assert isinstance(out["b"], Point) and isinstance(out["b"].y, tinycnn.Tensor)

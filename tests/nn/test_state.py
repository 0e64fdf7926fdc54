"""Saving and loading modules: hooks, extra state, assignment, and modules that read older checkpoints."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn


def libraries():
    """tinycnn, and PyTorch where it is installed."""
    try:
        import torch
    except ImportError:
        return [tinycnn]
    return [tinycnn, torch]


@pytest.fixture(params=libraries(), ids=lambda library: library.__name__)
def library(request):
    """The tests that use this hold for PyTorch as well."""
    return request.param


def test_hooks_see_what_is_saved_and_loaded(library):
    net = library.nn.Sequential(library.nn.Linear(2, 1, bias=False), library.nn.ReLU())
    calls = []
    net[0].register_state_dict_pre_hook(lambda module, prefix, keep: calls.append(("save", prefix, keep)))

    def stamp(module, state, prefix, metadata):
        state[prefix + "stamp"] = library.ones(1)
    stamped = net[0].register_state_dict_post_hook(stamp)

    def unstamp(module, state, prefix, *lists):
        calls.append(("load", prefix, sorted(state)))
        state.pop(prefix + "stamp")
    unstamped = net[0].register_load_state_dict_pre_hook(unstamp)
    net.register_load_state_dict_post_hook(lambda module, keys: calls.append((keys.missing_keys, keys.unexpected_keys)))
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.stamp"]
    net.load_state_dict(state)
    assert calls == [("save", "0.", False), ("load", "0.", ["0.stamp", "0.weight"]), ([], [])]
    stamped.remove(), unstamped.remove()
    assert list(net.state_dict()) == ["0.weight"] and list(state) == ["0.weight", "0.stamp"]
    with pytest.raises(RuntimeError, match='Unexpected key.*"0.stamp"'):
        net.load_state_dict(state)


def test_a_hook_may_forgive(library):
    net = library.nn.Linear(1, 1)
    net.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    net.load_state_dict({"weight": library.zeros(1, 1)})
    assert net.weight.item() == 0


def test_extra_state_travels_with_the_rest(library):
    class Counter(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.count = library.nn.Linear(1, 1), 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net, twin = library.nn.Sequential(Counter()), library.nn.Sequential(Counter())
    net[0].count = 5
    state = net.state_dict()
    assert list(state) == ["0._extra_state", "0.fc.weight", "0.fc.bias"]
    twin.load_state_dict(state)
    assert twin[0].count == 5
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match='Missing key.*"0._extra_state"'):
        twin.load_state_dict(state)
    with pytest.raises(RuntimeError, match='Unexpected key.*"_extra_state"'):
        library.nn.Linear(1, 1).load_state_dict({**library.nn.Linear(1, 1).state_dict(), "_extra_state": 3})


def test_a_module_can_read_an_older_checkpoint(library):
    class Block(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.new = library.nn.Linear(2, 2)
            self.register_buffer("table", library.zeros(2))

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                                  error_msgs):
            assert local_metadata.get("version", None) is None
            for kind in ("weight", "bias"):
                if f"{prefix}old.{kind}" in state_dict:
                    state_dict[f"{prefix}new.{kind}"] = state_dict.pop(f"{prefix}old.{kind}")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                                          error_msgs)

    net = library.nn.Sequential(Block())
    old = {"0.table": library.ones(2), "0.old.weight": library.ones(2, 2), "0.old.bias": library.ones(2)}
    assert not any(net.load_state_dict(old))
    assert net[0].new.weight.sum().item() == 4 and net[0].table.sum().item() == 2 and "0.old.bias" in old


def test_assigned_tensors_take_the_places_of_the_old_ones(library):
    net = library.nn.Sequential(library.nn.Linear(2, 1), library.nn.BatchNorm1d(1))
    net[0].bias.requires_grad_(False)
    state = {k: v.double() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net[0].weight.dtype == library.float64 and net[1].running_mean is state["1.running_mean"]
    assert net[0].weight.requires_grad and not net[0].bias.requires_grad
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]


@pytest.mark.parametrize("change", [lambda s: s.pop("0.weight"), lambda s: s.update(x=s["0.bias"]),
                                    lambda s: s.update({"0.weight.y": s["0.bias"]}),
                                    lambda s: s.update({"9.weight": s["0.bias"]}), lambda s: s.update({"0.z": s["0.bias"]}),
                                    lambda s: s.update({"2.0.weight": s["0.weight"]})])
def test_lists_of_keys_and_messages_are_pytorchs(change):
    torch = pytest.importorskip("torch")
    found = []
    for library in (tinycnn, torch):
        net = library.nn.Sequential(library.nn.Linear(2, 2), library.nn.BatchNorm1d(2),
                                    library.nn.Sequential(library.nn.Linear(2, 1)))
        state = net.state_dict()
        change(state)
        problems = ""
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            problems = str(error).replace("torch.Size([", "(").replace("])", ")")
        lists = ([], []) if "size mismatch" in problems else net.load_state_dict(state, strict=False)
        found.append((problems, *map(list, lists)))
    assert found[0] == found[1] and found[0][0]


def test_a_state_that_does_not_fit_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {k: v.array.copy() for k, v in net.state_dict().items()}
    state = {k: v + 1 for k, v in net.state_dict().items()}
    state["1.bias"] = tinycnn.zeros(3)
    with pytest.raises(RuntimeError, match=r"size mismatch for 1.bias: .* shape \(3,\)"):
        net.load_state_dict(state)
    assert all((v.array == before[k]).all() for k, v in net.state_dict().items())


def test_a_half_of_extra_state_says_what_to_define():
    class Half(nn.Module):
        def get_extra_state(self):
            return 1

    with pytest.raises(RuntimeError, match=r"Half: define set_extra_state\(self, state\)"):
        Half().load_state_dict({"_extra_state": 1})
    with pytest.raises(RuntimeError, match=r"Linear: define get_extra_state\(self\)"):
        nn.Linear(1, 1).get_extra_state()


def test_submodules_are_replaced_by_name(library):
    net = library.nn.Sequential(library.nn.Sequential(library.nn.Linear(2, 1)))
    net.set_submodule("0.0", library.nn.Identity())
    assert isinstance(net[0][0], library.nn.Identity) and not list(net.parameters())
    assert net.double() is net and library.nn.Linear(1, 1).type(library.float64).weight.dtype == library.float64


def test_set_submodule_names_what_is_not_there():
    with pytest.raises(AttributeError, match="Sequential has no submodule '3'"):
        nn.Sequential().set_submodule("3", nn.Identity())


def test_the_older_name_of_backward_hooks_serves():
    seen = []
    layer = nn.Linear(2, 1)
    layer.register_backward_hook(lambda module, dx, dy: seen.append((dx[0].shape, dy[0].shape)))
    layer(tinycnn.ones(3, 2, requires_grad=True)).sum().backward()
    assert seen == [((3, 2), (3, 1))] and np.isfinite(layer.weight.grad.array).all()

"""Whole modules in files: they come back as they were, and a file can choose among the classes there are, no more."""
import io
import json

import numpy as np
import pytest

import tinycnn as t
from tinycnn import nn
from tinycnn.files import whole
from tinycnn.files.saving import KEY
from tinycnn.files.sealed import seal, unseal
from tinycnn.models import get_model


class Block(nn.Module):
    """Everything that a module may hold."""

    def __init__(self, width=3):
        super().__init__()
        self.width, self.options, self.dtype, self.kinds = width, {"a": [1, None, (2.5, "x")]}, t.float64, {1, 2}
        self.first = nn.Linear(width, width)
        self.second = self.first
        self.act, self.norm_layer = nn.functional.gelu, nn.LayerNorm
        self.scale = nn.Parameter(t.full((width,), 2.0), requires_grad=False)
        self.same, self.constant, self.table = self.scale, t.arange(3), np.eye(2)
        self.register_buffer("seen", t.zeros(1))
        self.register_buffer("scratch", t.ones(1), persistent=False)
        self.register_parameter("nothing", None)
        self.parts = nn.ModuleDict({"norm": nn.BatchNorm1d(width), "drop": nn.Dropout(0.25)})

    def forward(self, x):
        return self.parts["norm"](self.act(self.second(x))) * self.same


def file_of(obj):
    file = io.BytesIO()
    t.save(obj, file)
    file.seek(0)
    return file


def test_a_module_comes_back_as_it_was():
    t.manual_seed(0)
    x, net = t.randn(5, 3), Block()
    net(x)
    net.eval()
    net.first.weight.requires_grad_(False)
    back = t.load(file_of(net), weights_only=False)
    assert type(back) is Block and repr(back) == repr(net) and not back.training and not back.parts["drop"].training
    assert (back(x) == net(x)).all() and list(back.state_dict()) == list(net.state_dict())
    assert back.first is back.second and back.scale is back.same and isinstance(back.scale, nn.Parameter)
    assert [p.requires_grad for p in back.parameters()] == [p.requires_grad for p in net.parameters()]
    assert (back.options, back.dtype, back.kinds, back.width) == (net.options, net.dtype, net.kinds, 3)
    assert back.norm_layer is nn.LayerNorm and back.nothing is None and back.constant.tolist() == [0, 1, 2]
    assert isinstance(back.table, np.ndarray) and "scratch" not in back.state_dict() and back.scratch.item() == 1
    back.train()(x).sum().backward()
    assert back.first.bias.grad is not None and back.first.weight.grad is None


def test_modules_may_be_part_of_something_larger():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    back = t.load(file_of({"net": net, "again": [net], "epoch": 3, "weight": net[0].weight}))
    assert back["net"] is back["again"][0] and back["epoch"] == 3 and repr(back["net"]) == repr(net)
    assert type(back["weight"]) is t.Tensor and (back["weight"] == net[0].weight).all()


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet", "mobilenet_v2", "swin_t", "vit_b_32"])
def test_networks_of_the_library_come_back_without_being_named(name):
    net = get_model(name)
    back = t.load(file_of(net))
    assert type(back) is type(net) and repr(back) == repr(net)
    ours, theirs = net.state_dict(), back.state_dict()
    assert list(ours) == list(theirs) and all((ours[key] == theirs[key]).all() for key in ours)


def test_the_file_is_one_of_weights_for_everybody_else():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    arrays, _ = unseal(file_of(net).read())
    assert sorted(arrays) == sorted(net.state_dict())


def test_a_class_must_be_asked_for_by_name():
    file = file_of(Block())
    with pytest.raises(ValueError, match=r"(?s)whole model made with .*Block.*safe_globals\(\[Block\]\).*load_state_dict"):
        t.load(file)
    with t.serialization.safe_globals([Block]):
        file.seek(0)
        assert type(t.load(file)) is Block and t.serialization.get_safe_globals() == [Block]
    assert t.serialization.get_safe_globals() == []
    t.serialization.add_safe_globals([Block])
    file.seek(0)
    assert type(t.load(file)) is Block
    t.serialization.clear_safe_globals()
    file.seek(0)
    with pytest.raises(ValueError, match="ask for it by name"):
        t.load(file)


def test_a_class_that_is_gone_is_named(monkeypatch):
    file = file_of(Block())
    monkeypatch.delitem(globals(), "Block")
    with pytest.raises(ValueError, match="made with .*Block, which cannot be found here: define or import it"):
        t.load(file, weights_only=False)


def test_what_cannot_be_found_by_a_name_is_not_written():
    class Local(nn.Module):
        """Of this function only."""

    net = Block()
    net.act = lambda x: x
    hooked = nn.Sequential(nn.ReLU())
    hooked[0].register_forward_hook(lambda *_: None)
    drawn = nn.ReLU()
    drawn.stream = t.Generator()
    for module, words in ((Local(), r"obj is made with .*Local, which cannot be imported"),
                          (hooked, r"obj\['0'\] has hooks"),
                          (net, r"obj\['act'\] is made with .*lambda.*load_state_dict"),
                          (drawn, r"obj\['stream'\] is of type Generator")):
        with pytest.raises(TypeError, match=f"save: {words}"):
            t.save(module, io.BytesIO())


def forged(described, **arrays):
    """A file with this description."""
    return io.BytesIO(seal(arrays, {KEY: json.dumps({"state": described})}))


EMPTY = [[], [], [], []]
RELU = ["tinycnn.nn.activation", "ReLU", [], [], []]


@pytest.mark.parametrize("described, trusted, words", [
    ({"module": ["os", "system", *EMPTY]}, False, "made with os.system. Where"),
    ({"module": ["os", "system", *EMPTY]}, True, "os.system is (no class of modules|defined elsewhere)"),
    ({"module": ["tinycnn.nn.modules", "sys.exit", *EMPTY]}, False, "modules.sys.exit is defined elsewhere"),
    ({"module": ["tinycnn.files.saving", "save", *EMPTY]}, False, "made with tinycnn.files.saving.save. Where"),
    ({"module": ["tinycnn.nn.functional", "relu", *EMPTY]}, False, "damaged"),
    ({"module": ["tinycnn.ops.rectifier", "relu", *EMPTY]}, False, "relu is no class of modules"),
    ({"module": [*RELU, [["_modules", {"dict": []}]]]}, False, "_modules is no attribute"),
    ({"module": [*RELU, [["f", {"name": ["os", "system"]}]]]}, False, "made with os.system"),
    ({"module": [*RELU[:4], [["0", {"again": 0}]], []]}, False, "a module contains itself, as 0"),
    ({"module": [*RELU[:4], [["0", {"module": [*RELU[:4], [["1", {"again": 0}]], []]}]], []]}, False, "itself, as 1"),
    ({"module": [*RELU[:4], [["0", 3]], []]}, False, "0 is no Module"),
    ({"module": [*RELU[:2], [["w", "x"]], [], [], []]}, False, "w is no Parameter"),
    ({"module": [*RELU[:2], [], [["b", 1, True]], [], []]}, False, "b is no Tensor"),
    ({"module": [*RELU[:4], [[3, None]], []]}, False, "3 is no Mod"), ({"module": [*RELU, [[3, 1]]]}, False, "3 is no attr"),
    ({"module": [*RELU, [["f", {"eval": "1"}]]]}, False, "damaged: KeyError"),
    ({"module": ["tinycnn.nn.activation", "Gone", *EMPTY]}, False, "tinycnn.nn.activation.Gone, which cannot be found here"),
    ({"again": 3}, False, "damaged: IndexError"), ({"parameter": ["w", True]}, False, "damaged: KeyError"),
])
def test_a_forged_file_reaches_nothing(described, trusted, words):
    with pytest.raises(ValueError, match=words):
        t.load(forged(described), weights_only=not trusted)


def test_no_class_is_called(monkeypatch):
    called = []
    monkeypatch.setattr(Block, "__init__", lambda self: called.append(self))
    described = {"module": [__name__, "Block", *EMPTY]}
    assert type(t.load(forged(described), weights_only=False)) is Block and not called


def test_the_kinds_are_those_that_are_written():
    assert all(callable(getattr(whole.Reader, kind)) for kind in whole.KINDS)

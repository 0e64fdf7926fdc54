"""Modules: registration, walking, moving, saving, hooks, containers."""
import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.nn import Parameter


class Net(nn.Module):
    """Every kind of attribute."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.scale = Parameter(tinycnn.ones(2))
        self.register_buffer("offset", tinycnn.zeros(2))
        self.register_buffer("scratch", tinycnn.zeros(1), persistent=False)
        self.norm = nn.BatchNorm1d(2)
        self.option = 5

    def forward(self, x):
        return self.norm(self.fc(x)) * self.scale + self.offset


# ---- attributes ----

def test_attributes_are_sorted_by_type():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["scale", "fc.weight", "fc.bias", "norm.weight", "norm.bias"]
    assert [name for name, _ in net.named_buffers()] == ["offset", "scratch", "norm.running_mean", "norm.running_var",
                                                         "norm.num_batches_tracked"]
    assert [name for name, _ in net.named_children()] == ["fc", "norm"]
    assert [name for name, _ in net.named_modules()] == ["", "fc", "norm"]
    assert {"fc", "scale", "offset", "option"} <= set(dir(net))


def test_a_parameter_can_be_replaced_or_removed_but_not_by_a_tensor():
    net = Net()
    with pytest.raises(TypeError, match="scale.*Parameter.*Tensor"):
        net.scale = tinycnn.ones(2)
    net.scale = Parameter(tinycnn.zeros(2))
    assert len(list(net.parameters())) == 5
    net.scale = None
    assert net.scale is None and len(list(net.parameters())) == 4
    del net.scale
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'scale'"):
        net.scale


def test_a_module_is_not_replaced_by_something_else():
    net = Net()
    with pytest.raises(TypeError, match="fc.*Module.*int"):
        net.fc = 3
    net.fc = nn.Identity()
    assert isinstance(net.fc, nn.Identity)


def test_a_buffer_takes_a_new_tensor_and_becomes_a_parameter_when_one_is_assigned():
    net = Net()
    new = tinycnn.ones(2)
    net.offset = new
    assert net.offset is new and "offset" in dict(net.named_buffers())
    net.offset = Parameter(new)
    assert "offset" in dict(net.named_parameters()) and "offset" not in dict(net.named_buffers())


def test_a_plain_attribute_gives_way_to_a_parameter():
    net = Net()
    net.option = Parameter(tinycnn.ones(1))
    assert "option" in dict(net.named_parameters()) and "option" not in net.__dict__


def test_assigning_before_init_says_what_is_missing():
    class Early(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\).*'fc'"):
        Early()


@pytest.mark.parametrize("name, error", [("", KeyError), ("a.b", KeyError), ("fc", KeyError), ("forward", KeyError),
                                         (3, TypeError)])
def test_bad_names_are_refused(name, error):
    with pytest.raises(error):
        Net().register_buffer(name, tinycnn.zeros(1))
    with pytest.raises(error):
        Net().register_parameter(name, Parameter(tinycnn.zeros(1)))


def test_what_is_registered_must_have_the_right_type():
    net = Net()
    with pytest.raises(TypeError, match="register_parameter: p must be a Parameter"):
        net.register_parameter("p", tinycnn.zeros(1))
    with pytest.raises(TypeError, match="register_buffer: b must be a Tensor"):
        net.register_buffer("b", np.zeros(1))
    with pytest.raises(TypeError, match="register_module: m must be a Module"):
        net.add_module("m", Net)


def test_parameter_is_a_leaf_that_shares_memory():
    data = tinycnn.zeros(2)
    p = Parameter(data)
    data.array[0] = 7
    assert p.requires_grad and p.is_leaf and p.array[0] == 7
    assert repr(p).startswith("Parameter containing:\ntensor([7., 0.]")
    assert type(p + 1) is tinycnn.Tensor
    assert not Parameter(tinycnn.zeros(2), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="Parameter: data must be a Tensor, got ndarray"):
        Parameter(np.zeros(2))
    with pytest.raises(RuntimeError, match="floating-point"):
        Parameter(tinycnn.zeros(2, dtype=tinycnn.int64))


# ---- walking ----

def test_shared_modules_and_parameters_come_once():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, layer, nn.Linear(2, 2))
    net[2].weight = layer.weight
    assert len(list(net.parameters())) == 3
    assert len(list(net.modules())) == 3 and len(list(net.children())) == 2
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)] == [
        "0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]
    assert len(net.state_dict()) == 6


def test_recurse_false_stays_at_home():
    net = Net()
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert [name for name, _ in net.named_buffers(prefix="x", recurse=False)] == ["x.offset", "x.scratch"]


def test_dotted_names_lead_to_members():
    net = nn.Sequential(Net())
    assert net.get_submodule("0.fc") is net[0].fc and net.get_submodule("") is net
    assert net.get_parameter("0.fc.weight") is net[0].fc.weight
    assert net.get_buffer("0.offset") is net[0].offset
    with pytest.raises(AttributeError, match="Net has no submodule 'x'"):
        net.get_submodule("0.x.y")
    with pytest.raises(AttributeError, match="Net has no parameter 'offset'"):
        net.get_parameter("0.offset")


def test_apply_visits_children_first_and_returns_the_module():
    seen, net = [], Net()
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "BatchNorm1d", "Net"]


def test_train_and_eval_reach_everything():
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train().norm.training
    with pytest.raises(ValueError, match="mode must be True or False"):
        net.train("yes")


# ---- changing all of it ----

def test_to_keeps_parameter_objects_and_integer_buffers():
    net = Net()
    weight = net.fc.weight
    net(tinycnn.randn(4, 3)).sum().backward()
    assert net.to(tinycnn.float64) is net and net.fc.weight is weight
    assert weight.dtype == weight.grad.dtype == net.offset.dtype == tinycnn.float64
    assert net.norm.num_batches_tracked.dtype == tinycnn.int64
    assert net.float().fc.weight.dtype == tinycnn.float32 and net.half().scale.dtype == tinycnn.float16
    assert net.to("cpu", tinycnn.float64).to(tinycnn.zeros(1)).scale.dtype == tinycnn.float32
    with pytest.raises(TypeError, match="floating point, got int64"):
        net.to(tinycnn.int64)


def test_zero_grad_forgets_or_fills():
    net = Net()
    net(tinycnn.randn(4, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.array.any() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_freezing_stops_gradients():
    net = Net().requires_grad_(False)
    assert not net(tinycnn.randn(4, 3)).requires_grad


# ---- saving and loading ----

def test_state_dict_shares_memory_without_history():
    net = Net()
    state = net.state_dict(prefix="net.")
    assert list(state)[:2] == ["net.scale", "net.offset"] and "net.scratch" not in state
    state["net.scale"].array[0] = 9
    assert net.scale.array[0] == 9 and not state["net.scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale


def test_load_state_dict_copies_and_casts():
    net, other = Net().double(), Net()
    with tinycnn.no_grad():
        other.scale.array[:] = [3, 4]
    result = net.load_state_dict(other.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert net.scale.dtype == tinycnn.float64 and net.scale.array.tolist() == [3, 4]
    other.scale.array[:] = 0
    assert net.scale.array.tolist() == [3, 4]
    net.load_state_dict({k: v.numpy() for k, v in other.state_dict().items()})
    assert net.scale.array.tolist() == [0, 0]


def test_load_state_dict_lists_every_problem_and_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {k: v.array.copy() for k, v in net.state_dict().items()}
    state = {"0.weight": tinycnn.zeros(3, 2), "1.weight": tinycnn.zeros(4, 4), "1.bias": tinycnn.zeros(1),
             "x": tinycnn.zeros(1)}
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    for part in ("for Sequential", 'Missing key(s) in state_dict: "0.bias"', 'Unexpected key(s) in state_dict: "x"',
                 "size mismatch for 1.weight", "(4, 4)", "(1, 3)"):
        assert part in str(error.value)
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(state, strict=False)
    assert all((v.array == before[k]).all() for k, v in net.state_dict().items())
    del state["1.weight"]
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert missing == ["0.bias", "1.weight"] and unexpected == ["x"] and not net[0].weight.array.any()
    with pytest.raises(TypeError, match="dictionary, got list"):
        net.load_state_dict([1])


def test_loading_is_noticed_by_a_graph_that_saved_the_weights():
    net = nn.Linear(2, 2)
    y = net(tinycnn.randn(1, 2, requires_grad=True))
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_old_checkpoints_without_batch_counter_load():
    net = Net()
    state = net.state_dict()
    del state["norm.num_batches_tracked"]
    assert net.load_state_dict(state) == ([], [])


def test_deepcopy_and_pickle_are_independent_and_equal():
    net = Net()
    net.register_forward_hook(print_nothing)
    x = tinycnn.randn(4, 3)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert isinstance(twin.scale, Parameter) and twin.scale is not net.scale and twin.scale.requires_grad
        assert (twin.eval()(x).array == net.eval()(x).array).all()
        twin.scale.array[:] = 5
        assert (net.scale.array == 1).all()
        assert repr(twin) == repr(net)


def print_nothing(module, args, output):
    return None


def test_deepcopy_keeps_shared_parameters_shared():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight is not net[0].weight


# ---- hooks ----

def test_forward_hooks_see_and_replace():
    layer, seen = nn.Identity(), []
    pre = layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    post = layer.register_forward_hook(lambda module, args, output: seen.append((module, args[0].item())) or output * 2)
    assert layer(tinycnn.tensor(3.0)).item() == 8 and seen == [(layer, 4.0)]
    pre.remove()
    assert layer(tinycnn.tensor(3.0)).item() == 6
    post.remove()
    post.remove()
    assert layer(tinycnn.tensor(3.0)).item() == 3


def test_hooks_run_in_order_unless_prepended_and_may_see_keywords():
    class Add(nn.Module):
        def forward(self, x, more=0):
            return x + more

    layer, order = Add(), []
    layer.register_forward_hook(lambda *_: order.append("first"))
    layer.register_forward_hook(lambda *_: order.append("before"), prepend=True)
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"more": kwargs["more"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, y: y * kwargs["more"], with_kwargs=True)
    assert layer(tinycnn.tensor(1.0), more=2).item() == 12
    assert order == ["before", "first"]


def test_backward_hook_sees_only_this_modules_share():
    torch = pytest.importorskip("torch")

    def run(library):
        class Product(library.nn.Module):
            def forward(self, x, y, scale):
                return x * y * scale, x.exp()

        layer, seen = Product(), []

        def hook(module, grad_input, grad_output):
            seen.extend(None if g is None else np.array(g.tolist()) for g in (*grad_input, *grad_output))
            return tuple(None if g is None else g * 2 for g in grad_input)
        layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 3, grad_output[1]))
        layer.register_full_backward_hook(hook)
        x = library.tensor([1.0, 2.0], requires_grad=True)
        y = library.tensor([3.0, -1.0], requires_grad=True)
        a, b = layer(x, y, 2.0)
        (a.sum() + (b * b).sum() + (x * 7).sum()).backward()
        return [*seen, np.array(x.grad.tolist()), np.array(y.grad.tolist())]

    for ours, theirs in zip(run(tinycnn), run(torch), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_backward_hook_fires_where_no_input_wants_a_gradient():
    layer, seen = nn.Linear(2, 1), []
    handle = layer.register_full_backward_hook(lambda module, gi, go: seen.append((gi, go[0].shape)))
    layer(tinycnn.randn(3, 2)).sum().backward()
    assert seen == [((None,), (3, 1))]
    handle.remove()
    layer(tinycnn.randn(3, 2)).sum().backward()
    assert len(seen) == 1


def test_backward_hook_fires_again_in_a_second_backward():
    layer, seen = nn.Tanh(), []
    layer.register_full_backward_hook(lambda module, gi, go: seen.append(gi[0].tolist()))
    y = layer(tinycnn.tensor([0.0], requires_grad=True))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert seen == [[1.0], [1.0]]


def test_a_hook_that_returns_the_wrong_number_of_gradients_is_told():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, gi, go: (gi[0], gi[0]))
    y = layer(tinycnn.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="returned 2 gradients where there are 1"):
        y.sum().backward()


def test_a_hooked_graph_dies_without_the_garbage_collector():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, gi, go: None)
    gc.disable()
    try:
        y = layer(tinycnn.ones(2, requires_grad=True))
        node = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match="Module: define forward"):
        nn.Module()(1)


# ---- containers ----

def test_sequential_indexes_slices_and_changes():
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3)
    net = nn.Sequential(a, b, c)
    assert net[0] is a and net[-1] is c and len(net) == 3 and list(net) == [a, b, c]
    assert isinstance(net[1:], nn.Sequential) and net[1:][1] is c and list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    assert net.append(nn.Tanh()) is net and isinstance(net[3], nn.Tanh)
    net.insert(1, nn.Identity())
    assert net[2] is b and list(net._modules) == ["0", "1", "2", "3", "4"]
    del net[1]
    net[3] = nn.Sigmoid()
    assert isinstance(net.pop(), nn.Sigmoid) and list(net) == [a, b, c]
    assert len(net.extend([nn.Tanh(), nn.Tanh()]) + net) == 10
    del net[3:]
    assert list(net) == [a, b, c]
    for bad in (3, -4):
        with pytest.raises(IndexError, match=f"Sequential: index {bad} is out of range for 3"):
            net[bad]
    with pytest.raises(TypeError, match="register_module: 0 must be a Module"):
        nn.Sequential(3)


def test_sequential_keeps_the_names_of_a_dictionary():
    net = nn.Sequential(OrderedDict(conv=nn.Linear(1, 1), act=nn.ReLU()))
    assert net.conv is net[0] and list(net[:1]._modules) == ["conv"]
    with pytest.raises(ValueError, match="names"):
        net.insert(0, nn.Tanh())
    del net[0]
    assert list(net._modules) == ["0"], "what is left is numbered, as in PyTorch"


def test_module_list_and_dict_register():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.Linear(1, 1)]
    assert len(layers) == 2 and len(list(layers.parameters())) == 4 and len(layers[:1]) == 1 and len(layers + layers) == 4
    named = nn.ModuleDict({"a": nn.Linear(1, 1)})
    named["b"] = nn.Tanh()
    named.update([("c", nn.ReLU())])
    assert list(named) == list(named.keys()) == ["a", "b", "c"] and "b" in named and len(named.values()) == 3
    assert isinstance(named.pop("c"), nn.ReLU) and dict(named.items()).keys() == {"a", "b"}
    del named["a"]
    named.clear()
    assert len(named) == 0
    with pytest.raises(NotImplementedError):
        layers(1)


def test_a_parameter_list_holds_lists():
    listed = nn.ParameterList([nn.ParameterList([tinycnn.zeros(2), tinycnn.zeros(1)]), tinycnn.ones(3)])
    (a, b), c = listed
    assert list(listed.state_dict()) == ["1", "0.0", "0.1"] and len(listed) == 2 and len(list(listed.parameters())) == 3
    assert (a.shape, b.shape, c.shape) == ((2,), (1,), (3,)) and listed[0][1] is b and "(0): ParameterList(" in repr(listed)
    listed[1] = nn.ParameterList([c])
    assert listed[1][0] is c and listed[-2][0] is a


def test_parameter_list_and_dict_register():
    listed = nn.ParameterList([tinycnn.zeros(2), Parameter(tinycnn.ones(3))])
    listed.append(tinycnn.zeros(1))
    listed[0] = tinycnn.ones(2)
    assert list(listed.state_dict()) == ["0", "1", "2"] and listed[-1].shape == (1,) and len(listed[1:]) == 2
    assert all(isinstance(p, Parameter) for p in listed) and listed[0].array.all()
    assert "(1): Parameter containing: [float32 of size 3]" in repr(listed)
    with pytest.raises(IndexError):
        listed[3]
    with pytest.raises(TypeError, match="ParameterList: expected a Parameter or Tensor, got int"):
        listed.append(3)
    named = nn.ParameterDict({"a": tinycnn.zeros(2)})
    named["b"] = Parameter(tinycnn.zeros(1))
    assert [k for k, _ in named.named_parameters()] == list(named) == ["a", "b"] and "a" in named
    assert named.pop("a").shape == (2,) and len(named) == 1

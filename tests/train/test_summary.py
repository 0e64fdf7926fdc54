"""The table of a network's layers, against the lectures' tables and known sizes."""
import json
import tracemalloc

import pytest

import tinycnn
from tinycnn import nn
from tinycnn.models import get_model


def mnist_net():
    return nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def shapes_net():
    return nn.Sequential(nn.Conv2d(3, 32, 6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 6), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 28 * 28, 3))


def test_mnist_net_of_the_lectures_layer_by_layer():
    table = tinycnn.summary(mnist_net(), (1, 28, 28))
    assert [(r.type, r.output_shape, r.parameters) for r in table.rows] == [
        ("Conv2d", (16, 28, 28), 416), ("ReLU", (16, 28, 28), 0), ("MaxPool2d", (16, 14, 14), 0),
        ("Conv2d", (32, 14, 14), 12_832), ("ReLU", (32, 14, 14), 0), ("MaxPool2d", (32, 7, 7), 0),
        ("Flatten", (1568,), 0), ("Linear", (10,), 15_690)]
    assert table.parameters == table.trainable == 28_938 and table.not_run == 0
    assert [r.multiply_adds for r in table.rows if r.parameters] == [28 * 28 * 16 * 25, 14 * 14 * 32 * 25 * 16, 15_680]
    assert table.multiply_adds == 313_600 + 2_508_800 + 15_680


def test_shapes_net_of_the_lectures_layer_by_layer():
    table = tinycnn.summary(shapes_net(), (3, 128, 128))
    assert [(r.type, r.output_shape, r.parameters) for r in table.rows if r.type != "ReLU"] == [
        ("Conv2d", (32, 123, 123), 3_488), ("MaxPool2d", (32, 61, 61), 0), ("Conv2d", (32, 56, 56), 36_896),
        ("MaxPool2d", (32, 28, 28), 0), ("Flatten", (25_088,), 0), ("Linear", (3,), 75_267)]
    assert table.parameters == 115_651
    assert [r.memory for r in table.rows][:2] == [0, 32 * 123 * 123 * 4], "the picture is there anyway"


def test_table_shows_names_numbers_and_totals():
    text = str(tinycnn.summary(mnist_net(), (1, 28, 28)))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "type", "output", "shape", "parameters", "multiply-adds", "memory"]
    assert lines[2].split() == ["0", "Conv2d", "(16,", "28,", "28)", "416", "313,600", "0", "B"]
    assert lines[3].split()[-2:] == ["50.2", "kB"]
    assert lines[-3].startswith("total") and "28,938" in lines[-3] and "batch of one" in lines[-2]
    assert len({len(line) for line in lines[:-2]}) == 1, "columns line up"
    assert json.loads(json.dumps(tinycnn.summary(mnist_net(), [1, 28, 28]).as_dict()))["parameters"] == 28_938


def test_resnet18_has_its_published_size():
    table = tinycnn.summary(get_model("resnet18"), (3, 224, 224))
    assert table.parameters == 11_689_512 and table.multiply_adds == 1_814_073_344 and table.not_run == 0


def test_grouped_and_transposed_convolutions_and_attention_are_counted():
    def multiply_adds(layer, size):
        return tinycnn.summary(layer, size).multiply_adds
    assert multiply_adds(nn.Conv2d(8, 12, 3, padding=1, groups=4), (8, 5, 5)) == 12 * 25 * 2 * 9
    assert multiply_adds(nn.ConvTranspose2d(3, 5, 2, stride=2), (3, 4, 4)) == 3 * 16 * 5 * 4

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]
    table = tinycnn.summary(Attend(), (5, 8))
    assert table.multiply_adds == 4 * 5 * 64 + 2 * 5 * 5 * 8
    assert table.parameters == 4 * 64 + 4 * 8 and table.not_run == 0


def test_several_inputs_are_given_as_sizes_or_tensors():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.picture = nn.Embedding(9, 4), nn.Linear(6, 4)

        def forward(self, text, picture):
            return {"product": self.words(text).sum(1) * self.picture(picture)}

        def multiply_adds(self, inputs, output):
            return inputs[0].shape[1] * 1000

    table = tinycnn.summary(Both(), [tinycnn.tensor([[1, 2, 3]]), (6,)])
    assert table.input_size == ((3,), (6,)) and "for inputs of (3,) and (6,)" in str(table)
    assert table.multiply_adds == 24 + 3000 and table.rows[-1].type == "Both" and table.rows[-1].output_shape == (4,)
    assert json.loads(json.dumps(table.as_dict()))["input_size"] == [[3], [6]]


def test_shared_layer_counts_once_and_frozen_weights_are_told():
    layer = nn.Linear(4, 4)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    layer.bias.requires_grad_(False)
    table = tinycnn.summary(net, (4,))
    assert [r.parameters for r in table.rows] == [20, 0, 0] and table.multiply_adds == 32
    assert table.trainable == 16 and "16 of the parameters are trainable" in str(table)


def test_model_is_left_as_it_was():
    net = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5)).double()
    net[1].eval()
    before = {name: b.array.copy() for name, b in net.named_buffers()}
    buffers, random = dict(net[0].named_buffers()), tinycnn.get_rng_state()
    tinycnn.summary(net, (2, 3, 3))
    assert net.training and net[0].training and not net[1].training
    assert all((b.array == before[name]).all() for name, b in net.named_buffers())
    assert all(b is buffers[name] for name, b in net[0].named_buffers())
    assert tinycnn.get_rng_state() == random and all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def batch_norm_net():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1))


NETWORKS = {
    "mnist net": (mnist_net, (1, 28, 28)),
    "resnet18": (lambda: get_model("cifar_resnet18"), (3, 32, 32)),
    "vgg16": (lambda: get_model("vgg16_bn", num_classes=10, hidden=64), (3, 32, 32)),
    "mobilenet_v2": (lambda: get_model("mobilenet_v2", width_mult=0.5, num_classes=10), (3, 64, 64)),
    "vit": (lambda: get_model("cifar_vit"), (3, 32, 32)),
    "densenet": (lambda: get_model("cifar_densenet100"), (3, 16, 16)),
    "unet": (lambda: get_model("unet_padded", width=8), (1, 32, 32)),
    "dropout": (batch_norm_net, (3, 32, 32)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_is_what_a_training_step_allocates_and_keeps(name):
    """NumPy tells tracemalloc about every array, so this knows nothing of graphs."""
    make, size = NETWORKS[name]
    net, x = make(), tinycnn.randn(6, *size)
    net(x)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        y = net(x)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert y.requires_grad and tinycnn.summary(net, size).memory * 6 == pytest.approx(kept, rel=0.1)


def test_memory_is_told_for_the_layer_that_saves_first():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.last = nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2)
            self.unused = nn.Linear(9, 9)

        def forward(self, x):
            return self.last(self.act(self.first(x)).exp())
    table = tinycnn.summary(Net(), (4,))
    assert [r.memory for r in table.rows] == [0, 8 * 4, 0] and table.between == 8 * 4 and table.memory == 64 + 0
    assert "32 B of it outside of layers" in str(table) and table.as_dict()["between"] == 32
    act = nn.Sigmoid()
    twice = tinycnn.summary(nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 6), act), (4,))
    assert [r.memory for r in twice.rows] == [0, 8 * 4, 0, 6 * 4]
    frozen = Net().requires_grad_(False)
    assert tinycnn.summary(frozen, (4,)).memory == 0
    assert tinycnn.summary(nn.Sigmoid(), (5,)).memory == 0, "nothing to learn, nothing to keep"


def test_a_model_that_wants_more_in_training_is_measured_in_evaluation():
    class Picky(nn.Linear):
        def forward(self, x):
            if self.training:
                raise ValueError("a list of views, please")
            return super().forward(x).exp()
    net = Picky(4, 3)
    assert tinycnn.summary(net, (4,)).memory == 3 * 4 and net.training


def test_layers_that_did_not_run_are_told():
    class Half(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.side = nn.Linear(2, 7)
    assert "21 of the parameters belong to layers that this forward pass did not use" in str(tinycnn.summary(Half(), (2,)))


@pytest.mark.parametrize("model, size, error, message", [
    (lambda x: x, (3,), TypeError, "Module"), (nn.Linear(2, 2), (0,), ValueError, r"input_size.*\(0,\)"),
    (nn.Linear(2, 2), ("a",), ValueError, "input_size")])
def test_what_cannot_be_summarised_is_refused(model, size, error, message):
    with pytest.raises(error, match=message):
        tinycnn.summary(model, size)


def test_hooks_are_removed_after_an_error():
    net = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        tinycnn.summary(net, (4,))
    assert not net[0]._forward_hooks and net.training

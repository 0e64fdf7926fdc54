"""Files of ONNX: what onnxruntime computes from them is what we compute, and read back they are the model again."""
import numpy as np
import pytest

import tinycnn
from benchmarks import zoo
from tests.helpers.cases import tensors_of
from tinycnn import models, nn, no_grad
from tinycnn.engine.tensor import wrap
from tinycnn.gradcheck import registry
from tinycnn.models import FrozenBatchNorm2d
from tinycnn.nn.norm import _BatchNorm

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
registry.load()
MODEL_ROWS = zoo.read(zoo.PAGE.read_text(encoding="utf-8"))[1]
QUICK = ["cbam_resnet18", "cifar_convmixer", "cifar_cvt", "cifar_perceiver", "cifar_resnet20", "cifar_swin", "clip_small",
         "detr_small", "dino_small", "lenet5", "shufflenet_v1_g2", "timesformer_small"]
UNSAID = {  # Functions that draw random numbers, that only gradients run, or that ONNX has no operator for
    "ConvWeight", "Dropout", "Erfinv", "Inverse", "Lgamma", "LogDet", "Pinv", "Polygamma", "SVD", "Solve",
    "SyncNormalize"}
OF_ONE = {"Erfc-tails"}  # what ONNX says as 1 - erf(x): as precise as numbers of size 1
each_quick = pytest.mark.parametrize("name", QUICK)


def run(path, inputs):
    """The outputs of onnxruntime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs)})


def outputs_of(model, inputs):
    with no_grad():
        y = model(*inputs)
    return tensors_of([*y.values()] if isinstance(y, dict) else y)


def assert_same(got, wanted, size=None):
    """Equal in shapes and types, in numbers to 1e-5 of the largest that is finite, or of `size`."""
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted):
        b = b.numpy()
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * (size or np.abs(b[np.isfinite(b)]).max(initial=0) or 1))


def model_and_inputs(name):
    """A model with no weight at 0 and statistics as training leaves them, and a function that draws inputs for it."""
    tinycnn.manual_seed(0)
    model = models.get_model(name).eval()

    def draw(count):
        return [tinycnn.randn_like(x) if x.is_floating_point() else tinycnn.randint(1, 100, x.shape)
                for x in models.example_inputs(name, count)]
    with no_grad():
        for w in model.parameters():
            w.add_(tinycnn.randn_like(w), alpha=0.01)
        settle(model, draw(4))
    return model, draw


def settle(model, inputs):
    """Give batch normalisation the statistics of `inputs`, so that no layer makes numbers and their rounding grow.

    As it starts, with means 0 and variances 1, a network of a hundred random layers multiplies rounding: what float32 and
    float64 give differs by thousands of roundings, whoever computes. So does a channel that hardly varies, and units that
    switch: biases leave most of them at work.
    """
    def observe(m, inputs):
        axes = [0, *range(2, inputs[0].ndim)]
        var = inputs[0].var(axes, correction=0)
        m.running_mean.copy_(inputs[0].mean(axes))
        m.running_var.copy_(var + var.mean())
    norms = [m for m in model.modules() if isinstance(m, (_BatchNorm, FrozenBatchNorm2d))]
    for m in norms:
        m.weight.mul_(0.5)
        m.bias.uniform_(0, 1)
    hooks = [m.register_forward_pre_hook(observe) for m in norms]
    if norms:
        model(*inputs)
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
                                  for name in models.list_models()])
def test_a_model_gives_the_same_in_onnxruntime_for_batches_of_every_size(name, tmp_path):
    model, draw = model_and_inputs(name)
    tinycnn.onnx.export(model, draw(1), tmp_path / "model.onnx")
    for count in 1, 3:
        inputs = draw(count)
        assert_same(run(tmp_path / "model.onnx", inputs), outputs_of(model, inputs))


@each_quick
def test_a_file_read_back_is_the_model_again(name, tmp_path):
    model, draw = model_and_inputs(name)
    tinycnn.onnx.export(model, draw(1), tmp_path / "model.onnx")
    loaded, inputs = tinycnn.onnx.load(tmp_path / "model.onnx"), draw(2)
    assert_same([y.numpy() for y in outputs_of(loaded, inputs)], outputs_of(model, inputs))
    state = model.state_dict()
    for key, value in loaded.state_dict().items():
        assert np.array_equal(value.numpy(), state[key].numpy())


def test_a_loaded_model_learns(tmp_path):
    model, draw = model_and_inputs("lenet5")
    tinycnn.onnx.export(model, draw(1), tmp_path / "model.onnx")
    loaded, inputs = tinycnn.onnx.load(tmp_path / "model.onnx"), draw(2)
    for m in model, loaded:
        m(*inputs).square().sum().backward()
    theirs = dict(loaded.named_parameters())
    assert theirs
    for key, w in model.named_parameters():
        np.testing.assert_allclose(theirs[key].grad.numpy(), w.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", registry.CASES, ids=lambda case: f"{case.function.__name__}-{case.name}")
def test_every_case_of_the_registry_is_the_same_in_onnxruntime_or_refused(case, tmp_path):
    arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in case.draw(seed=1)]
    if not all(a.size for a in arrays):
        pytest.skip("onnxruntime does not promise anything for tensors without elements")
    free = [i for i, x in enumerate(case.inputs) if x.differentiable or arrays[i].dtype.kind != "f"]

    def call(*xs):
        tinycnn.manual_seed(0)
        inputs = [wrap(a) for a in arrays]
        for i, x in zip(free, xs):
            inputs[i] = x
        return tensors_of(case.call(tinycnn, *inputs))
    inputs = [wrap(arrays[i].copy()) for i in free]
    try:
        tinycnn.onnx.export(call, inputs, tmp_path / "case.onnx", dynamic_batch=False)
    except (NotImplementedError, RuntimeError) as refusal:
        assert str(refusal).startswith("onnx.export: ")
        if "has no translation" in str(refusal):
            assert str(refusal).split("operation ")[1].split()[0] in UNSAID
        return
    size = 1 if f"{case.function.__name__}-{case.name}" in OF_ONE else None
    assert_same(run(tmp_path / "case.onnx", inputs), call(*inputs), size)


def unpooled(x):
    return nn.functional.max_unpool2d(*nn.functional.max_pool2d(x, 2, return_indices=True), 2)


def written(x):
    y = x * 1
    y[:, 1, ::2] = x[:, 0, 1::2] * 2
    y[:, [0, 3]] += 1
    y[:, 2:, tinycnn.ones(6, 6).triu().bool()] = 0.5
    y[..., tinycnn.ones(6).bool()] += 1
    return y


def scattered(x):
    index = tinycnn.tensor([[0, 2, 2, 1]])
    rows = x.flatten(1)
    return rows.index_add(1, index[0], rows[:, :4]), rows.scatter_reduce(1, index.expand(len(x), 4), rows[:, 4:8], "amax")


def losses(x):
    t = x.flip(1)
    F = nn.functional
    return (F.smooth_l1_loss(x, t, reduction="none", beta=0.5), F.huber_loss(x, t, reduction="none"),
            F.binary_cross_entropy_with_logits(x, t.sigmoid(), reduction="none"),
            F.binary_cross_entropy(x.sigmoid(), t.sigmoid(), reduction="none"), F.mse_loss(x, t, reduction="none"),
            F.cross_entropy(x, t.softmax(1), reduction="none"))


SPREAD = [unpooled, written, scattered, losses,
          lambda x: nn.functional.fold(nn.functional.unfold(x, 3, padding=1, stride=2), (6, 6), 3, padding=1, stride=2),
          lambda x: nn.functional.adaptive_max_pool2d(x, (4, 5)), lambda x: x.cumprod(2), lambda x: x.logcumsumexp(-1),
          lambda x: x.diagonal(1, 2, 3), lambda x: x[:, [[0], [2]], :, [1, 5, 3]], lambda x: x[..., [0, 1], [2, 3]],
          lambda x: tinycnn.atan2(x, x.flip(1)), lambda x: x % 0.75, lambda x: tinycnn.fmod(x, 0.75),
          lambda x: tinycnn.utils.checkpoint.checkpoint(lambda x: (x.exp(), x.sin() * 2), x)]


@pytest.mark.parametrize("f", SPREAD)
def test_operations_give_the_same_for_batches_of_every_size(f, tmp_path):
    tinycnn.manual_seed(0)
    tinycnn.onnx.export(f, tinycnn.randn(2, 4, 6, 6), tmp_path / "f.onnx")
    for count in 1, 5:
        x = tinycnn.randn(count, 4, 6, 6)
        assert_same(run(tmp_path / "f.onnx", [x]), tensors_of(f(x)))
        if f is not unpooled:
            assert_same([y.numpy() for y in tensors_of(tinycnn.onnx.load(tmp_path / "f.onnx")(x))], tensors_of(f(x)))


def test_what_depends_on_the_inputs_without_being_recorded_is_refused(tmp_path):
    x = tinycnn.randn(2, 3)
    for f in (lambda x: x * (x > 0), lambda x: x * float(x.sum()), lambda x: x[x.sum(1).sort()[1]]):
        with pytest.raises(RuntimeError, match="depends on the inputs in a way that no operation records"):
            tinycnn.onnx.export(f, x, tmp_path / "refused.onnx")
    ways = iter([True, False])
    with pytest.raises(RuntimeError, match="takes another way"):
        tinycnn.onnx.export(lambda x: x.exp() if next(ways) else x.sin(), x, tmp_path / "refused.onnx")


def test_a_write_in_place_is_followed(tmp_path):
    def f(x):
        y = x * 2
        y[:, 0] = 1.0
        return y
    x = tinycnn.randn(2, 3)
    tinycnn.onnx.export(nn.Sequential(nn.ReLU(inplace=True)), x, tmp_path / "relu.onnx")
    assert_same(run(tmp_path / "relu.onnx", [x]), [x.clamp(min=0)])
    tinycnn.onnx.export(f, x, tmp_path / "item.onnx")
    assert_same(run(tmp_path / "item.onnx", [tinycnn.ones(5, 3)]), [f(tinycnn.ones(5, 3))])
    tinycnn.onnx.export(lambda x: (x * 2).add_(1).relu_(), x, tmp_path / "write.onnx")
    assert_same(run(tmp_path / "write.onnx", [x]), [(x * 2 + 1).relu()])


def test_export_leaves_the_model_in_its_mode_without_gradients(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout()).train()
    before = {key: w.numpy().copy() for key, w in model.state_dict().items()}
    tinycnn.onnx.export(model, tinycnn.randn(2, 3), tmp_path / "model.onnx", input_names=["x"], output_names=["y"])
    assert model.training and all(w.grad is None for w in model.parameters())
    assert all(np.array_equal(before[key], w.numpy()) for key, w in model.state_dict().items())
    proto = onnx.load(str(tmp_path / "model.onnx"))
    onnx.checker.check_model(proto, full_check=True)
    assert [proto.graph.input[0].name, proto.graph.output[0].name] == ["x", "y"]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {*tinycnn.onnx.load_weights(tmp_path / "model.onnx")} == {*before} - {"1.num_batches_tracked"}


@pytest.mark.parametrize("arguments, error, text", [
    (([1, 2],), TypeError, "inputs must be a Tensor or a tuple of Tensors"),
    ((tinycnn.zeros(()),), ValueError, "the first dimension of every input is the batch"),
    (((tinycnn.zeros(2, 3), tinycnn.zeros(3, 3)),), ValueError, "the first dimension of every input is the batch")])
def test_bad_arguments(arguments, error, text, tmp_path):
    with pytest.raises(error, match=text):
        tinycnn.onnx.export(lambda *xs: xs[0].exp(), *arguments, tmp_path / "model.onnx")


def test_positions_of_maxima_are_not_read_back(tmp_path):
    tinycnn.onnx.export(unpooled, tinycnn.randn(2, 4, 6, 6), tmp_path / "f.onnx")
    with pytest.raises(NotImplementedError, match="of the results of MaxPool only the first"):
        tinycnn.onnx.load(tmp_path / "f.onnx")(tinycnn.randn(2, 4, 6, 6))


NODES = {  # operators of other programs' files, each with shapes of inputs
    "Not": ([(3,)], "b"), "And": ([(3,), (3,)], "b"), "Or": ([(3,), (3,)], "b"), "Reciprocal": ([(3, 2)], "f"),
    "GreaterOrEqual": ([(3, 2), (2,)], "f"), "LessOrEqual": ([(3, 2), (2,)], "f"), "Round": ([(3, 2)], "f"),
    "Softsign": ([(3, 2)], "f"), "Mean": ([(3, 2), (2,), (3, 1)], "f"), "PRelu": ([(3, 2), (2,)], "f"),
    "Selu": ([(3, 2)], "f"), "Celu": ([(3, 2)], "f"), "GlobalMaxPool": ([(2, 3, 4, 5)], "f"), "Size": ([(3, 2)], "f"),
    "InstanceNormalization": ([(2, 3, 4, 5), (3,), (3,)], "f"), "GlobalAveragePool": ([(2, 3, 4)], "f")}


@pytest.mark.parametrize("operator", NODES)
def test_operators_of_other_programs_mean_the_same(operator, tmp_path):
    from onnx import helper
    shapes, kind = NODES[operator]
    number = {"f": onnx.TensorProto.FLOAT, "b": onnx.TensorProto.BOOL}[kind]
    names = [f"x{i}" for i in range(len(shapes))]
    graph = helper.make_graph([helper.make_node(operator, names, ["y"])], "g",
                              [helper.make_tensor_value_info(n, number, s) for n, s in zip(names, shapes)],
                              [onnx.ValueInfoProto(name="y")])
    path = tmp_path / "node.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)]), str(path))
    tinycnn.manual_seed(0)
    inputs = [tinycnn.randn(*s) * 3 if kind == "f" else tinycnn.randn(*s) > 0 for s in shapes]
    assert_same(run(path, inputs), tensors_of(tinycnn.onnx.load(path)(*inputs)))


def test_what_is_no_file_of_onnx(tmp_path):
    (tmp_path / "text.onnx").write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="is no file of ONNX|holds no graph"):
        tinycnn.onnx.load(tmp_path / "text.onnx")
    with pytest.raises(FileNotFoundError):
        tinycnn.onnx.load(tmp_path / "missing.onnx")

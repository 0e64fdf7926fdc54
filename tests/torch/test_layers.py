"""Every layer against PyTorch's: built alike, it shows alike, stores alike and, with the same weights, computes alike."""
import copy
import inspect
import re

import numpy as np
import pytest

import tinycnn
from tinycnn import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning",  # about PyTorch's own speed
                                        "ignore:Support for mismatched:UserWarning")

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


def positive(*shape):
    return RNG.uniform(0.5, 2, shape)


def labels(high, *shape):
    return RNG.integers(0, high, shape)


class Constant(np.ndarray):
    """An input whose gradient is not compared."""


def signs(*shape):
    return RNG.choice([-1.0, 1.0], shape).view(Constant)


def apart(*shape):
    """Numbers without ties, none near 0."""
    count = int(np.prod(shape))
    return (RNG.permutation(count).reshape(shape) - count // 2 + 0.5) * 0.3


image, signal, volume = normal(2, 4, 7, 6), normal(2, 4, 9), normal(2, 4, 5, 4, 6)


def square(x):
    return x * x


# Arguments that are layers themselves are made in the library that is asked for.
def encoder_layer(nn):
    return nn.TransformerEncoderLayer(6, 2, 5, 0.0)


def decoder_layer(nn):
    return nn.TransformerDecoderLayer(6, 3, 5, 0.0, norm_first=True)


def last_norm(nn):
    return nn.LayerNorm(6)


# Each entry: the class, arguments, keywords, inputs.
LAYERS = [
    ("Identity", (3,), dict(anything=4), [image]),
    ("Linear", (6, 3), {}, [image]),
    ("Linear", (6, 3), dict(bias=False), [normal(6)]),
    ("Bilinear", (3, 4, 5), {}, [normal(2, 3), normal(2, 4)]),
    ("Bilinear", (3, 4, 5, False), {}, [normal(2, 3), normal(2, 4)]),

    ("Conv1d", (4, 6, 3), {}, [signal]),
    ("Conv1d", (4, 6, 3), dict(padding=2, padding_mode="reflect", dilation=2, bias=False), [signal]),
    ("Conv2d", (4, 6, (3, 2)), dict(stride=(2, 1), padding=(1, 0), dilation=2, groups=2), [image]),
    ("Conv2d", (4, 6, 3), dict(bias=False), [image[0]]),
    ("Conv2d", (4, 6, (3, 4)), dict(padding="same", dilation=(1, 2)), [image]),
    ("Conv2d", (4, 6, 3), dict(padding="valid"), [image]),
    ("Conv2d", (4, 6, 3), dict(padding=(1, 2), padding_mode="circular"), [image]),
    ("Conv2d", (4, 6, (3, 4)), dict(padding="same", padding_mode="replicate"), [image]),
    ("Conv2d", (4, 6, 3), dict(padding="valid", padding_mode="reflect"), [image]),
    ("Conv3d", (4, 2, 2), dict(padding=1, padding_mode="replicate"), [volume]),
    ("Conv3d", (4, 4, (1, 2, 3)), dict(stride=2, groups=4), [volume]),
    ("ConvTranspose1d", (4, 6, 3), dict(stride=2, output_padding=1), [signal]),
    ("ConvTranspose2d", (4, 6, (3, 2)), dict(stride=(2, 3), padding=1, output_padding=(1, 2), groups=2, dilation=2),
     [image]),
    ("ConvTranspose2d", (4, 6, 3), dict(bias=False), [image]),
    ("ConvTranspose3d", (4, 2, 2), dict(stride=2), [volume]),

    ("MaxPool1d", (2,), {}, [apart(2, 4, 9)]),
    ("MaxPool2d", (3,), dict(stride=2, padding=1, dilation=2, ceil_mode=True), [apart(2, 4, 9, 8)]),
    ("MaxPool2d", ((2, 3),), dict(return_indices=True), [apart(2, 4, 9, 8)]),
    ("MaxPool3d", (2,), dict(stride=1), [apart(2, 4, 3, 4, 5)]),
    ("MaxUnpool1d", (2,), {}, [normal(1, 1, 2), np.array([[[1, 2]]])]),
    ("MaxUnpool2d", (2,), dict(stride=2), [normal(1, 1, 1, 2), np.array([[[[1, 2]]]])]),
    ("MaxUnpool3d", (2,), {}, [normal(1, 1, 1, 1, 2), np.array([[[[[1, 2]]]]])]),
    ("AvgPool1d", (3,), dict(padding=1, count_include_pad=False), [signal]),
    ("AvgPool2d", ((2, 3),), dict(ceil_mode=True, padding=(1, 0)), [image]),
    ("AvgPool2d", (2,), dict(divisor_override=3), [image]),
    ("AvgPool3d", (2,), dict(stride=1), [volume]),
    ("LPPool1d", (2, 3), {}, [signal]),
    ("LPPool2d", (3, 2), dict(stride=1), [positive(2, 4, 5, 5)]),
    ("LPPool3d", (2, (2, 1, 3)), dict(ceil_mode=True), [positive(2, 4, 5, 4, 6)]),
    ("LPPool3d", (3, 2, 1), {}, [positive(4, 3, 4, 3)]),
    ("AdaptiveAvgPool1d", (4,), {}, [signal]),
    ("AdaptiveAvgPool2d", ((3, None),), {}, [image]),
    ("AdaptiveAvgPool2d", (1,), {}, [image]),
    ("AdaptiveAvgPool3d", ((2, 3, 4),), {}, [volume]),
    ("AdaptiveMaxPool1d", (4,), {}, [apart(2, 4, 9)]),
    ("AdaptiveMaxPool2d", ((3, 2),), dict(return_indices=True), [apart(2, 4, 7, 6)]),
    ("AdaptiveMaxPool3d", (2,), {}, [apart(1, 2, 5, 4, 6)]),

    ("BatchNorm1d", (4,), {}, [normal(5, 4)]),
    ("BatchNorm1d", (4,), dict(affine=False, eps=0.1), [signal]),
    ("BatchNorm2d", (4,), dict(momentum=0.3), [image]),
    ("BatchNorm2d", (4,), dict(momentum=None, bias=False), [image]),
    ("BatchNorm2d", (4,), dict(track_running_stats=False), [image]),
    ("BatchNorm3d", (4,), {}, [volume]),
    ("InstanceNorm1d", (4,), dict(affine=True), [signal]),
    ("InstanceNorm2d", (4,), {}, [image]),
    ("InstanceNorm2d", (4,), dict(affine=True, bias=False), [image[0]]),
    ("InstanceNorm3d", (4,), dict(track_running_stats=True), [volume]),
    ("LayerNorm", (6,), {}, [image]),
    ("LayerNorm", ([7, 6],), dict(bias=False, eps=0.1), [image]),
    ("LayerNorm", ((6,),), dict(elementwise_affine=False), [image]),
    ("GroupNorm", (2, 4), {}, [image]),
    ("GroupNorm", (4, 4), dict(bias=False), [image]),
    ("GroupNorm", (1, 4), dict(affine=False), [signal]),
    ("RMSNorm", (6,), {}, [image]),
    ("RMSNorm", ((7, 6),), dict(eps=0.1, elementwise_affine=False), [image]),
    ("LocalResponseNorm", (3,), dict(alpha=0.1), [image]),

    *((name, (), {}, [apart(3, 5)]) for name in (
        "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish",
        "PReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink")),
    *((name, (), dict(inplace=True), [normal(3, 5)]) for name in (
        "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU", "ReLU", "ReLU6", "SELU",
        "SiLU")),
    ("CELU", (2.0,), {}, [normal(3, 5)]),
    ("ELU", (0.5,), {}, [normal(3, 5)]),
    ("GELU", ("tanh",), {}, [normal(3, 5)]),
    ("GLU", (), {}, [normal(3, 6)]),
    ("GLU", (0,), {}, [normal(4, 5)]),
    ("Hardshrink", (0.2,), {}, [apart(3, 5)]),
    ("Hardtanh", (-0.5, 2.0), {}, [apart(3, 5)]),
    ("LeakyReLU", (0.2,), {}, [normal(3, 5)]),
    ("LogSoftmax", (1,), {}, [normal(3, 5)]),
    ("PReLU", (4,), dict(init=0.1), [image]),
    ("Softmax", (), dict(dim=0), [normal(3, 5)]),
    ("Softmax2d", (), {}, [image]),
    ("Softmin", (-1,), {}, [normal(3, 5)]),
    ("Softplus", (2.0, 1.0), {}, [normal(3, 5)]),
    ("Softshrink", (0.2,), {}, [apart(3, 5)]),
    ("Threshold", (0.1, 20.0), {}, [normal(3, 5)]),

    ("MultiheadAttention", (6, 2), {}, [normal(3, 2, 6), normal(4, 2, 6), normal(4, 2, 6)]),
    ("MultiheadAttention", (6, 3), dict(bias=False, batch_first=True), [normal(2, 3, 6), normal(2, 4, 6), normal(2, 4, 6)]),
    ("MultiheadAttention", (6, 2), dict(kdim=3, vdim=5), [normal(3, 2, 6), normal(4, 2, 3), normal(4, 2, 5)]),
    ("MultiheadAttention", (6, 2), dict(add_bias_kv=True, add_zero_attn=True), [normal(3, 6), normal(4, 6), normal(4, 6)]),

    ("TransformerEncoderLayer", (6, 2, 5, 0.0), {}, [normal(3, 2, 6)]),
    ("TransformerEncoderLayer", (6, 3), dict(dim_feedforward=5, dropout=0.0, activation="gelu", norm_first=True,
                                             batch_first=True), [normal(2, 3, 6)]),
    ("TransformerEncoderLayer", (6, 2, 5, 0.0), dict(activation=square, layer_norm_eps=0.1, bias=False), [normal(3, 6)]),
    ("TransformerDecoderLayer", (6, 2, 5, 0.0), {}, [normal(3, 2, 6), normal(4, 2, 6)]),
    ("TransformerDecoderLayer", (6, 3, 5, 0.0, "gelu"), dict(norm_first=True, batch_first=True, bias=False),
     [normal(2, 3, 6), normal(2, 4, 6)]),
    ("TransformerEncoder", (encoder_layer, 2), {}, [normal(3, 2, 6)]),
    ("TransformerEncoder", (encoder_layer, 2, last_norm), dict(enable_nested_tensor=False), [normal(3, 2, 6)]),
    ("TransformerDecoder", (decoder_layer, 2), {}, [normal(3, 2, 6), normal(4, 2, 6)]),
    ("TransformerDecoder", (decoder_layer, 1, last_norm), {}, [normal(3, 2, 6), normal(4, 2, 6)]),
    ("Transformer", (6, 2, 2, 1, 5, 0.0), {}, [normal(4, 2, 6), normal(3, 2, 6)]),
    ("Transformer", (6, 3, 1, 2, 5, 0.0), dict(batch_first=True, norm_first=True, activation="gelu", bias=False),
     [normal(2, 4, 6), normal(2, 3, 6)]),

    ("Dropout", (0.0,), {}, [image]),
    ("Dropout", (1.0, True), {}, [image]),
    ("Dropout1d", (0.0,), {}, [signal]),
    ("Dropout2d", (1.0,), {}, [image]),
    ("Dropout3d", (0.0,), {}, [volume]),
    ("AlphaDropout", (0.0,), {}, [image]),
    ("FeatureAlphaDropout", (0.0,), {}, [image]),

    *((name, (), dict(reduction=reduction), [normal(3, 4), normal(3, 4)]) for reduction in ("mean", "sum", "none")
      for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")),
    ("SmoothL1Loss", (), dict(beta=0.3), [normal(3, 4), normal(3, 4)]),
    ("HuberLoss", ("sum", 0.3), {}, [normal(3, 4), normal(3, 4)]),
    ("CrossEntropyLoss", (), {}, [normal(3, 4), labels(4, 3)]),
    ("CrossEntropyLoss", (), dict(ignore_index=1, label_smoothing=0.1, reduction="sum"), [image, labels(4, 2, 7, 6)]),
    ("CrossEntropyLoss", (), dict(weight=positive(4), reduction="none"), [normal(3, 4), labels(4, 3)]),
    ("NLLLoss", (), dict(weight=positive(4), ignore_index=2), [normal(3, 4), labels(4, 3)]),
    ("BCELoss", (), dict(weight=positive(4)), [RNG.uniform(0.1, 0.9, (3, 4)), RNG.uniform(0, 1, (3, 4))]),
    ("BCEWithLogitsLoss", (), dict(weight=positive(4), pos_weight=positive(4)), [normal(3, 4), RNG.uniform(0, 1, (3, 4))]),
    ("KLDivLoss", (), dict(reduction="batchmean"), [normal(3, 4), positive(3, 4)]),
    ("KLDivLoss", (), dict(reduction="sum", log_target=True), [normal(3, 4), normal(3, 4)]),
    ("PoissonNLLLoss", (), {}, [normal(3, 4), positive(3, 4)]),
    ("PoissonNLLLoss", (False, True), dict(eps=0.1), [positive(3, 4), positive(3, 4)]),
    ("GaussianNLLLoss", (), dict(full=True), [normal(3, 4), normal(3, 4), positive(3, 4)]),
    ("SoftMarginLoss", (), {}, [normal(3, 4), signs(3, 4)]),
    ("HingeEmbeddingLoss", (0.5,), {}, [normal(3, 4), signs(3, 4)]),
    ("CosineEmbeddingLoss", (0.1,), {}, [normal(3, 4), normal(3, 4), signs(3)]),
    ("MarginRankingLoss", (0.1,), {}, [normal(3), normal(3), signs(3)]),
    ("TripletMarginLoss", (2.0,), dict(p=3.0, swap=True), [normal(3, 4), normal(3, 4), normal(3, 4)]),
    ("TripletMarginWithDistanceLoss", (), {}, [normal(3, 4), normal(3, 4), normal(3, 4)]),
    ("TripletMarginWithDistanceLoss", (), dict(distance_function=lambda a, b: (a - b).abs().sum(-1), margin=2.0, swap=True,
                                               reduction="none"), [normal(3, 4), normal(3, 4), normal(3, 4)]),
    ("MultiMarginLoss", (), {}, [normal(3, 4), labels(4, 3)]),
    ("MultiMarginLoss", (2, 0.5), dict(weight=positive(4), reduction="none"), [normal(3, 4), labels(4, 3)]),
    ("MultiMarginLoss", (), dict(reduction="sum"), [normal(4), labels(4)]),
    ("MultiLabelMarginLoss", (), {}, [normal(3, 4), np.array([[3, 0, -1, 1], [-1, 0, 1, 2], [2, 1, 0, 3]])]),
    ("MultiLabelMarginLoss", (), dict(reduction="none"), [normal(2, 3), np.array([[1, 1, 0], [2, -1, -1]])]),
    ("MultiLabelMarginLoss", (), dict(reduction="sum"), [normal(4), np.array([2, 1, -1, 2])]),
    ("MultiLabelSoftMarginLoss", (), {}, [normal(3, 4), RNG.integers(0, 2, (3, 4)) * 1.0]),
    ("MultiLabelSoftMarginLoss", (), dict(weight=positive(4), reduction="none"), [normal(2, 3, 4), positive(2, 3, 4)]),
    ("CosineSimilarity", (), dict(dim=0), [normal(3, 4), normal(3, 4)]),
    ("PairwiseDistance", (), dict(p=3.0, keepdim=True), [normal(3, 4), normal(3, 4)]),

    *((f"{kind}Pad{n}d", (1,), {}, [x]) for kind in ("Zero", "Reflection", "Replication", "Circular")
      for n, x in ((1, signal), (2, image), (3, volume))),
    ("ConstantPad1d", (2, 3.5), {}, [signal]),
    ("ConstantPad2d", ((1, 0, -1, 2), 1), {}, [image]),
    ("ConstantPad3d", ((1, 0, 1, 2, 0, 1), 0.5), {}, [volume]),
    ("ReflectionPad2d", ((1, 2, 3, 0),), {}, [image]),

    ("Flatten", (), {}, [image]),
    ("Flatten", (0, 2), {}, [image]),
    ("Unflatten", (1, (2, -1)), {}, [image]),
    ("Unfold", ((2, 3),), dict(padding=1, stride=2), [image]),
    ("Fold", ((4, 5), 2), dict(dilation=(1, 2)), [normal(2, 12, 9)]),
    ("Upsample", (), dict(scale_factor=2), [image]),
    ("Upsample", ((9, 5),), dict(mode="bilinear", align_corners=False), [image]),
    ("Upsample", (), dict(scale_factor=(1.5, 2), mode="bicubic"), [image]),
    ("UpsamplingNearest2d", (5,), {}, [image]),
    ("UpsamplingBilinear2d", (), dict(scale_factor=2), [image]),
    ("PixelShuffle", (2,), {}, [image]),
    ("PixelUnshuffle", (2,), {}, [normal(1, 2, 4, 6)]),
    ("ChannelShuffle", (2,), {}, [image]),
    ("Embedding", (5, 3), {}, [labels(5, 2, 4)]),
    ("Embedding", (5, 3, -2), {}, [labels(5, 2, 4)]),
    ("Embedding", (5, 3), dict(max_norm=0.4), [labels(5, 2, 4)]),
    ("Embedding", (5, 3), dict(max_norm=0.5, norm_type=1.0, padding_idx=0), [np.array([0, 3, 3])]),
]

RANDOM_IN_TRAINING = {"RReLU"}
TOLERANCE = {"Hardsigmoid": 1e-7}  # PyTorch's backward multiplies by 1/6 rounded to float32


def build(library, name, args, options, dtype="float64"):
    tensor = library.tensor
    args = [a(library.nn) if inspect.isfunction(a) else a for a in args]
    options = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return getattr(library.nn, name)(*args, **options).to(getattr(library, dtype))


def pair(name, args, options, dtype="float64"):
    """Our layer and PyTorch's, with PyTorch's weights in both, moved away from special values."""
    ours, theirs = build(tinycnn, name, args, options, dtype), build(torch, name, args, options, dtype)
    with torch.no_grad():
        for p in theirs.parameters():
            p += torch.tensor(RNG.uniform(0.1, 0.5, tuple(p.shape)))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def outputs(result):
    return [y for y in (result if isinstance(result, tuple) else (result,)) if y is not None]


def grads(library, layer, inputs, call, cotangents=None):
    """The outputs, and the gradients of inputs and parameters under random cotangents."""
    leaves = [library.tensor(np.asarray(x), requires_grad=type(x) is not Constant and x.dtype.kind == "f") for x in inputs]
    ys = outputs(call(layer, *(x + 0 if x.requires_grad else x for x in leaves)))
    floating = [y for y in ys if y.requires_grad]
    if cotangents is None:
        cotangents = [RNG.standard_normal(tuple(y.shape)).astype(y.detach().numpy().dtype) for y in floating]
    if floating:
        library.autograd.backward(floating, [library.tensor(c) for c in cotangents])
    found = [x.grad for x in leaves] + [p.grad for p in layer.parameters()]
    return [y.detach().numpy() for y in ys], [None if g is None else g.numpy() for g in found], cotangents


def compare(name, args, options, inputs, call, mode, dtype="float64"):
    ours, theirs = pair(name, args, options, dtype)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    ours.train(mode)
    theirs.train(mode)
    ys, gs, cotangents = grads(tinycnn, ours, inputs, call)
    expected_ys, expected_gs, _ = grads(torch, theirs, inputs, call, cotangents)
    assert len(ys) == len(expected_ys)
    for y, expected in zip(ys + gs, expected_ys + expected_gs):
        if expected is None or y is None:
            assert not np.any(y) if expected is None else not np.any(expected)
            continue
        assert y.dtype == expected.dtype
        tolerance = TOLERANCE.get(name, 1e-10) if dtype == "float64" else 1e-5
        size = 1 if dtype == "float64" else max(1, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * size)
    for key, value in theirs.state_dict().items():
        near = 1e-10 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), rtol=near, atol=near, err_msg=key)


def names(layers):
    """What pytest calls the rows; without addresses, so that processes that share the tests agree."""
    rows = [f"{name}-{args}-{options}".replace(" ", "") for name, args, options, _ in layers]
    return [re.sub(r"<(function)?|at0x\w+>", "", row)[:60] for row in rows]


@pytest.mark.parametrize("name, args, options, inputs", LAYERS, ids=names(LAYERS))
def test_layer_is_pytorchs(name, args, options, inputs):
    ours, theirs = build(tinycnn, name, args, options), build(torch, name, args, options)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    for mode in (True, False):
        if not (mode and name in RANDOM_IN_TRAINING):
            compare(name, args, options, inputs, lambda layer, *xs: layer(*xs), mode)


@pytest.mark.parametrize("name, args, options, inputs", LAYERS, ids=names(LAYERS))
def test_layer_is_pytorchs_in_float32(name, args, options, inputs):
    compare(name, args, options, inputs, lambda layer, *xs: layer(*xs), name not in RANDOM_IN_TRAINING, "float32")


def test_every_layer_is_in_the_table():
    layers = {name for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    bases = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
    lazy = {name for name in layers if name.startswith("Lazy")}  # in test_lazy.py
    parallel = {"DataParallel", "SyncBatchNorm"}  # in test_names.py: on a CPU, PyTorch's do not compute
    assert layers - bases - lazy - parallel == {name for name, *_ in LAYERS}


@pytest.mark.parametrize("name", sorted({name for name, *_ in LAYERS}))
def test_constructor_takes_pytorchs_arguments(name):
    """What is positional here has PyTorch's position, what PyTorch has before it and we lack makes it keyword-only."""
    ours, theirs = ([p for p in inspect.signature(getattr(library.nn, name).__init__).parameters.values()
                     if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)] for library in (tinycnn, torch))
    positional = [p.name for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [p.name for p in theirs][:len(positional)]
    ours, theirs = ({(p.name, getattr(p.default, "__name__", p.default)) for p in ps} for ps in (ours, theirs))
    assert ours <= theirs


@pytest.mark.parametrize("name, args, options, inputs", [
    ("BatchNorm2d", (3,), {}, (4, 3, 2, 2)), ("BatchNorm1d", (3,), dict(momentum=None), (4, 3)),
    ("InstanceNorm1d", (3,), dict(track_running_stats=True), (4, 3, 5))])
def test_running_statistics_follow_pytorchs_over_many_batches(name, args, options, inputs):
    ours, theirs = pair(name, args, options)
    for _ in range(4):
        x = normal(*inputs) * 3 + 1
        ours(tinycnn.tensor(x)), theirs(torch.tensor(x))
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), rtol=1e-12)
    x = normal(*inputs)
    np.testing.assert_allclose(ours.eval()(tinycnn.tensor(x)).detach().numpy(),
                               theirs.eval()(torch.tensor(x)).detach().numpy(), rtol=1e-10, atol=1e-12)


FORBID = np.triu(np.ones((3, 4), bool), 2)
PADDED = np.array([[False, False, True, True], [False, True, False, False]])
FORBID_EACH = np.stack([FORBID, ~FORBID[:, ::-1], FORBID[::-1], FORBID])  # of 2 sequences and 2 heads
ATTENTION_CALLS = [
    dict(attn_mask=FORBID),
    dict(attn_mask=normal(3, 4)),
    dict(attn_mask=np.where(FORBID, -np.inf, 0.5)),
    dict(attn_mask=FORBID_EACH),
    dict(attn_mask=normal(4, 3, 4)),
    dict(attn_mask=np.triu(np.ones((3, 4), bool), 1), is_causal=True),
    dict(key_padding_mask=PADDED),
    dict(key_padding_mask=normal(2, 4)),
    dict(key_padding_mask=PADDED, attn_mask=FORBID),
    dict(key_padding_mask=np.where(PADDED, -np.inf, 0.0), attn_mask=normal(3, 4)),
    dict(key_padding_mask=PADDED, attn_mask=normal(4, 3, 4)),
    {},
]


@pytest.mark.parametrize("options", [{}, dict(add_bias_kv=True, add_zero_attn=True), dict(batch_first=True, kdim=3, vdim=5),
                                     "unbatched"], ids=["plain", "bias_kv+zero", "batch_first+kdim", "unbatched"])
@pytest.mark.parametrize("weights", [{}, dict(need_weights=False), dict(average_attn_weights=False)],
                         ids=["mean", "none", "each"])
@pytest.mark.parametrize("call", ATTENTION_CALLS, ids=lambda call: ",".join(f"{k}{np.shape(v)}" for k, v in call.items()))
def test_attention_masks_and_weights_are_pytorchs(call, weights, options):
    inputs = [normal(3, 2, 6), normal(4, 2, 6), normal(4, 2, 6)]
    if options == "unbatched":  # the first sequence alone
        options, inputs = {}, [x[:, 0] for x in inputs]
        cut = {"attn_mask": lambda m: m[:2] if m.ndim == 3 else m, "key_padding_mask": lambda m: m[0]}
        call = {k: cut[k](v) if k in cut else v for k, v in call.items()}
    elif "is_causal" in call and "add_bias_kv" in options:
        weights = dict(average_attn_weights=False)  # with need_weights=False PyTorch forgets the keys that it added
    elif "kdim" in options:
        inputs = [np.moveaxis(x, 1, 0)[..., :n] for x, n in zip(inputs, (6, 3, 5))]

    def run(layer, *xs):
        library = tinycnn if isinstance(layer, nn.Module) else torch
        return layer(*xs, **{k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}, **weights)
    compare("MultiheadAttention", (6, 2), options, inputs, run, True)


PADDING = np.array([[False, False, True], [False, True, False]])  # of 2 sequences, what is no word
CAUSAL = np.triu(np.ones((3, 3), bool), 1)
TRANSFORMER_MASKS = [
    ("TransformerEncoderLayer", dict(src_mask=CAUSAL, is_causal=True)),
    ("TransformerEncoderLayer", dict(src_mask=np.where(CAUSAL, -np.inf, 0.0))),
    ("TransformerEncoderLayer", dict(src_mask=normal(4, 3, 3), src_key_padding_mask=np.where(PADDING, -np.inf, 0.0))),
    ("TransformerEncoderLayer", dict(src_mask=CAUSAL, src_key_padding_mask=PADDING)),
    ("TransformerEncoder", dict(mask=CAUSAL, is_causal=True)),
    ("TransformerEncoder", dict(mask=CAUSAL, src_key_padding_mask=PADDING)),
    ("TransformerDecoderLayer", dict(tgt_mask=CAUSAL, tgt_is_causal=True, memory_key_padding_mask=PADDING)),
    ("TransformerDecoderLayer", dict(tgt_key_padding_mask=PADDING, memory_mask=normal(3, 3))),
    ("TransformerDecoder", dict(tgt_mask=CAUSAL, memory_mask=CAUSAL, memory_is_causal=True, tgt_key_padding_mask=PADDING)),
    ("Transformer", dict(src_mask=CAUSAL, tgt_mask=CAUSAL, memory_mask=CAUSAL, src_key_padding_mask=PADDING,
                         tgt_key_padding_mask=PADDING, memory_key_padding_mask=PADDING)),
    ("Transformer", dict(tgt_mask=CAUSAL, tgt_is_causal=True)),
]


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("name, masks", TRANSFORMER_MASKS, ids=lambda v: v if isinstance(v, str) else ",".join(v))
def test_masks_of_transformers_are_pytorchs(name, masks, norm_first):
    def layer(nn):
        kind = nn.TransformerEncoderLayer if name == "TransformerEncoder" else nn.TransformerDecoderLayer
        return kind(6, 2, 5, 0.0, norm_first=norm_first)

    def run(net, *xs):
        library = tinycnn if isinstance(net, nn.Module) else torch
        return net(*xs, **{k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in masks.items()})
    args, options = {"TransformerEncoder": ((layer, 2), {}), "TransformerDecoder": ((layer, 2), {}),
                     "Transformer": ((6, 2, 1, 1, 5, 0.0), dict(norm_first=norm_first))}.get(
                         name, ((6, 2, 5, 0.0), dict(norm_first=norm_first)))
    inputs = [normal(3, 2, 6)] if "Encoder" in name else [normal(3, 2, 6), normal(3, 2, 6)]
    compare(name, args, options, inputs, run, True)


def test_causal_mask_of_a_transformer_is_pytorchs():
    ours, theirs = (library.nn.Transformer.generate_square_subsequent_mask(4) for library in (tinycnn, torch))
    assert (ours.numpy() == theirs.numpy()).all() and ours.dtype == theirs.numpy().dtype


def test_self_attention_projects_one_tensor_like_three():
    compare("MultiheadAttention", (6, 2), {}, [normal(3, 2, 6)], lambda layer, x: layer(x, x, x), True)


@pytest.mark.parametrize("size", [(13, 11), (14, 12)])
def test_transposed_convolution_reaches_the_wanted_size(size):
    compare("ConvTranspose2d", (4, 2, 3), dict(stride=2, padding=1), [image],
            lambda layer, x: layer(x, output_size=size), True)


def test_repr_of_a_network_is_pytorchs():
    def net(nn):
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
                self.none = None
                self.list = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.Tanh()), nn.ModuleList()])
                self.dict = nn.ModuleDict({"a": nn.Flatten(), "b": nn.ModuleDict()})

            def extra_repr(self):
                return "first\nsecond"
        return Block()
    assert repr(net(nn)) == repr(net(torch.nn))


def test_message_about_a_state_dict_that_does_not_fit_is_pytorchs():
    def message(library):
        net = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.Linear(3, 1))
        state = dict(copy.deepcopy(net.state_dict()))
        del state["0.bias"], state["1.weight"]
        state["x"], state["0.weight"] = library.zeros(1), library.zeros(4, 4)
        with pytest.raises(RuntimeError) as error:
            net.load_state_dict(state)
        return str(error.value).replace("torch.Size([", "(").replace("])", ")").replace("torch.", "")
    assert message(tinycnn) == message(torch)


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipping_is_pytorchs(norm_type, max_norm):
    arrays = [normal(3, 4), normal(5), normal(2, 1)]

    def clip(library):
        ps = [library.nn.Parameter(library.zeros(*a.shape, dtype=library.float64)) for a in arrays]
        for p, a in zip(ps, arrays):
            p.grad = library.tensor(a)
        total = library.nn.utils.clip_grad_norm_(ps, max_norm, norm_type)
        return [float(total), *(p.grad.numpy() for p in ps)]
    for ours, theirs in zip(clip(tinycnn), clip(torch)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

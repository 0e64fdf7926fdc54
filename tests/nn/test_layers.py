"""Layers: what their constructors refuse, what they do in training and evaluation. Values are compared in test_nn_parity."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn


@pytest.mark.parametrize("build, words", [
    (lambda: nn.Conv2d(3, 4, 0), "Conv2d: kernel_size must be at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, 3, stride=0), "Conv2d: stride must be at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), "Conv2d: padding must be at least 0, got -1"),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), "Conv2d: padding must be one of 'valid', 'same', got 'full'"),
    (lambda: nn.Conv2d(3, 4, 3, 2, padding="same"), "Conv2d: padding='same' needs stride 1"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "Conv2d: kernel_size must be one integer or 2"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups, got 3 and groups=2"),
    (lambda: nn.Conv2d(4, 3, 3, groups=2), "out_channels must be divisible by groups, got 3 and groups=2"),
    (lambda: nn.Conv1d(4, 4, 3, groups=0), "Conv1d: groups must be at least 1, got 0"),
    (lambda: nn.Conv3d(4, -4, 3), "Conv3d: out_channels must be at least 0, got -4"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode must be one of 'zeros'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "padding_mode must be one of 'zeros', got 'reflect'"),
    (lambda: nn.Linear(-1, 2), "Linear: in_features must be at least 0, got -1"),
    (lambda: nn.Bilinear(0, 2, 2), "Bilinear: in1_features must be at least 1"),
    (lambda: nn.MaxPool2d(0), "MaxPool2d: kernel_size must be at least 1"),
    (lambda: nn.MaxPool2d(2, padding=2), "padding must be at most half of kernel_size, got padding=2 and kernel_size=2"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override must not be 0"),
    (lambda: nn.LPPool2d(0, 2), "norm_type must not be 0"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "AdaptiveAvgPool2d: output_size must be one integer or 2"),
    (lambda: nn.AdaptiveMaxPool2d(0), "AdaptiveMaxPool2d: output_size must be at least 1"),
    (lambda: nn.BatchNorm2d(-3), "BatchNorm2d: num_features must be at least 0"),
    (lambda: nn.GroupNorm(3, 4), "num_channels must be divisible by num_groups, got 4 and 3"),
    (lambda: nn.LayerNorm(()), "LayerNorm: normalized_shape must have at least one dimension"),
    (lambda: nn.LocalResponseNorm(0), "LocalResponseNorm: size must be at least 1"),
    (lambda: nn.Dropout(1.5), "Dropout: p must be a probability between 0 and 1, got 1.5"),
    (lambda: nn.Dropout2d(-0.1), "Dropout2d: p must be a probability between 0 and 1, got -0.1"),
    (lambda: nn.MSELoss(reduction="avg"), "MSELoss: reduction must be one of 'none', 'mean', 'sum', got 'avg'"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), "label_smoothing must be between 0 and 1, got 2"),
    (lambda: nn.TripletMarginLoss(margin=0), "margin must be positive, got 0"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx must be within num_embeddings=3, got 3"),
    (lambda: nn.Embedding(3, 2, _weight=tinycnn.zeros(2, 2)), r"weight must have shape \(3, 2\), got \(2, 2\)"),
    (lambda: nn.Embedding.from_pretrained(tinycnn.zeros(2)), "embeddings must have 2 dimensions"),
    (lambda: nn.ZeroPad2d((1, 2)), "ZeroPad2d: padding must be one integer or 4"),
    (lambda: nn.GELU("exact"), "GELU: approximate must be one of 'none', 'tanh', got 'exact'"),
    (lambda: nn.CELU(0), "CELU: alpha must not be 0"),
    (lambda: nn.Hardtanh(1, 1), "min_val must be below max_val, got 1 and 1"),
    (lambda: nn.RReLU(0.5, 0.1), "lower must not exceed upper"),
    (lambda: nn.Softshrink(-1), "Softshrink: lambd must not be negative, got -1"),
    (lambda: nn.PReLU(0), "PReLU: num_parameters must be at least 1"),
    (lambda: nn.MultiheadAttention(6, 4), "embed_dim must be divisible by num_heads, got 6 and 4"),
])
def test_bad_arguments_are_refused_by_name(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("build", [lambda: nn.Linear(2.5, 3), lambda: nn.Conv2d(3, 4, 2.0), lambda: nn.Conv2d(3, 4, "3"),
                                   lambda: nn.MaxPool2d(None), lambda: nn.BatchNorm1d("4")])
def test_sizes_that_are_no_integers_are_type_errors(build):
    with pytest.raises(TypeError, match="must be an integer, got"):
        build()


def test_numpy_integers_are_sizes():
    assert nn.Linear(np.int64(2), np.int32(3)).weight.shape == (3, 2)


@pytest.mark.parametrize("layer, shape, words", [
    (nn.BatchNorm2d(3), (2, 3), r"BatchNorm2d: expected 4D input, got 2D input of shape \(2, 3\)"),
    (nn.BatchNorm1d(3), (2, 3, 4, 4), "BatchNorm1d: expected 2D or 3D input"),
    (nn.BatchNorm2d(3, affine=False, track_running_stats=False), (2, 4, 5, 5), "num_features=3 channels, got 4"),
    (nn.InstanceNorm2d(3), (4, 5, 5), "num_features=3 channels, got 4"),
    (nn.Softmax2d(), (2, 3), "Softmax2d: expected input"),
    (nn.Linear(3, 2), (4, 5), "5"),
    (nn.Conv2d(3, 2, 3), (1, 4, 8, 8), "4"),
])
def test_inputs_that_do_not_fit_are_refused(layer, shape, words):
    with pytest.raises((ValueError, RuntimeError), match=words):
        layer(tinycnn.zeros(*shape))


def test_transposed_convolution_refuses_a_size_it_cannot_reach():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    with pytest.raises(ValueError, match=r"output_size must be between \[9, 9\] and \[10, 10\].*got \(11, 9\)"):
        layer(tinycnn.zeros(1, 1, 4, 4), output_size=(11, 9))


@pytest.mark.parametrize("words, call", [
    ("3 dimensions, or 2", lambda a, x: a(x[0, 0], x, x)),
    ("embed_dim=4, kdim=4", lambda a, x: a(x, x[..., :3], x)),
    ("same length", lambda a, x: a(x, x, x[:2])),
    ("same batch size", lambda a, x: a(x[:, :1], x, x)),
    ("attn_mask must have shape", lambda a, x: a(x, x, x, attn_mask=tinycnn.zeros(3, 2))),
    ("key_padding_mask must have shape", lambda a, x: a(x, x, x, key_padding_mask=tinycnn.zeros(3, 2))),
    ("is_causal=True", lambda a, x: a(x, x, x, is_causal=True)),
])
def test_attention_names_what_does_not_fit(words, call):
    with pytest.raises(ValueError, match=words):
        call(nn.MultiheadAttention(4, 2), tinycnn.zeros(3, 2, 4))


def test_attention_gives_batch_first_weights_and_no_weights_on_request():
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    q, kv = tinycnn.randn(2, 3, 4), tinycnn.randn(2, 5, 4)
    y, weights = layer(q, kv, kv)
    assert y.shape == (2, 3, 4) and weights.shape == (2, 3, 5)
    np.testing.assert_allclose(weights.array.sum(-1), 1, rtol=1e-5)
    assert layer(q, kv, kv, average_attn_weights=False)[1].shape == (2, 2, 3, 5)
    alone, none = layer(q, kv, kv, need_weights=False)
    assert none is None
    np.testing.assert_allclose(alone.array, y.array, atol=1e-6)


def test_attention_dropout_acts_in_training_only():
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5), tinycnn.randn(6, 2, 4)
    assert (layer.eval()(x, x, x)[0].array == layer(x, x, x)[0].array).all()
    assert not (layer.train()(x, x, x)[0].array == layer(x, x, x)[0].array).all()
    assert (layer(x, x, x)[1].array == 0).any()


@pytest.mark.parametrize("layer, shape", [
    (nn.Linear(3, 2), (4, 3)), (nn.Conv2d(3, 2, 3), (2, 3, 5, 5)), (nn.ConvTranspose1d(3, 2, 3), (2, 3, 5)),
    (nn.BatchNorm2d(3), (2, 3, 4, 4)), (nn.BatchNorm2d(3, momentum=None), (2, 3, 4, 4)), (nn.LayerNorm(4), (2, 4)),
    (nn.GroupNorm(1, 3), (2, 3, 4)), (nn.RMSNorm(4), (2, 4)), (nn.PReLU(), (2, 3)), (nn.AvgPool2d(2), (1, 2, 4, 4)),
    (nn.AdaptiveAvgPool2d(1), (1, 2, 4, 4)), (nn.Dropout(), (2, 3)), (nn.LocalResponseNorm(2), (1, 3, 2, 2))])
def test_float32_stays_float32_forward_and_backward(layer, shape):
    x = tinycnn.randn(*shape, requires_grad=True)
    y = layer(x)
    y.backward(tinycnn.randn(*y.shape))
    assert y.dtype == x.grad.dtype == tinycnn.float32
    assert all(p.grad.dtype == tinycnn.float32 for p in layer.parameters())
    assert all(b.dtype in (tinycnn.float32, tinycnn.int64) for b in layer.buffers())


@pytest.mark.parametrize("build", [
    lambda **place: nn.Linear(2, 3, **place), lambda **place: nn.Conv2d(2, 3, 3, **place),
    lambda **place: nn.ConvTranspose2d(2, 3, 3, **place), lambda **place: nn.Bilinear(2, 2, 3, **place),
    lambda **place: nn.BatchNorm2d(2, **place), lambda **place: nn.InstanceNorm2d(2, affine=True, **place),
    lambda **place: nn.LayerNorm(2, **place), lambda **place: nn.GroupNorm(1, 2, **place), lambda **place: nn.PReLU(**place),
    lambda **place: nn.RMSNorm(2, **place), lambda **place: nn.Embedding(2, 2, **place),
    lambda **place: nn.MultiheadAttention(4, 2, kdim=3, add_bias_kv=True, **place)])
def test_dtype_and_device_reach_every_parameter(build):
    layer = build(dtype=tinycnn.float64, device="cpu")
    assert {p.dtype for p in layer.parameters()} == {tinycnn.float64}
    assert {p.dtype for p in build().parameters()} == {tinycnn.float32}


@pytest.mark.parametrize("layer, fan_in", [
    (nn.Linear(300, 40), 300), (nn.Conv2d(8, 60, 5), 200), (nn.Conv2d(8, 60, 5, groups=4), 50),
    (nn.ConvTranspose2d(60, 8, 5), 200), (nn.Conv1d(30, 100, 10), 300)])
def test_initial_weights_fill_the_bound_of_pytorch(layer, fan_in):
    tinycnn.manual_seed(0)
    layer.reset_parameters()
    bound = fan_in ** -0.5
    weight, bias = layer.weight.array, layer.bias.array
    assert abs(weight).max() <= bound and abs(bias).max() <= bound
    np.testing.assert_allclose(weight.std(), bound / 3 ** 0.5, rtol=0.05)
    assert abs(bias).max() > bound / 2


def test_initial_weights_repeat_with_the_seed():
    def draw():
        tinycnn.manual_seed(3)
        layers = nn.Linear(3, 3), nn.Conv2d(1, 2, 3), nn.MultiheadAttention(4, 2), nn.Embedding(3, 2)
        return nn.Sequential(*layers).state_dict()
    assert all((a.array == b.array).all() for a, b in zip(draw().values(), draw().values()))


def test_dropout_only_acts_in_training():
    layer, x = nn.Dropout(0.5), tinycnn.ones(1000)
    assert set(layer(x).array.tolist()) == {0.0, 2.0}
    assert (layer.eval()(x).array == 1).all()


def test_rrelu_is_the_mean_slope_in_evaluation():
    layer, x = nn.RReLU(0.1, 0.3), -tinycnn.ones(100)
    drawn = -layer(x).array
    assert drawn.min() >= 0.1 and drawn.max() <= 0.3 and drawn.std() > 0.01
    np.testing.assert_allclose(layer.eval()(x).array, -0.2, rtol=1e-6)


def test_batch_norm_counts_batches_only_in_training():
    layer = nn.BatchNorm1d(2)
    layer(tinycnn.randn(4, 2))
    layer.eval()(tinycnn.randn(4, 2))
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert layer.num_batches_tracked.item() == 0 and not layer.running_mean.array.any() and layer.running_var.array.all()


def test_batch_norm_without_momentum_keeps_plain_means():
    layer, batches = nn.BatchNorm1d(1, momentum=None), [tinycnn.randn(8, 1) for _ in range(3)]
    for x in batches:
        layer(x)
    np.testing.assert_allclose(layer.running_mean.array, np.mean([x.array.mean() for x in batches]), rtol=1e-4)
    np.testing.assert_allclose(layer.running_var.array, np.mean([x.array.var(ddof=1) for x in batches]), rtol=1e-4)


def test_a_failed_batch_norm_call_leaves_its_statistics_alone():
    layer = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="more than 1 value"):
        layer(tinycnn.randn(1, 2))
    assert layer.num_batches_tracked.item() == 0 and not layer.running_mean.array.any()


def test_embedding_padding_row_is_zero_and_stays():
    layer = nn.Embedding(4, 3, padding_idx=-1)
    assert layer.padding_idx == 3 and not layer.weight.array[3].any()
    layer(tinycnn.tensor([3, 1, 3])).sum().backward()
    assert layer.weight.grad.array.sum(1).tolist() == [0, 3, 0, 0]


def test_pretrained_embedding_is_frozen_and_shares_memory():
    table = tinycnn.randn(4, 3)
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad and layer.weight.array is table.array
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_inplace_relu_writes_into_its_input():
    x = tinycnn.tensor([-1.0, 2.0])
    y = nn.ReLU(inplace=True)(x)
    assert y is x and x.tolist() == [0, 2]


def test_loss_weights_move_with_the_module_and_are_saved():
    loss = nn.CrossEntropyLoss(weight=tinycnn.ones(3))
    assert loss.double().weight.dtype == tinycnn.float64 and list(loss.state_dict()) == ["weight"]


def test_functional_offers_what_it_lists():
    assert len(set(nn.functional.__all__)) == len(nn.functional.__all__) > 70
    assert all(callable(getattr(nn.functional, name)) for name in nn.functional.__all__)


@pytest.mark.parametrize("layer, shape", [
    (nn.Linear(3, 2), (0, 3)), (nn.Conv2d(3, 2, 3), (0, 3, 5, 5)), (nn.MaxPool2d(2), (0, 3, 4, 4)),
    (nn.LayerNorm(3), (0, 3)),
    (nn.TransformerEncoderLayer(4, 2, 8), (3, 0, 4)), (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (0, 3, 4)),
    (nn.Flatten(), (0, 3, 2)), (nn.MultiheadAttention(4, 2), (3, 0, 4)), (nn.BatchNorm2d(3).eval(), (0, 3, 2, 2))])
def test_an_empty_batch_passes(layer, shape):
    x = tinycnn.zeros(*shape, requires_grad=True)
    y = layer(x, x, x)[0] if isinstance(layer, nn.MultiheadAttention) else layer(x)
    assert y.numel() == 0
    y.sum().backward()
    assert x.grad.shape == shape and all(p.grad.shape == p.shape for p in layer.parameters())


# ---- transformers ----

def test_a_transformer_sees_no_word_that_is_still_to_come():
    net = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0)
    source, target = tinycnn.randn(5, 2, 8), tinycnn.randn(4, 2, 8)
    mask = net.generate_square_subsequent_mask(4)
    y = net(source, target, tgt_mask=mask)
    target[3] = 7.0
    later = net(source, target, tgt_mask=mask)
    np.testing.assert_allclose(later.array[:3], y.array[:3], rtol=1e-6)
    assert (later.array[3] != y.array[3]).all()


def test_layers_of_a_stack_are_copies():
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    stack = nn.TransformerEncoder(layer, 3)
    assert (stack.layers[0].linear1.weight == stack.layers[2].linear1.weight).all()
    assert len({id(p) for p in [*stack.parameters(), *layer.parameters()]}) == 4 * len(list(layer.parameters()))


@pytest.mark.parametrize("build, words", [
    (lambda: nn.TransformerEncoderLayer(6, 4), "embed_dim must be divisible by num_heads, got 6 and 4"),
    (lambda: nn.TransformerDecoderLayer(4, 2, activation="tanh"), "activation must be one of 'relu', 'gelu', got 'tanh'"),
    (lambda: nn.TransformerEncoder(nn.Linear(1, 1), -1), "num_layers must be at least 0, got -1"),
    (lambda: nn.MultiMarginLoss(3), "MultiMarginLoss: p must be 1 or 2, got 3"),
    (lambda: nn.TripletMarginWithDistanceLoss(margin=0), "margin must be positive, got 0"),
    (lambda: nn.LPPool3d(0, 2), "LPPool3d: norm_type must not be 0")])
def test_bad_arguments_of_transformers_and_losses_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_a_transformer_names_a_width_that_does_not_fit():
    with pytest.raises(RuntimeError, match=r"d_model=8, got shapes \(3, 1, 8\) and \(2, 1, 6\)"):
        nn.Transformer(8, 2, 1, 1)(tinycnn.zeros(3, 1, 8), tinycnn.zeros(2, 1, 6))


def test_a_list_of_one_number_stands_for_all_dimensions():
    conv = nn.Conv2d(2, 3, 3, stride=[2], padding=[1])
    assert conv.stride == (2, 2) and conv(tinycnn.randn(1, 2, 8, 6)).shape == (1, 3, 4, 3)
    with pytest.raises(ValueError, match=r"Conv2d: stride must be one integer or 2, got \[1, 2, 3\]"):
        nn.Conv2d(2, 3, 3, stride=[1, 2, 3])

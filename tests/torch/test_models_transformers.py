"""Transformers and their kin against references written with torch.nn.functional."""
import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers import model_reference  # noqa: E402
import tinycnn  # noqa: E402
from tests.helpers.model_reference import TF, picture  # noqa: E402
from tinycnn import models  # noqa: E402


def check(model, reference, *inputs):
    """As in model_reference, with weights that start at 0 moved too, and scores far enough apart for attention to matter."""
    rng = np.random.default_rng(1)
    for p in model.parameters():
        if p.ndim > 1 and p.numel():
            p.array += rng.normal(0, 0.1, p.shape)
    model_reference.check(model, reference, *inputs)


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(-3, -2)


def attend(q, k, v, count, bias=0.0, scale=None):
    """Attention of tokens (..., L, D) with `count` heads; also returns the weights."""
    q, k, v = (heads(x, count) for x in (q, k, v))
    weights = (torch.einsum("...ld,...sd->...ls", q, k) * (scale or q.shape[-1] ** -0.5) + bias).softmax(-1)
    return torch.einsum("...ls,...sd->...ld", weights, v).transpose(-3, -2).flatten(-2), weights


def packed_attention(s, x, name, count, bias=0.0):
    """nn.MultiheadAttention on one sequence, batch first."""
    q, k, v = TF.linear(x, s[name + ".in_proj_weight"], s[name + ".in_proj_bias"]).chunk(3, -1)
    y, weights = attend(q, k, v, count, bias)
    return s.linear(y, name + ".out_proj"), weights


def qkv_attention(s, x, name, count, bias=0.0):
    """The same under the names qkv and proj."""
    y, weights = attend(*s.linear(x, name + ".qkv").chunk(3, -1), count, bias)
    return s.linear(y, name + ".proj"), weights


def mlp(s, x, name, first="0", second="3", activation=TF.gelu):
    return s.linear(activation(s.linear(x, f"{name}.{first}")), f"{name}.{second}")


def patches(s, x, name):
    """A convolution whose windows do not overlap, as a product with unfolded patches; tokens (N, L, D)."""
    w = s[name + ".weight"]
    return TF.unfold(x, w.shape[2:], stride=w.shape[2:]).transpose(1, 2) @ w.flatten(1).T + s[name + ".bias"]


def vit_encoder(s, x, layers, count):
    x, maps = x + s["encoder.pos_embedding"], []
    for i in range(layers):
        name = f"encoder.layers.encoder_layer_{i}."
        y, weights = packed_attention(s, s.layer_norm(x, name + "ln_1"), name + "self_attention", count)
        x = x + y
        x = x + mlp(s, s.layer_norm(x, name + "ln_2"), name + "mlp")
        maps.append(weights)
    return s.layer_norm(x, "encoder.ln"), maps


def with_tokens(s, x, *names):
    return torch.cat([*(s[name].expand(x.shape[0], -1, -1) for name in names), x], 1)


@pytest.mark.parametrize("positions", ["learned", "sine"])
@pytest.mark.parametrize("representation_size", [None, 9])
def test_vit(positions, representation_size):
    def reference(s, x):
        x, _ = vit_encoder(s, with_tokens(s, patches(s, x, "conv_proj"), "class_token"), 2, 3)
        x = x[:, 0]
        return s.linear(torch.tanh(s.linear(x, "heads.pre_logits")) if representation_size else x, "heads.head")

    check(models.VisionTransformer(12, 4, 2, 3, 12, 20, num_classes=7, representation_size=representation_size,
                                   positions=positions, dropout=0.1), reference, picture(12))


def test_attention_maps_of_vit():
    class WithMaps(models.VisionTransformer):
        def forward(self, x):
            y, maps = super().forward(x, need_weights=True)
            return [y, *maps]

    def reference(s, x):
        x, maps = vit_encoder(s, with_tokens(s, patches(s, x, "conv_proj"), "class_token"), 2, 3)
        return [s.linear(x[:, 0], "heads.head"), *maps]

    check(WithMaps(8, 4, 2, 3, 12, 20, num_classes=7, in_channels=1), reference, picture(8, channels=1))


def test_sine_positions_are_waves_of_row_and_column():
    height, width, dim = 3, 5, 8
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    waves = 1 / 10000 ** (torch.arange(dim // 4).double() / (dim // 4))
    expected = torch.cat([f(p[..., None] * waves) for p in (y, x) for f in (torch.sin, torch.cos)], -1).flatten(0, 1)
    np.testing.assert_allclose(models.sine_positions(height, width, dim).array, expected.numpy(), atol=1e-6)


def test_positions_are_resized_as_torch_resizes_pictures():
    positions = np.random.default_rng(0).standard_normal((1, 10, 6))
    state = {"encoder.pos_embedding": tinycnn.tensor(positions), "heads.head.bias": tinycnn.zeros(2)}
    got = models.interpolate_embeddings(20, 4, state, reset_heads=True)
    grid = torch.tensor(positions[:, 1:]).transpose(1, 2).unflatten(2, (3, 3))
    grid = TF.interpolate(grid, size=(5, 5), mode="bicubic", align_corners=True).flatten(2).transpose(1, 2)
    assert list(got) == ["encoder.pos_embedding"]
    np.testing.assert_allclose(got["encoder.pos_embedding"].array,
                               np.concatenate([positions[:, :1], grid.numpy()], 1), atol=1e-12)


def test_deit():
    def reference(s, x):
        x = with_tokens(s, patches(s, x, "conv_proj"), "class_token", "distillation_token")
        x, _ = vit_encoder(s, x, 2, 3)
        y = s.linear(x[:, 0], "heads.head"), s.linear(x[:, 1], "head_distillation")
        return y if s.training else sum(y) / 2

    check(models.DistilledVisionTransformer(12, 4, 2, 3, 12, 20, num_classes=7), reference, picture(12))


@pytest.mark.parametrize("kind, tau", [("hard", 1.0), ("soft", 1.0), ("soft", 3.0)])
def test_distillation_loss(kind, tau):
    rng = np.random.default_rng(0)
    a, b, teacher = rng.standard_normal((3, 4, 5))
    labels = np.array([0, 4, 2, 2])
    ours = [tinycnn.tensor(v, requires_grad=True) for v in (a, b)]
    theirs = [torch.tensor(v, requires_grad=True) for v in (a, b)]
    got = models.distillation_loss(ours, tinycnn.tensor(labels), tinycnn.tensor(teacher, requires_grad=True), kind, 0.3, tau)
    t = torch.tensor(teacher)
    if kind == "hard":
        learned = TF.cross_entropy(theirs[1], t.argmax(1))
    else:
        p, q = (t / tau).softmax(1), (theirs[1] / tau).softmax(1)
        learned = tau ** 2 * (p * (p / q).log()).mean()
    expected = 0.7 * TF.cross_entropy(theirs[0], torch.tensor(labels)) + 0.3 * learned
    assert abs(got.item() - expected.item()) < 1e-12
    got.backward()
    expected.backward()
    for x, y in zip(ours, theirs):
        np.testing.assert_allclose(x.grad.array, y.grad.numpy(), rtol=1e-10, atol=1e-14)


def windowed(s, x, name, count, window, shift):
    """Window attention pixel by pixel: which window a pixel is in, and whether two were neighbours, from their places."""
    n, h, w, c = x.shape
    high, wide = -(-h // window[0]) * window[0], -(-w // window[1]) * window[1]
    x = TF.pad(x, (0, 0, 0, wide - w, 0, high - h)).flatten(1, 2)
    shift = [0 if size <= side else step for size, side, step in zip((high, wide), window, shift)]
    y, z = (v.flatten() for v in torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij"))
    rows, columns = (y - shift[0]) % high, (z - shift[1]) % wide          # where the roll puts each pixel
    own = rows // window[0] * 1000 + columns // window[1]
    wrapped = (y < shift[0]).long() * 2 + (z < shift[1]).long()
    dy = (rows % window[0])[:, None] - (rows % window[0])
    dx = (columns % window[1])[:, None] - (columns % window[1])
    index = (dy + window[0] - 1) * (2 * window[1] - 1) + dx + window[1] - 1
    table = s[name + ".relative_position_bias_table"]
    bias = table[index].permute(2, 0, 1) - 100.0 * (wrapped[:, None] != wrapped).double()
    bias = bias.masked_fill(own[:, None] != own, float("-inf"))
    s[name + ".relative_position_index"]
    y, _ = qkv_attention(s, x, name, count, bias)
    return y.unflatten(1, (high, wide))[:, :h, :w]


@pytest.mark.parametrize("size", [(32, 32), (27, 22)])
def test_swin(size):
    depths, count, window = (2, 2), (2, 4), (3, 2)

    def reference(s, x):
        x = s.layer_norm(s.conv(x, "features.0.0", stride=2).permute(0, 2, 3, 1), "features.0.2", 1e-5)
        for stage, depth in enumerate(depths):
            if stage:
                x = TF.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
                x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
                x = s.linear(s.layer_norm(x, "features.2.norm", 1e-5), "features.2.reduction")
            for i in range(depth):
                name = f"features.{2 * stage + 1}.{i}."
                shift = [v // 2 if i % 2 else 0 for v in window]
                x = x + windowed(s, s.layer_norm(x, name + "norm1", 1e-5), name + "attn", count[stage], window, shift)
                x = x + mlp(s, s.layer_norm(x, name + "norm2", 1e-5), name + "mlp")
        return s.linear(s.layer_norm(x, "norm", 1e-5).mean((1, 2)), "head")

    check(models.SwinTransformer([2, 2], 8, depths, count, window, num_classes=7), reference, picture(size))


def test_mixer():
    def reference(s, x):
        x = patches(s, x, "stem.proj")
        for i in range(2):
            y = s.layer_norm(x, f"blocks.{i}.norm1").mT
            x = x + mlp(s, y, f"blocks.{i}.mlp_tokens", "fc1", "fc2").mT
            x = x + mlp(s, s.layer_norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp_channels", "fc1", "fc2")
        return s.linear(s.layer_norm(x, "norm").mean(1), "head")

    check(models.MlpMixer(12, 4, 2, 10, num_classes=7), reference, picture(12))


@pytest.mark.parametrize("kernel_size", [3, 4])
def test_convmixer(kernel_size):
    left = (kernel_size - 1) // 2
    padding = (left, kernel_size - 1 - left) * 2

    def reference(s, x):
        x = s.norm(TF.gelu(s.conv(x, "stem.0", stride=2)), "stem.2")
        for i in range(2):
            y = s.conv(TF.pad(x, padding), f"blocks.{i}.0.fn.0", groups=6)
            x = x + s.norm(TF.gelu(y), f"blocks.{i}.0.fn.2")
            x = s.norm(TF.gelu(s.conv(x, f"blocks.{i}.1")), f"blocks.{i}.3")
        return s.linear(x.mean((2, 3)), "head")

    check(models.ConvMixer(6, 2, kernel_size, 2, num_classes=7), reference, picture((9, 12)))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def test_cvt():
    dims, depths, count, strides = (4, 6, 8), (1, 2, 1), (1, 2, 4), (2, 2, 2)

    def convolved(s, x, token, name, stride):
        y = s.norm(s.conv(x, name[0] + ".conv", stride=stride, padding=1, groups=x.shape[1]), name[0] + ".bn")
        y = y.flatten(2).mT
        return s.linear(y if token is None else torch.cat([token, y], 1), name[1])

    def reference(s, x):
        for i in range(3):
            name = f"stage{i}."
            x = s.conv(x, name + "patch_embed.proj", stride=strides[i], padding=1)
            size, token = x.shape[2:], None
            x = s.layer_norm(x.flatten(2).mT, name + "patch_embed.norm", 1e-5)
            x = with_tokens(s, x, name + "cls_token") if i == 2 else x
            extra = int(i == 2)
            for j in range(depths[i]):
                block = f"{name}blocks.{j}."
                y = s.layer_norm(x, block + "norm1", 1e-5)
                token = y[:, :1] if extra else None
                grid = y[:, extra:].mT.unflatten(2, size)
                q, k, v = (convolved(s, grid, token, (f"{block}attn.conv_proj_{c}", f"{block}attn.proj_{c}"), stride)
                           for c, stride in (("q", 1), ("k", 2), ("v", 2)))
                x = x + s.linear(attend(q, k, v, count[i], scale=dims[i] ** -0.5)[0], block + "attn.proj")
                x = x + mlp(s, s.layer_norm(x, block + "norm2", 1e-5), block + "mlp", "fc1", "fc2", quick_gelu)
            last, x = x, x[:, extra:].mT.unflatten(2, size)
        return s.linear(s.layer_norm(last[:, 0], "norm", 1e-5), "head")

    check(models.ConvolutionalVisionTransformer(dims, depths, count, ((3, 2, 1),) * 3, mlp_ratio=2, num_classes=7),
          reference, picture((32, 21)))


@pytest.mark.parametrize("sizes", [(6,), (5, 4), (3, 2, 4)])
def test_perceiver(sizes):
    reads, layers, bands = 3, 2, 3

    def positions():
        parts = []
        for axis, size in enumerate(sizes):
            for i in range(2 * bands + 1):
                p = (2 * torch.arange(size).double() + 1 - size) / size
                f = torch.linspace(1, size / 2, bands).double()[(i - 1) % bands]
                values = p if i == 0 else torch.sin(torch.pi * f * p) if i <= bands else torch.cos(torch.pi * f * p)
                parts.append(values.reshape([-1 if a == axis else 1 for a in range(len(sizes))]).expand(sizes).flatten())
        return torch.stack(parts, 1)

    def ask(s, x, source, name, count):
        q, k, v = s.linear(x, name + ".to_q"), s.linear(source, name + ".to_k"), s.linear(source, name + ".to_v")
        return s.linear(attend(q, k, v, count)[0], name + ".to_out")

    def feed(s, x, name):
        return mlp(s, s.layer_norm(x, name + ".0", 1e-5), name, "1", "3")

    def reference(s, x):
        n = x.shape[0]
        source = torch.cat([x.flatten(2).mT, positions().expand(n, -1, -1)], 2)
        x = s["latents"].expand(n, -1, -1)
        for i in range(reads):
            name = "read." if i else "first_read."
            y = s.layer_norm(source, name + "norm_source", 1e-5)
            x = x + ask(s, s.layer_norm(x, name + "norm", 1e-5), y, name + "attention", 1)
            x = x + feed(s, x, name + "feed")
            for j in range(layers):
                name = f"think.{j}."
                y = s.layer_norm(x, name + "norm", 1e-5)
                x = x + ask(s, y, y, name + "attention", 2)
                x = x + feed(s, x, name + "feed")
        return s.linear(x.mean(1), "head")

    check(models.Perceiver(4, 8, reads, layers, 1, 2, bands, len(sizes), num_classes=7), reference,
          np.random.default_rng(0).standard_normal((2, 3, *sizes)))


@pytest.mark.parametrize("kind", ["divided_space_time", "joint_space_time", "space_only"])
def test_timesformer(kind):
    """Divided attention as attention among all tokens with the others forbidden."""
    frames, places, count = 3, 4, 2

    def divided(s, x, name):
        y = s.layer_norm(x[:, 1:], name + "temporal_norm1")
        place, frame = (v.flatten() for v in torch.meshgrid(torch.arange(places), torch.arange(frames), indexing="ij"))
        apart = torch.zeros(12, 12).double().masked_fill(place[:, None] != place, float("-inf"))
        y = qkv_attention(s, y, name + "temporal_attn", count, apart)[0]
        x = torch.cat([x[:, :1], x[:, 1:] + s.linear(y, name + "temporal_fc")], 1)
        y = s.layer_norm(x, name + "norm1")
        outputs = torch.zeros_like(x)
        for t in range(frames):
            chosen = torch.cat([torch.tensor([0]), 1 + torch.arange(12)[frame == t]])
            part = qkv_attention(s, y[:, chosen], name + "attn", count)[0]
            part = torch.cat([part[:, :1] / frames, part[:, 1:]], 1)
            outputs = outputs.index_add(1, chosen, part)
        return x + outputs

    def reference(s, x):
        n = x.shape[0]
        x = torch.stack([patches(s, x[:, :, t], "patch_embed.proj") for t in range(frames)], 2)   # N, places, frames, D
        positions = s["pos_embed"]
        x = x + positions[:, 1:, None]
        token = (s["cls_token"] + positions[:, :1]).expand(n, -1, -1)
        if kind == "space_only":
            x = torch.cat([token[:, :, None].expand(-1, -1, frames, -1), x], 1).transpose(1, 2).flatten(0, 1)
        else:
            x = torch.cat([token, (x + s["time_embed"][:, None]).flatten(1, 2)], 1)
        for i in range(2):
            name = f"blocks.{i}."
            x = (divided(s, x, name) if kind[0] == "d"
                 else x + qkv_attention(s, s.layer_norm(x, name + "norm1"), name + "attn", count)[0])
            x = x + mlp(s, s.layer_norm(x, name + "norm2"), name + "mlp", "fc1", "fc2")
        x = s.layer_norm(x, "norm")[:, 0]
        return s.linear(x.unflatten(0, (n, frames)).mean(1) if kind == "space_only" else x, "head")

    check(models.TimeSformer(8, 4, frames, 2, count, 12, 2.0, 7, kind), reference,
          np.random.default_rng(0).standard_normal((2, 3, frames, 8, 8)))


def general_attention(s, q, k, v, name, count, bias=0.0):
    """nn.MultiheadAttention, batch first."""
    w, b = s[name + ".in_proj_weight"].chunk(3), s[name + ".in_proj_bias"].chunk(3)
    y, _ = attend(*(TF.linear(*part) for part in zip((q, k, v), w, b)), count, bias)
    return s.linear(y, name + ".out_proj")


@pytest.mark.parametrize("padded", [False, True])
def test_detr(padded):
    dim, count, queries = 8, 2, 3
    mask = np.zeros((2, 24, 32), bool)
    if padded:
        mask[0, 16:] = mask[1, :, 24:] = True

    class AsList(models.DETR):
        def forward(self, x):
            y = super().forward(x, tinycnn.tensor(mask) if padded else None)
            return [part[key] for part in (y, *y["aux_outputs"]) for key in ("pred_logits", "pred_boxes")]

    def positions(inside):
        """Interleaved sines and cosines of the share of rows, then of columns."""
        parts = []
        for axis in (1, 2):
            place = inside.cumsum(axis)
            place = 2 * torch.pi * place / (place.amax(axis, keepdim=True) + 1e-6)
            for i in range(dim // 2):
                angle = place / 10000 ** (2 * (i // 2) / (dim // 2))
                parts.append(angle.cos() if i % 2 else angle.sin())
        return torch.stack(parts, -1).flatten(1, 2)

    def norm(s, x, name):
        return s.layer_norm(x, name, 1e-5)

    def reference(s, x):
        for i in range(3):
            name = f"backbone.0.body.{i}."
            x = TF.relu(s.norm(s.conv(x, name + "0", stride=2, padding=1), name + "1"))
        x = s.conv(x, "input_proj")
        outside = torch.tensor(mask[:, ::8, ::8])
        pos = positions((~outside).double())
        bias = torch.zeros(outside.shape).double().masked_fill(outside, float("-inf")).flatten(1)[:, None, None]
        x = x.flatten(2).mT
        for i in range(2):
            name = f"transformer.encoder.layers.{i}."
            x = norm(s, x + general_attention(s, x + pos, x + pos, x, name + "self_attn", count, bias), name + "norm1")
            x = norm(s, x + s.linear(TF.relu(s.linear(x, name + "linear1")), name + "linear2"), name + "norm2")
        ask, outputs = s["query_embed.weight"].expand(2, -1, -1), []
        y = torch.zeros_like(ask)
        for i in range(2):
            name = f"transformer.decoder.layers.{i}."
            y = norm(s, y + general_attention(s, y + ask, y + ask, y, name + "self_attn", count), name + "norm1")
            y = norm(s, y + general_attention(s, y + ask, x + pos, x, name + "multihead_attn", count, bias), name + "norm2")
            y = norm(s, y + s.linear(TF.relu(s.linear(y, name + "linear1")), name + "linear2"), name + "norm3")
            z = norm(s, y, "transformer.decoder.norm")
            box = z
            for j in range(3):
                box = s.linear(TF.relu(box) if j else box, f"bbox_embed.layers.{j}")
            outputs.append([s.linear(z, "class_embed"), torch.sigmoid(box)])
        return outputs[1] + outputs[0]

    check(AsList(models.detr.SmallFeatures(), 5, queries, dim, count, 2, 2, 12, 0.0, aux_loss=True), reference,
          picture((24, 32)))


def test_frozen_backbone_of_detr():
    """Its norms have fixed statistics, under the names of batch norm."""
    backbone = models.detr.Features(models.resnet.BasicBlock, [1, 1, 1, 1])
    rng = np.random.default_rng(0)
    for b in backbone.buffers():
        b.array[...] = rng.uniform(0.5, 1.5, b.shape)

    def basic(s, x, name, stride):
        y = TF.relu(s.norm(s.conv(x, name + ".conv1", stride=stride, padding=1), name + ".bn1"))
        y = s.norm(s.conv(y, name + ".conv2", padding=1), name + ".bn2")
        if stride == 2:
            x = s.norm(s.conv(x, name + ".downsample.0", stride=2), name + ".downsample.1")
        return TF.relu(y + x)

    def reference(s, x):
        s.training = False
        x = TF.max_pool2d(TF.relu(s.norm(s.conv(x, "conv1", stride=2, padding=3), "bn1")), 3, 2, 1)
        for i in range(1, 5):
            x = basic(s, x, f"layer{i}.0", 1 if i == 1 else 2)
        return x

    model_reference.check(backbone, reference, picture((33, 40)))


def test_loss_of_detr_is_that_of_the_cheapest_of_all_matchings():
    rng = np.random.default_rng(0)
    n, queries, classes = 3, 4, 5
    logits, boxes = rng.standard_normal((n, queries, classes + 1)), rng.uniform(0.2, 0.6, (n, queries, 4))
    targets = [(rng.integers(0, classes, k), rng.uniform(0.2, 0.6, (k, 4))) for k in (2, 0, 3)]

    def corners(b):
        return b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2

    def giou(a, b):
        (l, t, r, u), (k, s, q, v) = corners(a), corners(b)
        inside = TF.relu(torch.minimum(r, q) - torch.maximum(l, k)) * TF.relu(torch.minimum(u, v) - torch.maximum(t, s))
        union = (r - l) * (u - t) + (q - k) * (v - s) - inside
        hull = (torch.maximum(r, q) - torch.minimum(l, k)) * (torch.maximum(u, v) - torch.minimum(t, s))
        return inside / union - 1 + union / hull

    def reference(logits, boxes):
        labels = torch.full((n, queries), classes)
        bbox = overlap = 0
        for i, (wanted, places) in enumerate(targets):
            places, p = torch.tensor(places), logits[i].softmax(1)

            def cost(rows):
                return sum(-p[r, c] + 5 * (boxes[i, r] - b).abs().sum() - 2 * giou(boxes[i, r], b)
                           for r, c, b in zip(rows, wanted, places))
            best = min(itertools.permutations(range(queries), len(wanted)), key=cost)
            for r, c, b in zip(best, wanted, places):
                labels[i, r] = int(c)
                bbox, overlap = bbox + (boxes[i, r] - b).abs().sum() / 5, overlap + (1 - giou(boxes[i, r], b)) / 5
        weight = torch.tensor([1.0] * classes + [0.1], dtype=torch.float64)
        return dict(loss_ce=TF.cross_entropy(logits.flatten(0, 1), labels.flatten(), weight), loss_bbox=bbox,
                    loss_giou=overlap)

    theirs = [torch.tensor(v, requires_grad=True) for v in (logits, boxes)]
    ours = [tinycnn.tensor(v, requires_grad=True) for v in (logits, boxes)]
    expected = reference(*theirs)
    criterion = models.SetCriterion(classes).double()
    criterion.empty_weight.array[-1] = 0.1
    got = criterion(dict(pred_logits=ours[0], pred_boxes=ours[1]),
                    [dict(labels=tinycnn.tensor(c), boxes=tinycnn.tensor(b)) for c, b in targets])
    assert got.keys() == expected.keys()
    for key in got:
        assert abs(got[key].item() - expected[key].item()) < 1e-12, key
    criterion.total(got).backward()
    (expected["loss_ce"] + 5 * expected["loss_bbox"] + 2 * expected["loss_giou"]).backward()
    for x, y in zip(ours, theirs):
        np.testing.assert_allclose(x.grad.array, y.grad.numpy(), rtol=1e-8, atol=1e-12)


def test_clip():
    dim, layers, text = 8, 2, np.array([[9, 3, 11, 0], [9, 11, 0, 0], [9, 1, 2, 11]])

    class Pair(models.CLIP):
        def forward(self, x):
            return super().forward(x, tinycnn.tensor(text))

    def transformer(s, x, name, count, bias=0.0):
        for i in range(layers):
            block = f"{name}.resblocks.{i}."
            x = x + packed_attention(s, s.layer_norm(x, block + "ln_1", 1e-5), block + "attn", count, bias)[0]
            x = x + mlp(s, s.layer_norm(x, block + "ln_2", 1e-5), block + "mlp", "c_fc", "c_proj", quick_gelu)
        return x

    def reference(s, x):
        x = s.conv(x, "visual.conv1", stride=4).flatten(2).mT
        x = torch.cat([s["visual.class_embedding"].expand(len(x), 1, -1), x], 1)
        x = s.layer_norm(x + s["visual.positional_embedding"], "visual.ln_pre", 1e-5)
        x = s.layer_norm(transformer(s, x, "visual.transformer", 2)[:, 0], "visual.ln_post", 1e-5) @ s["visual.proj"]
        t = s["token_embedding.weight"][torch.tensor(text)] + s["positional_embedding"]
        causal = torch.full((4, 4), float("-inf")).triu(1).double()
        t = s.layer_norm(transformer(s, t, "transformer", 4, causal), "ln_final", 1e-5)
        t = torch.stack([t[0, 2], t[1, 1], t[2, 3]]) @ s["text_projection"]
        logits = s["logit_scale"].exp() * TF.cosine_similarity(x[:, None], t, dim=2)
        return [logits, logits.T]

    check(Pair(6, 8, layers, dim, 4, 4, 12, 8, 4, layers, vision_heads=2), reference, picture(8))


def test_contrastive_losses():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 2, 3))
    ours, theirs = tinycnn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    got = models.mil_nce(ours, tinycnn.tensor(y), 0.5)
    p = (theirs @ torch.tensor(y).flatten(0, 1).T / 0.5).softmax(1)
    expected = -sum(torch.log(p[i, 2 * i] + p[i, 2 * i + 1]) for i in range(4)) / 4
    assert abs(got.item() - expected.item()) < 1e-12
    got.backward()
    expected.backward()
    np.testing.assert_allclose(ours.grad.array, theirs.grad.numpy(), atol=1e-12)
    square = rng.standard_normal((3, 3))
    both = [-torch.log(torch.tensor(m).softmax(1).diagonal()).mean() for m in (square, square.T)]
    got = models.contrastive_loss(tinycnn.tensor(square), tinycnn.tensor(square.T.copy()))
    assert abs(got.item() - sum(both).item() / 2) < 1e-12


def test_dino():
    out, momentum = 5, 0.9
    student, teacher = np.random.default_rng(0).standard_normal((2, 3, 4, out))
    center = np.random.default_rng(1).standard_normal((1, out))
    theirs = [torch.tensor(v, requires_grad=True) for v in student]
    ours = [tinycnn.tensor(v, requires_grad=True) for v in student]
    loss = models.DINOLoss(out, center_momentum=momentum).double()
    loss.center.array[...] = center
    got = loss(ours, [tinycnn.tensor(v) for v in teacher[:2]])
    expected = sum(TF.cross_entropy(theirs[j] / 0.1, ((torch.tensor(teacher[i]) - torch.tensor(center)) / 0.04).softmax(1))
                   for i in range(2) for j in range(3) if i != j) / 4
    assert abs(got.item() - expected.item()) < 1e-10
    got.backward()
    expected.backward()
    for x, y in zip(ours, theirs):
        np.testing.assert_allclose(x.grad.array, y.grad.numpy(), atol=1e-10)
    np.testing.assert_allclose(loss.center.array, momentum * center + 0.1 * teacher[:2].mean((0, 1), keepdims=True)[0])

    def reference(s, x):
        for i in (0, 2):
            x = TF.gelu(s.linear(x, f"mlp.{i}"))
        return TF.normalize(s.linear(x, "mlp.4")) @ TF.normalize(s["last_layer.weight"]).T

    check(models.DINOHead(6, out, 8, 4), reference, np.random.default_rng(0).standard_normal((3, 6)))


def test_dpt():
    """One point after the other, each read from its four pixels by weights."""
    sizes = (3, 2)

    def read(x, at):
        """x (N, C, H, W) at places (N, P, 2), x and y in pixels, whose middles are at 0.5: (N, P, C)."""
        x = TF.pad(x, (9, 9, 9, 9))
        at = at + 8.5
        low = at.detach().floor()
        share, total = at - low, 0
        for i in (0, 1):
            for j in (0, 1):
                w = (share[..., 0] if i else 1 - share[..., 0]) * (share[..., 1] if j else 1 - share[..., 1])
                column = (low[..., 0].long() + i).clamp(0, x.shape[3] - 1)
                row = (low[..., 1].long() + j).clamp(0, x.shape[2] - 1)
                total = total + w[..., None] * x[torch.arange(len(x))[:, None], :, row, column]
        return total

    def reference(s, x):
        for i, p in enumerate(sizes):
            name = f"patches.{i}."
            n, _, h, w = x.shape
            move = s.conv(TF.gelu(s.conv(x, name + "predict.0", stride=p)), name + "predict.2")
            rows, columns = move.shape[2:]
            tokens = []
            for r in range(rows):
                for c in range(columns):
                    dx, dy, dw, dh = move[:, :, r, c].unbind(1)
                    left, top = (c + 0.5) * p + p * dx.tanh(), (r + 0.5) * p + p * dy.tanh()
                    wide, high = TF.relu(p / 2 + p * dw), TF.relu(p / 2 + p * dh)
                    parts = [(2 * a + 1) / p - 1 for a in range(p)]
                    at = torch.stack([torch.stack([left + wide * b, top + high * a], 1) for a in parts for b in parts], 1)
                    tokens.append(s.linear(read(x, at).mT.flatten(1), name + "proj"))
            x = torch.stack(tokens, 2).unflatten(2, (rows, columns))
            x = x + s.conv(x, f"positions.{i}", padding=1, groups=x.shape[1])
            x, name = x.flatten(2).mT, f"stages.{i}.0."
            x = x + packed_attention(s, s.layer_norm(x, name + "ln_1"), name + "self_attention", 2)[0]
            x = x + mlp(s, s.layer_norm(x, name + "ln_2"), name + "mlp")
            x = x.mT.unflatten(2, (rows, columns))
        return s.linear(s.layer_norm(x.mean((2, 3)), "norm"), "head")

    check(models.DeformablePatchTransformer((4, 6), (1, 1), (2, 2), sizes, 2, num_classes=5), reference, picture((12, 14)))


def test_vatt():
    text = np.random.default_rng(0).integers(0, 10, (2, 3, 4))

    class AsList(models.VATT):
        def forward(self, video, audio):
            return list(super().forward(video, audio, tinycnn.tensor(text)).values())

    def encode(s, x, name):
        x = with_tokens(s, x, name + ".token")
        block = name + ".layers.0."
        x = x + packed_attention(s, s.layer_norm(x, block + "ln_1"), block + "self_attention", 2)[0]
        x = x + mlp(s, s.layer_norm(x, block + "ln_2"), block + "mlp")
        return s.layer_norm(x, name + ".norm")[:, 0]

    def reference(s, video, audio):
        x = s.conv(video, "video_proj", stride=(2, 4, 4)).permute(0, 2, 3, 4, 1)
        x = (x + s["time"] + s["row"] + s["column"]).flatten(1, 3)
        common = s.linear(encode(s, x, "video"), "video_to_common")
        w = s["audio_proj.weight"]
        a = audio.unflatten(1, (-1, w.shape[2])) @ w[:, 0].T + s["audio_proj.bias"] + s["audio_positions"]
        t = s["words.weight"][torch.tensor(text).flatten(0, 1)] + s["text_positions"]
        t = s.linear(encode(s, t, "text"), "text_to_text").unflatten(0, (2, 3))
        return [TF.normalize(v, dim=-1) for v in (common, s.linear(encode(s, a, "audio"), "audio_to_common"),
                                                  s.linear(common, "common_to_text"), t)]

    rng = np.random.default_rng(0)
    check(AsList(4, 8, (2, 4, 4), 12, 4, 4, 10, 8, 1, 2, 6, 5, drop_token=0.0), reference,
          rng.standard_normal((2, 3, 4, 8, 8)), rng.standard_normal((2, 12)))

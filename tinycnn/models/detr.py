"""DETR: detection as one question, "which objects are there?", with a set as the answer.

The lecture's idea: no anchors, no proposals, no removal of duplicates. A ResNet makes a small picture of features, a
transformer's encoder lets its pixels look at each other, and 100 learned queries, each one who looks for an object of some
kind in some place, ask them in the decoder and see what the other queries found. Each query answers with a class, which may
be "nothing", and a box. What makes that work is the loss, see `matching`.

Source: N. Carion et al., "End-to-end object detection with transformers" (2020), figure 2 and appendix. Names are those of
its files.
"""
import math
from collections import OrderedDict

from .. import arange, cat, nn, ones, stack, zeros, zeros_like
from ..nn import functional as F
from .blocks import check_size, conv_norm
from .matching import box_cxcywh_to_xyxy
from .registry import variant
from .resnet import Bottleneck, ResNet


class FrozenBatchNorm2d(nn.Module):
    """Batch norm as it is in evaluation, whose statistics, weight and bias are buffers and stay what they are.

    Detectors see few, large pictures at a time, too few for statistics of their own.
    """

    def __init__(self, num_features, eps=1e-5):
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, ones(num_features) * value)

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class Features(ResNet):
    """A ResNet up to its last stage: x (N, 3, H, W) -> (N, num_channels, H / 32, W / 32)."""

    def __init__(self, block, layers, norm_layer=FrozenBatchNorm2d, **options):
        super().__init__(block, layers, num_classes=1, norm_layer=norm_layer, **options)
        del self.fc, self.avgpool
        self.num_channels = 512 * block.expansion

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def sine_positions(mask, dim, dtype="float32", temperature=10000):
    """Positions (N, H W, dim) of the pixels of mask (N, H, W), True where there is no picture but only padding.

    A pixel's row and column, as a share of the picture's height and width times 2 pi, become sines and cosines in turn, at
    dim / 4 frequencies each.
    """
    inside = (~mask).to(dtype)
    waves = temperature ** (-arange(dim // 4, device=mask.device).to(dtype) * (4 / dim))
    parts = []
    for axis in (1, 2):
        place = inside.cumsum(axis)
        place = place / (place.narrow(axis, -1, 1) + 1e-6) * (2 * math.pi)
        angles = place.unsqueeze(-1) * waves
        parts.append(stack([angles.sin(), angles.cos()], -1).flatten(3))
    return cat(parts, -1).flatten(1, 2)


class EncoderLayer(nn.TransformerEncoderLayer):
    """The pixels look at each other: positions are added to what is compared, not to what is looked up."""

    def forward(self, src, pos, padding):
        def attend(x):
            return self.self_attn(x + pos, x + pos, x, padding, False)[0]
        return self._join(self._join(src, attend, self.norm1, self.dropout1), self._feed_forward, self.norm2, self.dropout2)


class DecoderLayer(nn.TransformerDecoderLayer):
    """The queries look at each other, then at the pixels."""

    def forward(self, tgt, memory, pos, query_pos, padding):
        def attend(x):
            return self.self_attn(x + query_pos, x + query_pos, x, need_weights=False)[0]

        def look_up(x):
            return self.multihead_attn(x + query_pos, memory + pos, memory, padding, False)[0]
        x = self._join(tgt, attend, self.norm1, self.dropout1)
        x = self._join(x, look_up, self.norm2, self.dropout2)
        return self._join(x, self._feed_forward, self.norm3, self.dropout3)


class Transformer(nn.Module):
    """Pixels (N, L, dim), their positions, and queries (N, Q, dim) -> what decoder layers answer, (layers, N, Q, dim)."""

    def __init__(self, dim, num_heads, encoder_layers, decoder_layers, dim_feedforward, dropout):
        super().__init__()
        options = dict(dim_feedforward=dim_feedforward, dropout=dropout, batch_first=True)
        self.encoder = nn.Sequential(OrderedDict(layers=nn.ModuleList(
            EncoderLayer(dim, num_heads, **options) for _ in range(encoder_layers))))
        self.decoder = nn.Sequential(OrderedDict(layers=nn.ModuleList(
            DecoderLayer(dim, num_heads, **options) for _ in range(decoder_layers)), norm=nn.LayerNorm(dim)))
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.xavier_uniform_(p)

    def forward(self, x, pos, queries, padding):
        for layer in self.encoder.layers:
            x = layer(x, pos, padding)
        y, answers = zeros_like(queries), []
        for layer in self.decoder.layers:
            y = layer(y, x, pos, queries, padding)
            answers.append(self.decoder.norm(y))
        return stack(answers)


class MLP(nn.Module):
    """`num_layers` linear layers with relu between: in_dim -> hidden -> ... -> out_dim."""

    def __init__(self, in_dim, hidden, out_dim, num_layers):
        super().__init__()
        widths = [in_dim, *[hidden] * (num_layers - 1), out_dim]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class DETR(nn.Module):
    """x (N, 3, H, W) -> dict of "pred_logits" (N, num_queries, num_classes + 1) and "pred_boxes" (N, num_queries, 4).

    The last class is "nothing"; boxes are centre and size in units of the picture. With `aux_loss` also "aux_outputs", a
    list of such dicts for the decoder layers before the last. Pictures of several sizes are padded to one; `mask` (N, H, W)
    is then True at the padding. `backbone` makes (N, num_channels, h, w) of x.
    """

    def __init__(self, backbone, num_classes=91, num_queries=100, hidden_dim=256, num_heads=8, encoder_layers=6,
                 decoder_layers=6, dim_feedforward=2048, dropout=0.1, aux_loss=False):
        super().__init__()
        if hidden_dim % 4:
            raise ValueError(f"DETR: hidden_dim must be a multiple of 4, got {hidden_dim}")
        self.backbone = nn.ModuleList([nn.Sequential(OrderedDict(body=backbone))])
        self.input_proj = nn.Conv2d(backbone.num_channels, hidden_dim, 1)
        self.transformer = Transformer(hidden_dim, num_heads, encoder_layers, decoder_layers, dim_feedforward, dropout)
        self.query_embed = nn.Embedding(num_queries, hidden_dim)
        self.class_embed = nn.Linear(hidden_dim, num_classes + 1)
        self.bbox_embed = MLP(hidden_dim, hidden_dim, 4, 3)
        self.aux_loss = aux_loss

    def forward(self, x, mask=None):
        check_size(self, x, 1)
        if mask is not None and tuple(mask.shape) != (x.shape[0], *x.shape[2:]):
            raise ValueError(f"DETR: mask must be (N, H, W) like the pictures {tuple(x.shape)}, got {tuple(mask.shape)}")
        x = self.input_proj(self.backbone[0](x))
        n, dim, h, w = x.shape
        if mask is None:
            mask = zeros(n, h, w, dtype="bool", device=x.device)
        else:
            mask = F.interpolate(mask.unsqueeze(1).to("float32"), size=(h, w))[:, 0] > 0.5
        pos = sine_positions(mask, dim, x.dtype)
        queries = self.query_embed.weight.expand(n, -1, -1)
        y = self.transformer(x.flatten(2).transpose(1, 2), pos, queries, mask.flatten(1))
        answers = [dict(pred_logits=logits, pred_boxes=boxes)
                   for logits, boxes in zip(self.class_embed(y), self.bbox_embed(y).sigmoid())]
        outputs = answers.pop()
        if self.aux_loss:
            outputs["aux_outputs"] = answers
        return outputs


def post_process(outputs, target_sizes):
    """What was found: for each picture a dict of "scores" (Q,), "labels" (Q,) and "boxes" (Q, 4), left, top, right, bottom.

    Boxes are in pixels, given the pictures' sizes (N, 2), heights and widths. "Nothing" is never the label: look at high
    scores only.
    """
    scores, labels = outputs["pred_logits"].softmax(-1)[..., :-1].max(-1)
    h, w = target_sizes.to(scores.dtype).unbind(1)
    boxes = box_cxcywh_to_xyxy(outputs["pred_boxes"]) * stack([w, h, w, h], 1).unsqueeze(1)
    return [dict(scores=s, labels=c, boxes=b) for s, c, b in zip(scores, labels, boxes)]


def _detr(block, layers, **options):
    return DETR(Features(block, layers), **options)


class SmallFeatures(nn.Sequential):
    """Three convolutions of stride 2: (N, 3, H, W) -> (N, 64, H / 8, W / 8)."""

    def __init__(self):
        super().__init__(conv_norm(3, 16, 3, 2), conv_norm(16, 32, 3, 2), conv_norm(32, 64, 3, 2))
        self.num_channels = 64


def _detr_small(**options):
    return DETR(SmallFeatures(), **options)


detr_resnet50 = variant("detr_resnet50", _detr, Bottleneck, [3, 4, 6, 3], input_size=(3, 800, 1066))
detr_resnet101 = variant("detr_resnet101", _detr, Bottleneck, [3, 4, 23, 3], input_size=(3, 800, 1066))
detr_small = variant("detr_small", _detr_small, num_classes=10, num_queries=10, hidden_dim=64, num_heads=4, encoder_layers=2,
                     decoder_layers=2, dim_feedforward=128, input_size=(3, 64, 64))

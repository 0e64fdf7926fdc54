"""Boxes: what detectors compute with them, under torchvision's names.

A box is (left, top, right, bottom), in pixels, with 0 at the left and upper edge of the picture.
"""
import sys

import numpy as np

from ..engine.answers import answer_clearly
from ..engine.arrays import device_of, to_device, to_numpy
from ..engine.checks import check_tensor
from ..engine.tensor import wrap
from ..models import box_cxcywh_to_xyxy, generalized_box_iou
from ..nn import Module
from ..nn import functional as F
from .. import cat, full, maximum, minimum, stack

__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "generalized_box_iou",
           "masks_to_boxes", "nms", "remove_small_boxes", "roi_align", "RoIAlign", "sigmoid_focal_loss"]


def _check_boxes(function, name, boxes):
    check_tensor(function, **{name: boxes})
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{function}: {name} must be boxes (N, 4), got shape {boxes.shape}")


# ---- boxes -----------------------------------------------------------------------------------------------------------

def box_area(boxes):
    """The areas (N,) of boxes (N, 4)."""
    _check_boxes("box_area", "boxes", boxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes1, boxes2):
    """Intersection over union of each of boxes1 (N, 4) with each of boxes2 (M, 4): (N, M), from 0 to 1."""
    _check_boxes("box_iou", "boxes1", boxes1)
    _check_boxes("box_iou", "boxes2", boxes2)
    a, b = boxes1[:, None], boxes2
    sides = (minimum(a[..., 2:], b[..., 2:]) - maximum(a[..., :2], b[..., :2])).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection / (box_area(boxes1)[:, None] + box_area(boxes2) - intersection)


def box_convert(boxes, in_fmt, out_fmt):
    """Boxes (..., 4) written otherwise: "xyxy" (left, top, right, bottom), "xywh" (left, top, width, height) or "cxcywh"
    (centre, width, height).
    """
    check_tensor("box_convert", boxes=boxes)
    for name, value in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if value not in ("xyxy", "xywh", "cxcywh"):
            raise ValueError(f"box_convert: {name} must be 'xyxy', 'xywh' or 'cxcywh', got {value!r}")
    if in_fmt == out_fmt:
        return boxes.clone()
    if in_fmt == "xywh":
        boxes = cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)
    elif in_fmt == "cxcywh":
        boxes = box_cxcywh_to_xyxy(boxes)
    if out_fmt == "xyxy":
        return boxes
    size = boxes[..., 2:] - boxes[..., :2]
    return cat([boxes[..., :2] if out_fmt == "xywh" else (boxes[..., :2] + boxes[..., 2:]) / 2, size], -1)


def clip_boxes_to_image(boxes, size):
    """Boxes (..., 4) without what lies outside a picture of `size` (height, width)."""
    check_tensor("clip_boxes_to_image", boxes=boxes)
    height, width = size
    return stack([boxes[..., i].clamp(0, (width, height)[i % 2]) for i in range(4)], -1)


def remove_small_boxes(boxes, min_size):
    """The indices (M,) of those of boxes (N, 4) whose sides are both at least `min_size`."""
    _check_boxes("remove_small_boxes", "boxes", boxes)
    x = boxes.array
    return wrap((((x[:, 2:] - x[:, :2]) >= min_size).all(1)).nonzero()[0])


def masks_to_boxes(masks):
    """The smallest boxes (N, 4) around what is not 0 in masks (N, H, W); the last pixels' numbers are right and bottom."""
    check_tensor("masks_to_boxes", masks=masks)
    x = to_numpy(masks.array) != 0
    if x.ndim != 3 or not x.any((1, 2)).all():
        raise ValueError(f"masks_to_boxes: expected masks (N, H, W) with something in each, got shape {masks.shape}")
    ends = [part for axis in (1, 2) for part in _ends(x.any(axis))]
    return wrap(to_device(np.stack([ends[0], ends[2], ends[1], ends[3]], 1).astype(np.float32), device_of(masks.array)))


def _ends(x):
    """The first and the last place of each row of x (N, L) that is true."""
    return x.argmax(1), x.shape[1] - 1 - x[:, ::-1].argmax(1)


def nms(boxes, scores, iou_threshold):
    """Non-maximum suppression: of boxes (N, 4) that show the same, the one with the highest of scores (N,).

    The best box is kept, and all whose intersection over union with it is above `iou_threshold` are left out; so with the
    best of those that remain. Returns the indices (M,) of what was kept, the highest score first. Nothing here has a
    gradient.
    """
    return _suppressed("nms", boxes, scores, None, iou_threshold)


def batched_nms(boxes, scores, idxs, iou_threshold):
    """`nms` among the boxes of each class by itself; idxs (N,) are the classes."""
    check_tensor("batched_nms", idxs=idxs)
    return _suppressed("batched_nms", boxes, scores, to_numpy(idxs.array), iou_threshold)


def _suppressed(function, boxes, scores, groups, iou_threshold):
    """`nms` among boxes of equal `groups`, or of all."""
    _check_boxes(function, "boxes", boxes)
    check_tensor(function, scores=scores)
    for name, length in (("scores", scores.shape), ("idxs", None if groups is None else groups.shape)):
        if length is not None and length != boxes.shape[:1]:
            raise ValueError(f"{function}: {name} must have shape {boxes.shape[:1]}, one for each box, got {length}")
    x, order = to_numpy(boxes.array), np.argsort(-to_numpy(scores.array), kind="stable")
    low, high, areas = x[:, :2], x[:, 2:], (x[:, 2:] - x[:, :2]).prod(1)
    kept, left = [], np.ones(len(x), bool)
    for place, i in enumerate(order):
        if not left[i]:
            continue
        kept.append(i)
        rest = order[place + 1:]
        both = (np.minimum(high[i], high[rest]) - np.maximum(low[i], low[rest])).clip(0).prod(1)
        same = both > iou_threshold * (areas[i] + areas[rest] - both)
        left[rest[same if groups is None else same & (groups[i] == groups[rest])]] = False
    return wrap(to_device(np.array(kept, np.int64), device_of(boxes.array)))


# ---- pictures in boxes -----------------------------------------------------------------------------------------------

def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """What is in boxes, all in one size: input (N, C, H, W) and K boxes -> (K, C, P, Q), with (P, Q) = `output_size`.

    `boxes`: (K, 5), the number of the picture before each box, or a list with boxes (K_n, 4) for each picture. They count
    pixels of the photograph; `spatial_scale` leads to those of `input`. A box is cut into P x Q cells, each the mean of
    `sampling_ratio` x `sampling_ratio` points (-1: as many as a cell has pixels, rounded up), each of them interpolated
    between its four pixels. `aligned` knows that pixel 0 has its centre at 0.5; without, boxes are at least 1 wide.

    Derivation: a point (r, s) has the value sum over pixels (i, j) of h(r - i) h(s - j) x[i, j] with h(t) = max(0, 1 - |t|),
    so a cell is linear in x: y[p, q] = sum_ij R[p, i] S[q, j] x[i, j], with R[p] the mean of the rows' weights, S[q] of the
    columns', and dx[i, j] = sum_pq R[p, i] S[q, j] dy[p, q]. Each point has two rows and two columns whose weights are not
    zero, and the sum below goes over these alone. Boxes get no gradient, as in torchvision.
    Cost: 4 reads of `input` for each point. Source: K. He et al., Mask R-CNN (2017), section 3.
    """
    check_tensor("roi_align", input=input)
    if input.ndim != 4:
        raise ValueError(f"roi_align: input must have shape (N, C, H, W), got {input.shape}")
    size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
    boxes = _numbered(input, boxes)
    n = to_device(boxes[:, 0].astype(np.int64), device_of(input.array))[:, None, None]
    scaled = boxes[:, 1:].astype(input.dtype) * input.dtype.type(spatial_scale) - input.dtype.type(0.5 if aligned else 0)
    (rows, row_weights), (columns, column_weights) = (
        _taps(scaled[:, 1 - axis], scaled[:, 3 - axis], cells, sampling_ratio, pixels, not aligned)
        for axis, (cells, pixels) in enumerate(zip(size, input.shape[2:])))
    x, y = input.permute(0, 2, 3, 1), 0
    for i, v in zip(rows, row_weights):
        for j, w in zip(columns, column_weights):
            at = [to_device(a, device_of(input.array)) for a in (i[:, :, None], j[:, None], (v[:, :, None] * w[:, None]))]
            y = y + x[wrap(n), wrap(at[0]), wrap(at[1])] * wrap(at[2])[..., None]
    return y.permute(0, 3, 1, 2) if rows.size and columns.size else input.new_zeros(len(boxes), input.shape[1], *size)


def _numbered(input, boxes):
    """Boxes as an array (K, 5), the number of its picture before each."""
    if isinstance(boxes, (list, tuple)):
        for b in boxes:
            _check_boxes("roi_align", "each of boxes", b)
        if len(boxes) != len(input):
            raise ValueError(f"roi_align: boxes must be a list of {len(input)} tensors, one a picture, got {len(boxes)}")
        boxes = cat([cat([full((len(b), 1), i, dtype=b.dtype, device=b.device), b], 1) for i, b in enumerate(boxes)])
    check_tensor("roi_align", boxes=boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"roi_align: boxes must have shape (K, 5) or be a list of boxes (K_n, 4), got shape {boxes.shape}")
    boxes = to_numpy(boxes.detach().array)
    if not np.isin(boxes[:, 0], np.arange(len(input))).all():
        raise ValueError(f"roi_align: boxes name pictures {boxes[:, 0].min():g} to {boxes[:, 0].max():g}, input has "
                         f"{len(input)}")
    return boxes


def _taps(low, high, cells, ratio, pixels, widen):
    """(T, K, cells) pixels and weights whose weighted sum, over T, is the mean of the points in each cell of an axis.

    Boxes reach from `low` to `high` (K,). Points beyond the picture by more than a pixel count as 0.
    """
    length = np.maximum(high - low, 1) if widen else high - low
    counts = np.full(len(low), ratio) if ratio > 0 else np.ceil(length / cells).clip(0).astype(int)
    k = np.arange(counts.max(initial=1))[:, None, None]
    counts = counts[:, None]
    cell = (length / low.dtype.type(cells))[:, None]
    points = low[:, None] + np.arange(cells, dtype=low.dtype) * cell + (k + low.dtype.type(0.5)) * cell / counts.clip(1)
    weight = ((k < counts) & (points >= -1) & (points <= pixels)).astype(low.dtype) / counts.clip(1).astype(low.dtype)
    points = points.clip(0, pixels - 1).astype(low.dtype)
    left = points.astype(np.int64)
    right, part = np.minimum(left + 1, pixels - 1), points - left
    return np.concatenate([left, right]), np.concatenate([weight * (1 - part), weight * part])


class RoIAlign(Module):
    """`roi_align` as a layer: forward(input, boxes)."""

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=False):
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input, boxes):
        return roi_align(input, boxes, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def extra_repr(self):
        return (f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
                f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}")


# ---- focal loss ------------------------------------------------------------------------------------------------------

def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2.0, reduction="none"):
    """The cross entropy of scores `inputs` and targets of 0 or 1, both of one shape, where easy examples hardly count.

    With p = 1 / (1 + e^-x), the probability q of what is true (p where t = 1, else 1 - p), and the weight a of the class
    (`alpha` where t = 1, else 1 - alpha; negative: 1): l = -a (1 - q)^gamma log q.

    Derivation: dq/dx = s q (1 - q) with s = 1 where t = 1, else -1. So
        dx = dl a s (1 - q)^gamma (gamma q log q - (1 - q)),
    which for gamma = 0 is p - t, and beside it small where q is near 1. It is composed, so autograd finds it.
    Source: T.-Y. Lin et al., Focal loss for dense object detection (2017), equation 5.
    """
    check_tensor("sigmoid_focal_loss", inputs=inputs, targets=targets)
    if inputs.shape != targets.shape:
        raise ValueError(f"sigmoid_focal_loss: inputs and targets must have one shape, got {inputs.shape} and "
                         f"{targets.shape}")
    p = inputs.sigmoid()
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = loss * (1 - (p * targets + (1 - p) * (1 - targets))) ** gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"sigmoid_focal_loss: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


answer_clearly(sys.modules[__name__], [name for name in __all__ if name != "RoIAlign"])

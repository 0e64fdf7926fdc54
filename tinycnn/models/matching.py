"""What DETR is trained by: boxes, the cheapest matching of predictions and objects, and the loss of the matched pairs.

The lecture's idea: a detector's answer is a set, without an order, so that a loss must first find out which prediction is
meant for which object. Take the matching that costs least in all; then an object has exactly one prediction, every other
prediction must say "nothing", and duplicates, which other detectors remove afterwards, are punished in training.

Source: N. Carion et al., "End-to-end object detection with transformers" (2020), section 3.1.
"""
import numpy as np

from .. import cat, full, maximum, minimum, nn, ones, stack
from ..nn import functional as F


def box_cxcywh_to_xyxy(boxes):
    """Boxes (..., 4) as centre and size -> as left, top, right, bottom."""
    x, y, w, h = boxes.unbind(-1)
    return stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def giou(a, b):
    """Generalised intersection over union of boxes a and b (..., 4), left, top, right, bottom, broadcast against each other.

        |A n B| / |A u B|  -  |hull less A u B| / |hull|,

    in (-1, 1], where the hull is the smallest box around both: unlike the plain ratio it has a gradient where they do not
    meet. Source: Rezatofighi et al., "Generalized intersection over union" (2019).
    """
    overlap = (minimum(a[..., 2:], b[..., 2:]) - maximum(a[..., :2], b[..., :2])).clamp(min=0)
    intersection = overlap[..., 0] * overlap[..., 1]
    union = area(a) + area(b) - intersection
    sides = maximum(a[..., 2:], b[..., 2:]) - minimum(a[..., :2], b[..., :2])
    hull = sides[..., 0] * sides[..., 1]
    return intersection / union - (hull - union) / hull


def generalized_box_iou(boxes1, boxes2):
    """The `giou` of each of boxes1 (N, 4) with each of boxes2 (M, 4), (N, M)."""
    return giou(boxes1[:, None], boxes2)


def linear_sum_assignment(cost):
    """(rows, columns): min(N, M) pairs, no row or column twice, whose sum in the array `cost` (N, M) is least; rows ascend.

    Each row and column has a price, such that no cost[i, j] is less than row[i] + column[j], and equal for pairs taken: then
    no matching is cheaper. Rows come in one after the other; each looks for the cheapest way, by Dijkstra's search over
    cost - row - column, to a free column, on which rows before it may have to move on. Cost: N^2 M steps, N <= M.
    Source: Kuhn (1955); in this form Jonker and Volgenant (1987). ValueError where an entry is not finite.
    """
    cost = np.asarray(cost, dtype=float)
    if cost.ndim != 2 or not np.isfinite(cost).all():
        raise ValueError(f"linear_sum_assignment: cost must be finite and have shape (N, M), got shape {cost.shape}")
    if cost.shape[0] > cost.shape[1]:
        columns, rows = linear_sum_assignment(cost.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    n, m = cost.shape
    row_price, column_price = np.zeros(n), np.zeros(m)
    owner = np.full(m, -1)
    for new in range(n):
        distance, before, done = np.full(m, np.inf), np.full(m, -1), np.zeros(m, bool)
        i, reached, column = new, 0.0, -1
        while i >= 0:
            via = reached + cost[i] - row_price[i] - column_price
            better = ~done & (via < distance)
            distance[better], before[better] = via[better], column
            column = int(np.where(done, np.inf, distance).argmin())
            reached, i = distance[column], owner[column]
            done[column] = True
        row_price[new] += reached
        closer = done & (distance < reached)
        row_price[owner[closer]] += reached - distance[closer]
        column_price[closer] -= reached - distance[closer]
        while column >= 0:
            last = before[column]
            owner[column] = owner[last] if last >= 0 else new
            column = last
    columns = np.empty(n, int)
    columns[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return np.arange(n), columns


class HungarianMatcher(nn.Module):
    """matcher(outputs, targets): for each picture of the batch the indices (predictions, objects) of the cheapest matching.

    A pair costs cost_class (-probability of the object's class) + cost_bbox |difference of boxes| - cost_giou GIoU. Nothing
    here has a gradient. The matching is computed by the CPU.
    """

    def __init__(self, cost_class=1.0, cost_bbox=5.0, cost_giou=2.0):
        super().__init__()
        self.cost_class, self.cost_bbox, self.cost_giou = cost_class, cost_bbox, cost_giou

    def forward(self, outputs, targets):
        scores, boxes = outputs["pred_logits"].detach(), outputs["pred_boxes"].detach()
        if not targets or len(targets) != scores.shape[0]:
            raise ValueError(f"HungarianMatcher: expected predictions and targets for the same pictures, at least one, got "
                             f"{scores.shape[0]} and {len(targets)}")
        pairs = []
        for p, box, target in zip(scores.softmax(-1), boxes, targets):
            cost = (-self.cost_class * p[:, target["labels"]]
                    + self.cost_bbox * (box[:, None] - target["boxes"]).abs().sum(-1)
                    - self.cost_giou * generalized_box_iou(box_cxcywh_to_xyxy(box), box_cxcywh_to_xyxy(target["boxes"])))
            pairs.append(linear_sum_assignment(cost.cpu().numpy()))
        return pairs


class SetCriterion(nn.Module):
    """criterion(outputs, targets): the losses of what a DETR returns, as a dict; `total` adds them up with their weights.

    `targets` holds for each picture a dict of "labels" (n,), integers below num_classes, and "boxes" (n, 4), centre and size
    in units of the picture. "loss_ce" is the cross-entropy of all predictions, those without an object being of class
    num_classes and weighted by `eos_coef`; "loss_bbox" the sum of differences and "loss_giou" of 1 - GIoU, both for each
    object. Results of earlier decoder layers ("aux_outputs") are matched anew: "loss_ce_0" and so on.
    """

    def __init__(self, num_classes, matcher=None, weight_dict=None, eos_coef=0.1):
        super().__init__()
        self.num_classes, self.matcher = num_classes, matcher or HungarianMatcher()
        self.weight_dict = weight_dict or dict(loss_ce=1.0, loss_bbox=5.0, loss_giou=2.0)
        self.register_buffer("empty_weight", cat([ones(num_classes), full((1,), eos_coef)]))

    def forward(self, outputs, targets):
        losses = self.losses(outputs, targets)
        for i, early in enumerate(outputs.get("aux_outputs", ())):
            losses.update((f"{name}_{i}", loss) for name, loss in self.losses(early, targets).items())
        return losses

    def losses(self, outputs, targets):
        """The three losses of one layer's predictions."""
        scores, boxes = outputs["pred_logits"], outputs["pred_boxes"]
        pairs = self.matcher(outputs, targets)
        picture = np.repeat(np.arange(len(pairs)), [len(rows) for rows, _ in pairs])
        query = np.concatenate([rows for rows, _ in pairs])
        labels = full(scores.shape[:2], self.num_classes, dtype="int64", device=scores.device)
        total = max(len(query), 1)
        labels[picture, query] = cat([t["labels"][columns] for t, (_, columns) in zip(targets, pairs)])
        wanted = cat([t["boxes"][columns] for t, (_, columns) in zip(targets, pairs)])
        found = boxes[picture, query]
        apart = 1 - giou(box_cxcywh_to_xyxy(found), box_cxcywh_to_xyxy(wanted))
        return dict(loss_ce=F.cross_entropy(scores.transpose(1, 2), labels, self.empty_weight.to(scores.dtype)),
                    loss_bbox=(found - wanted).abs().sum() / total, loss_giou=apart.sum() / total)

    def total(self, losses):
        """The weighted sum of what a call returned, to go backward from."""
        return sum(loss * self.weight_dict["_".join(name.split("_")[:2])] for name, loss in losses.items())

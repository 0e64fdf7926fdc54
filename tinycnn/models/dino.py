"""DINO: a network that teaches itself, without labels.

The lecture's idea: show two networks different views of one picture, and let the student say what the teacher says; the
teacher is nothing but a slow average of the student. What keeps both from always saying the same? The teacher's outputs are
centred, so that no answer may win always, and sharpened by a low temperature, so that not all may be equally likely. The
teacher sees the large views only, the student all: it must tell the whole from a part. In the attention of the class token
objects appear that nobody marked.

Source: M. Caron et al., "Emerging properties in self-supervised vision transformers" (2021), algorithm 1.
"""
import copy

from .. import cat, nn, no_grad, zeros
from ..nn import functional as F
from .registry import SMALL, variant
from .vit import VisionTransformer


class DINOHead(nn.Module):
    """Features (N, in_dim) -> scores (N, out_dim): three linear layers to a bottleneck, a vector of length 1.

    It is compared with out_dim directions, the rows of `last_layer`, whose length does not count.
    """

    def __init__(self, in_dim, out_dim, hidden_dim=2048, bottleneck_dim=256):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, hidden_dim), nn.GELU(),
                                 nn.Linear(hidden_dim, bottleneck_dim))
        self.last_layer = nn.Linear(bottleneck_dim, out_dim, bias=False)
        for m in self.mlp:
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return F.linear(F.normalize(self.mlp(x)), F.normalize(self.last_layer.weight))


class DINO(nn.Module):
    """Student and teacher: dino(views) -> (student scores, teacher scores), each a list of (N, out_dim), one for each view.

    `backbone` makes features (N, dim) of a view (N, C, H, W); views of one size are computed together. The teacher, a copy
    that gets no gradient, sees the first `num_global` views only. After every step of the optimizer call `update_teacher`.
    In evaluation dino(x) returns the teacher's features of pictures x (N, C, H, W).
    """

    def __init__(self, backbone, dim, out_dim=65536, hidden_dim=2048, bottleneck_dim=256, num_global=2):
        super().__init__()
        self.num_global = num_global
        self.student = nn.Sequential(backbone, DINOHead(dim, out_dim, hidden_dim, bottleneck_dim))
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad_(False)

    def forward(self, views):
        if not self.training:
            with no_grad():
                return self.teacher[0](views)
        least = max(2, self.num_global)
        if not isinstance(views, (list, tuple)) or len(views) < least:
            raise ValueError(f"DINO: expected a list of at least {least} views (N, C, H, W) in training, got "
                             f"{len(views) if isinstance(views, (list, tuple)) else type(views).__name__}")
        with no_grad():
            teacher = self._scores(self.teacher, views[:self.num_global])
        return self._scores(self.student, views), teacher

    @staticmethod
    def _scores(network, views):
        """The scores of all views, those of neighbours of one size computed as one batch."""
        scores, group = [], []
        for view, following in zip(views, [*views[1:], None]):
            group.append(view)
            if following is None or following.shape != view.shape:
                scores += network(cat(group)).chunk(len(group))
                group = []
        return scores

    def update_teacher(self, momentum=0.996):
        """teacher <- momentum teacher + (1 - momentum) student, for all weights and buffers of numbers."""
        with no_grad():
            for slow, fast in zip(self.teacher.state_dict().values(), self.student.state_dict().values()):
                if slow.dtype.kind == "f":
                    slow.mul_(momentum).add_(fast * (1 - momentum))
                else:
                    slow.copy_(fast)


class DINOLoss(nn.Module):
    """loss(student scores, teacher scores): the mean cross-entropy of a view of the teacher and another of the student.

        p_t = softmax((t - center) / teacher_temp),  p_s = softmax(s / student_temp),  loss = -sum p_t log p_s

    In training `center` follows the mean of the teacher's scores: center <- m center + (1 - m) mean(t).
    """

    def __init__(self, out_dim, student_temp=0.1, teacher_temp=0.04, center_momentum=0.9):
        super().__init__()
        self.student_temp, self.teacher_temp, self.center_momentum = student_temp, teacher_temp, center_momentum
        self.register_buffer("center", zeros(1, out_dim))

    def forward(self, student, teacher):
        targets = [((t.detach() - self.center) / self.teacher_temp).softmax(-1) for t in teacher]
        losses = [-(p * F.log_softmax(s / self.student_temp, -1)).sum(-1).mean()
                  for i, p in enumerate(targets) for j, s in enumerate(student) if i != j]
        if not losses:
            raise ValueError(f"DINOLoss: expected at least two views, got {len(student)} of the student and "
                             f"{len(teacher)} of the teacher")
        if self.training:
            with no_grad():
                mean = cat(list(teacher)).mean(0, keepdim=True)
                self.center.copy_(self.center * self.center_momentum + mean * (1 - self.center_momentum))
        return sum(losses) / len(losses)


def _dino(patch_size, num_layers, num_heads, dim, image_size=224, in_channels=3, **options):
    backbone = VisionTransformer(image_size, patch_size, num_layers, num_heads, dim, 4 * dim, in_channels=in_channels)
    backbone.heads = nn.Identity()
    return DINO(backbone, dim, **options)


dino_vit_small = variant("dino_vit_small", _dino, 16, 12, 6, 384)
dino_small = variant("dino_small", _dino, 4, 4, 4, 64, image_size=32, out_dim=256, hidden_dim=128, bottleneck_dim=32,
                     input_size=SMALL)

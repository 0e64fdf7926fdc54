"""DeiT: a transformer that learns from a convolutional teacher.

The lecture's idea: ViT needs hundreds of millions of pictures because it must learn that neighbours belong together. A
convolutional network knows that by construction, and can pass it on: a second extra token, the distillation token, is
trained to say what the teacher says, while the class token is trained on the labels. The two learn different things, and
their mean is the answer. With it a million pictures are enough.

Source: H. Touvron et al., "Training data-efficient image transformers and distillation through attention" (2021).
The weights are named as in `vit`; files of the authors are read under their names.
"""
from .. import cat, nn, no_grad, zeros
from ..nn import functional as F
from .registry import variant
from .vit import VisionTransformer, rename


class DistilledVisionTransformer(VisionTransformer):
    """x (N, in_channels, image_size, image_size) -> in training two scores (N, num_classes), by the class token and by the
    distillation token; in evaluation their mean. Arguments as for VisionTransformer.

    With `need_weights=True` the attention of each layer comes as well; tokens 0 and 1 are the two extra ones.
    """

    def __init__(self, *args, num_classes=1000, **options):
        super().__init__(*args, num_classes=num_classes, extra_tokens=2, **options)
        self.distillation_token = nn.Parameter(nn.init.trunc_normal_(zeros(1, 1, self.hidden_dim), std=0.02))
        self.head_distillation = nn.Linear(self.hidden_dim, num_classes)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for head in (self.heads.head, self.head_distillation):
            nn.init.trunc_normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(self, x, need_weights=False):
        x = self.tokens(x)
        extra = [token.expand(x.shape[0], -1, -1) for token in (self.class_token, self.distillation_token)]
        x = self.encoder(cat([*extra, x], 1), need_weights)
        x, maps = x if need_weights else (x, None)
        y = self.heads(x[:, 0]), self.head_distillation(x[:, 1])
        if not self.training:
            y = (y[0] + y[1]) / 2
        return (y, maps) if need_weights else y


def distillation_loss(scores, target, teacher_scores, distillation_type="hard", alpha=0.5, tau=1.0):
    """The loss of two scores (N, C), by class and distillation token, given labels (N) and what a teacher scores (N, C).

        hard: (1 - alpha) CE(class, labels) + alpha CE(distillation, argmax teacher)
        soft: (1 - alpha) CE(class, labels) + alpha tau^2 KL(softmax(teacher / tau) || softmax(distillation / tau)),

    the latter per item and class. The teacher gets no gradient. ValueError for another type or where no pair is given.
    """
    if not isinstance(scores, (tuple, list)) or len(scores) != 2:
        raise ValueError("distillation_loss: scores must be the pair that a distilled model returns in training, got "
                         f"{type(scores).__name__}")
    if distillation_type not in ("hard", "soft"):
        raise ValueError(f"distillation_loss: distillation_type must be 'hard' or 'soft', got {distillation_type!r}")
    own, imitated = scores
    teacher = teacher_scores.detach()
    if distillation_type == "hard":
        learned = F.cross_entropy(imitated, teacher.argmax(1))
    else:
        learned = tau ** 2 / imitated.numel() * F.kl_div(F.log_softmax(imitated / tau, 1), F.log_softmax(teacher / tau, 1),
                                                         reduction="sum", log_target=True)
    return (1 - alpha) * F.cross_entropy(own, target) + alpha * learned


class DistillationLoss(nn.Module):
    """loss(inputs, scores, target): `distillation_loss` with the scores of the network `teacher` for `inputs`."""

    def __init__(self, teacher, distillation_type="hard", alpha=0.5, tau=1.0):
        super().__init__()
        self.teacher = teacher.eval()
        self.distillation_type, self.alpha, self.tau = distillation_type, alpha, tau

    def train(self, mode=True):
        """The teacher stays in evaluation."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, inputs, scores, target):
        with no_grad():
            teacher = self.teacher(inputs)
        return distillation_loss(scores, target, teacher, self.distillation_type, self.alpha, self.tau)


def _deit(patch_size, num_layers, num_heads, hidden_dim, image_size=224, **options):
    return DistilledVisionTransformer(image_size, patch_size, num_layers, num_heads, hidden_dim, 4 * hidden_dim, **options)


deit_tiny_distilled = variant("deit_tiny_distilled", _deit, 16, 12, 3, 192, rename=rename)
deit_small_distilled = variant("deit_small_distilled", _deit, 16, 12, 6, 384, rename=rename)
deit_base_distilled = variant("deit_base_distilled", _deit, 16, 12, 12, 768, rename=rename)
cifar_deit = variant("cifar_deit", _deit, 4, 6, 4, 128, image_size=32, num_classes=10)

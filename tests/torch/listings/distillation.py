"""Tricks of training: distillation, mixup, CutMix, label smoothing, an average of the weights, warm-up, clipping."""
import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH, CLASSES = (4, 3, 8, 8), 5


def net(width):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
                         nn.Flatten(), nn.Linear(4 * width, 5))


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.confidence, self.smoothing = 1. - smoothing, smoothing

    def forward(self, x, target):
        logprobs = F.log_softmax(x, dim=-1)
        nll_loss = -logprobs.gather(dim=-1, index=target.unsqueeze(1))
        nll_loss = nll_loss.squeeze(1)
        smooth_loss = -logprobs.mean(dim=-1)
        loss = self.confidence * nll_loss + self.smoothing * smooth_loss
        return loss.mean()


class ModelEMA:
    def __init__(self, model, decay=0.9):
        self.module = copy.deepcopy(model)
        self.module.eval()
        self.decay = decay
        for p in self.module.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        for ema_v, model_v in zip(self.module.state_dict().values(), model.state_dict().values()):
            if torch.is_floating_point(ema_v):
                ema_v.copy_(self.decay * ema_v + (1. - self.decay) * model_v)
            else:
                ema_v.copy_(model_v)


def mixup_data(x, y, lam, index):
    mixed_x = lam * x + (1 - lam) * x[index, :]
    return mixed_x, y, y[index]


def rand_bbox(size, lam):
    W, H = size[2], size[3]
    cut_rat = np.sqrt(1. - lam)
    cut_w, cut_h = int(W * cut_rat), int(H * cut_rat)
    cx, cy = W // 2, H // 3
    return (int(np.clip(cx - cut_w // 2, 0, W)), int(np.clip(cy - cut_h // 2, 0, H)),
            int(np.clip(cx + cut_w // 2, 0, W)), int(np.clip(cy + cut_h // 2, 0, H)))


def distillation_loss(y, labels, teacher_scores, T, alpha):
    return nn.KLDivLoss(reduction='batchmean')(F.log_softmax(y / T, dim=1), F.softmax(teacher_scores / T, dim=1)) * (
        T * T * 2.0 * alpha) + F.cross_entropy(y, labels) * (1. - alpha)


def build():
    return nn.ModuleDict({"teacher": net(8), "student": net(4)})


def train(models, loader):
    teacher, student = models["teacher"].eval(), models["student"]
    ema = ModelEMA(student)
    optimizer = torch.optim.SGD([{'params': student[0].parameters(), 'lr': 0.01}, {'params': student[1:].parameters()}],
                                lr=0.05, momentum=0.9)
    total = 6
    schedule = lambda t: t / 2 if t < 2 else 0.5 * (1 + math.cos(math.pi * (t - 2) / (total - 2)))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    criterion, smooth = nn.CrossEntropyLoss(), LabelSmoothingCrossEntropy()
    for epoch in range(2):
        for inputs, targets in loader:
            with torch.no_grad():
                teacher_scores = teacher(inputs)
            mixed, targets_a, targets_b = mixup_data(inputs, targets, 0.7, torch.arange(inputs.size(0) - 1, -1, -1))
            out = student(mixed)
            loss = 0.7 * criterion(out, targets_a) + (1 - 0.7) * criterion(out, targets_b)
            cut = inputs.clone()
            bbx1, bby1, bbx2, bby2 = rand_bbox(cut.size(), 0.6)
            cut[:, :, bbx1:bbx2, bby1:bby2] = inputs.flip(0)[:, :, bbx1:bbx2, bby1:bby2]
            loss = loss + smooth(student(cut), targets)
            loss += distillation_loss(student(inputs), targets, teacher_scores, T=4.0, alpha=0.7)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(student.parameters(), 0.5)
            optimizer.step()
            scheduler.step()
            ema.update(student)
            yield loss.item()
            yield float(norm)
            yield from scheduler.get_last_lr()
    yield ema.module(inputs).sum().item()
    yield sum(v.double().sum().item() for v in ema.module.state_dict().values())

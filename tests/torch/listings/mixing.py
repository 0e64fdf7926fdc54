"""Mixed pictures, a wide network that is started by the names of its classes, a teacher that is an average, two tasks."""
import math
from copy import deepcopy
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init

BATCH, CLASSES = (6, 3, 8, 8), 4


def conv_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        init.xavier_uniform_(m.weight, gain=math.sqrt(2))
        init.constant_(m.bias, 0)
    elif classname.find("BatchNorm") != -1:
        init.constant_(m.weight, 1)
        init.constant_(m.bias, 0)


class Wide(nn.Module):
    def __init__(self, in_planes, planes, dropout_rate=0.0, stride=1):
        super(Wide, self).__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, padding=1, bias=True)
        self.dropout = nn.Dropout(p=dropout_rate)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=stride, padding=1, bias=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=True))

    def forward(self, x):
        out = self.dropout(self.conv1(F.relu(self.bn1(x))))
        out = self.conv2(F.relu(self.bn2(out)))
        out += self.shortcut(x)
        return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        norm = partial(nn.GroupNorm, 2)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Wide(4, 8, 0.3, 2), Wide(8, 8), norm(8), nn.SiLU())
        self.cls, self.rot = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x):
        x = F.avg_pool2d(self.body(x), 4).view(x.size(0), -1)
        return self.cls(x), self.rot(x)


def mixup_data(x, y, lam):
    index = torch.arange(x.size(0) - 1, -1, -1)
    return lam * x + (1 - lam) * x[index, :], y, y[index]


def cutmix_data(x, y, lam):
    h, w = x.size()[-2:]
    size = int(h * math.sqrt(1.0 - lam)) // 2
    top, left, bottom, right = h // 2 - size, w // 2 - size, h // 2 + size, w // 2 + size
    index, x = x.flip(0), x.clone()
    x[:, :, top:bottom, left:right] = index[:, :, top:bottom, left:right]
    return x, y, y.flip(0), 1 - (bottom - top) * (right - left) / (h * w)


def one_hot_smooth(target, classes, eps=0.1):
    truth = torch.full((target.size(0), classes), eps / (classes - 1), dtype=torch.get_default_dtype())
    return truth.scatter_(1, target.data.unsqueeze(1), 1.0 - eps)


@torch.no_grad()
def update_teacher(student, teacher, alpha, step):
    alpha = min(1 - 1 / (step + 1), alpha)
    for theirs, ours in zip(teacher.parameters(), student.parameters()):
        theirs.data.mul_(alpha).add_(ours.data, alpha=1 - alpha)
    for theirs, ours in zip(teacher.buffers(), student.buffers()):
        theirs.copy_(ours)


def build():
    net = Net()
    net.apply(conv_init)
    return net


def train(model, loader):
    teacher = deepcopy(model)
    for p in teacher.parameters():
        p.detach_()
    decay = [p for n, p in model.named_parameters() if p.ndim > 1]
    rest = [p for n, p in model.named_parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: (i + 1) / 2 if i < 2 else 0.9 ** i)
    for step, (x, y) in enumerate(loader):
        if step % 2:
            mixed, y_a, y_b, lam = cutmix_data(x, y, 0.7)
        else:
            lam = 0.3
            mixed, y_a, y_b = map(torch.autograd.Variable, mixup_data(x, y, lam))
        turned = torch.cat([torch.rot90(x, k, (2, 3)) for k in range(4)])
        which = torch.arange(4).repeat_interleave(x.size(0))
        logits = model(mixed)[0]
        loss = lam * F.cross_entropy(logits, y_a) + (1 - lam) * F.cross_entropy(logits, y_b)
        loss = loss + 0.1 * F.cross_entropy(model(turned)[1], which)
        loss += torch.mean(torch.sum(-one_hot_smooth(y, 4) * F.log_softmax(logits, dim=1), dim=1))
        with torch.no_grad():
            soft = F.softmax(teacher(x)[0] / 3, dim=1)
        loss += F.kl_div(F.log_softmax(model(x)[0] / 3, dim=1), soft, reduction="batchmean") * 3 ** 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        scheduler.step()
        update_teacher(model, teacher, 0.99, step)
        predicted = logits.argmax(1)
        correct = lam * predicted.eq(y_a).cpu().sum().float() + (1 - lam) * predicted.eq(y_b).cpu().sum().float()
        yield loss.item()
        yield correct.item()
        yield scheduler.get_last_lr()[-1]
    teacher.eval()
    yield teacher(x)[0].abs().sum().item()

"""DenseNet: every layer sees the outputs of all before it, joined with torch.cat."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH, CLASSES = (3, 3, 16, 16), 5


class Bottleneck(nn.Module):
    def __init__(self, in_planes, growth_rate):
        super(Bottleneck, self).__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, 4 * growth_rate, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth_rate)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        out = torch.cat([out, x], 1)
        return out


class Transition(nn.Sequential):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        self.add_module('norm', nn.BatchNorm2d(in_planes))
        self.add_module('relu', nn.ReLU(inplace=True))
        self.add_module('conv', nn.Conv2d(in_planes, out_planes, kernel_size=1, bias=False))
        self.add_module('pool', nn.AvgPool2d(2))


class DenseNet(nn.Module):
    def __init__(self, nblocks=(2, 2), growth_rate=4, reduction=0.5, num_classes=5):
        super(DenseNet, self).__init__()
        num_planes = 2 * growth_rate
        self.conv1 = nn.Conv2d(3, num_planes, kernel_size=3, padding=1, bias=False)
        self.dense1 = self._make_dense_layers(num_planes, growth_rate, nblocks[0])
        num_planes += nblocks[0] * growth_rate
        out_planes = int(math.floor(num_planes * reduction))
        self.trans1 = Transition(num_planes, out_planes)
        self.dense2 = self._make_dense_layers(out_planes, growth_rate, nblocks[1])
        num_planes = out_planes + nblocks[1] * growth_rate
        self.bn = nn.BatchNorm2d(num_planes)
        self.linear = nn.Linear(num_planes, num_classes)

    def _make_dense_layers(self, in_planes, growth_rate, nblock):
        layers = []
        for i in range(nblock):
            layers.append(Bottleneck(in_planes + i * growth_rate, growth_rate))
        return nn.Sequential(*layers)

    def forward(self, x):
        out = self.trans1(self.dense1(self.conv1(x)))
        out = self.dense2(out)
        out = F.avg_pool2d(F.relu(self.bn(out)), 8)
        return self.linear(out.squeeze(-1).squeeze(-1))


def build():
    return DenseNet()


def train(model, loader):
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)
    best = 1e9
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, 'min', factor=0.5, patience=1)
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, reduction='mean')
            loss.backward()
            optimizer.step()
            best = min(best, loss.item())
            yield loss.item()
            scheduler.step(loss.item())
            yield optimizer.param_groups[0]['lr']
    yield best

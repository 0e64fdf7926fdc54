"""Inception modules with four branches and an auxiliary classifier, its gradients accumulated over two batches."""
import torch
from torch import nn
from torch.nn import functional as F

BATCH, CLASSES = (2, 3, 16, 16), 5


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    def __init__(self, in_planes, n1x1, n3x3red, n3x3, n5x5red, n5x5, pool_planes):
        super(Inception, self).__init__()
        self.b1 = BasicConv2d(in_planes, n1x1, kernel_size=1)
        self.b2 = nn.Sequential(BasicConv2d(in_planes, n3x3red, kernel_size=1),
                                BasicConv2d(n3x3red, n3x3, kernel_size=(1, 3), padding=(0, 1)),
                                BasicConv2d(n3x3, n3x3, kernel_size=(3, 1), padding=(1, 0)))
        self.b3 = nn.Sequential(BasicConv2d(in_planes, n5x5red, kernel_size=1),
                                BasicConv2d(n5x5red, n5x5, kernel_size=3, padding=2, dilation=2))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), BasicConv2d(in_planes, pool_planes, kernel_size=1))

    def forward(self, x):
        y1, y2, y3, y4 = self.b1(x), self.b2(x), self.b3(x), self.b4(x)
        return torch.cat([y1, y2, y3, y4], 1)


class GoogLeNet(nn.Module):
    def __init__(self, num_classes=5, aux_logits=True):
        super().__init__()
        self.pre_layers = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True),
                                        nn.LocalResponseNorm(5))
        self.a3 = Inception(8, 4, 4, 6, 2, 4, 4)
        self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.b3 = Inception(18, 4, 4, 6, 2, 4, 4)
        self.aux = nn.Linear(18 * 16, num_classes) if aux_logits else None
        self.linear = nn.Linear(18, num_classes)

    def forward(self, x):
        out = self.a3(self.pre_layers(x))
        aux = None
        if self.aux is not None and self.training:
            aux = self.aux(F.adaptive_avg_pool2d(out, (4, 4)).flatten(start_dim=1))
        out = self.b3(self.maxpool(out))
        out = self.linear(F.adaptive_max_pool2d(out, 1).flatten(1))
        return (out, aux) if self.training else out


def build():
    return GoogLeNet()


def train(model, loader, accumulation_steps=2):
    criterion = nn.CrossEntropyLoss(reduction='none', ignore_index=4)
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
    model.zero_grad()
    for i, (x, y) in enumerate(loader):
        out, aux = model(x)
        loss = criterion(out, y).sum() + 0.3 * criterion(aux, y).sum()
        loss = loss / accumulation_steps
        loss.backward()
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
        yield loss.item()
    model.eval()
    yield torch.softmax(model(x), dim=1).max().item()
    for child in model.children():
        yield len(list(child.parameters()))

"""MBConv with swish as a custom autograd Function, squeeze and excitation, and drop connect."""
import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH, CLASSES = (4, 3, 16, 16), 5


class SwishImplementation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i * torch.sigmoid(i)
        ctx.save_for_backward(i)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        i = ctx.saved_tensors[0]
        sigmoid_i = torch.sigmoid(i)
        return grad_output * (sigmoid_i * (1 + i * (1 - sigmoid_i)))


class MemoryEfficientSwish(nn.Module):
    def forward(self, x):
        return SwishImplementation.apply(x)


def swish(x):
    return x * x.sigmoid()


def drop_connect(x, drop_ratio):
    keep_ratio = 1.0 - drop_ratio
    random_tensor = keep_ratio
    random_tensor += torch.rand([x.shape[0], 1, 1, 1], dtype=x.dtype, device=x.device)
    binary_tensor = torch.floor(random_tensor)
    return x / keep_ratio * binary_tensor


class SE(nn.Module):
    def __init__(self, in_channels, se_channels):
        super(SE, self).__init__()
        self.se1 = nn.Conv2d(in_channels, se_channels, kernel_size=1, bias=True)
        self.se2 = nn.Conv2d(se_channels, in_channels, kernel_size=1, bias=True)

    def forward(self, x):
        out = F.adaptive_avg_pool2d(x, (1, 1))
        out = swish(self.se1(out))
        out = self.se2(out).sigmoid()
        out = x * out
        return out


class Block(nn.Module):
    def __init__(self, cin, cout, kernel_size, stride, expand=2, drop_rate=0.2):
        super(Block, self).__init__()
        self.drop_rate, channels = drop_rate, expand * cin
        self.conv1 = nn.Conv2d(cin, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, momentum=0.01, eps=1e-3)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size, stride, (1 if kernel_size == 3 else 2), groups=channels,
                               bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.se = SE(channels, int(cin * 0.5))
        self.conv3 = nn.Conv2d(channels, cout, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(cout)
        self.act = MemoryEfficientSwish()
        self.has_skip = (stride == 1) and (cin == cout)

    def forward(self, x):
        out = self.act(self.bn1(self.conv1(x)))
        out = swish(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.se(out)))
        if self.has_skip:
            if self.training and self.drop_rate > 0:
                out = drop_connect(out, self.drop_rate)
            out = out + x
        return out


class EfficientNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layers = nn.Sequential(*[Block(*c) for c in zip(*[cfg[k] for k in ('cin', 'cout', 'kernel', 'stride')])])
        self.linear = nn.Linear(cfg['cout'][-1], 5)

    def forward(self, x):
        out = swish(self.bn1(self.conv1(x)))
        out = self.layers(out)
        out = F.adaptive_avg_pool2d(out, 1)
        out = out.view(out.size(0), -1)
        out = F.dropout(out, p=0.0, training=self.training)
        return self.linear(out)


def build():
    return EfficientNet({'cin': [8, 8, 12], 'cout': [8, 12, 12], 'kernel': [3, 5, 3], 'stride': [1, 2, 1]})


def train(model, loader):
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            yield loss.item()

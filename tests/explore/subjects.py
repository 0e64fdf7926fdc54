"""Small networks to look at."""
import numpy as np

from tinycnn import manual_seed, nn
from tinycnn.data import Digits
from tinycnn.explore import Subject
from tinycnn.explore.subject import some
from tinycnn.nn import init


def sequential():
    """A network with each layer that the page has a view for."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 10))


class Residual(nn.Module):
    """A network with a skip, an average and a division."""

    def __init__(self):
        super().__init__()
        self.enter, self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.pool, self.mean, self.out = nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Linear(4, 10)

    def forward(self, x):
        x = self.enter(x).relu()
        return self.out(self.mean(self.pool(x + self.conv(x))).flatten(1)) / 2


class Attending(nn.Module):
    """A network that turns the rows of a picture into tokens, which look at each other."""

    def __init__(self):
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = self.norm(x[:, 0])
        return self.out((x + self.attention(x, x, x, need_weights=False)[0]).flatten(1))


def digits(model, seed=0):
    """A Subject with the 8x8 digits and random weights, running statistics too."""
    manual_seed(seed)
    model, chance = model(), np.random.default_rng(seed)
    for p in model.parameters():
        if p.ndim > 1:
            init.kaiming_normal_(p)
        else:
            p.array[...] = chance.normal(0.1, 0.3, p.shape)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.array[...] = chance.uniform(0.3, 1.5, buffer.shape)
    return Subject(type(model).__name__, model, Digits.FORMAT, list(map(str, range(10))), "digits",
                   some(Digits("test"), 20), some(Digits("train"), 320))

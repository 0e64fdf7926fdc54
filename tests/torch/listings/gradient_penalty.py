"""WGAN-GP: the gradient of the critic with respect to images is itself differentiated; a MAML-like inner step; R1."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import autograd

BATCH, CLASSES = (4, 1, 8, 8), 2


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 3, 2, 1), nn.InstanceNorm2d(8),
                                 nn.Softplus(), nn.Flatten(), nn.Linear(32, 1))

    def forward(self, x):
        return self.net(x).squeeze(1)


class Cube(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return grad * 3 * x ** 2


def compute_gradient_penalty(D, real_samples, fake_samples):
    alpha = torch.rand(real_samples.size(0), 1, 1, 1)
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones(real_samples.shape[0], requires_grad=False)
    gradients = autograd.grad(outputs=d_interpolates, inputs=interpolates, grad_outputs=fake, create_graph=True,
                              retain_graph=True, only_inputs=True)[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def build():
    return nn.ModuleDict({"D": Critic(), "learner": nn.Linear(64, 2)})


def train(models, loader):
    D, learner = models["D"], models["learner"]
    optimizer = torch.optim.SGD(models.parameters(), lr=1e-2, momentum=0.5)
    for real, y in loader:
        fake = torch.randn_like(real)
        penalty = compute_gradient_penalty(D, real.data, fake.data)
        loss = -D(real).mean() + D(fake).mean() + 10 * penalty
        real.requires_grad_()
        grad_real = torch.autograd.grad(D(real).sum(), real, create_graph=True)[0]
        r1 = grad_real.pow(2).reshape(len(real), -1).sum(1).mean()
        x = real.detach().flatten(1)
        inner = F.cross_entropy(learner(x), y)
        w, b = torch.autograd.grad(inner, list(learner.parameters()), create_graph=True)
        outer = F.cross_entropy(F.linear(x, learner.weight - 0.4 * w, learner.bias - 0.4 * b), y)
        z = torch.linspace(-1, 1, 5).requires_grad_()
        first, = torch.autograd.grad(Cube.apply(z).sum(), z, create_graph=True)
        second, = torch.autograd.grad(first.sum(), z)
        optimizer.zero_grad()
        (loss + 0.5 * r1 + outer).backward()
        optimizer.step()
        yield from (penalty.item(), loss.item(), r1.item(), outer.item(), second.abs().sum().item())

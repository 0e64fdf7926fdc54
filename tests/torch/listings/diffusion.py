"""A small diffusion model: schedules by cumprod, time embeddings, a network that predicts noise, and sampling."""
import math

import torch
import torch.nn.functional as F
from torch import nn

BATCH, CLASSES = (4, 1, 8, 8), 2
T = 10


class SinusoidalPositionEmbeddings(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, time):
        half_dim = self.dim // 2
        embeddings = math.log(10000) / (half_dim - 1)
        embeddings = torch.exp(torch.arange(half_dim, device=time.device) * -embeddings)
        embeddings = time[:, None] * embeddings[None, :]
        return torch.cat((embeddings.sin(), embeddings.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, cin, cout, time_dim):
        super().__init__()
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, 2 * cout))
        self.conv, self.norm = nn.Conv2d(cin, cout, 3, padding=1), nn.GroupNorm(2, cout)

    def forward(self, x, t):
        scale, shift = self.time(t)[(...,) + (None,) * 2].chunk(2, dim=1)
        return F.silu(self.norm(self.conv(x)) * (scale + 1) + shift)


class Net(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.time_mlp = nn.Sequential(SinusoidalPositionEmbeddings(dim), nn.Linear(dim, dim), nn.ReLU())
        self.down, self.up, self.out = Block(1, 8, dim), Block(8, 8, dim), nn.Conv2d(8, 1, 1)

    def forward(self, x, timestep):
        t = self.time_mlp(timestep)
        return self.out(self.up(self.down(x, t), t))


betas = torch.linspace(start=0.0001, end=0.02, steps=T)
alphas = 1. - betas
alphas_cumprod = torch.cumprod(alphas, axis=0)
alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
sqrt_alphas_cumprod = torch.sqrt(alphas_cumprod)
sqrt_one_minus_alphas_cumprod = torch.sqrt(1. - alphas_cumprod)
posterior_variance = betas * (1. - alphas_cumprod_prev) / (1. - alphas_cumprod)


def get_index_from_list(vals, t, x_shape):
    batch_size = t.shape[0]
    out = vals.gather(-1, t.cpu())
    return out.reshape(batch_size, *((1,) * (len(x_shape) - 1))).to(t.device)


def forward_diffusion_sample(x_0, t):
    noise = torch.randn_like(x_0)
    return (get_index_from_list(sqrt_alphas_cumprod, t, x_0.shape) * x_0
            + get_index_from_list(sqrt_one_minus_alphas_cumprod, t, x_0.shape) * noise, noise)


@torch.no_grad()
def sample_timestep(model, x, t):
    betas_t = get_index_from_list(betas, t, x.shape)
    model_mean = torch.rsqrt(get_index_from_list(alphas, t, x.shape)) * (
        x - betas_t * model(x, t) / get_index_from_list(sqrt_one_minus_alphas_cumprod, t, x.shape))
    if t[0] == 0:
        return model_mean
    return model_mean + torch.sqrt(get_index_from_list(posterior_variance, t, x.shape)) * torch.randn_like(x)


def build():
    return Net()


def train(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step, (batch, _) in enumerate(loader):
        optimizer.zero_grad()
        t = torch.tensor([(step * 3 + i) % T for i in range(len(batch))]).long()
        x_noisy, noise = forward_diffusion_sample(batch, t)
        loss = F.l1_loss(noise, model(x_noisy, t)) + F.smooth_l1_loss(noise, model(x_noisy, t), beta=0.5)
        loss.backward()
        optimizer.step()
        yield loss.item()
    img = torch.randn((1, 1, 8, 8))
    for i in range(0, T)[::-1]:
        img = sample_timestep(model, img, torch.full((1,), i, dtype=torch.long))
        img = torch.clamp(img, -1.0, 1.0)
    yield img.mean().item()

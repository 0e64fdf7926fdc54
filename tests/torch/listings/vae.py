"""A variational autoencoder with binary cross entropy and the KL divergence, then a denoising autoencoder."""
import torch
from torch import nn, optim
from torch.nn import functional as F

BATCH, CLASSES = (4, 1, 8, 8), 2


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 20)
        self.fc21 = nn.Linear(20, 3)
        self.fc22 = nn.Linear(20, 3)
        self.fc3 = nn.Linear(3, 20)
        self.fc4 = nn.Linear(20, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction='sum')
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(),
                                     nn.Conv2d(4, 8, 3, stride=2, padding=1))
        self.decoder = nn.Sequential(nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
                                     nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True),
                                     nn.Conv2d(4, 1, 3, padding=1, padding_mode='reflect'), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def build():
    return nn.ModuleList([VAE(), Autoencoder()])


def train(models, loader):
    vae, autoencoder = models
    optimizer = optim.Adam(vae.parameters(), lr=1e-2)
    for data, _ in loader:
        data = data.sigmoid()
        optimizer.zero_grad()
        recon_batch, mu, logvar = vae(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        optimizer.step()
        yield loss.item() / len(data)
    optimizer = optim.Adam(autoencoder.parameters(), lr=1e-2, weight_decay=1e-5, amsgrad=True)
    for data, _ in loader:
        data = data.sigmoid()
        noisy = (data + 0.2 * torch.randn(*data.shape)).clamp(0., 1.)
        loss = nn.MSELoss()(autoencoder(noisy), data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
    with torch.no_grad():
        yield vae.decode(torch.randn(2, 3)).cpu().view(2, 1, 8, 8).sum().item()

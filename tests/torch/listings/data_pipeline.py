"""A data set of one's own, random_split, loaders with options, a Trainer class with checkpoints, and early stopping."""
import copy
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

BATCH, CLASSES = (6, 1, 5, 5), 3


class ShapesDataset(Dataset):
    def __init__(self, n=20, transform=None):
        rng = np.random.RandomState(0)
        self.images = rng.rand(n, 5, 5).astype(np.float64)
        self.labels = rng.randint(0, 3, n)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        image = torch.from_numpy(self.images[idx]).unsqueeze(0)
        if self.transform:
            image = self.transform(image)
        return image, int(self.labels[idx])


def build():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))


class Trainer:
    def __init__(self, model, optimizer, criterion, folder):
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.path, self.best = os.path.join(folder, "checkpoint.pth"), float("inf")

    def save(self, epoch):
        torch.save({'epoch': epoch, 'model_state_dict': self.model.state_dict(),
                    'optimizer_state_dict': self.optimizer.state_dict(), 'best': self.best}, self.path)

    def load(self):
        checkpoint = torch.load(self.path, map_location="cpu")
        self.model.load_state_dict(checkpoint['model_state_dict'])
        self.optimizer.load_state_dict(checkpoint['optimizer_state_dict'])
        return checkpoint['epoch']

    def run(self, loader, train=True):
        self.model.train(train)
        total = 0.0
        with torch.set_grad_enabled(train):
            for x, y in loader:
                loss = self.criterion(self.model(x), y)
                if train:
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                total += loss.item() * x.size(0)
        return total / len(loader.dataset)


def train(model, loader):
    dataset = ShapesDataset(transform=lambda im: (im - 0.5) / 0.25)
    train_set, val_set = Subset(dataset, range(14)), Subset(dataset, range(14, 20))
    train_loader = DataLoader(train_set, batch_size=4, shuffle=False, num_workers=0, pin_memory=False, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=4)
    yield len(train_loader)
    yield len(val_loader)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, torch.optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), folder)
        for epoch in range(3):
            yield trainer.run(train_loader)
            val_loss = trainer.run(val_loader, train=False)
            yield val_loss
            if val_loss < trainer.best:
                trainer.best = val_loss
                trainer.save(epoch)
        best_model_wts = copy.deepcopy(model.state_dict())
        yield trainer.load()
        yield trainer.run(train_loader)
        model.load_state_dict(best_model_wts)
    pairs = TensorDataset(torch.arange(10.).view(5, 2), torch.arange(5))
    for a, b in DataLoader(ConcatDataset([pairs, pairs]), batch_size=3):
        yield (a.sum() + b.sum()).item()
    shuffled = DataLoader(pairs, batch_size=2, shuffle=True, pin_memory=True)
    yield sum(b.sum().item() for _, b in shuffled)
    x, y = next(iter(val_loader))
    yield x.shape == (4, 1, 5, 5) and y.dtype == torch.int64
    collated = DataLoader(dataset, batch_size=5, collate_fn=lambda batch: (torch.stack([b[0] for b in batch]), len(batch)))
    yield sum(n for _, n in collated)

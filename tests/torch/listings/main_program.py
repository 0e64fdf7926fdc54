"""A program with a command line: devices, scaler and autocast switched off, meters, a checkpoint saved and loaded."""
import argparse
import io
import os

import torch
import torch.backends.cudnn as cudnn
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torch.utils.data
from torch.amp import GradScaler

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None

BATCH, CLASSES = (6, 3, 12, 12), 7


def parse(words):
    parser = argparse.ArgumentParser(description="a classifier")
    parser.add_argument("--lr", default=0.05, type=float)
    parser.add_argument("--no-cuda", action="store_true", default=False)
    parser.add_argument("--workers", type=int, default=mp.cpu_count())
    parser.add_argument("--amp", action="store_true")
    return parser.parse_args(words)


def choose_device(args):
    if torch.accelerator.is_available() and not args.no_cuda:
        return torch.accelerator.current_accelerator()
    if torch.cuda.is_available() and not args.no_cuda:
        return torch.device("cuda:0")
    if torch.backends.mps.is_available() and not args.no_cuda:
        return torch.device("mps")
    return torch.device("cpu")


args = parse(["--lr", "0.1", "--no-cuda"])
device = choose_device(args)
rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        _, order = output.topk(max(topk), 1, True, True)
        hits = order.t().eq(target.view(1, -1).expand_as(order.t()))
        return [hits[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0)) for k in topk]


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.head = nn.Linear(200, CLASSES)

    def forward(self, x):
        return self.head(torch.flatten(self.features(x), 1))


def build():
    cudnn.benchmark = True
    model = torch.nn.DataParallel(Net())
    return model.to(device)


def train(model, loader):
    criterion = nn.CrossEntropyLoss().to(device)
    optimizer = optim.SGD(model.parameters(), args.lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 2], gamma=0.1)
    scaler = GradScaler(device.type, enabled=args.amp)
    losses, top1, top5 = AverageMeter(), AverageMeter(), AverageMeter()
    for epoch in range(3):
        model.train()
        correct = total = 0
        for batch_idx, (inputs, targets) in enumerate(loader):
            inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device_type=device.type, enabled=args.amp):
                outputs = model(inputs)
                loss = criterion(outputs, targets)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            scaler.step(optimizer)
            scaler.update()
            _, predicted = outputs.max(1)
            total += targets.size(0)
            correct += predicted.eq(targets).sum().item()
            prec1, prec5 = accuracy(outputs.data, targets, topk=(1, 5))
            losses.update(loss.item(), inputs.size(0))
            top1.update(prec1[0], inputs.size(0))
            top5.update(prec5.item(), inputs.size(0))
        scheduler.step()
        file = io.BytesIO()
        torch.save({"epoch": epoch + 1, "arch": "net", "state_dict": model.state_dict(), "best": top1.avg,
                    "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}, file)
        file.seek(0)
        checkpoint = torch.load(file, map_location=device)
        model.load_state_dict(checkpoint["state_dict"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        scaler.load_state_dict(checkpoint["scaler"])
        assert checkpoint["epoch"] == epoch + 1 and not os.path.exists("checkpoint")
        yield losses.avg
        yield 100. * correct / total
        yield float(max(checkpoint["best"], 0.0))
        yield top5.avg
        yield scheduler.get_last_lr()[0] + optimizer.param_groups[0]["lr"] + rank + scaler.get_scale()
    model.eval()
    with torch.inference_mode():
        for data, target in loader:
            output = F.log_softmax(model(data), dim=1)
            pred = output.argmax(dim=1, keepdim=True)
            yield F.nll_loss(output, target, reduction="sum").item() + pred.eq(target.view_as(pred)).sum().item()

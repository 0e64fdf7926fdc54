"""What a guide to faster training adds to a loop: it changes how fast the loop is, or says that it does not."""
import warnings

import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).to(memory_format=torch.channels_last)
net.compile()
x = torch.ones(2, 3, 8, 8).to(memory_format=torch.channels_last)
x = x.clone(memory_format=torch.preserve_format).contiguous(memory_format=torch.contiguous_format)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    scaler = torch.cuda.amp.GradScaler(enabled=torch.cuda.is_available())
    with torch.autocast("cuda", enabled=torch.cuda.is_available()):
        loss = net(x).pow(2).mean()
scaler.scale(loss).backward()
print(net[0].weight.grad.dtype == torch.float32, torch.is_autocast_enabled(), torch.float32 == torch.bfloat16)

# prints
# True False False

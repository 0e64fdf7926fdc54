"""The course saves the network itself, and loads it where its class is known."""
import io

import torch
from torch import nn


class Net(nn.Module):
    """A small network."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x):
        return self.layers(x)


torch.manual_seed(0)
net, x, file = Net().eval(), torch.ones(2, 3), io.BytesIO()
torch.save(net, file)
file.seek(0)
try:
    torch.load(file, weights_only=True)
except Exception as error:
    print("refused:", "weights_only" in str(error), "safe_globals" in str(error))
file.seek(0)
again = torch.load(file, weights_only=False)
print(type(again).__name__, torch.equal(again(x), net(x)), again.training)

# prints
# refused: True True
# Net True False

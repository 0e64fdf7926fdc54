"""Looking classes up by their names, as a configuration file does."""
import inspect

import torch
from torch.optim import lr_scheduler

schedulers = sorted(name for name, value in vars(lr_scheduler).items() if inspect.isclass(value)
                    and value.__module__ == lr_scheduler.__name__ and name.endswith("LR"))
print("StepLR" in schedulers, "MultiStepLR" in schedulers, torch.torch is torch, torch.typename(torch.ones(2)))
optimizer = getattr(torch.optim, "SGD")(torch.nn.Linear(2, 2).parameters(), lr=0.1)
print(type(optimizer).__name__, type(lr_scheduler.StepLR(optimizer, 2)).__name__, type(torch.ones(1)).__name__)

# prints
# True True True torch.FloatTensor
# SGD StepLR Tensor

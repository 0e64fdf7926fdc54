"""A picture is shown: NumPy's functions are applied to a tensor, and what comes back is one again."""
import warnings

import numpy as np
import torch

warnings.simplefilter("ignore")
picture = torch.arange(12.0).reshape(3, 2, 2) / 10
shown = np.transpose(np.clip(picture, 0.2, 0.8), (1, 2, 0))
print(type(shown).__name__, tuple(shown.shape), round(float(shown[0, 0, 2]), 3))
print(type(np.exp(picture)).__name__, type(np.add(np.ones(3), torch.ones(3))).__name__)
print(type(np.concatenate([picture, picture])).__name__, np.asarray(picture).sum().round(3))
weight = torch.ones(2, requires_grad=True)
try:
    np.exp(weight)
except RuntimeError as error:
    print("numpy" in str(error), "detach" in str(error))

# prints
# Tensor (2, 2, 3) 0.8
# Tensor Tensor
# ndarray 6.6
# True True

"""An old tutorial counts with range, whose end belongs to it."""
import warnings

import torch

warnings.simplefilter("ignore")
print(torch.range(0, 3).tolist(), torch.range(1, 2, 0.5).tolist(), torch.range(3, 1, -1).dtype == torch.float32)

# prints
# [0.0, 1.0, 2.0, 3.0] [1.0, 1.5, 2.0] True

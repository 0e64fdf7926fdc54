"""The layer as slides from 2017 write it: the dimension is left to the library, which warns."""
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

scores = torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    p = nn.Softmax()(scores)
    q = F.log_softmax(scores[0]).exp()
    r = F.softmin(torch.zeros(2, 4, 4))
print([round(v, 3) for v in p.sum(1).tolist()], round(q.sum().item(), 3), r[:, 0, 0].tolist(), len(caught))

# prints
# [1.0, 1.0] 1.0 [0.5, 0.5] 3

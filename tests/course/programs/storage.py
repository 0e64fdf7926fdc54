"""The chapter on memory: a tensor is a storage with an offset, a size and strides."""
import warnings

import torch

warnings.simplefilter("ignore")
points = torch.tensor([[4.0, 1.0], [5.0, 3.0], [2.0, 1.0]])
row, turned = points[1], points.t()
print(row.storage_offset(), tuple(row.size()), row.stride() == (1,), list(points.storage()), len(row.storage()))
print(turned.storage().data_ptr() == points.storage().data_ptr(), turned.is_contiguous(), turned.contiguous().stride())
points.storage()[0] = 7.0
print(turned[0, 0].item(), points.storage()[5], points.untyped_storage().nbytes())
row.storage()[2] = -1.0
print(row.tolist(), points.numel() == points.storage().size())

# prints
# 2 (2,) True [4.0, 1.0, 5.0, 3.0, 2.0, 1.0] 6
# True False (3, 1)
# 7.0 1.0 24
# [-1.0, 3.0] True

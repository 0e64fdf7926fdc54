"""Another shape for the same memory, and another memory for the same tensor."""
import torch

x = torch.arange(8.0).reshape(2, 4)
x.resize_(4, 2)
print(x.tolist())
x.resize_(3)
print(x.tolist(), x.resize_(2, 5).shape[1])
y = torch.zeros(2)
y.set_(torch.tensor([5.0, 6.0, 7.0]))
z = torch.empty(0).set_(y.storage(), 1, (2,), (1,))
print(y.tolist(), z.tolist(), torch.zeros(2, 2).resize_as_(torch.ones(4)).tolist())

# prints
# [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
# [0.0, 1.0, 2.0] 5
# [5.0, 6.0, 7.0] [6.0, 7.0] [0.0, 0.0, 0.0, 0.0]

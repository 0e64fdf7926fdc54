"""Regression in closed form, and principal components."""
import torch

x = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]], dtype=torch.float64)
y = torch.tensor([[3.1], [4.9], [7.2], [8.8]], dtype=torch.float64)
w = torch.linalg.lstsq(x, y).solution
print([round(v, 4) for v in w.flatten().tolist()], [round(v, 4) for v in (torch.linalg.pinv(x) @ y).flatten().tolist()])
centred = x - x.mean(0)
u, s, v = torch.svd(centred)
print([round(value, 4) for value in s.tolist()], torch.allclose(u @ torch.diag(s) @ v.t(), centred))
x.requires_grad_()
torch.linalg.svdvals(x).sum().backward()
print([round(value, 4) for value in x.grad.sum(0).tolist()])

# prints
# [1.15, 1.94] [1.15, 1.94]
# [2.2361, 0.0] True
# [1.2928, 1.526]

"""A lesson on memory: the result is written into a tensor that is there already."""
import torch

x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
result = torch.empty(2)
print(torch.add(x, y, out=result) is result, result.tolist())
torch.mul(x, y, out=result)
grown = torch.empty(0)
torch.cat([x, y], out=grown)
values, places = torch.empty(0), torch.empty(0, dtype=torch.long)
torch.max(torch.stack([x, y]), dim=1, out=(values, places))
print(result.tolist(), grown.tolist(), values.tolist(), places.tolist())
torch.ones(2, out=result)
weight = torch.ones(2, requires_grad=True)
try:
    torch.add(weight, y, out=result)
except RuntimeError as error:
    print("out" in str(error), result.tolist())
with torch.no_grad():
    print(torch.matmul(weight, y, out=torch.empty(())).item())

# prints
# True [4.0, 7.0]
# [3.0, 10.0] [1.0, 2.0, 3.0, 5.0] [2.0, 5.0] [1, 1]
# True [1.0, 1.0]
# 8.0

"""Somebody who comes from NumPy says axis and keepdims."""
import torch

a, b = torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[4.0, 6.0, 5.0]])
both = torch.cat([a, b], axis=0)
print(tuple(torch.stack([a, b], axis=1).shape), both.softmax(axis=1).argmax(axis=1).tolist())
print(torch.sort(both, axis=1).values.tolist(), both.squeeze(axis=0).shape[0], both.unsqueeze(axis=0).ndim)
print([tuple(part.shape) for part in both.chunk(2, axis=0)], len(torch.unbind(both, axis=1)))
print(torch.index_select(both, axis=1, index=torch.tensor([2, 0])).tolist())
print(both.sum(axis=1, keepdims=True).tolist(), torch.max(both, axis=0).values.tolist(), torch.add(x1=a, x2=b).tolist())
print(both.mean(axis=(0, 1)).item(), torch.cumsum(both, axis=1)[0].tolist(), torch.topk(both, 1, axis=1).indices.tolist())

# prints
# (1, 2, 3) [0, 1]
# [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] 2 3
# [(1, 3), (1, 3)] 3
# [[2.0, 3.0], [5.0, 4.0]]
# [[6.0], [15.0]] [4.0, 6.0, 5.0] [[7.0, 7.0, 7.0]]
# 3.5 [3.0, 4.0, 6.0] [[0], [1]]

"""A network as a function of its parameters, and derivatives of functions."""
import torch
from torch.func import functional_call, grad, grad_and_value, hessian, jacrev, vjp

net = torch.nn.Linear(2, 1)
parameters = {"weight": torch.tensor([[1.0, -2.0]]), "bias": torch.tensor([0.5])}
x, y = torch.tensor([[1.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0], [1.0]])


def loss(parameters, x, y):
    return ((functional_call(net, parameters, (x,)) - y) ** 2).mean()


gradients, value = grad_and_value(loss)(parameters, x, y)
print(gradients["weight"].tolist(), gradients["bias"].tolist(), value.item(), gradients["bias"].requires_grad)
print(grad(grad(lambda t: t ** 3))(torch.tensor(2.0)).item(), jacrev(lambda t: t ** 2)(torch.tensor([1.0, 3.0])).tolist())
print(hessian(lambda t: (t[0] * t[1] ** 2).sum())(torch.tensor([1.0, 2.0])).tolist())
value, back = vjp(lambda t: t.sin(), torch.zeros(2))
print(value.tolist(), back(torch.tensor([1.0, 2.0]))[0].tolist())

# prints
# [[2.5, -0.5]] [1.0] 1.25 False
# 12.0 [[2.0, 0.0], [0.0, 6.0]]
# [[0.0, 4.0], [4.0, 2.0]]
# [0.0, 0.0] [1.0, 2.0]

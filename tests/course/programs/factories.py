"""Weights by hand: every function that makes a tensor knows dtype, device and requires_grad."""
import torch

made = [torch.normal(0, 0.01, size=(2, 3), requires_grad=True), torch.randn(2, 3, requires_grad=True),
        torch.zeros((2, 3), dtype=torch.float64, requires_grad=True), torch.full((2, 3), 1.5, requires_grad=True),
        torch.eye(2, 3, device="cpu", requires_grad=True), torch.rand(size=(2, 3), requires_grad=True),
        torch.randint(0, 9, (2, 3), dtype=torch.float32, requires_grad=True),
        torch.linspace(0, 1, 6, requires_grad=True), torch.ones_like(torch.ones(2, 3), requires_grad=True),
        torch.normal(torch.zeros(2, 3), torch.ones(2, 3))]
print([x.requires_grad and x.is_leaf for x in made], made[2].element_size(), torch.randperm(4, requires_grad=False).shape[0])

# prints
# [True, True, True, True, True, True, True, True, True, False] 8 4

"""The sampling step of a variational autoencoder, in place: noise is a constant, its factor is learned."""
import torch

torch.manual_seed(0)
mean, log_variance = torch.zeros(4, requires_grad=True), torch.full((4,), -1.0, requires_grad=True)
std = (0.5 * log_variance).exp()
noise = torch.tensor([1.0, -2.0, 0.5, 3.0])
kept = noise.clone()
z = noise.mul_(std).add_(mean)
z.sum().backward()
print(mean.grad.tolist(), torch.allclose(log_variance.grad, 0.5 * kept * std.detach()), noise.is_leaf)

# prints
# [1.0, 1.0, 1.0, 1.0] True False

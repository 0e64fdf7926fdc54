"""Which pixels speak for a class: activations and gradients that hooks catch, guided gradients; weights masked away."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Function

BATCH, CLASSES = (3, 3, 16, 16), 5


class Caught:
    """Activations of some layers on the way forth, their gradients on the way back."""

    def __init__(self, model, layers):
        self.activations, self.gradients = [], []
        self.model = model
        self.handles = [layer.register_forward_hook(self.forth) for layer in layers]

    def forth(self, module, inputs, output):
        self.activations.append(output.cpu().detach())
        if hasattr(output, "requires_grad") and output.requires_grad:
            output.register_hook(lambda grad: self.gradients.insert(0, grad.cpu().detach()))

    def __call__(self, x):
        self.activations, self.gradients = [], []
        return self.model(x)

    def release(self):
        for handle in self.handles:
            handle.remove()


class GuidedReLU(Function):
    @staticmethod
    def forward(self, x):
        mask = (x > 0).type_as(x)
        y = torch.addcmul(torch.zeros(x.size()).type_as(x), x, mask)
        self.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(self, grad_output):
        x, y = self.saved_tensors
        positive = (x > 0).type_as(grad_output)
        agreed = (grad_output > 0).type_as(grad_output)
        zeros = torch.zeros(x.size()).type_as(x)
        return torch.addcmul(zeros, torch.addcmul(zeros, grad_output, positive), agreed)


class GuidedModule(nn.Module):
    def forward(self, x):
        return GuidedReLU.apply(x)


def replaced(module, kind, make):
    for name, child in module.named_children():
        if isinstance(child, kind):
            module._modules[name] = make()
        else:
            replaced(child, kind, make)
    return module


def build():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()), nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten(),
                         nn.Linear(32, 5))


def train(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    masks = {name: (p.abs() > p.abs().flatten().kthvalue(p.numel() // 2).values).to(p.dtype)
             for name, p in model.named_parameters() if p.dim() > 1}
    for x, y in loader:
        for name, p in model.named_parameters():
            if name in masks:
                p.data.mul_(masks[name])
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        for name, p in model.named_parameters():
            if name in masks:
                p.grad.mul_(masks[name])
        optimizer.step()
        yield loss.item()
    yield sum((p == 0).sum().item() for p in model.parameters()) / sum(p.numel() for p in model.parameters())
    model.eval()
    caught = Caught(model, [model[0], model[3]])
    scores = caught(x)
    model.zero_grad()
    scores[torch.arange(len(y)), y].sum().backward(retain_graph=True)
    caught.release()
    for activation, gradient in zip(caught.activations, caught.gradients):
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        cam = F.relu((weights * activation).sum(dim=1, keepdim=True))
        cam = F.interpolate(cam, size=x.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        cam = cam - cam.amin(dim=(1, 2), keepdim=True)
        cam = cam / (1e-7 + cam.amax(dim=(1, 2), keepdim=True))
        yield from cam.numpy()[:, ::5, ::5].flatten().tolist()
    guided = replaced(model, nn.ReLU, GuidedModule)
    pixels = x.detach().requires_grad_(True)
    output = guided(pixels)
    output[0][int(y[0])].backward(retain_graph=True)
    yield pixels.grad.cpu().data.numpy()[0].std()
    replaced(model, GuidedModule, nn.ReLU)

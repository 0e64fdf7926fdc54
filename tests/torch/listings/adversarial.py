"""Gradients with respect to the image: FGSM, projected steps, saliency, and Grad-CAM with hooks."""
import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH, CLASSES = (3, 1, 10, 10), 4


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = self.features(x)
        x = F.avg_pool2d(x, kernel_size=x.size()[2:]).squeeze()
        return F.log_softmax(self.fc(x), dim=1)


def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    perturbed_image = torch.clamp(perturbed_image, 0, 1)
    return perturbed_image


def pgd(model, x, y, eps=0.3, alpha=0.1, steps=3):
    adv = x.clone().detach()
    for _ in range(steps):
        adv.requires_grad = True
        loss = F.nll_loss(model(adv), y)
        grad = torch.autograd.grad(loss, adv, retain_graph=False, create_graph=False)[0]
        adv = adv.detach() + alpha * grad.sign()
        delta = torch.clamp(adv - x, min=-eps, max=eps)
        adv = torch.clamp(x + delta, min=0, max=1).detach()
    return adv


def build():
    return Net()


def train(model, loader):
    model.eval()
    for data, target in loader:
        data = data.sigmoid()
        data.requires_grad = True
        output = model(data)
        init_pred = output.max(1, keepdim=True)[1]
        loss = F.nll_loss(output, target)
        model.zero_grad()
        loss.backward()
        data_grad = data.grad.data
        perturbed = fgsm_attack(data, 0.1, data_grad)
        final = model(perturbed)
        yield loss.item()
        yield F.nll_loss(final, target).item()
        yield final.max(1, keepdim=True)[1].eq(init_pred).sum().item()
        yield F.nll_loss(model(pgd(model, data.detach(), target)), target).item()
        saliency, _ = torch.max(data.grad.data.abs(), dim=1)
        yield saliency.max().item()

    activations, gradients = {}, {}
    layer = model.features[2]
    forward = layer.register_forward_hook(lambda m, i, o: activations.update(value=o))
    backward = layer.register_full_backward_hook(lambda m, gi, go: gradients.update(value=go[0]))
    score = model(data)[:, 1].sum()
    score.backward()
    b, k, u, v = gradients["value"].size()
    alpha = gradients["value"].view(b, k, -1).mean(2)
    weights = alpha.view(b, k, 1, 1)
    saliency_map = F.relu((weights * activations["value"]).sum(1, keepdim=True))
    saliency_map = F.interpolate(saliency_map, size=(10, 10), mode='bilinear', align_corners=False)
    saliency_map_min, saliency_map_max = saliency_map.min(), saliency_map.max()
    yield (saliency_map - saliency_map_min).div(saliency_map_max - saliency_map_min + 1e-9).data.sum().item()
    forward.remove()
    backward.remove()

"""Where a network looks: what in a picture its answer depends on.

Each `..._map` returns an array (H, W), one number a pixel, and the function without `_map` draws it beside the picture. All
explain the score of one class before softmax, `target`, by default the class that the network prefers; `model` is used in
evaluation mode and left as it was.
"""
import contextlib

import numpy as np

from .. import nn
from ..engine.autograd import grad
from ..engine.arrays import to_numpy
from ..engine.grad_mode import enable_grad, no_grad
from ..nn import functional as F
from ..ops.creation import tensor
from .style import as_numpy, check_picture, new_figure, show


@contextlib.contextmanager
def evaluating(model):
    """Inside, `model` is in evaluation mode; afterwards every module is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def batch_of(model, pictures):
    """Pictures (N, C, H, W) as a Tensor of the dtype and on the device of the model."""
    first = next(model.parameters(), None)
    like = {} if first is None else dict(dtype=first.dtype, device=first.device)
    return tensor(pictures, **like)


# ---- saliency --------------------------------------------------------------------------------------------------------

def saliency_map(model, x, target=None):
    """How strongly each pixel of `x` (C, H, W) moves the score: |d score / d x|, the largest of the channels.

    Source: K. Simonyan, A. Vedaldi and A. Zisserman, Deep inside convolutional networks (2014).
    """
    with evaluating(model), enable_grad():
        x = batch_of(model, check_picture("saliency", x)[None]).requires_grad_()
        score, _ = _score(model(x), target)
        return np.abs(as_numpy(grad(score, x)[0])[0]).max(0)


def saliency(model, x, target=None, classes=None, ax=None):
    """`saliency_map` beside the picture. Returns the Figure; `ax` is a pair of axes to draw into."""
    return _draw(model, x, target, classes, ax, saliency_map(model, x, target), "gradient of the score", "Oranges", False)


# ---- occlusion -------------------------------------------------------------------------------------------------------

def occlusion_map(model, x, target=None, size=None, stride=None, fill=None):
    """How much the score falls when a patch around each pixel of `x` (C, H, W) is covered.

    The patch is `size` pixels wide (default: a fifth of the picture) and moves by `stride` (default: a quarter of that);
    `fill` is its colour (default: the mean of the picture). Pixels under several patches get the mean.
    Source: M. Zeiler and R. Fergus, Visualizing and understanding convolutional networks (2014).
    """
    x = check_picture("occlusion", x)
    height, width = x.shape[1:]
    size = size or max(2, min(height, width) // 5)
    stride = stride or max(1, size // 4)
    if not (1 <= size <= min(height, width) and stride >= 1):
        raise ValueError(f"occlusion: size must lie between 1 and {min(height, width)} and stride be at least 1, got {size} "
                         f"and {stride}")
    fill = x.mean((1, 2), keepdims=True) if fill is None else np.reshape(fill, (-1, 1, 1))
    tops, lefts = ([*range(0, side - size, stride), side - size] for side in (height, width))
    places = [(slice(top, top + size), slice(left, left + size)) for top in tops for left in lefts]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    with evaluating(model), no_grad():
        score, target = _score(model(batch_of(model, x[None])), target)
        for start in range(0, len(places), 64):
            some = places[start:start + 64]
            covered = np.repeat(x[None], len(some), 0)
            for picture, place in zip(covered, some):
                picture[:, *place] = np.broadcast_to(fill, x.shape)[:, *place]
            falls = score.item() - as_numpy(model(batch_of(model, covered)))[:, target]
            for fall, place in zip(falls, some):
                total[place] += fall
                count[place] += 1
    return total / count


def occlusion(model, x, target=None, classes=None, ax=None, **options):
    """`occlusion_map`, with its `options`, beside the picture. Returns the Figure; `ax` is a pair of axes."""
    values = occlusion_map(model, x, target, **options)
    return _draw(model, x, target, classes, ax, values, "fall of the score when covered", "PuOr_r", True)


# ---- Grad-CAM --------------------------------------------------------------------------------------------------------

def grad_cam_map(model, x, target=None, layer=None):
    """Which places of the maps of a convolution speak for the class, enlarged to the size of `x` (C, H, W).

    With A_k the maps of `layer` (a module or its name, by default the last convolution): relu(sum_k w_k A_k), where the
    weight w_k is the mean over all places of d score / d A_k.
    Source: R. Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization (2017).
    """
    picture = check_picture("grad_cam", x)
    maps = []
    handle = find_layer("grad_cam", model, layer).register_forward_hook(lambda module, inputs, output: maps.append(output))
    try:
        with evaluating(model), enable_grad():
            score, _ = _score(model(batch_of(model, picture[None]).requires_grad_()), target)
            if not maps or maps[-1].ndim != 4:
                raise ValueError("grad_cam: layer must give maps (N, K, H, W), got "
                                 f"{maps[-1].shape if maps else 'nothing: it does not run'}")
            weights = grad(score, maps[-1])[0].mean((2, 3), keepdim=True)
            cam = (weights * maps[-1].detach()).sum(1, keepdim=True).relu()
            return as_numpy(F.interpolate(cam, picture.shape[1:], mode="bilinear"))[0, 0]
    finally:
        handle.remove()


def grad_cam(model, x, target=None, layer=None, classes=None, ax=None):
    """`grad_cam_map` beside the picture. Returns the Figure; `ax` is a pair of axes to draw into."""
    values = grad_cam_map(model, x, target, layer)
    return _draw(model, x, target, classes, ax, values, "where the maps speak for it", "Oranges", False)


def find_layer(function, model, layer):
    """The module that `layer` means: itself, the one of that name, or for None the last 2-D convolution."""
    if isinstance(layer, nn.Module):
        return layer
    if layer is not None:
        return model.get_submodule(layer)
    found = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    if not found:
        raise ValueError(f"{function}: the model has no Conv2d; name a layer")
    return found[-1]


# ---- what they share -------------------------------------------------------------------------------------------------

def _score(scores, target):
    """(the score of the class `target`, a Tensor without dimensions; the number of that class)."""
    if scores.ndim != 2:
        raise ValueError(f"the model must return scores (N, K), got shape {scores.shape}")
    target = int(to_numpy(scores.array)[0].argmax()) if target is None else target
    if not 0 <= target < scores.shape[1]:
        raise ValueError(f"target must be one of the {scores.shape[1]} classes, got {target}")
    return scores[0, target], target


def _draw(model, x, target, classes, ax, values, label, colours, signed):
    """The picture, and beside it the map over a pale copy of it."""
    picture = check_picture("picture", x)
    with evaluating(model), no_grad():
        scores = model(batch_of(model, picture[None]))
        _, target = _score(scores, target)
        share = F.softmax(scores, 1)[0, target].item()
    if ax is None:
        ax = new_figure(6.4, 3.1).subplots(1, 2)
    name = target if classes is None else classes[target]
    show(ax[0], picture, title=f"{name}: {100 * share:.1f} %")
    grey = picture.mean(0, keepdims=True)
    show(ax[1], grey, title=label)
    top = np.abs(values).max() or 1
    limits = dict(vmin=-top, vmax=top) if signed else dict(vmin=0, vmax=top)
    drawn = ax[1].imshow(values, cmap=colours, alpha=0.8, **limits)
    bar = ax[1].figure.colorbar(drawn, ax=ax[1], shrink=0.85)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    return ax[0].figure

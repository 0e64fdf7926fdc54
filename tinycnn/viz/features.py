"""What the layers of a network make of a picture, and what they would like to see."""
import numpy as np

from .. import nn
from ..engine.autograd import grad
from ..engine.grad_mode import enable_grad, no_grad
from ..ops.creation import tensor
from ..engine.tensor import Tensor
from .explain import batch_of, evaluating, find_layer
from .style import as_numpy, bare, check_picture, new_figure, show


def feature_maps(model, x, layers=None, columns=8):
    """The picture `x` (C, H, W) and, row by row, the first `columns` maps that each layer makes of it.

    `layers` are the names of modules, by default all that give maps (1, K, H, W), of more than twelve the convolutions, of
    those at most twelve, evenly chosen. Every map has its own scale: white is its lowest value, black its highest.
    Returns the Figure.
    """
    picture = check_picture("feature_maps", x)
    names = {name: module for name, module in model.named_modules() if next(module.children(), None) is None}
    if layers is not None:
        names = {name: model.get_submodule(name) for name in layers}
    found, handles = {}, []
    for name, module in names.items():
        def note(module, inputs, output, name=name):
            if isinstance(output, Tensor) and output.ndim == 4:
                found[name] = as_numpy(output)[0].copy()
        handles.append(module.register_forward_hook(note))
    try:
        with evaluating(model), no_grad():
            model(batch_of(model, picture[None]))
    finally:
        for handle in handles:
            handle.remove()
    if layers is None and len(found) > 12:
        convolutions = [name for name in found if isinstance(names[name], nn.Conv2d)] or list(found)
        chosen = np.unique(np.linspace(0, len(convolutions) - 1, 12).round().astype(int))
        found = {convolutions[i]: found[convolutions[i]] for i in chosen}
    if not found:
        raise ValueError("feature_maps: no layer gives maps (1, K, H, W)")
    figure = new_figure(1.9 + columns, 1.08 * (len(found) + 1))
    axes = figure.subplots(len(found) + 1, columns, squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    show(axes[0, 0], picture)
    axes[0, 0].set_axis_on()
    _label(axes[0, 0], "picture\n" + "x".join(map(str, picture.shape)))
    for row, (name, maps) in zip(axes[1:], found.items()):
        for ax, values in zip(row, maps):
            ax.set_axis_on()
            show(ax, values[None])
        shape = "x".join(map(str, maps.shape))
        _label(row[0], f"{name}: {type(names[name]).__name__}\n{shape}")
    return figure


def _label(ax, text):
    ax.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8, labelpad=6)


def activation_maximisation(model, input_size, layer=None, units=None, steps=128, lr=0.05, columns=6, limit=3.0, seed=0):
    """Pictures of `input_size` (C, H, W) that excite single units: what each seems to look for.

    `layer` is a module, its name, or None for the scores that the model returns; `units` are the numbers of its maps or
    scores, by default the first twelve. From faint noise, each picture climbs the gradient of its unit's mean: a step is
    `lr` times the gradient, divided by its mean size; before each, the picture is shifted by up to two pixels and back, so
    that nothing depends on single pixels, and pulled a little towards zero. Values stay between -limit and limit, where
    normalised pictures live. Returns the Figure.
    Source: D. Erhan et al., Visualizing higher-layer features of a deep network (2009).
    """
    outputs, handles = [], []
    if layer is not None:
        module = find_layer("activation_maximisation", model, layer)
        handles = [module.register_forward_hook(lambda module, inputs, output: outputs.append(output))]

    def excitation(x):
        outputs.clear()
        result = model(x)
        return outputs[-1] if layer is not None else result

    chance = np.random.default_rng(seed)
    try:
        with evaluating(model), no_grad():
            count = excitation(batch_of(model, np.zeros((1, *input_size)))).shape[1]
        units = list(range(min(12, count)) if units is None else units)
        if not units or not all(0 <= u < count for u in units):
            raise ValueError(f"activation_maximisation: units must be numbers from 0 to {count - 1}, got {units}")
        x = chance.normal(0, 0.1, (len(units), *input_size))
        for _ in range(steps):
            shift = tuple(chance.integers(-2, 3, 2))
            with evaluating(model), enable_grad():
                moved = batch_of(model, np.roll(x, shift, (2, 3))).requires_grad_()
                y = excitation(moved)
                y = y.reshape(len(units), count, -1).mean(2)[tensor(range(len(units))), tensor(units)].sum()
                dx = np.roll(as_numpy(grad(y, moved)[0]), (-shift[0], -shift[1]), (2, 3))
            dx = dx / (np.abs(dx).mean((1, 2, 3), keepdims=True) + 1e-12)
            x = (0.99 * x + lr * dx).clip(-limit, limit)
    finally:
        for handle in handles:
            handle.remove()
    columns = min(columns, len(units))
    rows = -(-len(units) // columns)
    figure = new_figure(1.25 * columns + 0.3, 1.5 * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(units):]:
        ax.set_axis_off()
    for ax, picture, unit in zip(axes, x, units):
        show(ax, picture, title=f"unit {unit}")
        bare(ax)
    where = "the scores" if layer is None else layer if isinstance(layer, str) else type(layer).__name__
    figure.suptitle(f"what excites units of {where}", fontsize=11)
    return figure

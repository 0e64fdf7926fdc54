"""Pictures of what is inside a network: maps, explanations, graphs, weights."""
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.data import DataLoader, TensorDataset
from tinycnn.nn import functional as F
from tinycnn.optim import SGD
from tinycnn.train import find_lr, fit

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure  # noqa: E402

from tinycnn import viz  # noqa: E402


class Corner(nn.Module):
    """Scores that know only the upper left 2x2 pixels: class 1 for bright ones."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.conv.weight.data[...] = tinycnn.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.conv(x)[:, :, :2, :2].sum((2, 3))


def bright_corner():
    x = np.zeros((1, 8, 8), np.float32)
    x[0, :2, :2] = 1
    x[0, 5:, 5:] = 1
    return x


def net():
    tinycnn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.Dropout(0.5),
                         nn.Flatten(), nn.Linear(24, 3))


def draw(figure):
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("explain", [viz.saliency_map, lambda m, x, t=None: viz.occlusion_map(m, x, t, size=2, stride=1)])
def test_explanations_point_to_what_the_score_depends_on(explain):
    values = explain(Corner(), bright_corner())
    assert values.shape == (8, 8) and values[:2, :2].min() > 0 and np.abs(values[4:, 4:]).max() == 0


def test_saliency_is_the_gradient_and_occlusion_the_fall_of_the_score():
    model, x = Corner(), bright_corner()
    assert (viz.saliency_map(model, x)[:2, :2] == 1).all()
    values = viz.occlusion_map(model, x, 1, size=2, stride=2, fill=0.0)
    assert (values[:2, :2] == 4).all() and values[2:].max() == 0
    assert (viz.occlusion_map(model, x, 0, size=2, stride=2, fill=0.0)[:2, :2] == -4).all()


def test_grad_cam_by_hand():
    model, x = net().eval(), np.random.default_rng(0).normal(size=(1, 8, 8)).astype(np.float32)
    values = viz.grad_cam_map(model, x, 2, "2")
    maps = model[2](model[1](model[0](tinycnn.tensor(x[None])))).detach().requires_grad_()
    scores = maps
    for layer in model[3:]:
        scores = layer(scores)
    weights = tinycnn.autograd.grad(scores[0, 2], maps)[0].mean((2, 3), keepdim=True)
    cam = (weights * maps).sum(1).relu().detach().array[0]
    assert values.shape == (8, 8) and values.max() <= cam.max() * 1.0001 and values.min() >= 0
    large = F.interpolate(tinycnn.tensor(cam[None, None]), (8, 8), mode="bilinear").array[0, 0]
    assert np.allclose(values, large, atol=1e-6)


@pytest.mark.parametrize("function", [viz.saliency, viz.occlusion, viz.grad_cam])
def test_explanations_leave_the_model_alone_and_draw_into_given_axes(function):
    model = net()
    model[4].eval()
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert draw(function(model, tinycnn.randn(1, 8, 8), 1, classes="abc", ax=axes)) is figure
    assert axes[0].get_title().startswith("b: ")
    assert model.training and not model[4].training and model[0].weight.grad is None and not model[3]._forward_hooks
    draw(function(model.eval(), np.zeros((1, 1, 8, 8))))


@pytest.mark.parametrize("call, message", [
    (lambda m: viz.saliency(m, np.zeros((2, 8, 8))), r"one picture.*\(2, 8, 8\)"),
    (lambda m: viz.saliency(m, np.zeros((1, 8, 8)), 3), "3 classes, got 3"),
    (lambda m: viz.occlusion(m, np.zeros((1, 8, 8)), size=9), "between 1 and 8"),
    (lambda m: viz.grad_cam(m, np.zeros((1, 8, 8)), layer="6"), r"maps.*\(1, 3\)"),
    (lambda m: viz.grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), np.zeros((1, 8, 8))), "no Conv2d"),
    (lambda m: viz.feature_maps(m, np.zeros((1, 8, 8)), layers=["6"]), "no layer gives maps"),
    (lambda m: viz.activation_maximisation(m, (1, 8, 8), units=[3]), "0 to 2")])
def test_what_cannot_be_explained_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(net())


def test_feature_maps_are_those_of_the_forward_pass():
    model, x = net(), np.random.default_rng(0).normal(size=(1, 8, 8)).astype(np.float32)
    figure = draw(viz.feature_maps(model, x, columns=3))
    axes = np.array(figure.axes).reshape(6, 3)
    assert [row[0].get_ylabel().split("\n") for row in axes[:4]] == [
        ["picture", "1x8x8"], ["0: Conv2d", "4x8x8"], ["1: ReLU", "4x8x8"], ["2: MaxPool2d", "4x4x4"]]
    maps = model[0](tinycnn.tensor(x[None])).array[0]
    shown = np.asarray(axes[1, 2].images[0].get_array())
    assert np.allclose(shown, (maps[2] - maps[2].min()) / (maps[2].max() - maps[2].min()), atol=1e-6)
    assert not any(m._forward_hooks for m in model.modules()) and model.training
    assert len(draw(viz.feature_maps(model, x, layers=["3"])).axes) == 2 * 8


def test_activation_maximisation_finds_what_excites_a_unit():
    figure = draw(viz.activation_maximisation(Corner(), (1, 16, 16), units=[1], steps=40))
    picture = np.asarray(figure.axes[0].images[0].get_array())
    assert picture[:2, :2].mean() > 0.2 + picture[6:10, 6:10].mean()
    draw(viz.activation_maximisation(net(), (1, 8, 8), "3", steps=2))


def test_graph_names_operations_shapes_and_weights():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    y = model(tinycnn.ones(4, 2)).sum()
    text = viz.graph_mermaid(y, model)
    lines = text.splitlines()
    assert lines[0] == "flowchart TD" and any("0.weight<br/>(3, 2)" in line for line in lines)
    assert any("ReLU<br/>(4, 3)" in line for line in lines) and any("Sum<br/>()" in line for line in lines)
    svg = viz.graph_svg(y, model)
    texts = [t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"0.weight", "0.bias", "Linear", "ReLU", "Sum", "(4, 3)"} <= set(texts)


def test_graph_has_every_edge_once_and_a_shared_node_once():
    a = tinycnn.ones(2, requires_grad=True)
    b = a * 2
    text = viz.graph_mermaid((b + b) * b)
    assert text.count("Mul<br/>") == 2 and text.count("-->") == 4 and text.count("leaf<br/>") == 1
    paths = [p for p in ElementTree.fromstring(viz.graph_svg((b + b) * b)).iter() if p.get("marker-end")]
    assert len(paths) == 4


def test_deep_graph_is_drawn_without_recursion_and_a_huge_one_refused():
    x = tinycnn.ones(1, requires_grad=True)
    y = x
    for _ in range(3000):
        y = y + 1
    assert viz.graph_mermaid(y, limit=4000).count("Add") == 3000
    with pytest.raises(ValueError, match="more than 500"):
        viz.graph_svg(y)
    with pytest.raises(ValueError, match="requires no gradient"):
        viz.graph_mermaid(x.detach())
    assert "leaf" in viz.graph_svg(x)


def test_convolution_figure_shows_the_numbers_of_conv2d():
    rng = np.random.default_rng(0)
    x, w = rng.integers(-3, 4, (2, 5, 5)), rng.integers(-1, 2, (2, 2, 3, 3))
    figure = draw(viz.convolution_steps(x, w, (0, 1), stride=2, padding=1))
    y = F.conv2d(tinycnn.tensor(x[None]).double(), tinycnn.tensor(w).double(), stride=2, padding=1).array[0]
    tables = {ax.get_title(): [[float(t.get_text()) for t in ax.texts], ax] for part in figure.subfigs for ax in part.axes
              if ax.texts}
    assert tables["equals: output maps as rows"][0] == y.ravel().tolist()
    assert tables["kernels as rows"][0] == w.ravel().tolist()
    assert tables["output map 1"][0] == y[1].ravel().tolist()
    frame = tables["picture, channel 0"][1].patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (1.5, -0.5, 3)
    for bad in (dict(x=x[0]), dict(position=(3, 0)), dict(x=np.zeros((2, 40, 40)))):
        with pytest.raises(ValueError, match="convolution_steps"):
            viz.convolution_steps(**{**dict(x=x, w=w, stride=2, padding=1), **bad})


def test_histograms_and_their_course():
    model = net()
    draw(viz.histograms(model))
    noted = viz.Spread(model, every=2)
    with pytest.raises(ValueError, match="nothing"):
        viz.spread(noted)
    loader = DataLoader(TensorDataset(tinycnn.randn(12, 1, 8, 8), tinycnn.tensor([0, 1, 2] * 4)), 4)
    fit(model, loader, epochs=2, optimizer=SGD(model.parameters(), 0.1), after_step=noted, progress=False)
    assert noted.steps == [1, 3, 5] and set(noted.weights) == {"0.weight", "3.weight", "6.weight"}
    assert len(noted.gradients["0.weight"]) == 3 and np.abs(noted.gradients["0.weight"]).max() > 0
    draw(viz.spread(noted))
    assert len(draw(viz.histograms(model)).axes) == 6


def test_learning_rate_search_leaves_everything_as_it_was():
    model = net()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    loader = DataLoader(TensorDataset(tinycnn.randn(60, 1, 8, 8), tinycnn.tensor([0, 1, 2] * 20)), 10, shuffle=True)
    before = {k: v.array.copy() for k, v in model.state_dict().items()}
    search = find_lr(model, loader, optimizer, low=1e-4, high=1e3, steps=60)
    assert all((before[k] == v.array).all() for k, v in model.state_dict().items())
    assert optimizer.param_groups[0]["lr"] == 0.1 and not optimizer.state_dict()["state"] and model.training
    assert 1e-4 <= search["suggestion"] < 100 and len(search["lr"]) == len(search["smooth"]) < 60, "it diverged and stopped"
    assert search["suggestion"] < search["lr"][np.argmin(search["smooth"])], "not where the loss is about to explode"
    draw(viz.lr_curve(search))
    with pytest.raises(ValueError, match="low"):
        find_lr(model, loader, optimizer, low=1, high=0.1)
    with pytest.raises(ValueError, match="no samples"):
        find_lr(model, [], optimizer)


def test_runs_are_compared_line_by_line():
    rows = [dict(epoch=i, train_loss=1 / i, train_acc=0.5, val_loss=2 / i, val_acc=0.6) for i in (1, 2, 3)]
    figure = draw(viz.compare({"a": rows, "b": rows[:2]}))
    assert [line.get_label() for line in figure.axes[1].lines] == ["a", "b"]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2, 1, 2 / 3]
    without = [{k: v for k, v in row.items() if not k.startswith("val")} for row in rows]
    assert viz.compare({"a": rows, "b": without}).axes[0].get_ylabel() == "training loss"
    with pytest.raises(ValueError, match="histories"):
        viz.compare({"a": []})

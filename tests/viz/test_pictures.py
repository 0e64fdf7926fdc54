"""The pictures: what they show, without any window."""
import subprocess
import sys

import numpy as np
import pytest

import tinycnn

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure  # noqa: E402

from tinycnn import viz  # noqa: E402


def history(val_losses, train_losses=None):
    train_losses = train_losses or [v / 2 for v in val_losses]
    return [dict(epoch=i + 1, train_loss=t, train_acc=0.9, val_loss=v, val_acc=0.8, lr=0.1, seconds=1.0)
            for i, (v, t) in enumerate(zip(val_losses, train_losses))]


def drawn(figure):
    """The texts of a figure, after drawing it for real."""
    figure.canvas.draw()
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    return [t.get_text() for legend in legends for t in legend.get_texts()]


def test_curves_show_every_number_and_mark_the_best_epoch():
    figure = viz.curves(history([2.0, 1.0, 0.5, 0.6]))
    assert isinstance(figure, Figure)
    loss, accuracy = figure.axes
    assert loss.lines[0].get_ydata().tolist() == [1.0, 0.5, 0.25, 0.3]
    assert loss.lines[1].get_ydata().tolist() == [2.0, 1.0, 0.5, 0.6]
    assert accuracy.lines[1].get_ydata().tolist() == [80.0] * 4
    assert "lowest validation loss: epoch 3" in drawn(figure)


@pytest.mark.parametrize("val, train, shaded", [([1.0, 0.5, 0.9], [0.8, 0.4, 0.1], True), ([1.0, 0.5, 0.4], None, False),
                                                ([1.0, 0.5, 0.6], [2.0, 1.0, 0.8], False)])
def test_over_fitting_is_shaded_where_the_validation_loss_rises_above_the_training_loss(val, train, shaded):
    assert ("over-fitting" in drawn(viz.curves(history(val, train)))) == shaded


def test_a_figure_shows_itself_in_a_notebook_at_its_own_resolution():
    figure = viz.filters(np.ones((2, 1, 3, 3)))
    fine = figure._repr_png_()
    figure.set_dpi(40)
    assert fine.startswith(b"\x89PNG") and int.from_bytes(figure._repr_png_()[16:20]) < int.from_bytes(fine[16:20]) / 2


def test_curves_do_without_validation_and_with_one_epoch():
    rows = [{k: v for k, v in row.items() if not k.startswith("val")} for row in history([1.0, 0.5])]
    assert drawn(viz.curves(rows)) == ["training (running mean)"]
    drawn(viz.curves(history([1.0])))
    with pytest.raises(ValueError, match="no epochs"):
        viz.curves([])


def shown_ticks(axis):
    """The labels of the ticks that lie on an axis, after drawing."""
    axis.figure.canvas.draw()
    (low, high), places = sorted(axis.get_view_interval()), axis.get_majorticklocs()
    labels = axis.get_major_formatter().format_ticks(places)
    return [label for label, place in zip(labels, places) if low <= place <= high]


@pytest.mark.parametrize("losses", [[1.0], [0.0004], [1.0, 0.9], [2.0, 1.0, 0.1], [0.01 * 0.99 ** i for i in range(100)]])
def test_ticks_can_be_read_for_one_epoch_and_for_many(losses):
    for axes in viz.curves(history(losses)).axes:
        epochs, values = shown_ticks(axes.xaxis), shown_ticks(axes.yaxis)
        assert epochs and all(label.isdecimal() and 1 <= int(label) <= len(losses) for label in epochs)
        assert len([label for label in values if label]) >= 3 and len(set(values)) == len(values)


def test_the_accuracy_of_every_epoch_lies_on_its_axis():
    rows = history([1.0] * 20)
    rows[0]["train_acc"], rows[1]["val_acc"] = 0.1, 0.08
    low, high = viz.curves(rows).axes[1].get_ylim()
    assert low <= 8 and high >= 100


def test_pictures_can_be_drawn_into_given_axes():
    figure = Figure()
    axes = figure.subplots(1, 3)
    assert viz.curves(history([1.0, 0.5]), ax=axes[:2]) is figure
    assert viz.confusion(np.eye(3, dtype=int), ax=axes[2]) is figure
    assert len(figure.axes) == 3 and len(axes[0].lines) == 3


def test_confusion_writes_the_counts_and_sets_mistakes_off():
    matrix = np.array([[5, 1, 0], [0, 7, 0], [2, 0, 9]])
    figure = viz.confusion(matrix, ["cat", "dog", "eel"])
    ax = figure.axes[0]
    figure.canvas.draw()
    texts = {t.get_position(): t.get_text() for t in ax.texts}
    assert texts == {(0, 0): "5", (1, 0): "1", (1, 1): "7", (0, 2): "2", (2, 2): "9"}
    assert "21 of 24 right (87.50 %)" in ax.get_title()
    colours = ax.images[0].get_array()
    assert colours[0, 1, 0] > colours[0, 1, 2] and colours[1, 1, 0] < colours[1, 1, 2], "mistakes orange, right ones blue"
    assert (np.asarray(colours[0, 2]) == 1).all(), "nothing there is white"


def test_confusion_of_nothing_and_of_many_classes():
    drawn(viz.confusion(np.zeros((2, 2), int)))
    assert not viz.confusion(np.ones((40, 40), int)).axes[0].texts
    with pytest.raises(ValueError, match=r"square.*\(2, 3\)"):
        viz.confusion(np.ones((2, 3)))
    with pytest.raises(ValueError, match="3 names, got 2"):
        viz.confusion(np.eye(3), ["a", "b"])


def test_names_of_many_classes_do_not_overlap_and_their_commonest_mistakes_are_named():
    matrix = np.diag(np.full(100, 50))
    matrix[3, 7], matrix[8, 1] = 5, 2
    for k in (100, 1000):
        figure = viz.confusion(matrix if k == 100 else np.eye(k, dtype=int), [f"class {i}" for i in range(k)])
        figure.canvas.draw()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
        assert all(upper.y0 >= lower.y1 for upper, lower in zip(boxes, boxes[1:])) and len(boxes) > 50
        assert figure.axes[0].get_yticklabels()[0].get_fontsize() >= 6
        if k == 100:
            assert "class 3 taken for class 7 (5), class 8 taken for class 1 (2)" in figure.axes[0].get_title()


def test_filters_share_one_scale_about_zero():
    weight = tinycnn.randn(10, 1, 5, 5).requires_grad_()
    figure = viz.filters(weight, columns=4)
    figure.canvas.draw()
    images = [ax.images[0] for ax in figure.axes[:10]]
    assert (np.asarray(images[3].get_array()) == weight.array[3, 0]).all()
    top = float(np.abs(weight.array).max())
    assert {i.get_clim() for i in images} == {(-top, top)}


def test_filters_of_three_channels_are_coloured_and_too_many_are_cut():
    figure = viz.filters(np.random.default_rng(0).normal(size=(70, 3, 3, 3)))
    assert figure.axes[0].images[0].get_array().shape == (3, 3, 3) and "64 of 70" in figure.get_suptitle()
    for ax in figure.axes[:3]:
        picture = ax.images[0].get_array()
        assert abs(np.abs(np.asarray(picture) - 0.5).max() - 0.5) < 1e-9, "each kernel fills its own scale"
    assert "red, green and blue" in figure.get_supxlabel() and "grey is 0" in figure.get_supxlabel()
    drawn(viz.filters(np.zeros((2, 1, 3, 3))))
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        viz.filters(np.zeros((2, 3)))


def test_mistakes_come_most_certain_first_with_both_classes():
    pictures = np.arange(4 * 4, dtype=np.uint8).reshape(4, 1, 2, 2)
    figure = viz.mistakes(pictures, [0, 1, 2, 0], [1, 1, 0, 2], [0.6, 0.9, 0.95, 0.7], ["ant", "bee", "cow"])
    figure.canvas.draw()
    assert figure.get_suptitle() == "3 of 4 wrong"
    assert [(ax.get_title(), ax.get_xlabel()) for ax in figure.axes] == [
        ("true cow", "taken for ant\n95 %"), ("true ant", "taken for cow\n70 %"), ("true ant", "taken for bee\n60 %")]
    assert np.allclose(figure.axes[0].images[0].get_array() * 15, pictures[2, 0])


def test_mistakes_say_when_there_are_none_or_too_many():
    pictures = np.zeros((30, 3, 2, 2))
    right = viz.mistakes(pictures, np.zeros(30, int), np.zeros(30, int), np.ones(30))
    assert right.get_suptitle() == "none of 30 wrong" and not right.axes
    drawn(right)
    figure = viz.mistakes(pictures, np.zeros(30, int), np.ones(30, int), np.ones(30), columns=5, limit=7)
    drawn(figure)
    assert "7 most certain" in figure.get_suptitle() and sum(ax.axison for ax in figure.axes) == 7
    with pytest.raises(ValueError, match="30 pictures, 29 truths"):
        viz.mistakes(pictures, np.zeros(29, int), np.ones(30, int), np.ones(30))
    with pytest.raises(ValueError, match=r"\(30, 2, 2\)"):
        viz.mistakes(pictures[:, 0], np.zeros(30, int), np.ones(30, int), np.ones(30))


def test_pictures_leave_pyplot_alone(tmp_path):
    code = ("import sys, numpy as np, tinycnn\nfrom tinycnn import viz\n"
            "viz.confusion(np.eye(2)).savefig(sys.argv[1])\nassert 'matplotlib.pyplot' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.png")], check=True,
                   capture_output=True)

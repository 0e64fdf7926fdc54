"""Files for TensorBoard, read back with TensorBoard's own reader."""
import numpy as np
import pytest

import tinycnn
from tinycnn.cli import main
from tinycnn.models import get_model
from tinycnn.train import read_history

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed")


def read(folder):
    """Everything in the files of events in `folder`."""
    events = reader.EventAccumulator(str(folder), size_guidance=dict.fromkeys(
        (reader.SCALARS, reader.HISTOGRAMS, reader.IMAGES, reader.TENSORS), 0))
    return events.Reload()


def test_scalars_histograms_pictures_and_figures_are_read_back(tmp_path):
    from matplotlib import pyplot as plt

    from tinycnn.utils.tensorboard import SummaryWriter
    tinycnn.manual_seed(0)
    values = tinycnn.randn(100)
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_scalar("loss", tinycnn.tensor(0.5 * step), step)
        writer.add_histogram("weights", values, 1)
        writer.add_image("picture", tinycnn.rand(3, 4, 6))
        figure = plt.figure()
        figure.add_subplot().plot([1, 2])
        writer.add_figure("curve", figure)
        writer.add_text("note", "hello")
    events = read(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    (histogram,) = events.Histograms("weights")
    assert histogram.step == 1 and histogram.histogram_value.num == 100
    np.testing.assert_allclose([histogram.histogram_value.min, histogram.histogram_value.sum],
                               [float(values.min()), float(values.sum())], rtol=1e-5)
    (picture,) = events.Images("picture")
    assert (picture.height, picture.width) == (4, 6)
    assert len(events.Images("curve")) == 1 and "note/text_summary" in events.Tags()["tensors"]


def test_hyperparameters_stand_with_their_results(tmp_path):
    from tinycnn.utils.tensorboard import SummaryWriter
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_hparams({"lr": 0.1, "name": "lenet5"}, {"accuracy": tinycnn.tensor(0.75)}, name="run")
    assert [e.value for e in read(tmp_path / "run").Scalars("accuracy")] == [0.75]


def test_the_graph_names_the_operations(tmp_path):
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    from tinycnn.utils.tensorboard import SummaryWriter
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_graph(get_model("lenet5").eval(), tinycnn.randn(1, 1, 28, 28))
    assert b"Conv" in read(tmp_path)._graph


def test_a_training_writes_its_history(tmp_path):
    assert main(["train", "--dataset", "digits", "--epochs", "2", "--out", str(tmp_path), "--quiet", "--tensorboard"]) == 0
    events, history = read(tmp_path), read_history(tmp_path / "history.csv")
    for name in "train_loss", "val_loss", "val_acc", "lr":
        wanted = [(row["epoch"], np.float32(row[name])) for row in history]
        assert [(e.step, e.value) for e in events.Scalars(name)] == wanted
    assert main(["train", "--dataset", "digits", "--epochs", "1", "--out", str(tmp_path), "--quiet", "--overwrite"]) == 0
    assert not [*tmp_path.glob("events*")]

"""Training, evaluation and metrics at their edges: odd labels, odd loaders, NaN, unsigned numbers."""
import math

import numpy as np
import pytest

import tinycnn as t
import tinycnn.nn as nn
import tinycnn.nn.functional as F
from tinycnn.data import DataLoader, Dataset, IterableDataset, TensorDataset
from tinycnn.optim.lr_scheduler import ReduceLROnPlateau
from tinycnn.train import (accuracy, calibration, confusion_matrix, early_stopping, evaluate, find_lr, fit, is_best, predict,
                           read_history, roc_auc, roc_curve, top_k_accuracy, write_history)

NAN = math.nan


class Constant(nn.Module):
    """A network whose scores are its input."""

    def __init__(self, last=None):
        super().__init__()
        self.weight, self.last = nn.Parameter(t.ones(1)), last

    def forward(self, x):
        y = x * self.weight
        return y if self.last is None else self.last(y)


def measured(scores, labels, loss, last=None, batch_size=2):
    return evaluate(Constant(last), DataLoader(TensorDataset(t.tensor(scores), t.tensor(labels)), batch_size), loss)[1]


# ---- what is accurate ------------------------------------------------------------------------------------------------

LOGITS, SIDES = [[-2.0], [0.3], [-0.1], [4.0]], [[0.0], [1.0], [1.0], [0.0]]  # the sides of 0: right, right, wrong, wrong


@pytest.mark.parametrize("loss, last, right", [
    (F.binary_cross_entropy_with_logits, None, 0.5), (nn.BCEWithLogitsLoss(pos_weight=t.tensor([9.0])), None, 0.5),
    (lambda s, y: F.softplus(-(2 * y - 1) * s).mean(), None, 0.5),
    (lambda s, y: (1 - (2 * y - 1) * s).relu().mean(), None, 0.5),
    (F.binary_cross_entropy, t.sigmoid, 0.5), (nn.BCELoss(), t.sigmoid, 0.5),
    (lambda s, y: F.binary_cross_entropy(s, y), t.sigmoid, 0.5), (F.mse_loss, t.sigmoid, 0.5)])
def test_one_score_is_right_on_its_side_of_the_middle_of_the_loss(loss, last, right):
    assert measured(LOGITS, SIDES, loss, last) == right
    flat = [s for s, in LOGITS], [y for y, in SIDES]
    assert measured(*flat, loss, last) == right
    pixels = [np.array(v, np.float32).reshape(1, 1, 2, 2) for v in (LOGITS, SIDES)]
    assert measured(*pixels, loss, last) == right


@pytest.mark.parametrize("scores, labels, right", [
    # (N, K, W) scores of K = 2 classes for W = 3 pixels; the classes of highest score are 1 0 1 and 0 0 1
    ([[[0.0, 2, 0], [1, 1, 1]], [[3, 3, 0], [1, 1, 1]]], [[1, 0, 1], [0, 0, 1]], 1),
    ([[[0.0, 2, 0], [1, 1, 1]], [[3, 3, 0], [1, 1, 1]]], [[1, 1, 1], [1, 1, 1]], 3 / 6),
    ([[[0.0, 2, 0], [1, 1, 1]], [[3, 3, 0], [1, 1, 1]]], [[1, -100, -100], [1, 0, -100]], 2 / 3),
    ([[[0.0, 2, 0], [1, 1, 1]], [[3, 3, 0], [1, 1, 1]]], [[255, 255, 255], [255, 255, 255]], NAN)])
def test_labels_a_pixel_count_a_pixel_and_ignored_ones_not_at_all(scores, labels, right):
    loss = lambda s, y: F.cross_entropy(s, t.where((y >= 0) & (y < 2), y, -100))  # noqa: E731
    assert measured(scores, labels, loss, batch_size=1) == pytest.approx(right, nan_ok=True)


@pytest.mark.parametrize("scores, labels, right", [
    ([[1.0, 2, 0], [5, 0, 0]], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]], 0.5),  # probabilities, as MixUp makes them
    ([[1.0, 2, 0], [5, 0, 0]], [[1], [1]], 0.5),                          # class numbers as a column
    ([[1.0, 2, 0], [5, 0, 0]], [[3.0, -1, 0], [0, 2, 7]], NAN),           # a regression
    ([[1.0], [2.0]], [[17.0], [0.5]], NAN),                               # a regression of one number
    ([[1.0, 2, 0], [5, 0, 0]], [[1.0, 1, 0], [0, 0, 0]], NAN),            # several labels at once
    ([[NAN, NAN, NAN], [5, 0, 0]], [0, 0], 0.5)])                         # NaN is not class 0
def test_accuracy_where_there_is_one_and_nan_elsewhere(scores, labels, right):
    assert measured(scores, labels, lambda s, y: s.sum() * 0 + 1) == pytest.approx(right, nan_ok=True)


def test_outputs_that_are_several_tensors_have_no_accuracy():
    out = evaluate(Constant(lambda y: (y, y)), DataLoader(TensorDataset(t.ones(2, 2), t.tensor([0, 1]))),
                   lambda s, y: F.cross_entropy(s[0], y))
    assert out[0] == pytest.approx(math.log(2)) and math.isnan(out[1])


def test_labels_a_pixel_are_learnt():
    t.manual_seed(0)
    x = t.randn(6, 1, 4, 5)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), 2)
    model = nn.Conv2d(1, 2, 1)
    history = fit(model, loader, loader, epochs=30, optimizer=t.optim.SGD(model.parameters(), 1.0), progress=False)
    assert history[-1]["train_acc"] > 0.95 < history[-1]["val_acc"] <= 1


# ---- predict ---------------------------------------------------------------------------------------------------------

def test_predict_gives_both_classes_of_one_logit():
    for shape in ((3, 1), (3,)):
        x = t.tensor([-1.0, 0.0, 2.0]).reshape(shape)
        p, _ = predict(Constant(), DataLoader(TensorDataset(x, t.tensor([0, 1, 1])), 2))
        assert np.allclose(p, np.stack([1 - t.sigmoid(x.reshape(-1)).numpy(), t.sigmoid(x.reshape(-1)).numpy()], 1))


def test_mirrored_pixels_are_turned_back():
    x = t.randn(2, 3, 4, 5)
    loader = DataLoader(TensorDataset(x, t.zeros(2, 4, 5).long()), 2)
    assert np.allclose(predict(Constant(), loader, mirror=True)[0], F.softmax(x, 1).numpy(), atol=1e-6)


# ---- loaders and losses ----------------------------------------------------------------------------------------------

class Stream(IterableDataset):
    def __init__(self, n=5, length=None):
        self.n, self.length = n, length

    def __iter__(self):
        for i in range(self.n):
            yield t.ones(3) * i, i % 2

    def __len__(self):
        if self.length is None:
            raise TypeError("a stream has no length")
        return self.length


def trained(train, val=None, **options):
    t.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = t.optim.SGD(model.parameters(), 0.1)
    options = {"schedule": None, **options}
    schedule = options.pop("schedule") and ReduceLROnPlateau(optimizer)
    return model, fit(model, train, val, epochs=2, optimizer=optimizer, schedule=schedule, **{"progress": False, **options})


LISTED = list(zip([t.ones(3) * i for i in range(5)], [0, 1, 0, 1, 0]))


@pytest.mark.parametrize("progress", [False, True])
def test_a_loader_without_a_length_trains_like_one_with(progress, capsys):
    listed, history = trained(DataLoader(LISTED, 2))
    stream, same = trained(DataLoader(Stream(), 2), progress=progress)
    assert (listed.weight == stream.weight).all()
    assert [row["train_loss"] for row in history] == [row["train_loss"] for row in same]


@pytest.mark.parametrize("length", [4, 50])
def test_a_wrong_length_turns_no_step_round(length):
    # the fifth batch stands outside of the length, or waits for a sixth: the steps are those of four batches
    wrong, _ = trained(DataLoader(Stream(length=length), 1), accumulate=2)
    four, _ = trained(DataLoader(LISTED[:4], 1), accumulate=2)
    assert (wrong.weight == four.weight).all()
    wrong, _ = trained(DataLoader(Stream(length=length), 1))
    assert (wrong.weight == trained(DataLoader(LISTED, 1))[0].weight).all()


class Odd(Dataset):
    def __init__(self, sample):
        self.sample = sample

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return self.sample


@pytest.mark.parametrize("call, error, message", [
    (lambda: trained(DataLoader(LISTED, 2), schedule=True), ValueError, "fit: ReduceLROnPlateau.*val must be given"),
    (lambda: trained(DataLoader(Stream(), 2), accumulate=2), ValueError, "fit: accumulate=2 needs.*length"),
    (lambda: trained(DataLoader(Odd((t.ones(3), 1, 2)), 2)), TypeError,
     r"fit: train must give batches \(x, y\).*got a list of"),
    (lambda: trained(DataLoader(Odd(t.ones(3)), 2)), TypeError, r"fit: train must give batches.*got a Tensor"),
    (lambda: trained(DataLoader(Odd({"x": t.ones(3)}), 2)), TypeError, "fit: train must give batches.*got a dict"),
    (lambda: trained(DataLoader(Odd((t.ones(3), "cat")), 2)), TypeError, "fit: train must give.*of Tensor, list"),
    (lambda: evaluate(nn.Linear(3, 2), DataLoader(Odd(t.ones(3)), 2)), TypeError, "evaluate: loader must give batches"),
    (lambda: predict(nn.Linear(3, 2), DataLoader(Odd(t.ones(3)), 2)), TypeError, "predict: loader must give batches"),
    (lambda: trained(DataLoader(LISTED, 2), loss=nn.CrossEntropyLoss(reduction="none")), ValueError,
     r"fit: loss\(scores, y\) must be one number.*\(2,\)"),
    (lambda: evaluate(nn.Linear(3, 2), DataLoader(LISTED, 2), lambda s, y: 3.0), ValueError, "evaluate: loss.*got float"),
    (lambda: find_lr(m := nn.Linear(3, 2), DataLoader(Odd(t.ones(3))), t.optim.SGD(m.parameters(), 1)), TypeError,
     "find_lr: train must give batches")])
def test_what_cannot_be_trained_on_is_one_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_network_without_weights_is_evaluated():
    assert evaluate(nn.Identity(), DataLoader(TensorDataset(t.eye(2), t.tensor([0, 1]))))[1] == 1


def test_a_plateau_with_validation_is_followed():
    loader = DataLoader(LISTED, 2)
    assert len(trained(loader, loader, schedule=True)[1]) == 2


# ---- a number that is none -------------------------------------------------------------------------------------------

def rows(*values, by="val_loss"):
    return [{by: v} for v in values]


@pytest.mark.parametrize("values, by, best", [
    ((NAN,), "val_loss", True), ((NAN, 0.9), "val_loss", True), ((NAN, 0.9, 0.5), "val_loss", True),
    ((NAN, NAN), "val_loss", False), ((0.5, NAN), "val_loss", False), ((NAN, 0.9, NAN), "val_loss", False),
    ((NAN, 0.1), "val_acc", True), ((0.1, NAN), "val_acc", False), ((NAN, 0.1, 0.05), "val_acc", False)])
def test_the_best_epoch_beside_nan(values, by, best):
    assert is_best(rows(*values, by=by), by) is best


@pytest.mark.parametrize("values, stops",
                         [((NAN,), False), ((NAN, 0.9), False), ((NAN, 0.9, 0.5), False), ((NAN, NAN), True),
                                           ((0.5, NAN), True), ((math.inf, 0.9), False)])
def test_early_stopping_beside_nan(values, stops):
    assert early_stopping(1)(rows(*values)) is stops


def test_curves_and_history_hold_nan(tmp_path):
    pytest.importorskip("matplotlib")
    from tinycnn.viz import curves
    full = [dict(epoch=i + 1, train_loss=1.0, train_acc=NAN, val_loss=v, val_acc=NAN, lr=0.1, seconds=1.0)
            for i, v in enumerate((NAN, 0.9, 0.5))]
    write_history(tmp_path / "h.csv", full)
    back = read_history(tmp_path / "h.csv")
    assert math.isnan(back[0]["val_loss"]) and back[2]["val_loss"] == 0.5
    texts = [text.get_text() for text in curves(back).legends[0].get_texts()]
    assert "lowest validation loss: epoch 3" in texts


# ---- metrics of every number type ------------------------------------------------------------------------------------

INTEGERS = ["uint8", "int8", "uint16", "uint32", "int32", "uint64", "int64"]


@pytest.mark.parametrize("dtype", [*INTEGERS, "float16", "float32", "float64"])
def test_scores_of_any_type_are_ordered(dtype):
    scores = np.array([[0, 1, 2], [2, 0, 1], [1, 1, 0]], dtype)
    assert accuracy(scores, [2, 0, 0]) == 1 and accuracy(scores, [0, 2, 1]) == 0
    assert top_k_accuracy(scores, [1, 2, 1], k=2) == 1
    assert roc_auc(np.array([0, 1, 2, 3], dtype), [0, 0, 1, 1]) == 1 and roc_auc(np.array([2, 1, 0], dtype), [0, 0, 1]) == 0
    assert roc_curve(np.array([0, 3], dtype), [0, 1])[2].tolist() == [math.inf, 3, 0]


@pytest.mark.parametrize("dtype", [kind for kind in INTEGERS if kind[0] == "i"])
def test_the_least_integer_is_the_least_score(dtype):
    least = np.iinfo(dtype).min
    assert accuracy(np.array([[least, 5]], dtype), [1]) == 1 and roc_auc(np.array([least, 5], dtype), [0, 1]) == 1


def test_true_and_false_are_scores():
    assert accuracy(np.array([[False, True]]), [1]) == 1 and roc_auc(np.array([False, True]), [False, True]) == 1


@pytest.mark.parametrize("a", [*INTEGERS, "bool"])
@pytest.mark.parametrize("b", ["uint8", "int64", "uint64"])
def test_class_numbers_of_any_types_are_counted(a, b):
    # 200 classes: 199 * 200 + 199 does not fit 8 or 15 bits
    high = min(199, np.iinfo(a).max) if a != "bool" else 1
    matrix = confusion_matrix(np.array([high, 0, high]).astype(a), np.array([high, 0, 0]).astype(b), 200)
    assert matrix[high, high] == 1 and matrix[0, 0] == 1 and matrix[high, 0] == 1 and matrix.sum() == 3


def test_many_labels_in_half_precision_are_counted():
    truth = np.tile(np.array([0, 1], np.float16), 5000)  # float16 counts to 2048
    assert roc_auc(np.arange(10_000) % 2, truth) == 1


@pytest.mark.parametrize("call, message", [
    (lambda: accuracy(np.zeros((2, 1)), [0, 1]), "accuracy: truth must be class numbers from 0 to 0.*0 to 1"),
    (lambda: accuracy(np.zeros((2, 3)), [0, -100]), "accuracy: truth must be.*-100 to 0"),
    (lambda: roc_curve([0.1, NAN], [0, 1]), "roc_curve: 1 of 2 scores are NaN"),
    (lambda: calibration(np.full((2, 2), NAN), [0, 1]), "calibration: probabilities must lie between 0 and 1"),
    (lambda: calibration(np.array([[NAN, 1.0]]), [1]), "calibration: probabilities must lie between 0 and 1")])
def test_metrics_refuse_what_has_no_answer(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_nan_scores_are_never_right():
    assert accuracy(np.array([[NAN, NAN], [0, 1]]), [0, 1]) == 0.5 and accuracy(np.array([[NAN, 1.0]]), [1]) == 1


# ---- numbers of NumPy in what is written -------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.array(0.5), t.tensor(0.5), 0.5])
def test_numbers_of_any_kind_are_written(number, tmp_path):
    pytest.importorskip("safetensors")
    from tinycnn.data import Digits
    from tinycnn.train import load_checkpoint, save_checkpoint
    write_history(tmp_path / "h.csv", [dict(epoch=np.int64(1), train_loss=number, lr=0.1)])
    assert read_history(tmp_path / "h.csv") == [dict(epoch=1, train_loss=0.5, lr=0.1)]
    metadata = dict(model="lenet5", arguments={"num_classes": np.int64(3)}, classes=[], format=Digits.FORMAT, best=number)
    save_checkpoint(tmp_path / "c", nn.Linear(2, 2), metadata)
    read = load_checkpoint(tmp_path / "c")[1]
    assert read["best"] == 0.5 and read["arguments"] == {"num_classes": 3}


def test_what_json_cannot_hold_is_named(tmp_path):
    pytest.importorskip("safetensors")
    from tinycnn.data import Digits
    from tinycnn.train import save_checkpoint
    with pytest.raises(TypeError, match="save_checkpoint: metadata has a set"):
        save_checkpoint(tmp_path / "c", nn.Linear(2, 2), dict(model="", arguments={}, classes={1}, format=Digits.FORMAT))

"""Metrics, against values computed by hand, and against scikit-learn where it is installed."""
import numpy as np
import pytest

import tinycnn
from tinycnn.train import accuracy, calibration, confusion_matrix, per_class, roc_auc, roc_curve, top_k_accuracy


def test_per_class_by_hand():
    # class 0: 2 samples, one found, once wrongly claimed; class 1: all 2 found; class 2: never claimed; class 3: not there
    result = per_class([0, 0, 1, 1, 2], [0, 1, 1, 1, 0], 4)
    assert result["precision"].tolist() == [1 / 2, 2 / 3, 0, 0]
    assert result["recall"].tolist() == [1 / 2, 1, 0, 0]
    assert result["f1"].tolist() == [1 / 2, 0.8, 0, 0]
    assert result["support"].tolist() == [2, 2, 1, 0]


def test_roc_by_hand():
    scores, truth = [0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0]
    false, true, thresholds = roc_curve(scores, truth)
    assert false.tolist() == [0, 0, 1 / 2, 1 / 2, 1] and true.tolist() == [0, 1 / 3, 2 / 3, 1, 1]
    assert thresholds.tolist() == [np.inf, 0.9, 0.8, 0.3, 0.1]
    # of the 6 pairs (positive, negative) 4 are in order, one is a tie, one is wrong
    assert roc_auc(scores, truth) == pytest.approx(4.5 / 6)
    assert roc_auc(tinycnn.tensor(scores), tinycnn.tensor(truth)) == pytest.approx(0.75)


def test_auc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(1)
    scores, truth = rng.integers(0, 20, 200) / 20, rng.integers(0, 2, 200)
    above = scores[truth == 1][:, None] - scores[truth == 0]
    assert roc_auc(scores, truth) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean(), abs=1e-12)


def test_auc_of_several_classes_is_one_against_the_rest():
    scores = np.array([[0.8, 0.1, 0.1, 0], [0.1, 0.8, 0.1, 0], [0.6, 0.3, 0.1, 0], [0.2, 0.6, 0.2, 0]])
    result = roc_auc(scores, [0, 1, 1, 2])
    assert result[:3].tolist() == [1, 0.75, 1] and np.isnan(result[3])


def test_calibration_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.35, 0.65], [0.7, 0.3], [1.0, 0.0]])
    result = calibration(probabilities, [0, 1, 1, 1, 0], bins=5)
    assert result["count"].tolist() == [0, 0, 0, 2, 3]
    assert result["accuracy"][3:] == pytest.approx([0.5, 2 / 3])
    assert result["confidence"][3:] == pytest.approx([0.675, 0.95]) and np.isnan(result["accuracy"][0])
    assert result["ece"] == pytest.approx((2 * 0.175 + 3 * (0.95 - 2 / 3)) / 5)
    assert calibration(np.full((4, 2), 0.5), [0, 1, 0, 1])["ece"] == 0


@pytest.mark.parametrize("call, message", [
    (lambda: roc_curve([0.1, 0.2], [1]), r"\(2,\) and \(1,\)"), (lambda: roc_curve([0.1, 0.2], [1, 1]), "one of each"),
    (lambda: roc_curve([0.1, 0.2], [1, 2]), "0 or 1"), (lambda: roc_auc(np.zeros((2, 3)), [0]), r"\(2, 3\)"),
    (lambda: calibration([[2.0, 3.0]], [0]), "softmax"), (lambda: calibration([[0.5, 0.5]], [0], 0), "bins.*0"),
    (lambda: calibration(np.zeros((0, 2)), np.zeros(0, int)), "no samples")])
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_agrees_with_scikit_learn_to_the_last_digit():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    assert np.array_equal(confusion_matrix(truth, predicted), metrics.confusion_matrix(truth, predicted))
    ours = per_class(truth, predicted)
    theirs = metrics.precision_recall_fscore_support(truth, predicted)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs):
        assert np.array_equal(ours[name], values)
    scores = rng.random(300).round(1)
    for ours, theirs in zip(roc_curve(scores, truth == 1), metrics.roc_curve(truth == 1, scores, drop_intermediate=False)):
        assert np.array_equal(ours, theirs)


def test_auc_is_exact_and_that_of_scikit_learn_but_for_its_rounding():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for decimals in 1, 2, 12:  # many ties, some, none
        scores, truth = rng.random((400, 3)).round(decimals), rng.integers(0, 3, 400)
        ours = roc_auc(scores, truth)
        for c in range(3):
            above = scores[truth == c, c][:, None] - scores[truth != c, c]
            assert ours[c] == int((above > 0).sum() * 2 + (above == 0).sum()) / (2 * above.size)
            np.testing.assert_array_max_ulp(ours[c], metrics.roc_auc_score(truth == c, scores[:, c]), 8)


def test_top_k_is_that_of_scikit_learn_which_decides_ties_for_the_last_class():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for decimals in 1, 12:
        scores, truth = rng.random((500, 6)).round(decimals), rng.integers(0, 6, 500)
        assert accuracy(scores, truth) == metrics.accuracy_score(truth, scores.argmax(1))
        for k in range(1, 6):
            backwards = metrics.top_k_accuracy_score(5 - truth, scores[:, ::-1], k=k, labels=np.arange(6))
            assert top_k_accuracy(scores, truth, k) == backwards
            if decimals == 12:
                assert top_k_accuracy(scores, truth, k) == metrics.top_k_accuracy_score(truth, scores, k=k)


def test_calibration_is_the_curve_of_scikit_learn():
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet(np.ones(3), 500), rng.integers(0, 3, 500)
    right, confidence = probabilities.argmax(1) == truth, probabilities.max(1)
    ours, (hits, sure) = calibration(probabilities, truth, bins=10), curve(right, confidence, n_bins=10)
    assert np.array_equal(ours["accuracy"][ours["count"] > 0], hits)
    assert np.array_equal(ours["confidence"][ours["count"] > 0], sure)

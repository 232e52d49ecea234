"""Mean intersection over union: by hand, by brute force, and by another library."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from mtshare_ros.metrics.segmentation import SegmentationMetric
from mtshare_ros.tasks import UNLABELLED


def test_miou_by_hand():
    metric = SegmentationMetric(3)
    metric.update(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 1, 1]], np.uint8))
    # class 0: 1 hit of 2 in the union; class 1: 2 of 3; class 2 occurs nowhere.
    assert metric.result()["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_class_that_is_only_predicted_counts_as_zero():
    metric = SegmentationMetric(3)
    metric.update(np.array([[0, 2]], np.uint8), np.array([[0, 0]], np.uint8))
    assert metric.result()["miou"] == pytest.approx((1 / 2 + 0) / 2)


def test_unlabelled_truth_is_ignored_and_an_unlabelled_prediction_is_a_miss():
    metric = SegmentationMetric(2)
    truth = np.array([[0, 0, UNLABELLED, UNLABELLED]], np.uint8)
    metric.update(np.array([[0, UNLABELLED, 1, 0]], np.uint8), truth)
    assert metric.result()["miou"] == pytest.approx(1 / 2)


def test_miou_is_over_the_set_and_equals_brute_force():
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(0, 4, (9, 7)), rng.integers(0, 5, (9, 7))) for _ in range(3)]
    pairs = [(p, np.where(t == 4, UNLABELLED, t)) for p, t in pairs]
    metric = SegmentationMetric(4)
    for p, t in pairs:
        metric.update(p.astype(np.uint8), t.astype(np.uint8))
    flat = [(a, b) for p, t in pairs for a, b in zip(p.flat, t.flat, strict=True) if b != 255]
    ious = []
    for c in range(4):
        both = sum(a == c and b == c for a, b in flat)
        either = sum(a == c or b == c for a, b in flat)
        ious.append(both / either)
    assert metric.result()["miou"] == pytest.approx(sum(ious) / 4)


def test_a_truth_id_that_the_task_lacks_is_an_error():
    with pytest.raises(ValueError, match="class id 7.*0 to 2"):
        SegmentationMetric(3).update(np.zeros((1, 1), np.uint8), np.full((1, 1), 7, np.uint8))


def test_miou_equals_that_of_an_independent_library():
    rng = np.random.default_rng(6)
    truth, guess = rng.integers(0, 6, (2, 30, 40)).astype(np.uint8)
    truth[truth == 5] = UNLABELLED
    guess[guess == 5] = 4
    metric = SegmentationMetric(7)  # 5 and 6 occur nowhere
    metric.update(guess[:15], truth[:15])
    metric.update(guess[15:], truth[15:])
    known = truth != UNLABELLED
    confusion = confusion_matrix(truth[known], guess[known])
    hits = np.diag(confusion)
    iou = hits / (confusion.sum(0) + confusion.sum(1) - hits)
    assert metric.result()["miou"] == pytest.approx(iou.mean())
    expected = jaccard_score(truth[known], guess[known], average="macro")
    assert metric.result()["miou"] == pytest.approx(expected)
    assert metric.legacy() == {"miou_legacy": pytest.approx(iou.sum() / 7)}


def test_rows_of_the_confusion_are_truth_and_columns_what_was_predicted():
    metric = SegmentationMetric(3)
    metric.update(np.array([[1, 1, 2, 200]], np.uint8), np.array([[0, 0, 2, 2]], np.uint8))
    assert metric.confusion.tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]
    assert metric.per_class().tolist() == [0.0, 0.0, 0.5]


def test_the_largest_id_is_known_and_the_next_one_is_not():
    metric = SegmentationMetric(3)
    metric.update(np.array([[2]], np.uint8), np.array([[2]], np.uint8))
    assert metric.result() == {"miou": 1.0}
    with pytest.raises(ValueError, match="class id 3"):
        metric.update(np.array([[2]], np.uint8), np.array([[3]], np.uint8))


def test_without_any_label_there_is_no_score():
    metric = SegmentationMetric(3)
    metric.update(np.array([[2]], np.uint8), np.array([[UNLABELLED]], np.uint8))
    assert metric.result() == {} and np.isnan(metric.per_class()).all()

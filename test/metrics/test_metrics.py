"""Metrics: cases worked by hand, and independent brute-force implementations."""

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from mtshare_ros.metrics import (
    ANGLE_BIN_DEG,
    DepthMetric,
    NormalsMetric,
    SaliencyMetric,
    SegmentationMetric,
    angles_deg,
    disagreement,
    metric_for,
)
from mtshare_ros.tasks import TASKS, UNLABELLED

PROBABILITIES = ("boundary", "saliency")
"""Kinds whose maps are of one probability."""


def unit(rng, *shape):
    vectors = rng.normal(size=(*shape, 3))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


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


def test_depth_by_hand():
    metric = DepthMetric(max_depth=20.0)
    metric.update(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    metric.update(np.array([[3.0, 5.0]]), np.array([[np.nan, 0.0]]))
    result = metric.result()
    assert result["abs_rel"] == pytest.approx((0 + 0.5) / 2)
    assert result["rmse"] == pytest.approx(math.sqrt((0 + 4) / 2))
    assert result["delta1"] == pytest.approx(0.5)


def test_a_missing_depth_counts_as_the_largest_depth():
    metric = DepthMetric(max_depth=10.0)
    metric.update(np.array([[np.nan]]), np.array([[5.0]]))
    assert metric.result()["rmse"] == pytest.approx(5.0)


def test_depth_is_over_all_pixels_of_the_set_and_equals_brute_force():
    rng = np.random.default_rng(1)
    frames = [(rng.uniform(0.5, 9, s), rng.uniform(0.5, 9, s)) for s in ((4, 5), (20, 3))]
    metric = DepthMetric(20.0)
    for p, t in frames:
        metric.update(p, t)
    pairs = [(a, b) for p, t in frames for a, b in zip(p.flat, t.flat, strict=True)]
    n = len(pairs)
    result = metric.result()
    assert result["abs_rel"] == pytest.approx(sum(abs(a - b) / b for a, b in pairs) / n)
    assert result["rmse"] == pytest.approx(math.sqrt(sum((a - b) ** 2 for a, b in pairs) / n))
    assert result["delta1"] == pytest.approx(sum(max(a / b, b / a) < 1.25 for a, b in pairs) / n)


def test_normals_by_hand():
    metric = NormalsMetric()
    truth = np.tile([0.0, 0.0, -1.0], (1, 4, 1))
    tilted = [[0, math.sin(math.radians(d)), -math.cos(math.radians(d))] for d in (0, 20, 25, 60)]
    metric.update(np.array([tilted]), truth)
    result = metric.result()
    assert result["mean_deg"] == pytest.approx(105 / 4)
    assert [result[k] for k in ("within_11", "within_22", "within_30")] == [0.25, 0.5, 0.75]


def test_normals_equal_brute_force_with_the_arc_cosine():
    rng = np.random.default_rng(2)
    prediction, truth = unit(rng, 11, 13), unit(rng, 11, 13)
    metric = NormalsMetric()
    metric.update(prediction, truth)
    angles = [
        math.degrees(math.acos(float(np.clip(np.dot(a, b), -1, 1))))
        for a, b in zip(
            prediction.reshape(-1, 3).astype(float),
            truth.reshape(-1, 3).astype(float),
            strict=True,
        )
    ]
    result = metric.result()
    assert result["mean_deg"] == pytest.approx(sum(angles) / len(angles), abs=1e-4)
    assert result["median_deg"] == pytest.approx(sorted(angles)[71], abs=ANGLE_BIN_DEG)
    assert result["within_30"] == pytest.approx(sum(a < 30 for a in angles) / len(angles))


def test_normals_without_truth_are_left_out_and_no_direction_counts_as_opposite():
    metric = NormalsMetric()
    truth = np.array([[[0, 0, -1], [np.nan, 0, 0], [0, 0, 0]]], np.float32)
    metric.update(np.full((1, 3, 3), np.nan, np.float32), truth)
    assert metric.pixels == 1
    assert metric.result()["mean_deg"] == pytest.approx(180.0)


def test_small_angles_are_exact():
    a = np.array([0.0, 0.0, 1.0])
    b = np.array([0.0, 1e-6, 1.0])
    assert angles_deg(a, b) == pytest.approx(math.degrees(1e-6), rel=1e-6)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_task_is_scored_under_the_keys_that_it_declares(name):
    task = TASKS[name]
    metric = metric_for(task)
    assert metric.result() == {}
    frame = np.ones((2, 2, 3) if task.kind == "normals" else (2, 2), np.float32)
    labels = task.kind == "segmentation"
    probability = task.kind in PROBABILITIES
    metric.update(
        frame.astype(np.uint8) if probability else frame,
        frame.astype(np.uint8) if labels else frame,
    )
    assert set(metric.result()) == set(task.metrics)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_other_sizes_of_prediction_and_truth_are_an_error(name):
    tail = (3,) if name == "normals" else ()
    with pytest.raises(ValueError, match="sizes must be equal"):
        metric_for(TASKS[name]).update(np.ones((2, 2, *tail)), np.ones((2, 3, *tail)))


def test_saliency_by_hand():
    metric = SaliencyMetric()
    metric.update(np.array([[200, 200, 10, 0]], np.uint8), np.array([[1.0, 0.0, 1.0, 0.0]]))
    metric.update(np.array([[100, 255]], np.uint8), np.array([[1.0, np.nan]]))
    # From level 11 to 100: 2 of 3 positives are right, and 2 of 3 salient pixels are found; up to
    # level 10: 3 of 4, and all.
    assert metric.result()["max_f"] == pytest.approx(1.3 * 0.75 / (0.3 * 0.75 + 1))


def test_saliency_is_over_the_set_and_equals_brute_force():
    rng = np.random.default_rng(4)
    pairs = [(rng.integers(0, 256, (6, 7)), rng.random((6, 7)) < 0.4) for _ in range(3)]
    metric = SaliencyMetric()
    for p, t in pairs:
        metric.update(p.astype(np.uint8), t.astype(np.float32))
    flat = [(a, b) for p, t in pairs for a, b in zip(p.flat, t.flat, strict=True)]
    best = 0.0
    for threshold in range(1, 256):
        hits = sum(a >= threshold and b for a, b in flat)
        if hits:
            precision = hits / sum(a >= threshold for a, _ in flat)
            recall = hits / sum(b for _, b in flat)
            best = max(best, 1.3 * precision * recall / (0.3 * precision + recall))
    assert metric.result()["max_f"] == pytest.approx(best)


def test_saliency_without_a_salient_pixel_has_no_score_and_an_empty_prediction_scores_zero():
    metric = SaliencyMetric()
    metric.update(np.full((2, 2), 9, np.uint8), np.zeros((2, 2)))
    assert metric.result() == {}
    metric.update(np.zeros((2, 2), np.uint8), np.ones((2, 2)))
    assert metric.result() == {"max_f": 0.0}


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_a_probability_that_is_not_8_bit_is_refused(kind):
    with pytest.raises(ValueError, match="float32: expected a probability as uint8"):
        metric_for(TASKS[kind]).update(np.ones((2, 2), np.float32), np.ones((2, 2)))


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_the_scores_of_parts_are_those_of_the_whole_when_added(kind):
    rng = np.random.default_rng(5)
    frames = [
        (rng.integers(0, 256, (20, 30)).astype(np.uint8), np.eye(20, 30, shift))
        for shift in range(3)
    ]
    whole, first, rest = (metric_for(TASKS[kind]) for _ in range(3))
    for number, frame in enumerate(frames):
        whole.update(*frame)
        (rest if number else first).update(*frame)
    assert (first + rest).result() == whole.result() != first.result()


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


def test_the_second_sigmoid_of_published_saliency_equals_brute_force():
    rng = np.random.default_rng(7)
    level, salient = rng.integers(0, 256, (30, 40)), rng.random((30, 40)) < 0.4
    level = np.where(salient, np.maximum(level, 90), level).astype(np.uint8)
    metric = SaliencyMetric()
    metric.update(level, salient.astype(np.float32))

    def best(probability):
        scores = [0.0]
        for step in range(1, 20):
            positive = probability >= step / 20
            if positive.any():
                precision = salient[positive].mean()
                recall = max(positive[salient].mean(), 1e-9)
                scores.append(1.3 * precision * recall / (0.3 * precision + recall))
        return max(scores)

    squashed = 1 / (1 + np.exp(-level.astype(float) / 255))
    assert metric.legacy()["max_f_legacy"] == pytest.approx(best(squashed))
    assert metric.legacy()["max_f_coarse"] == pytest.approx(best(level / 255))
    assert best(squashed) < best(level / 255) <= metric.result()["max_f"] + 1e-9


def test_nothing_seen_has_no_published_variants():
    assert SegmentationMetric(3).legacy() == SaliencyMetric().legacy() == {}
    assert DepthMetric(9.0).legacy() == {}


def test_disagreement_by_hand():
    labels = np.array([[0, 1, 2, 255]], np.uint8)
    assert disagreement(TASKS["segmentation"], labels, np.array([[0, 1, 3, 255]])) == 0.25
    depth = np.array([[1.0, np.nan, np.nan, 3.0]])
    reference = np.array([[2.0, np.nan, 1.0, 3.0]])
    assert disagreement(TASKS["depth"], depth, reference) == pytest.approx((0.5 + 1 + 0) / 3)
    normals = np.array([[[0, 0, -1.0], [0, 1.0, 0]]])
    other = np.array([[[0, 0, -1.0], [0, 0, -1.0]]])
    assert disagreement(TASKS["normals"], normals, other) == pytest.approx(45.0)
    level = np.array([[0, 255, 51, 102]], np.uint8)
    reference = np.array([[0, 204, 102, 102]], np.uint8)
    assert disagreement(TASKS["saliency"], level, reference) == pytest.approx(0.1)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_equal_predictions_do_not_disagree(name):
    rng = np.random.default_rng(3)
    frame = unit(rng, 4, 5) if name == "normals" else rng.integers(1, 9, (4, 5)).astype(np.float32)
    if TASKS[name].kind in PROBABILITIES:
        frame = frame.astype(np.uint8)
    assert disagreement(TASKS[name], frame, frame.copy()) == pytest.approx(0.0, abs=1e-6)

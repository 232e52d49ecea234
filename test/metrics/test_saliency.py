"""F-measure of salient pixels: by hand and by brute force."""

import numpy as np
import pytest

from mtshare_ros.metrics.saliency import SaliencyMetric


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


def test_a_half_is_not_salient_and_the_highest_of_the_thresholds_is_095():
    metric = SaliencyMetric()
    # 0.95 is 243 of 255: only above 240 is what is marked told from what is not.
    metric.update(np.array([[255, 240, 240]], np.uint8), np.array([[1.0, 0.5, 0.0]]))
    assert metric.hits[0] == 1
    assert metric.legacy()["max_f_coarse"] == metric.result()["max_f"] == pytest.approx(1.0)

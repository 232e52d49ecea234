"""Errors of depth: by hand and by brute force."""

import math

import numpy as np
import pytest

from mtshare_ros.metrics.depth import DepthMetric


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


def test_the_ratio_counts_both_ways_and_is_below_its_limit():
    for guess, within in ((1.24, 1.0), (1.25, 0.0), (1.26, 0.0), (0.81, 1.0), (0.79, 0.0)):
        metric = DepthMetric(20.0)
        metric.update(np.array([[guess]]), np.array([[1.0]]))
        assert metric.result()["delta1"] == within, guess


@pytest.mark.parametrize("guess", [0.0, -1.0, np.nan, np.inf])
def test_a_prediction_that_is_no_distance_counts_as_the_largest(guess):
    metric = DepthMetric(max_depth=10.0)
    metric.update(np.array([[guess, 4.0]]), np.array([[5.0, 4.0]]))
    assert metric.result()["abs_rel"] == pytest.approx(0.5)


def test_truth_that_is_no_distance_is_left_out_and_nothing_else_has_no_score():
    metric = DepthMetric(10.0)
    metric.update(np.ones((1, 4)), np.array([[np.nan, np.inf, 0.0, -2.0]]))
    assert metric.pixels == 0 and metric.result() == {}
    metric.update(np.ones((1, 1)), np.full((1, 1), 2.0))
    assert metric.result()["rmse"] == pytest.approx(1.0)

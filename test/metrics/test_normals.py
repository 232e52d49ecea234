"""Angles between normals: by hand and by brute force."""

import math

import numpy as np
import pytest

from mtshare_ros.metrics.normals import ANGLE_BIN_DEG, NormalsMetric, angles_deg


def unit(rng, *shape):
    vectors = rng.normal(size=(*shape, 3))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


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


def tilted(*degrees):
    """Return normals (1, n, 3) so far from facing the camera."""
    angles = np.radians(degrees)
    return np.stack([np.sin(angles), np.zeros_like(angles), -np.cos(angles)], -1)[None]


def test_shares_are_of_angles_below_their_limits():
    truth = tilted(*[0.0] * 6)
    metric = NormalsMetric()
    metric.update(tilted(11.24, 11.26, 22.4, 22.6, 29.9, 30.1), truth)
    result = metric.result()
    shares = [result[key] for key in ("within_11", "within_22", "within_30")]
    assert shares == pytest.approx([1 / 6, 3 / 6, 5 / 6])


@pytest.mark.parametrize(
    ("degrees", "median"), [((10, 20, 90), 20), ((10, 20, 30, 90), 20), ((179.999,), 180)]
)
def test_the_median_is_the_lower_middle_and_reaches_to_the_end(degrees, median):
    metric = NormalsMetric()
    metric.update(tilted(*degrees), tilted(*[0.0] * len(degrees)))
    assert metric.result()["median_deg"] == pytest.approx(median, abs=0.006)


def test_opposite_normals_are_in_the_last_bin():
    metric = NormalsMetric(0.5)
    metric.update(tilted(180.0), tilted(0.0))
    assert metric.histogram[-1] == 1 and metric.result()["median_deg"] == 179.75


def test_lengths_of_directions_do_not_matter_and_all_axes_do():
    truth = np.array([[[0.0, 0.0, -9.0]]])
    for axis in range(2):
        guess = np.array([[[0.0, 0.0, -0.1]]])
        guess[..., axis] = 0.1
        assert angles_deg(guess, truth) == pytest.approx(45.0)
    metric = NormalsMetric()
    metric.update(np.zeros((1, 1, 3)), truth)
    assert metric.result()["mean_deg"] == 180.0

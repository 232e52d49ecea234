"""Delta_m and its bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.study.delta_m import (
    common,
    delta_m,
    difference,
    estimate,
    relative_change,
    room_weights,
)
from mtshare_ros.study.room_scores import RoomScores
from mtshare_ros.tasks import TASKS


def depth_rooms(error: np.ndarray) -> RoomScores:
    """Return rooms of a thousand pixels with a given mean squared error each."""
    ones = np.ones(len(error))
    sums = {
        "pixels": 1000 * ones,
        "squared": 1000 * error,
        "relative": error,
        "within": ones,
    }
    return RoomScores(TASKS["depth"], np.arange(len(error)), sums)


def test_delta_m_by_hand() -> None:
    changes = {
        "normals": relative_change(np.array([9.0]), np.array([10.0]), False),
        "depth": relative_change(np.array([0.55]), np.array([0.50]), False),
        "segmentation": relative_change(np.array([0.63]), np.array([0.60]), True),
    }
    assert [float(c[0]) for c in changes.values()] == pytest.approx([10.0, -10.0, 5.0])
    assert float(delta_m(changes)[0]) == pytest.approx(5 / 3)


def test_the_bootstrap_takes_the_metric_of_the_summed_sums() -> None:
    scores = depth_rooms(np.array([1.0, 4.0, 9.0]))
    weights = np.array([[1.0, 1, 1], [3, 0, 0], [0, 1, 2]])
    rmse = scores.resampled(weights, "rmse")
    assert rmse == pytest.approx(np.sqrt([14 / 3, 1.0, 22 / 3]))
    assert rmse[0] == pytest.approx(scores.whole()["rmse"])


def test_identical_systems_differ_by_exactly_nothing() -> None:
    weights = room_weights(20, 300, seed=1)
    error = np.random.default_rng(0).uniform(0.1, 1, 20)
    value = depth_rooms(error).resampled(weights, "rmse")
    same = estimate({"a": relative_change(value, value.copy(), False)})
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    other = estimate(difference({"a": value, "b": value}, {"a": value}))
    assert (other.low, other.high, set(other.per_seed)) == (0.0, 0.0, {"a"})


def test_a_shift_common_to_all_rooms_is_found_exactly() -> None:
    error = np.random.default_rng(0).uniform(0.2, 2, 60)
    weights = room_weights(60, 500, seed=0)
    reference = depth_rooms(error).resampled(weights, "rmse")
    shifted = depth_rooms(error * 0.81).resampled(weights, "rmse")
    found = estimate({"a": relative_change(shifted, reference, False)})
    # Pairing: the rooms differ a lot, the systems by the same in each.
    assert [found.low, found.value, found.high] == pytest.approx([10.0] * 3)


def test_the_interval_covers_a_known_shift_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    weights, covered = room_weights(60, 500, seed=0), 0
    for _ in range(200):
        error = rng.uniform(0.2, 2, 60)
        reference = depth_rooms(error).resampled(weights, "rmse")
        noisy = depth_rooms(error * 0.81 * rng.uniform(0.7, 1.3, 60)).resampled(weights, "rmse")
        found = estimate({"a": relative_change(noisy, reference, False)})
        assert 1 < found.high - found.low < 10
        covered += found.low < 10.0 < found.high
    assert 0.90 <= covered / 200 <= 0.98


def test_the_interval_has_the_width_of_the_standard_error() -> None:
    rng = np.random.default_rng(3)
    error = rng.uniform(0.5, 1.5, 400)
    scores = depth_rooms(error)
    squared = scores.resampled(room_weights(400, 4000, seed=0), "rmse") ** 2
    found = estimate({"a": squared})
    expected = 2 * 1.96 * error.std() / np.sqrt(400)
    assert found.high - found.low == pytest.approx(expected, rel=0.06)


def test_seeds_are_averaged_and_kept_apart() -> None:
    found = estimate({"a": np.array([1.0, 0, 2]), "b": np.array([3.0, 2, 4])})
    assert found.value == 2.0 and found.per_seed == {"a": 1.0, "b": 3.0}


def test_the_interval_is_that_of_the_resamples_alone() -> None:
    found = estimate({"a": np.array([100.0, *np.arange(0.0, 101.0)])})
    assert (found.value, found.low, found.high) == pytest.approx((100.0, 2.5, 97.5))


def test_the_first_row_of_weights_is_all_rooms_as_they_are() -> None:
    weights = room_weights(7, 50, seed=3)
    assert weights.shape == (51, 7) and (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all() and (weights[1:] != 1).any()
    assert (room_weights(7, 50, seed=3) == weights).all()
    assert (room_weights(7, 50, seed=4) != weights).any()


def test_only_runs_that_every_part_has_are_common() -> None:
    value = np.zeros(2)
    parts = [{"b": value, "a": value, "c": value}, {"a": value, "b": value}, {"a": value}]
    assert common(parts) == ["a"] and common(parts[:2]) == ["b", "a"]
    assert common(parts[1:2]) == ["a", "b"]

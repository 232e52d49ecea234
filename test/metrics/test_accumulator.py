"""Sums of the parts of a set add up to those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.metrics.accumulator import Additive, check_probability, same_size
from mtshare_ros.metrics.boundary import BoundaryMetric
from mtshare_ros.metrics.depth import DepthMetric
from mtshare_ros.metrics.normals import NormalsMetric
from mtshare_ros.metrics.saliency import SaliencyMetric
from mtshare_ros.metrics.segmentation import SegmentationMetric


def frame(task: str, seed: int):
    """Return a prediction and a truth with invalid pixels."""
    rng = np.random.default_rng(seed)
    if task == "segmentation":
        truth = rng.integers(0, 4, (9, 7))
        truth[0] = 255
        return rng.integers(0, 5, (9, 7)), truth
    if task == "depth":
        truth = rng.uniform(1, 5, (9, 7))
        truth[0] = np.nan
        return rng.uniform(1, 5, (9, 7)), truth
    truth = rng.normal(size=(9, 7, 3))
    truth[0] = 0
    return rng.normal(size=(9, 7, 3)), truth


EMPTY = {
    "segmentation": lambda: SegmentationMetric(16),
    "depth": lambda: DepthMetric(20.0),
    "normals": lambda: NormalsMetric(0.1),
}


def filled(task: str, seeds) -> Additive:
    metric = EMPTY[task]()
    for seed in seeds:
        metric.update(*frame(task, seed))
    return metric


@pytest.mark.parametrize("task", EMPTY)
def test_the_sums_of_the_rooms_are_those_of_the_whole_set(task: str) -> None:
    whole = filled(task, range(6)).result()
    parts = [filled(task, seeds) for seeds in ((0,), (1, 2, 3), (4, 5))]
    added = parts[0] + parts[1] + parts[2]
    assert added.result() == pytest.approx(whole, rel=1e-12)
    assert parts[0].result() == filled(task, (0,)).result()  # left as it was
    added.update(*frame(task, 6))
    assert added.result() == pytest.approx(filled(task, range(7)).result(), rel=1e-12)


@pytest.mark.parametrize("task", EMPTY)
def test_scores_of_many_sums_at_once_are_those_of_each(task: str) -> None:
    parts = [filled(task, (seed,)) for seed in range(3)]
    stacked = {k: np.stack([p.state()[k] for p in parts]) for k in parts[0].state()}
    at_once = EMPTY[task]().scores(stacked)
    for number, part in enumerate(parts):
        assert {k: v[number] for k, v in at_once.items()} == pytest.approx(part.result())


def test_nothing_seen_has_no_published_variants() -> None:
    assert SegmentationMetric(3).legacy() == SaliencyMetric().legacy() == {}
    assert DepthMetric(9.0).legacy() == {}


def test_nothing_seen_has_no_scores_although_some_are_numbers() -> None:
    assert NormalsMetric(0.1).result() == BoundaryMetric().result() == {}


def test_maps_of_other_shapes_or_types_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"is \(2, 3\), ground truth \(3, 2\): sizes must be"):
        same_size(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="sizes must be equal"):
        check_probability(np.zeros((2, 3), np.uint8), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="prediction is int64: expected a probability as uint8"):
        check_probability(np.zeros((2, 3), np.int64), np.zeros((2, 3)))


def test_the_best_threshold_is_that_of_each_part() -> None:
    # Two parts and two thresholds: F is 2 * matched / (predicted + actual).
    state = {
        "matched": np.array([[4, 2], [1, 3]]),
        "predicted": np.array([[4, 2], [12, 12]]),
        "actual": np.array([4, 8]),
    }
    assert BoundaryMetric().scores(state)["ods_f"].tolist() == [1.0, pytest.approx(0.3)]

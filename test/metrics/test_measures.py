"""How predictions of each kind are measured."""

import numpy as np
import pytest

from mtshare_ros.metrics.measures import (
    MetricSettings,
    class_count,
    disagreement,
    metric_for,
)
from mtshare_ros.tasks import KINDS, ROOM_CLASSES, TASKS

PROBABILITIES = ("boundary", "saliency")
"""Kinds whose maps are of one probability."""


def unit(rng, *shape):
    vectors = rng.normal(size=(*shape, 3))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


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


def test_what_is_invalid_in_one_of_two_maps_counts_in_full_on_either_side():
    nan = np.nan
    depth = TASKS["depth"]
    assert disagreement(depth, np.array([[nan, 2.0]]), np.array([[4.0, 2.0]])) == 0.5
    assert disagreement(depth, np.array([[4.0, 2.0]]), np.array([[nan, 2.0]])) == 0.5
    assert disagreement(depth, np.array([[nan]]), np.array([[nan]])) == 0.0
    assert disagreement(depth, np.array([[3.0]]), np.array([[2.0]])) == 0.5
    up, none = np.array([[[0, 0, -1.0]]]), np.full((1, 1, 3), nan)
    for a, b, expected in ((up, none, 180), (none, up, 180), (none, none, 0), (up, -up, 180)):
        assert disagreement(TASKS["normals"], a, b) == pytest.approx(expected)


def test_a_metric_takes_the_settings_that_are_its():
    settings = MetricSettings(max_distance=0.5, angle_bin_deg=1.5)
    assert metric_for(TASKS["boundary"], settings).max_distance == 0.5
    assert metric_for(TASKS["normals"], settings).bin_deg == 1.5
    assert metric_for(KINDS["depth"].task(value_range=(0.5, 7.0))).max_depth == 7.0
    assert metric_for(TASKS["segmentation"]).classes == 16


def test_truth_may_have_as_many_classes_as_every_task_knows():
    few = KINDS["segmentation"].task(classes=ROOM_CLASSES[:5])
    assert class_count([TASKS["segmentation"], few, TASKS["depth"]]) == 5
    assert class_count([TASKS["saliency"]]) == len(ROOM_CLASSES)
    assert class_count([TASKS["depth"], TASKS["normals"]]) is None

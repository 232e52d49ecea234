"""What a frame gave, and the truth about it."""

from types import SimpleNamespace

import numpy as np

from mtshare_ros.evaluation.outcome import Outcome, time_label, to_size, truths_of
from mtshare_ros.tasks import TASKS


def test_maps_are_resized_without_inventing_values():
    labels = np.array([[3, 9], [9, 3]], np.uint8)
    assert set(np.unique(to_size(labels, (7, 5)))) == {3, 9}
    assert to_size(np.zeros((2, 2, 3), np.float32), (4, 6)).shape == (4, 6, 3)


def test_truth_is_found_by_the_kind_of_the_task_or_follows_from_the_labels():
    labels = np.array([[0, 0], [15, 255]], np.uint8)
    frame = SimpleNamespace(depth=None, labels=labels, normals=np.ones((2, 2, 3), np.float32))
    truths = truths_of(frame, TASKS.values())
    assert set(truths) == {"segmentation", "normals", "boundary", "saliency"}
    assert truths["segmentation"] is labels and truths["normals"] is frame.normals
    # Class 15 is a person.
    assert np.array_equal(truths["saliency"], [[0, 0], [1, np.nan]], equal_nan=True)


def test_the_share_of_dirty_tokens_is_all_of_them_if_it_is_unknown():
    rgb = np.zeros((2, 2, 3), np.uint8)
    assert Outcome(rgb, {}, {}).dirty_fraction == 1.0
    assert Outcome(rgb, {}, {}, dirty=np.eye(4, dtype=bool)).dirty_fraction == 0.25


def test_a_time_is_told_in_seconds():
    assert time_label(1_234_567_890) == "1.23 s"


def test_a_map_of_another_aspect_is_picked_at_the_centres_of_its_pixels():
    labels = np.arange(12, dtype=np.uint8).reshape(2, 6)
    smaller = to_size(labels, (2, 2))
    assert smaller.tolist() == [[1, 4], [7, 10]]
    larger = to_size(labels, (4, 6))
    assert larger.tolist() == labels.repeat(2, 0).tolist()
    assert to_size(labels, (2, 6)) is labels

"""Accuracy over a run: each frame's main metric, and the metrics of all frames."""

import numpy as np
import pytest

from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.tasks import TASKS

TASK_LIST = [TASKS["depth"], TASKS["segmentation"]]


def depth(*values):
    return np.array([values], np.float32)


def test_a_frame_has_its_main_metrics_and_the_run_those_of_all_pixels():
    accuracy = Accuracy(TASK_LIST)
    assert accuracy.update({"depth": depth(1, 3)}, {"depth": depth(1, 2)}) == {"depth": 0.25}
    truth = {"depth": depth(4, np.nan)}
    assert accuracy.update({"depth": depth(2, 9)}, truth) == {"depth": 0.5}
    result = accuracy.result()
    assert set(result) == {"depth"} and set(result["depth"]) == set(TASKS["depth"].metrics)
    assert result["depth"]["abs_rel"] == pytest.approx((0 + 0.5 + 0.5) / 3)


def test_predictions_are_brought_to_the_size_of_the_truth():
    labels = np.array([[1, 2]], np.uint8)
    accuracy = Accuracy(TASK_LIST)
    large = {"segmentation": np.repeat(np.repeat(labels, 3, 0), 3, 1)}
    assert accuracy.update({"segmentation": labels}, large) == {"segmentation": 1.0}


def test_a_task_without_prediction_or_valid_truth_has_no_figure():
    accuracy = Accuracy(TASK_LIST)
    assert accuracy.update({}, {"depth": depth(1)}) == {}
    assert accuracy.update({"depth": depth(1)}, {"depth": depth(np.nan)}) == {}
    assert accuracy.result() == {}


def test_variants_of_published_tables_are_those_of_the_metrics():
    accuracy = Accuracy(TASK_LIST)
    labels = np.zeros((2, 2), np.uint8)
    accuracy.update({"segmentation": labels}, {"segmentation": labels})
    # One class of 16 occurs.
    assert accuracy.legacy() == {"segmentation": {"miou_legacy": pytest.approx(1 / 16)}}


def test_each_contender_has_the_tolerance_that_it_is_given():
    boundary = [TASKS["boundary"]]
    truth, near = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    truth[10:50, 40], near[10:50, 43] = 1, 255  # 3 pixels of a diagonal of 100
    for tolerance, score in ((0.035, 1.0), (0.025, 0.0)):
        accuracy = Accuracy(boundary, tolerance)
        assert accuracy.update({"boundary": near}, {"boundary": truth}) == {"boundary": score}
        assert accuracy.result() == {"boundary": {"ods_f": score}}


def test_maps_of_another_aspect_are_brought_to_the_truth_s():
    accuracy = Accuracy([TASKS["depth"]])
    truth = np.repeat(np.arange(1, 5, dtype=np.float32)[None], 2, 0)
    prediction = np.repeat(np.repeat(truth, 3, 0), 2, 1)
    assert accuracy.update({"depth": prediction}, {"depth": truth}) == {"depth": 0.0}

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

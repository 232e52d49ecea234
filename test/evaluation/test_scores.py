"""Everything that a report says about a run, gathered frame by frame."""

import numpy as np
import pytest

from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from support.report_files import ALL_TASKS, outcome, scores_of


def test_shares_and_distances_are_means_over_the_frames():
    scores = scores_of(outcome(0), outcome(1, off=1.3), outcome(2, off=1.2))
    assert scores.frames == 3
    assert scores.dirty_fraction() == {"mean": pytest.approx(0.5), "max": 1.0}
    distances = scores.disagreement()
    assert distances["depth"] == pytest.approx(0.2, rel=1e-4)
    assert distances["segmentation"] == distances["normals"] == 0.0


def test_figures_of_a_baseline_belong_to_the_frame_that_comes_next():
    scores = Scores(ALL_TASKS)
    for index in range(2):
        frame = outcome(index)
        if index == 1:
            scores.baseline("hold:2", frame.truths, frame.truths, {"total": 4.0, "stem": 1.0})
        scores.update(frame)
    figures = scores.series.result()["figures"]
    assert figures["hold:2.ms.total"] == [None, 4.0]
    assert figures["hold:2.depth.abs_rel"] == [None, 0.0]
    assert "hold:2.ms.stem" not in figures
    result = scores.baselines["hold:2"].result()
    assert result["tasks"]["depth"]["abs_rel"] == 0.0
    assert result["latency_ms"]["total"]["mean"] == 4.0


def test_what_is_unknown_of_a_recorded_bag_is_left_out():
    frame = outcome(0)
    scores = Scores(ALL_TASKS)
    scores.update(Outcome(frame.rgb, frame.predictions, frame.truths))
    assert scores.dirty_fraction() == {} and scores.disagreement() == {}
    assert scores.latency.result() == {}
    assert set(scores.series.names) == {"normals.mean_deg", "depth.abs_rel", "segmentation.miou"}


def test_figures_of_one_frame_do_not_stay_for_the_next_one():
    scores = Scores(ALL_TASKS)
    first = outcome(0)
    scores.baseline("hold:2", first.truths, first.truths, {"total": 4.0})
    scores.update(first)
    scores.update(Outcome(first.rgb, first.predictions, {}))
    figures = scores.series.result()["figures"]
    assert figures["hold:2.ms.total"] == [4.0, None]
    assert figures["depth.abs_rel"][1] is None and scores.frames == 2
    assert scores.baselines["hold:2"].accuracy is not scores.accuracy


def test_the_largest_share_of_tokens_is_that_of_one_frame():
    scores = Scores([])
    rgb = np.zeros((2, 2, 3), np.uint8)
    for share in (1, 3, 2):
        scores.update(Outcome(rgb, {}, {}, dirty=np.arange(4).reshape(2, 2) < share))
    assert scores.dirty_fraction() == {"mean": 0.5, "max": 0.75}

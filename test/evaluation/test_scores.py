"""Everything that a report says about a run, gathered frame by frame."""

import numpy as np
import pytest

from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import TASKS
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


def test_a_frame_is_kept_under_its_number_with_its_figures():
    scores = scores_of(outcome(0), outcome(1, off=2.0))
    found = scores.kept.result()
    assert [(kept.moment.index, kept.moment.label) for kept in found] == [
        (0, "0.00 s"), (1, "0.03 s")
    ]  # fmt: skip
    assert found[1].moment.figures["depth.abs_rel"] == pytest.approx(1.0)
    assert scores.latency.result()["total"]["max"] == 3.0


def test_frames_with_truth_are_counted_by_task():
    frame = outcome(0)
    scores = Scores(ALL_TASKS)
    scores.update(frame)
    depth = {"depth": frame.truths["depth"]}
    scores.update(Outcome(frame.rgb, frame.predictions, depth))
    assert scores.truth_frames == {"normals": 1, "depth": 2, "segmentation": 1}


def test_the_distance_is_relative_to_the_dense_network():
    rgb = np.zeros((2, 2, 3), np.uint8)
    two, one = np.full((2, 2), 2, np.float32), np.ones((2, 2), np.float32)
    scores = Scores([TASKS["depth"]])
    scores.update(Outcome(rgb, {"depth": two}, {}, reference={"depth": one}))
    assert scores.disagreement() == {"depth": 1.0}


def test_run_and_baselines_have_the_tolerance_of_the_data_set():
    truth, near = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    truth[10:50, 40], near[10:50, 43] = 1, 255  # 3 pixels of a diagonal of 100
    rgb = np.zeros((60, 80, 3), np.uint8)
    for tolerance, score in ((0.035, 1.0), (0.025, 0.0)):
        scores = Scores([TASKS["boundary"]], tolerance)
        scores.baseline("hold:2", {"boundary": near}, {"boundary": truth}, {})
        scores.update(Outcome(rgb, {"boundary": near}, {"boundary": truth}))
        assert scores.accuracy.result()["boundary"]["ods_f"] == score
        assert scores.baselines["hold:2"].result()["tasks"]["boundary"]["ods_f"] == score
        # A score of zero is one, too.
        assert scores.series.values("boundary.ods_f").tolist() == [score]

"""Plots of a report: what they draw of a run."""

import re

import pytest

from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.report import report_plots
from mtshare_ros.evaluation.report.report_plots import stage_bars, timeline
from mtshare_ros.evaluation.scores import Scores
from support.report_files import ALL_TASKS, outcome, scores_of


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


@pytest.mark.parametrize("layout", [report_plots.WIDE, report_plots.NARROW])
def test_the_timeline_shows_stages_dirty_tokens_and_accuracy(layout):
    scores = scores_of(*(outcome(index) for index in range(5)))
    svg = timeline(scores, layout)
    shown = texts(svg)
    assert svg.startswith("<svg") and {"stem", "others", "p50 4.0", "frame"} <= set(shown)
    assert "time per frame by stage, ms" in shown and "recomputed (dirty) tokens, %" in shown
    assert "depth: AbsRel (lower is better)" in shown
    assert svg == timeline(scores, layout)


def test_without_truth_the_distance_from_the_dense_network_is_shown():
    frame = outcome(0)
    scores = Scores(ALL_TASKS)
    scores.update(Outcome(frame.rgb, frame.predictions, {}, reference=frame.truths))
    shown = texts(timeline(scores, report_plots.WIDE))
    assert "depth: distance from the dense network" in shown
    assert not any("dirty" in text or "stage" in text for text in shown)


def test_a_curve_of_many_frames_says_over_how_many_it_is_a_mean():
    scores = scores_of(outcome(0))
    for _ in range(1500):
        scores.series.add({"ms.total": 1.0})
    assert "frame (means over 2 frames)" in texts(timeline(scores, report_plots.WIDE))


def test_each_stage_has_a_bar():
    times = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    shown = texts(stage_bars({"base": times, "end_to_end": times}, report_plots.HALF))
    assert {"base", "end_to_end", "p50", "p95", "p99", "ms"} - {"end_to_end"} <= set(shown)
    assert "end to end" in shown


def test_the_axes_are_inside_the_plot():
    for layout in (report_plots.WIDE, report_plots.HALF, report_plots.NARROW):
        left, right = layout.ends
        assert 0 < left < right < 1

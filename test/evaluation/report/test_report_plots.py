"""Plots of a report: what they draw of a run."""

import re

import numpy as np
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


def axes_of(monkeypatch, draw):
    """Return the axes of the figure that a plot is written of."""
    with monkeypatch.context() as patch:
        patch.setattr(report_plots, "_svg", lambda figure: figure)
        return draw().axes


def run_of(*rows):
    """Return scores whose frames have these figures and times, and no task."""
    scores = Scores([])
    rgb = np.zeros((2, 2, 3), np.uint8)
    for times, dense in rows:
        if dense is not None:
            scores.baseline("dense", {}, {}, {"total": dense})
        scores.update(Outcome(rgb, {}, {}, np.eye(2, dtype=bool), times))
    return scores


def labels_of(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def top_of(layer):
    """Return the upper edge of a layer of a stack at each frame."""
    vertices = layer.get_paths()[0].vertices
    return [vertices[vertices[:, 0] == x, 1].max() for x in range(3)]


def test_stages_are_stacked_up_to_the_total_the_costliest_first(monkeypatch):
    # The stage "carry" is of the second frame only.
    scores = run_of(
        ({"stem": 1.0, "base": 3.0, "total": 5.0}, 9.0),
        ({"stem": 1.0, "carry": 0.5, "total": 2.0}, None),
        ({"stem": 1.0, "base": 4.0, "total": 8.0}, 7.0),
    )
    axis, dirty = axes_of(monkeypatch, lambda: timeline(scores, report_plots.WIDE))
    layers = [c for c in axis.collections if c.get_label() in ("stem", "base", "carry", "others")]
    assert [layer.get_label() for layer in layers] == ["base", "stem", "carry", "others"]
    assert top_of(layers[0]) == [3, 0, 4] and top_of(layers[1]) == [4, 1, 5]
    assert top_of(layers[3]) == [5, 2, 8]
    dense, *percentiles = axis.lines
    assert list(dense.get_ydata()) == pytest.approx([9, np.nan, 7], nan_ok=True)
    found = [line.get_ydata()[0] for line in percentiles]
    times = scores.latency.result()["total"]
    assert found == [times[key] for key in ("p50", "p95", "p99")]
    assert labels_of(axis)[-3:] == ["p50 5.0", "p95 7.7", "p99 7.9"]
    # The dense network is slower than any frame, and it is seen.
    assert axis.get_ylim() == pytest.approx((0, 1.08 * 9))
    (area,) = dirty.collections
    assert area.get_paths()[0].vertices[:, 1].max() == 50 and dirty.get_ylim() == (0, 105)


def test_curves_have_the_unit_of_their_title(monkeypatch):
    scores = scores_of(outcome(0), outcome(1, off=1.2))
    shown = axes_of(monkeypatch, lambda: timeline(scores, report_plots.WIDE))
    by_title = {axis.get_title(loc="left"): axis for axis in shown}
    dense, run = by_title["segmentation: mIoU, % (higher is better)"].lines
    assert list(run.get_ydata()) == [100, 100] and list(dense.get_ydata()) == [100, 100]
    dense, run = by_title["depth: AbsRel (lower is better)"].lines
    assert list(run.get_ydata()) == pytest.approx([0.1, 0.2], rel=1e-4)
    assert list(dense.get_ydata()) == [0, 0]
    # A line through fewer than three points would not be seen.
    assert run.get_marker() == "." and {axis.get_xlim() for axis in shown} == {(0, 1)}
    many = scores_of(*(outcome(index) for index in range(3)))
    *_, last = axes_of(monkeypatch, lambda: timeline(many, report_plots.WIDE))
    assert last.lines[1].get_marker() == "None"


def test_bars_go_to_the_median_and_marks_to_the_others(monkeypatch):
    latency = {
        "stem": {"p50": 1.0, "p95": 2.0, "p99": 4.0},
        "total": {"p50": 3.0, "p95": 5.0, "p99": 9.0},
    }
    (axis,) = axes_of(monkeypatch, lambda: stage_bars(latency, report_plots.HALF))
    # The first stage is on top.
    assert [text.get_text() for text in axis.get_yticklabels()] == ["total", "stem"]
    assert [bar.get_width() for bar in axis.patches] == [3, 1]
    (spread,) = axis.collections
    assert [segment[:, 0].tolist() for segment in spread.get_segments()] == [[3, 9], [1, 4]]
    assert [list(line.get_xdata()) for line in axis.lines] == [[5, 2], [9, 4]]

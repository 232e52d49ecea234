"""The plots of reuse over time show the numbers that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.study.reuse import reuse_plots
from mtshare_ros.study.reuse.played_clips import Clip, Track, Way
from mtshare_ros.tasks import DEPTH


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved."""
    figures: list[Any] = []
    monkeypatch.setattr(reuse_plots, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def way(name: str, policy: str, milliseconds: float, error: float) -> dict[str, Any]:
    """Return a way of ``reuse.json``."""
    means = {"mean_ms": milliseconds, "error": {"depth": error}}
    frames = {"ms": [milliseconds] * 2, "errors": {"depth": [error, 2 * error]}}
    return {"name": name, "policy": policy, **means, **frames}


WAYS = [
    way("dense", "dense", 40.0, 0.0),
    way("tokens:1", "tokens", 30.0, 0.1),
    way("tokens:0.1", "tokens", 10.0, 0.3),
    way("hold:4", "hold:4", 12.0, 0.5),
    way("hold:2", "hold:2", 20.0, 0.4),
]


def test_ways_of_one_sort_are_a_line_over_time(drawn: list[Any]) -> None:
    reuse_plots.error_over_time([{"name": "pan", "ways": WAYS}], [DEPTH], Path("p.png"))
    (panel,) = drawn[0].axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in panel.get_lines()}
    assert lines["recomputed tokens, by budget"] == [[10.0, 0.3], [30.0, 0.1]]
    assert lines["every k-th dense frame held"] == [[12.0, 0.5], [20.0, 0.4]]
    assert lines["dense"][0][0] == 40.0 and panel.get_title() == "pan"


def test_a_clip_is_drawn_frame_by_frame_in_the_ways_that_are_named(drawn: list[Any]) -> None:
    clip = {"name": "pan-1", "ways": WAYS}
    reuse_plots.frames(clip, [DEPTH], ("tokens:0.1", "hold:4"), Path("p.png"))
    errors, times = drawn[0].axes
    assert [line.get_label() for line in times.get_lines()] == ["tokens:0.1", "hold:4"]
    assert list(errors.get_lines()[1].get_ydata()) == [0.5, 1.0]
    assert list(times.get_lines()[0].get_ydata()) == [10.0, 10.0]


def test_a_strip_says_the_share_of_tokens_that_each_frame_recomputed(drawn: list[Any]) -> None:
    dirty = [np.ones((2, 4), np.bool_), np.eye(2, 4, dtype=np.bool_)]
    track = Track(Way("t", "tokens", StreamSettings()), Accuracy([DEPTH]), dirty=dirty)
    pictures = {number: np.zeros((32, 64, 3), np.uint8) for number in range(2)}
    reuse_plots.strips([(Clip("pan-1", [track], [1.0], pictures), track)], Path("p.png"))
    titles = [panel.get_title(loc="left") for panel in drawn[0].axes]
    assert titles == ["pan, frame 0: 100 %", "frame 1: 25 %"]


def test_ways_are_sorted_into_their_families() -> None:
    names = ("tokens:0.5", "hold:2", "warp:4", "carry:3")
    families = [reuse_plots._sort({"policy": name}) for name in names]
    assert families == ["tokens", "hold", "warp", "carry"]

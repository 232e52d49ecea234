"""The plots of reuse over time show the numbers that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.pictures.map_pictures import dirty_picture
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.study.reuse import reuse_plots
from mtshare_ros.study.reuse.played_clips import Clip, Track, Way
from mtshare_ros.tasks import DEPTH, NORMALS


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


def test_a_column_is_a_kind_and_a_row_a_task(drawn: list[Any]) -> None:
    def kind(name: str, factor: float) -> dict[str, Any]:
        ways = [
            {**way, "error": {task: factor * n for n, task in enumerate(("depth", "normals"), 1)}}
            for way in WAYS[:2]
        ]
        return {"name": name, "ways": ways}

    kinds = [kind("pan", 1.0), kind("drive", 10.0), kind("static", 100.0)]
    reuse_plots.error_over_time(kinds, [DEPTH, NORMALS], Path("p.png"))
    panels = drawn[0].axes
    errors = [panel.get_lines()[0].get_ydata()[0] for panel in panels]
    assert errors == [1.0, 10.0, 100.0, 2.0, 20.0, 200.0]
    assert [panel.get_title() for panel in panels] == ["pan", "drive", "static", "", "", ""]
    assert panels[3].get_ylabel().startswith("normals:")
    assert all(panel.get_ylim()[0] == 0 for panel in panels)


def test_a_strip_shows_the_recomputed_tokens_of_each_clip(drawn: list[Any]) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for name in ("pan-1", "drive-1"):
        dirty = [rng.random((2, 4)) < 0.5 for _ in range(2)]
        track = Track(Way("t", "tokens", StreamSettings()), Accuracy([DEPTH]), dirty=dirty)
        pictures = {n: rng.integers(0, 255, (32, 64, 3), dtype=np.uint8) for n in range(2)}
        rows.append((Clip(name, [track], [1.0], pictures), track))
    reuse_plots.strips(rows, Path("p.png"))
    for row, (clip, track) in enumerate(rows):
        for column in range(2):
            (shown,) = drawn[0].axes[2 * row + column].get_images()
            expected = dirty_picture(clip.pictures[column], track.dirty[column])
            assert np.array_equal(shown.get_array(), expected)

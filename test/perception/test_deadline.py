"""How many tokens fit into a deadline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.deadline import BASE, FrameTime
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from support.hand_made import HandMadeEngine

ROWS = 300


def _frame(base: int, depth: int | None = None, slow: float = 1.0) -> dict[str, dict[str, float]]:
    """Return a frame of a machine with known times: rest 2, base 1 + 0.05 K, depth 2 + 0.01 K."""
    rows = {BASE: base} if depth is None else {BASE: base, "depth": depth}
    times = {BASE: 1 + 0.05 * base}
    if depth is not None:
        times["depth"] = 2 + 0.01 * depth
    times = {stage: slow * ms for stage, ms in times.items()}
    return {"rows": rows, "milliseconds": {**times, "total": sum(times.values()) + 2 * slow}}


def _learned(*frames: dict[str, dict[str, float]]) -> FrameTime:
    time = FrameTime(ROWS)
    for frame in frames:
        time.observe(**frame)
    return time


def test_the_lines_of_a_machine_are_learned_from_its_frames() -> None:
    time = _learned(*(_frame(k, k) for k in (300, 20, 60, 35, 80)))
    for k in (5, 100, 300):
        frame = _frame(k, k)
        assert time.expected(frame["rows"]) == pytest.approx(frame["milliseconds"]["total"])
    # Nine tenths of the deadline: 9 = 5 + 0.06 K; without depth 9 = 3 + 0.05 K
    assert time.tokens(10.0, ["depth"], {}) in (66, 67)
    assert time.tokens(10.0, [], {}) in (119, 120)
    assert time.tokens(1.0, ["depth"], {}) < 0
    assert time.tokens(1e9, ["depth"], {}) == ROWS


def test_what_a_task_missed_is_paid_for_by_the_others() -> None:
    time = _learned(*(_frame(k, k) for k in (300, 20, 60, 35, 80)))
    # 60 missed rows of depth cost 0.6 ms, 10 tokens less.
    assert time.tokens(10.0, ["depth"], {"depth": 60}) in (56, 57)


def test_a_load_is_met_at_once_and_remembered_for_a_while() -> None:
    time = _learned(*(_frame(k, k) for k in (300, 20, 60, 35, 80)))
    free = time.tokens(8.0, ["depth"], {})
    time.observe(**_frame(50, 50, slow=1.3))
    loaded = time.tokens(8.0, ["depth"], {})
    assert loaded < 0.65 * free
    for _ in range(30):
        time.observe(**_frame(loaded, loaded))
    assert time.tokens(8.0, ["depth"], {}) < 0.8 * free
    for _ in range(1500):
        time.observe(**_frame(loaded, loaded))
    assert time.tokens(8.0, ["depth"], {}) > 0.9 * free


def test_a_slope_is_kept_while_every_frame_computes_as_many() -> None:
    time = _learned(*(_frame(k, k) for k in (300, 20, 60, 35, 80)))
    for _ in range(2000):
        time.observe(**_frame(50, 50))
    assert time.tokens(11.0, ["depth"], {}) in (81, 82)


def test_before_the_first_frame_nothing_is_known() -> None:
    assert FrameTime(ROWS).tokens(5.0, ["depth"], {}) == ROWS


def test_after_one_frame_all_of_its_time_is_taken_to_be_its_rows() -> None:
    time = _learned(_frame(300, 300))
    # 16 ms of the base, 5 ms of depth, 2 ms of the rest: 0.9 x 11.5 = 2 + 0.07 K
    assert time.tokens(11.5, ["depth"], {}) == 119
    assert time.expected({BASE: 0, "depth": 0}) == pytest.approx(2.0)


def test_a_stage_never_takes_less_than_no_time_nor_less_for_more_rows() -> None:
    steep, falling = FrameTime(ROWS), FrameTime(ROWS)
    for k, ms in ((100, 1.0), (300, 30.0), (100, 1.0), (300, 30.0)):
        steep.observe({BASE: k}, {BASE: ms, "total": ms})
        falling.observe({BASE: k}, {BASE: 40.0 - ms, "total": 40.0 - ms})
    assert steep.expected({BASE: 0}) >= 0
    assert falling.expected({BASE: 300}) >= falling.expected({BASE: 0})


def test_a_slow_first_frame_is_no_load() -> None:
    frames = [_frame(k, k) for k in (20, 60, 35, 80, 50, 40, 70)]
    time = _learned(_frame(300, 300, slow=1.5), *frames)
    for _ in range(300):
        time.observe(**_frame(50, 50))
    assert time.tokens(10.0, ["depth"], {}) > 40


def test_a_task_that_was_never_observed_is_taken_as_free() -> None:
    time = _learned(*(_frame(k) for k in (300, 20, 60, 35, 80)))
    assert time.tokens(10.0, ["depth"], {"depth": 300}) == time.tokens(10.0, [], {})


def test_a_stream_asks_for_room_beside_what_its_tasks_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def tokens(self: FrameTime, *arguments: Any) -> int:
        asked.append(arguments)
        return 5

    monkeypatch.setattr(FrameTime, "tokens", tokens)
    stream = PerceptionStream(
        HandMadeEngine(), StreamSettings(max_age=10_000, change_threshold=0.0, deadline_ms=7.0)
    )
    image = np.full((64, 160, 3), 90, np.uint8)
    for frame, wanted in enumerate((["normals", "depth"], ["depth"], ["depth"], ["normals"])):
        dirty = stream.step(image + np.uint8(4 * frame), 33 * frame, wanted).dirty
        assert dirty.sum() == (5 if frame else 40)
    assert [deadline for deadline, _, _ in asked] == [7.0] * 4
    assert [list(tasks) for _, tasks, _ in asked] == [
        ["normals", "depth"],
        ["depth"],
        ["depth"],
        ["normals"],
    ]
    missed = [pending for _, _, pending in asked]
    assert missed[:3] == [{}, {}, {}] and 5 < missed[3]["normals"] <= 10


def test_a_stream_keeps_within_the_room_of_its_deadline(bundle_path: Path) -> None:
    engine = open_engine(bundle_path, threads=1)
    settings = StreamSettings(max_age=10_000, change_threshold=0.0)
    stream = PerceptionStream(engine, settings)
    scene = np.random.default_rng(0).integers(40, 200, (96, 128, 3), dtype=np.uint8)

    def dirty(frame: int) -> int:
        image = scene + np.uint8(4 * frame)  # everywhere, and no cut
        return int(stream.step(image, 33_000_000 * frame, ["depth"]).dirty.sum())

    assert [dirty(frame) for frame in range(4)] == [48] * 4
    stream.settings = StreamSettings(max_age=10_000, change_threshold=0.0, deadline_ms=1e-6)
    assert [dirty(frame) for frame in range(4, 8)] == [1] * 4
    stream.settings = StreamSettings(max_age=12, change_threshold=0.0, deadline_ms=1e-6)
    assert [dirty(frame) for frame in range(8, 12)] == [4] * 4  # what the age bound needs
    stream.settings = StreamSettings(max_age=10_000, change_threshold=0.0, deadline_ms=1e6)
    assert dirty(12) == 48

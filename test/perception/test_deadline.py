"""How many tokens fit into a deadline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.perception.deadline import BASE, FrameTime
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings

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

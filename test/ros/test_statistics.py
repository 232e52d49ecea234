"""What happened to the frames, counted and timed."""

import pytest

from mtshare_ros.ros import statistics as module
from mtshare_ros.ros.statistics import COUNTS, WINDOW, Statistics


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_rates_are_of_what_came_and_of_what_went_since_the_last_summary(clock):
    statistics = Statistics()
    for _ in range(6):
        statistics.count("received")
    for _ in range(3):
        statistics.processed({}, 0.5)
    clock[0] += 2.0
    first = statistics.summary()
    assert (first.fps, first.received_fps) == (1.5, 3.0)
    statistics.count("received")
    clock[0] += 4.0
    second = statistics.summary()
    assert (second.fps, second.received_fps) == (0.0, 0.25)
    assert second.counts["received"] == 7 and second.counts["processed"] == 3
    assert statistics.summary().fps == 0.0, "no time has passed"


def test_each_fate_is_counted_by_itself():
    statistics = Statistics()
    for number, fate in enumerate(COUNTS):
        for _ in range(number):
            statistics.count(fate)
    assert statistics.summary().counts == {fate: n for n, fate in enumerate(COUNTS)}


def test_means_are_of_the_last_keys_and_frames_and_resets_of_all():
    statistics = Statistics()
    assert statistics.summary().dirty_fraction is None and statistics.summary().coverage is None
    statistics.key({"base": 900.0}, 1.0, "first frame")
    statistics.key({"base": 900.0}, 1.0, "cut")
    statistics.processed({"latency": 900.0}, 0.1)
    for number in range(WINDOW):
        statistics.key({"base": float(number)}, 0.25, None)
        statistics.processed({"latency": 2.0 * number}, 0.5 + 0.5 * (number % 3 == 0))
    summary = statistics.summary()
    assert summary.dirty_fraction == 0.25 and summary.coverage == pytest.approx(2 / 3)
    assert summary.milliseconds["base"][50] == pytest.approx((WINDOW - 1) / 2)
    assert summary.milliseconds["base"][99] == pytest.approx(0.99 * (WINDOW - 1))
    assert summary.milliseconds["latency"][50] == pytest.approx(WINDOW - 1)
    assert (summary.resets, summary.last_reset) == (2, "cut")
    assert (summary.keys, summary.counts["processed"]) == (WINDOW + 2, WINDOW + 1)


def test_keys_have_a_rate_of_their_own_and_those_that_failed_are_none(clock):
    statistics = Statistics()
    for _ in range(4):
        statistics.key({}, 1.0, None)
    statistics.failed_key("out of memory")
    clock[0] += 2.0
    first = statistics.summary()
    assert (first.key_fps, first.fps, first.failed_keys) == (2.0, 0.0, 1)
    assert first.reasons == {"failed_keys": "out of memory"}
    statistics.key({}, 1.0, None)
    clock[0] += 4.0
    second = statistics.summary()
    assert (second.key_fps, second.keys, second.failed_keys) == (0.25, 5, 1)


def test_a_summary_does_not_change_with_what_comes_later():
    statistics = Statistics()
    before = statistics.summary()
    statistics.count("received")
    assert before.counts["received"] == 0

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


def test_means_are_of_the_last_frames_and_resets_of_all():
    statistics = Statistics()
    assert statistics.summary().dirty_fraction is None
    assert statistics.summary().carried_fraction == 0.0
    statistics.processed({"base": 900.0}, 1.0, reset="first frame")
    statistics.processed({"base": 900.0}, 1.0, reset="cut")
    for number in range(WINDOW):
        statistics.processed({"base": float(number)}, 0.25, carried=number % 3 == 0)
    summary = statistics.summary()
    assert summary.dirty_fraction == 0.25 and summary.carried_fraction == pytest.approx(1 / 3)
    assert summary.milliseconds["base"][50] == pytest.approx((WINDOW - 1) / 2)
    assert summary.milliseconds["base"][99] == pytest.approx(0.99 * (WINDOW - 1))
    assert (summary.resets, summary.last_reset) == (2, "cut")


def test_a_summary_does_not_change_with_what_comes_later():
    statistics = Statistics()
    before = statistics.summary()
    statistics.count("received")
    assert before.counts["received"] == 0

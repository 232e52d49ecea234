"""The clock of a recording."""

import time

import pytest

from mtshare_ros.replay.clock import BagClock


def test_it_starts_with_the_first_image_and_runs_with_the_pace():
    clock = BagClock(start=2_000, rate=2.0)
    assert clock.at(1e9) == 2_000  # Whatever comes before the first image.
    clock.begin(5_000_000_000, 10.0)
    clock.begin(6_000_000_000, 11.0)
    assert clock.at(10.0) == clock.at(9.0) == 5_000_000_000
    assert clock.at(10.25) == 5_500_000_000


def test_it_says_what_time_it_is_now_and_no_time_is_negative():
    clock = BagClock(start=-5)
    assert clock.at() == 0
    clock.begin(0, time.perf_counter() - 3.0)
    assert clock.at() == pytest.approx(3e9, rel=0.1)

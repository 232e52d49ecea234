"""Times of the stages of a frame."""

from __future__ import annotations

import time

from mtshare_ros.perception.stopwatch import Stopwatch


def test_laps_follow_one_another_and_the_whole_has_them_all() -> None:
    watch = Stopwatch(time.perf_counter() - 1.0)
    watch.lap("wait")
    time.sleep(0.01)
    watch.lap("work")
    watch.whole("total")
    found = watch.milliseconds
    assert found["wait"] >= 1000 and 10 <= found["work"] < 1000
    assert found["total"] >= found["wait"] + found["work"]


def test_stages_timed_elsewhere_are_no_part_of_the_next_lap() -> None:
    watch = Stopwatch()
    time.sleep(0.05)
    watch.add({"stem": 3.0, "base": 4.0})
    watch.lap("decode")
    assert (watch.milliseconds["stem"], watch.milliseconds["base"]) == (3.0, 4.0)
    assert watch.milliseconds["decode"] < 50

"""Cases take turns, and their times are summed up."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mtshare_ros.bench import measurement
from mtshare_ros.bench.measurement import pinned, ratio, summary, take_turns


class Nothing:
    """A case that computes nothing."""

    def __init__(self, name: str, period: int = 1) -> None:
        """Take what the case is called and after how many frames it repeats."""
        self.name, self.period = name, period

    def prepare(self) -> None:
        """Make nothing."""

    def step(self) -> dict[str, float]:
        """Take no time."""
        return {}


def test_what_is_held_is_averaged_over_whole_periods() -> None:
    seconds = [[0.5, 0.0, 0.4, 0.0, 0.2], [0.1, 0.2, 0.3, 0.2, 0.2]]
    stages: list[list[dict[str, float]]] = [[{}] * 5, [{"stem": 1.0}, *[{"stem": 3.0}] * 4]]
    held, stream = summary([Nothing("hold 2", 2), Nothing("dirty 1")], (seconds, stages))
    assert held["mean_ms"] == 150.0 and held["p50_ms"] == 100.0
    assert stream["p50_ms"] == 200.0 and stream["stages_p50"] == {"stem": 3.0}


def test_cases_take_turns_in_changing_order() -> None:
    seen: list[str] = []

    class Noted(Nothing):
        def step(self) -> dict[str, float]:
            seen.append(self.name)
            return {}

    told: list[Any] = []
    seconds, _ = take_turns([Noted(name) for name in "abc"], 10, lambda *step: told.append(step))
    assert [len(one) for one in seconds] == [10] * 3 and told[-1] == (13, 13)
    turns = ["".join(seen[3 * turn : 3 * turn + 3]) for turn in range(13)]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"} and len(set(turns)) > 3


def test_a_tenth_of_the_rounds_is_warm_up_and_percentiles_are_the_named_ones() -> None:
    told: list[Any] = []
    seconds, _ = take_turns([Nothing("a")], 60, lambda *step: told.append(step))
    assert len(seconds[0]) == 60 and told[-1] == (66, 66)
    times = [[n / 1000 for n in range(101)]]
    (row,) = summary([Nothing("a")], (times, [[{}] * 101]))
    assert (row["p50_ms"], row["p95_ms"], row["p99_ms"]) == (50.0, 95.0, 99.0)


def test_what_is_held_is_compared_by_its_mean() -> None:
    dense = {"p50_ms": 100.0, "mean_ms": 120.0}
    row = {"p50_ms": 20.0, "mean_ms": 30.0}
    assert ratio(dense, row) == ratio(dense, {**row, "kind": "stream"}) == 5.0
    assert ratio(dense, {**row, "kind": "hold"}) == 4.0


def test_a_process_keeps_to_its_cores_and_gets_them_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(measurement.cv2, "setNumThreads", asked.append)
    cores = os.sched_getaffinity(0)
    with pytest.raises(KeyError), pinned(1):
        assert os.sched_getaffinity(0) == {min(cores)} and asked == [1]
        raise KeyError
    assert os.sched_getaffinity(0) == cores

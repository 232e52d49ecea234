"""Cases take turns, and their times are summed up."""

from __future__ import annotations

from typing import Any

from mtshare_ros.bench.measurement import summary, take_turns


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

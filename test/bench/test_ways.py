"""Every way to compute a bundle's tasks."""

import time
from pathlib import Path

import pytest

from mtshare_ros.bench.ways import Way, measure_ways, periods, ways_of
from mtshare_ros.bundle.folder import load_manifest


def test_each_way_is_there_for_each_number_of_tasks_and_less_of_it_is_less_work(
    bundle_path: Path, tmp_path: Path
) -> None:
    ways = ways_of(bundle_path, load_manifest(bundle_path), (1, 3), (1.0, 0.25), tmp_path, 1)
    for count in (1, 3):
        kinds = [way.kind for way in ways if way.tasks == count]
        assert kinds.count("separate") == 1 and kinds.count("stream") == 2
    work = {(way.kind, way.tasks, round(way.fraction, 2)): way.work for way in ways}
    assert work["stream", 3, 0.25] < work["stream", 3, 1.0] < work["separate", 3, 1.0]
    assert work["separate", 1, 1.0] < work["separate", 3, 1.0]
    assert {way.case.name for way in ways if way.kind == "separate"}


class Sleeper:
    """A case that takes a given time."""

    period = 1

    def __init__(self, name: str, seconds: float) -> None:
        """Take what the case is called and how long it takes."""
        self.name, self._seconds = name, seconds

    def prepare(self) -> None:
        """Make nothing."""

    def step(self) -> dict[str, float]:
        """Sleep."""
        time.sleep(self._seconds)
        return {}


def test_holding_is_measured_where_it_comes_to_the_same_work_as_a_share() -> None:
    assert periods((1.0, 0.5, 0.25, 0.05)) == [2, 4, 20]
    assert periods((1.0, 0.75)) == periods(()) == []


def test_a_row_is_held_against_the_separate_networks_of_as_many_tasks() -> None:
    ways = [
        Way("separate", 1, 1.0, 100.0, Sleeper("separate", 0.004)),
        Way("separate", 2, 1.0, 200.0, Sleeper("separate", 0.008)),
        Way("stream", 2, 0.33333, 50.0, Sleeper("dirty", 0.002)),
    ]
    told: list[tuple[int, int]] = []
    one, two, stream = measure_ways(ways, 5, lambda *step: told.append(step))
    assert told[-1] == (8, 8)
    assert (one["work"], two["work"], stream["work"]) == (1.0, 1.0, 0.25)
    assert (stream["kind"], stream["tasks"], stream["fraction"]) == ("stream", 2, 0.3333)
    assert stream["ideal_ms"] == pytest.approx(0.25 * two["p50_ms"], abs=1e-3)
    assert stream["ratio"] == pytest.approx(two["p50_ms"] / stream["p50_ms"], abs=1e-3)

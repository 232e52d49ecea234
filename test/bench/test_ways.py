"""Every way to compute a bundle's tasks."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtshare_ros.bench import ways
from mtshare_ros.bench.multiply_adds import Work
from mtshare_ros.bench.ways import Way, measure_ways, periods, ways_of
from mtshare_ros.bundle.folder import load_manifest

CELLS = dict.fromkeys(("normals", "depth", "segmentation"), 0)


def test_each_way_is_there_for_each_number_of_tasks_and_less_of_it_is_less_work(
    bundle_path: Path, tmp_path: Path
) -> None:
    found = ways_of(bundle_path, load_manifest(bundle_path), (1, 3), (1.0, 0.25), tmp_path, 1)
    for count in (1, 3):
        kinds = [way.kind for way in found if way.tasks == count]
        assert kinds.count("separate") == 1 and kinds.count("stream") == 2
    work = {(way.kind, way.tasks, round(way.fraction, 2)): way.work for way in found}
    assert work["stream", 3, 0.25] < work["stream", 3, 1.0] < work["separate", 3, 1.0]
    assert work["separate", 1, 1.0] < work["separate", 3, 1.0]
    assert {way.case.name for way in found if way.kind == "separate"}


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
    timed = [
        Way("separate", 1, 1.0, 100.0, Sleeper("separate", 0.004)),
        Way("separate", 2, 1.0, 200.0, Sleeper("separate", 0.008)),
        Way("stream", 2, 0.33333, 50.0, Sleeper("dirty", 0.002)),
    ]
    told: list[tuple[int, int]] = []
    one, two, stream = measure_ways(timed, 5, lambda *step: told.append(step))
    assert told[-1] == (8, 8)
    assert (one["work"], two["work"], stream["work"]) == (1.0, 1.0, 0.25)
    assert (stream["kind"], stream["tasks"], stream["fraction"]) == ("stream", 2, 0.3333)
    assert stream["ideal_ms"] == pytest.approx(0.25 * two["p50_ms"], abs=1e-3)
    assert stream["ratio"] == pytest.approx(two["p50_ms"] / stream["p50_ms"], abs=1e-3)


def test_the_ways_of_each_number_of_tasks_and_what_they_work(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    networks = SimpleNamespace(first=lambda count: f"first {count}")

    def rivals(config: Any, tasks: Any, folder: Any, threads: int) -> Any:
        asked.append((len(tasks), threads))
        return SimpleNamespace(separate=lambda tasks: networks, shared=lambda tasks: len(tasks))

    for name, value in (
        ("OnnxRuntimeEngine", lambda *_: None),
        ("Rivals", rivals),
        ("DenseCase", lambda name, networks, spec: (name, networks)),
        ("SceneCamera", lambda engine, tasks: [task.name for task in tasks]),
        ("StreamCase", lambda *values: values),
        ("HoldCase", lambda *values: values),
        ("count_work", lambda manifest: Work(10, 100, CELLS, CELLS, {"depth": 0.5})),
    ):
        monkeypatch.setattr(ways, name, value)
    found = ways_of(Path("b"), load_manifest(bundle_path), (1, 2), (1.0, 0.5), Path("s"), 3)
    assert asked == [(2, 3)]
    assert [(way.kind, way.tasks, way.fraction, way.work) for way in found] == [
        ("separate", 1, 1.0, 110),
        ("stream", 1, 1.0, 110),
        ("stream", 1, 0.5, 60),
        ("separate", 2, 1.0, 220),
        ("shared", 2, 1.0, 110),
        ("stream", 2, 1.0, 160),
        ("stream", 2, 0.5, 85),
        ("hold", 2, 0.5, 80),
    ]
    cases = [way.case for way in found]
    assert cases[0] == ("separate dense networks", "first 1")
    assert cases[3] == ("separate dense networks", "first 2")
    assert cases[-1] == (["normals", "depth"], 2) and cases[4] == ("shared encoder", 2)

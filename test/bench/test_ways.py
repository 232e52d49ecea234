"""Every way to compute a bundle's tasks."""

from pathlib import Path

from mtshare_ros.bench.ways import ways_of
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

"""The bundle that the repository ships, on the clip that it ships."""

from __future__ import annotations

from pathlib import Path

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.metrics import metric_for
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models" / "room"
CLIP = ROOT / "demo" / "room.mcap"
LARGEST_BYTES = 25_000_000


def test_it_is_small_and_says_what_it_is() -> None:
    manifest = load_manifest(BUNDLE)
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) < LARGEST_BYTES
    assert "simulated rooms only" in manifest.description
    assert [task.name for task in manifest.tasks] == ["normals", "depth", "segmentation"]
    assert all(share.rho <= 0.25 for share in manifest.private.values())
    assert manifest.training["stages"] and manifest.metrics


def test_it_sees_the_demo_clip_and_saves_work_while_the_camera_rests() -> None:
    """Bounds are wide: they tell a broken decoder or a wrong unit, not a slightly worse model."""
    stream = PerceptionStream(open_engine(BUNDLE))
    tasks = stream.engine.manifest.tasks
    metrics = {task.name: metric_for(task) for task in tasks}
    truths = {"depth": "depth", "segmentation": "labels", "normals": "normals"}
    dirty = []
    for frame, _ in zip(ClipReader(CLIP), range(24), strict=False):
        got = stream.step(frame.rgb, frame.stamp, list(metrics), frame.focal_length)
        dirty.append(float(got.dirty.mean()))
        for name, attribute in truths.items():
            metrics[name].update(got.maps[name], getattr(frame, attribute))
    assert dirty[0] == 1.0 and sum(dirty[1:]) / len(dirty[1:]) < 0.6
    assert metrics["normals"].result()["median_deg"] < 12.0
    assert metrics["depth"].result()["abs_rel"] < 0.5
    assert metrics["segmentation"].result()["miou"] > 0.25

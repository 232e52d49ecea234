"""What a stream serves over a thousand frames does not drift away from the dense network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.metrics import disagreement
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.simulator.simulate import write_clip

BUNDLE = Path(__file__).parents[2] / "models" / "room"
PERIOD = 100
"""Frames after which a scene, shown to and fro, shows the same again: windows can be compared."""
NOISE = 2.0
TASKS = ["normals", "depth", "segmentation"]


def noisy_frames(bag: Path, count: int) -> Iterator[Image]:
    """Yield a clip to and fro, with noise that is new in every frame."""
    images = [frame.rgb for frame in ClipReader(bag)]
    assert len(images) in (1, PERIOD // 2 + 1)
    turns = images + images[-2:0:-1]
    rng = np.random.default_rng(0)
    for number in range(count):
        image = turns[number % len(turns)]
        noisy = image + rng.normal(0, NOISE, image.shape).astype(np.float32)
        yield np.clip(noisy.round(), 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["still", "static", "pan"])
@pytest.mark.parametrize("most", [1.0, 0.2])
def test_the_disagreement_with_dense_does_not_grow(
    tmp_path: Path, scene: str, most: float
) -> None:
    bag = tmp_path / "clip.mcap"
    kind, frames = ("static", 1) if scene == "still" else (scene, PERIOD // 2 + 1)
    write_clip(bag, kind, 200_017, frames, (320, 240))
    engine = open_engine(BUNDLE)
    tasks = engine.manifest.tasks
    stream = PerceptionStream(engine, StreamSettings(max_dirty_fraction=most))
    dense = PerceptionStream(engine, StreamSettings(policy=DENSE))
    windows = {range(PERIOD, 2 * PERIOD): "early", range(9 * PERIOD, 10 * PERIOD): "late"}
    errors: dict[str, dict[str, list[float]]] = {"early": {}, "late": {}}
    for number, image in enumerate(noisy_frames(bag, 10 * PERIOD)):
        stamp = number * 33_000_000
        got = stream.step(image, stamp, TASKS)
        assert number == 0 or got.reset is None
        for window, name in windows.items():
            if number in window:
                # Maps are overwritten by the next frame of their own stream only.
                ours = got.maps
                theirs = dense.step(image, stamp, TASKS).maps
                for task in tasks:
                    error = disagreement(task, ours[task.name], theirs[task.name])
                    errors[name].setdefault(task.name, []).append(error)
    for task in TASKS:
        early, late = (float(np.mean(errors[name][task])) for name in ("early", "late"))
        assert 0 < late <= 1.1 * early, task

"""A short clip, played through a few ways to spend less than the dense network."""

from __future__ import annotations

from pathlib import Path

from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.study.reuse.played_clips import Clip, Way, play
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION

FRAMES = 9
SERVED = (NORMALS, DEPTH, SEGMENTATION)


def write_bag(folder: Path) -> Path:
    """Write the clip's bag."""
    write_clip(folder / "clip.mcap", "pan", 200_001, FRAMES, (128, 96))
    return folder / "clip.mcap"


def play_bag(bundle: Path, bag: Path) -> Clip:
    """Play the clip; the separate networks take a millisecond each time."""
    engine = open_engine(bundle, "onnxruntime", 1)
    settings = StreamSettings()
    ways = [
        Way("tokens:1", "tokens", settings),
        Way("tokens:0.1", "tokens", StreamSettings(max_dirty_fraction=0.1)),
        Way("hold:3", "hold:3", settings),
        Way("warp:3", "warp:3", settings),
        Way("hold:1", "hold:1", settings),
        Way("carry:3", "carry:3", settings),
    ]
    return play(engine, bag, ways, lambda image: 1.0, 3)

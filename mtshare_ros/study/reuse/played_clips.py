"""Every way to spend less than the dense network on a clip, frame by frame, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.latency import TOTAL
from mtshare_ros.evaluation.outcome import Maps, truths_of
from mtshare_ros.evaluation.policies import Stepper, open_stream
from mtshare_ros.metrics import class_count, disagreement
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.tasks import Task


@dataclass(frozen=True)
class Way:
    """A policy with settings of its own.

    Attributes:
        name: Name in the tables.
        policy: One of ``policies.POLICIES``.
        settings: What the stream is opened with.
    """

    name: str
    policy: str
    settings: StreamSettings


@dataclass
class Track:
    """What became of one way on one clip, frame by frame.

    Attributes:
        way: The way.
        accuracy: Against the truth.
        ms: Time of each frame.
        errors: Task -> disagreement with the dense network in each frame.
        dirty: (rows, columns) bool each, the tokens that were recomputed.
        resets: Number of the frame -> why the cache had been dropped.
    """

    way: Way
    accuracy: Accuracy
    ms: list[float] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=dict)
    dirty: list[NDArray[np.bool_]] = field(default_factory=list)
    resets: dict[int, str] = field(default_factory=dict)


@dataclass
class Clip:
    """One clip, played through every way.

    Attributes:
        name: Name of the bag, without its ending.
        tracks: One for each way, the dense network's first.
        networks_ms: Time of the separate dense networks, of every frame.
        pictures: Number of the frame -> (H, W, 3) uint8, a few frames evenly spread.
        warnings: What of the bag could not be read.
    """

    name: str
    tracks: list[Track]
    networks_ms: list[float]
    pictures: dict[int, Image]
    warnings: tuple[str, ...] = ()


def play(
    engine: Engine,
    bag: Path,
    ways: Sequence[Way],
    networks: Callable[[Image], float],
    shown: int = 0,
    *,
    on_frame: OnStep = silent,
) -> Clip:
    """Let every way compute each frame of a bag, in an order drawn anew each time.

    Args:
        engine: The opened bundle; each way has caches of its own.
        bag: The clip.
        ways: The ways to compare. The dense network is added as the first.
        networks: Computes an image with separate networks and returns the milliseconds.
        shown: How many frames are kept as pictures.
        on_frame: Called after each frame, with the bag's name.

    Raises:
        BagError: The bag can't be read, or has no image that can be.
        OptionError: There is no such policy.
    """
    tasks = engine.manifest.tasks
    everything = Way(DENSE, DENSE, replace(ways[0].settings, max_dirty_fraction=1.0))
    reader = ClipReader(bag, class_count(tasks))
    pictured = np.linspace(0, len(reader) - 1, min(shown, len(reader))).round()
    pictures: dict[int, Image] = {}
    tracks = [Track(way, Accuracy(tasks)) for way in (everything, *ways)]
    streams = [open_stream(engine, t.way.policy, t.way.settings) for t in tracks]
    order = np.random.default_rng(0)
    networks_ms: list[float] = []
    for number, frame in enumerate(reader.salvaged()):
        if number in pictured:
            pictures[number] = frame.rgb.copy()
        maps: dict[int, Maps] = {}
        for turn in order.permutation(len(tracks) + 1):
            if turn == len(tracks):
                networks_ms.append(networks(frame.rgb))
            else:
                maps[turn] = _step(tracks[turn], streams[turn], frame, tasks)
        for turn, track in enumerate(tracks):
            for task in tasks:
                error = disagreement(task, maps[turn][task.name], maps[0][task.name])
                track.errors.setdefault(task.name, []).append(error)
        on_frame(number + 1, len(reader), bag.stem)
    if not networks_ms:
        raise BagError(f"bag {bag}: no image can be read; {reader.losses}")
    lost = f"bag {bag}: {reader.losses}" if reader.losses else ""
    warnings = tuple(text for text in (lost, *reader.warnings) if text)
    return Clip(bag.stem, tracks, networks_ms, pictures, warnings)


def _step(track: Track, stream: Stepper, frame: Any, tasks: Sequence[Task]) -> Maps:
    wanted = [task.name for task in tasks]
    predictions = stream.step(frame.rgb, frame.stamp, wanted, frame.focal_length)
    if predictions.reset is not None:
        track.resets[len(track.dirty)] = predictions.reset
    track.dirty.append(predictions.dirty)
    track.ms.append(predictions.milliseconds[TOTAL])
    maps = predictions.maps
    track.accuracy.update(maps, truths_of(frame, tasks))
    return maps

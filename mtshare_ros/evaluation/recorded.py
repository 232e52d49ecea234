"""The predictions in a bag that was recorded from the live node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.scores import EXAMPLES, Maps, Scores, maps_of, spread
from mtshare_ros.tasks import Task

OUTPUTS = {"depth": "image", "normals": "image", "segmentation": "mask"}
"""Kind of task -> its topic below the task's name."""

DIRTY = "dirty_tokens"
"""Topic of the recomputed tokens, below the node's name."""

ENCODINGS: dict[str, tuple[type[Any], int]] = {
    "32FC1": (np.float32, 1),
    "32FC3": (np.float32, 3),
    "mono8": (np.uint8, 1),
}
"""What the node publishes: encoding -> type and channels."""


@dataclass
class Recorded:
    """One frame's outputs.

    Attributes:
        stamp: The input's stamp in nanoseconds.
        maps: Task -> map, all of one size.
        dirty: (H, W) bool at the maps' size, or None while not recorded.
    """

    stamp: int
    maps: Maps = field(default_factory=dict)
    dirty: NDArray[np.bool_] | None = None


class RecordedPredictions:
    """Reads what a node published, frame by frame."""

    def __init__(self, bag: Path, tasks: Sequence[Task]) -> None:
        """Look at the bag's topics.

        Raises:
            OptionError: The bag can't be read, or has no message on the topic of a task.
        """
        self.bag = bag
        self.tasks = tasks
        self.topics: dict[str, str] = {}
        with _open(bag) as reader:
            counts = {c.topic: c.msgcount for c in reader.connections}
        for task in tasks:
            self.topics[_topic(counts, f"{task.name}/{OUTPUTS[task.kind]}", bag)] = task.name
        self.dirty_topic = _topic(counts, DIRTY, bag)

    def __iter__(self) -> Iterator[Recorded]:
        """Yield each frame whose outputs are all there, in the order of their stamps."""
        waiting: dict[int, Recorded] = {}
        wanted = [*self.topics, self.dirty_topic]
        with _open(self.bag) as reader:
            connections = [c for c in reader.connections if c.topic in wanted]
            for connection, _, data in reader.messages(connections):
                message = reader.deserialize(data, connection.msgtype)
                stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
                frame = waiting.setdefault(stamp, Recorded(stamp))
                if connection.topic == self.dirty_topic:
                    frame.dirty = image_array(message) > 0
                else:
                    frame.maps[self.topics[connection.topic]] = image_array(message)
                if frame.dirty is not None and len(frame.maps) == len(self.topics):
                    yield frame
                    # A topic keeps its order: what is older now will not be completed any more.
                    waiting = {key: value for key, value in waiting.items() if key > stamp}


def score_recording(clip: Iterable[Any], predictions: RecordedPredictions, count: int) -> Scores:
    """Return the scores of recorded predictions; frames are matched by their stamps.

    Args:
        clip: The frames that were sent, in order, with ground truth (as of ``ClipReader``).
        predictions: What came out of them; frames that were dropped are missing.
        count: About how many came out, to spread the examples.
    """
    scores = Scores(predictions.tasks, spread(count, EXAMPLES))
    found = _Matching(iter(predictions))
    for frame in clip:
        recorded = found.at(frame.stamp)
        if recorded is not None:
            truths = maps_of(frame, predictions.tasks)
            scores.update(frame.rgb, recorded.maps, truths, recorded.dirty)
    return scores


class _Matching:
    """Looks recorded frames up by stamp, while both sides only move forward."""

    def __init__(self, recorded: Iterator[Recorded]) -> None:
        self.recorded = recorded
        self.next = next(recorded, None)

    def at(self, stamp: int) -> Recorded | None:
        while self.next is not None and self.next.stamp < stamp:
            self.next = next(self.recorded, None)
        return self.next if self.next is not None and self.next.stamp == stamp else None


def image_array(message: Any) -> NDArray[Any]:
    """Return the array of a sensor_msgs/Image: (H, W) or (H, W, C).

    Raises:
        OptionError: The node publishes no such encoding, or the data is too short.
    """
    if message.encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise OptionError(f"recorded image has encoding {message.encoding!r}: expected {known}")
    kind, channels = ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    row = message.width * channels * dtype.itemsize
    data = np.asarray(message.data, np.uint8)
    if message.step < row or data.size < message.step * message.height:
        raise OptionError(
            f"recorded image of {message.width}x{message.height} {message.encoding} has"
            f" {data.size} bytes, step {message.step}: expected rows of {row} bytes"
        )
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :row]
    array = np.ascontiguousarray(rows).view(dtype).astype(kind)
    shape = (message.height, message.width, channels)
    return array.reshape(shape[: 3 if channels > 1 else 2])


def _open(bag: Path) -> Any:
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.typesys import Stores, get_typestore

    if not bag.exists():
        raise FileNotFoundError(2, "no such bag", str(bag))
    try:
        return AnyReader([bag], default_typestore=get_typestore(Stores.LATEST))
    except AnyReaderError as error:
        raise OptionError(f"{bag}: can't be read as a bag: {error}") from error


def _topic(counts: dict[str, int], suffix: str, bag: Path) -> str:
    for topic, count in counts.items():
        if topic.endswith(f"/{suffix}") and count:
            return topic
    found = ", ".join(f"{topic} ({count})" for topic, count in sorted(counts.items()))
    raise OptionError(f"{bag}: no message on .../{suffix}; its topics are {found or 'none'}")

"""The predictions in a bag that was recorded from the live node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.outcome import Outcome, time_label, truths_of
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import KINDS, Task

DIRTY = "dirty_tokens"
"""Topic of the recomputed tokens, below the node's name."""

DIRTY_ENCODING = "mono8"


@dataclass
class Recorded:
    """One frame's outputs.

    Attributes:
        stamp: The input's stamp in nanoseconds.
        maps: Task -> map, all of one size.
        dirty: (H, W) bool at the maps' size, or None while not recorded.
    """

    stamp: int
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)
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
            self.topics[_topic(counts, f"{task.name}/{KINDS[task.kind].topic}", bag)] = task.name
        self.dirty_topic = _topic(counts, DIRTY, bag)

    def __iter__(self) -> Iterator[Recorded]:
        """Yield each frame whose outputs are all there, in the order of their stamps.

        Raises:
            OptionError: An image is not as the node publishes it.
        """
        waiting: dict[int, Recorded] = {}
        kinds = {task.name: KINDS[task.kind] for task in self.tasks}
        encodings = {topic: kinds[name].encoding for topic, name in self.topics.items()}
        encodings[self.dirty_topic] = DIRTY_ENCODING
        with _open(self.bag) as reader:
            connections = [c for c in reader.connections if c.topic in encodings]
            for connection, _, data in reader.messages(connections):
                message = reader.deserialize(data, connection.msgtype)
                stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
                frame = waiting.setdefault(stamp, Recorded(stamp))
                try:
                    array = pixels.raw_pixels(message, [encodings[connection.topic]])
                except ValueError as error:
                    raise OptionError(f"{self.bag}: {connection.topic}: {error}") from error
                if connection.topic == self.dirty_topic:
                    frame.dirty = array > 0
                else:
                    frame.maps[self.topics[connection.topic]] = array
                if frame.dirty is not None and len(frame.maps) == len(self.topics):
                    yield frame
                    # A topic keeps its order: what is older now will not be completed any more.
                    waiting = {key: value for key, value in waiting.items() if key > stamp}


def score_recording(
    clip: Iterable[Any], predictions: RecordedPredictions
) -> tuple[Scores, Outcome | None]:
    """Score recorded predictions; frames are matched by their stamps.

    Args:
        clip: The frames that were sent, in order, with ground truth (as of ``ClipReader``).
        predictions: What came out of them; frames that were dropped are missing.

    Returns:
        The scores, and the frame of which least was recomputed.
    """
    scores = Scores(predictions.tasks)
    found = _Matching(iter(predictions))
    calmest: Outcome | None = None
    start: int | None = None
    for frame in clip:
        start = frame.stamp if start is None else start
        recorded = found.at(frame.stamp)
        if recorded is not None:
            truths = truths_of(frame, predictions.tasks)
            label = time_label(frame.stamp - start)
            outcome = Outcome(frame.rgb, recorded.maps, truths, recorded.dirty, label=label)
            scores.update(outcome)
            if calmest is None or outcome.dirty_fraction < calmest.dirty_fraction:
                calmest = outcome
    return scores, calmest


class _Matching:
    """Looks recorded frames up by stamp, while both sides only move forward."""

    def __init__(self, recorded: Iterator[Recorded]) -> None:
        self.recorded = recorded
        self.next = next(recorded, None)

    def at(self, stamp: int) -> Recorded | None:
        while self.next is not None and self.next.stamp < stamp:
            self.next = next(self.recorded, None)
        return self.next if self.next is not None and self.next.stamp == stamp else None


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

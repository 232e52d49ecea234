"""The predictions in a bag that was recorded from the live node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels
from mtshare_ros.datasets.bags.messages import stamp_of
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.datasets.bags.topics import DIRTY, RAW_TYPE
from mtshare_ros.evaluation.outcome import Outcome, time_label, truths_of
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import KINDS, Task

DIRTY_ENCODING = "mono8"
"""Encoding of that topic's images."""


@dataclass
class Recorded:
    """One frame's outputs.

    Attributes:
        stamp: The input's stamp in nanoseconds.
        maps: Task -> map, all of one size.
        dirty: (H, W) bool at the maps' size, or None until its message was read.
    """

    stamp: int
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)
    dirty: NDArray[np.bool_] | None = None


class RecordedPredictions:
    """Reads what a node published, frame by frame."""

    def __init__(self, path: Path, tasks: Sequence[Task]) -> None:
        """Look at the bag's topics.

        Raises:
            BagError: The bag can't be read, or has no message on the topic of a task.
        """
        self.path = path
        self.tasks = tasks
        self._tasks_by_topic: dict[str, Task] = {}
        with OpenBag(path) as bag:
            for task in tasks:
                suffix = f"{task.name}/{KINDS[task.kind].topic}"
                self._tasks_by_topic[_topic(bag, suffix)] = task
            self._dirty_topic = _topic(bag, DIRTY)

    def __iter__(self) -> Iterator[Recorded]:
        """Yield each frame whose outputs are all there, in the order in which they came.

        Of a node that answers its images in their order, that is the order of the stamps.

        Raises:
            BagError: A message can't be read, or an image is not as the node publishes it.
        """
        waiting: dict[int, Recorded] = {}
        encodings = {t: KINDS[task.kind].encoding for t, task in self._tasks_by_topic.items()}
        encodings[self._dirty_topic] = DIRTY_ENCODING
        with OpenBag(self.path) as bag:
            for message in bag.messages(encodings, [RAW_TYPE]):
                image = bag.decoded(message)
                stamp = stamp_of(image)
                frame = waiting.setdefault(stamp, Recorded(stamp))
                try:
                    array = pixels.raw_pixels(image, [encodings[message.topic]])
                except ValueError as error:
                    raise bag.error(f"/{message.topic}: {error}") from error
                if message.topic == self._dirty_topic:
                    frame.dirty = array > 0
                else:
                    frame.maps[self._tasks_by_topic[message.topic].name] = array
                if frame.dirty is not None and len(frame.maps) == len(self.tasks):
                    yield frame
                    # A topic keeps its order: what is older will not be completed any more.
                    waiting = {key: value for key, value in waiting.items() if key > stamp}


def score_recording(
    clip: Iterable[Any], predictions: RecordedPredictions
) -> tuple[Scores, Outcome | None]:
    """Score recorded predictions; frames are matched by their stamps.

    Args:
        clip: The frames that were sent, in order, with ground truth (as of ``ClipReader``).
        predictions: What the node published; frames that it dropped are missing.

    Returns:
        The scores, and the frame with the fewest recomputed tokens.
    """
    scores = Scores(predictions.tasks)
    following = iter(predictions)
    recorded = next(following, None)
    calmest: Outcome | None = None
    start: int | None = None
    for frame in clip:
        start = frame.stamp if start is None else start
        while recorded is not None and recorded.stamp < frame.stamp:
            recorded = next(following, None)
        if recorded is None or recorded.stamp > frame.stamp:
            continue
        truths = truths_of(frame, predictions.tasks)
        label = time_label(frame.stamp - start)
        outcome = Outcome(frame.rgb, recorded.maps, truths, recorded.dirty, label=label)
        scores.update(outcome)
        # Another frame with this stamp has an output of its own.
        recorded = next(following, None)
        if calmest is None or outcome.dirty_fraction < calmest.dirty_fraction:
            calmest = outcome
    return scores, calmest


def _topic(bag: OpenBag, suffix: str) -> str:
    """Return the topic of the node's images whose name ends in ``suffix``."""
    for topic in bag.topics:
        if topic.name.endswith(f"/{suffix}") and topic.type == RAW_TYPE and topic.count:
            return topic.name
    raise bag.lacks(f"message on .../{suffix}")

"""The outputs of a recording in the order in which they came, and what was there at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels
from mtshare_ros.datasets.bags.messages import stamp_of
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.datasets.bags.topics import RAW_TYPE
from mtshare_ros.evaluation.outcome import Maps, to_size
from mtshare_ros.evaluation.streaming.contenders import Answer
from mtshare_ros.perception.motion.carry import RULES
from mtshare_ros.tasks import KINDS, TASKS, UNLABELLED, SemanticClass, Task

FURTHER_ENCODINGS = {"depth": ("16UC1",)}
"""Kind of task -> encodings that its maps may also be published in."""
LABELS, LABELS_TYPE = "label_info_json", "std_msgs/msg/String"
"""Topic below a task's name with its classes."""

Key = tuple[int, int]
"""A frame: its stamp in nanoseconds, and how many came before it with that stamp."""


@dataclass(frozen=True)
class Output:
    """A map as it came: of a task, for a frame, at a time of the bag in nanoseconds."""

    task: str
    key: Key
    time: int
    map: NDArray[Any]


def topics_of(bag: OpenBag, tasks: Sequence[Task]) -> dict[str, Task]:
    """Return topic -> task, of the tasks that the bag has maps of."""
    found = {}
    for task in tasks:
        ending = f"/{task.name}/{KINDS[task.kind].topic}"
        names = [t.name for t in bag.topics if t.type == RAW_TYPE and t.count]
        found.update({name: task for name in names if f"/{name}".endswith(ending)})
    return found


def tasks_in(path: Path, tasks: Sequence[Task] | None = None) -> list[Task]:
    """Return the tasks that a recording has maps of, by the names of its topics.

    Args:
        path: The recording.
        tasks: Those that it may have. By default those of ``TASKS``, with the classes that the
            recorded node says.

    Raises:
        BagError: The bag can't be read.
    """
    with OpenBag(path) as bag:
        if tasks is not None:
            return [task for task in tasks if task in topics_of(bag, tasks).values()]
        known = dict(TASKS)
        names = [t.name for t in bag.topics if t.name.endswith(f"/{LABELS}")]
        for message in bag.messages(names, [LABELS_TYPE]):
            name = message.topic.split("/")[-2]
            said = json.loads(bag.decoded(message).data)["classes"]
            classes = tuple(SemanticClass(c["name"], tuple(c["color"])) for c in said)
            known[name] = KINDS["segmentation"].task(name, classes)
        found = topics_of(bag, list(known.values())).values()
        return [task for task in known.values() if task in found]


def known_pixels(maps: Maps, tasks: Sequence[Task]) -> NDArray[np.bool_]:
    """Return at which pixels (H, W) each map has a value, as far as a map can say that."""
    shape = next(iter(maps.values())).shape[:2]
    valid = []
    for task in tasks:
        if not RULES[task.kind].unknown:
            continue
        array = maps[task.name]
        some = array != UNLABELLED if task.kind == "segmentation" else np.isfinite(array)
        every: NDArray[np.bool_] = np.asarray(some.all(-1) if some.ndim == 3 else some)
        valid.append(to_size(every.astype(np.uint8), shape))
    return reduce(np.logical_and, valid, np.ones(shape, np.bool_))


@dataclass
class _Open:
    """A frame of which not all maps came yet: when the first and the last did, and they."""

    since: int
    time: int
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)


class Recording:
    """What a recorded node gave: played along the time of the bag.

    Attributes:
        path: The bag.
        outputs: Outputs so far.
        late: Those that came after their stamp.
    """

    def __init__(self, path: Path, tasks: Sequence[Task]) -> None:
        """Look at the bag's topics.

        Raises:
            BagError: The bag can't be read, or has no message on the topic of a task.
        """
        self.path = path
        self.outputs = self.late = 0
        self._tasks = tasks
        with OpenBag(path) as bag:
            self._topics = topics_of(bag, tasks)
            for task in tasks:
                if task not in self._topics.values():
                    raise bag.lacks(f"message on .../{task.name}/{KINDS[task.kind].topic}")
        self._seen: dict[str, Counter[int]] = {task.name: Counter() for task in tasks}
        self._coming = self._read()
        self._next = next(self._coming, None)
        self._newest: dict[str, Output] = {}
        self._open: dict[Key, _Open] = {}
        self._covered: list[float] = []
        self._shown: Answer | None = None

    @property
    def coverage(self) -> float:
        """Mean part of the pixels that is known, over what was there at the times asked for."""
        return float(np.mean(self._covered)) if self._covered else 1.0

    @property
    def pending(self) -> str:
        """When the next output comes, in words."""
        return "no more" if self._next is None else f"the next at {1e-9 * self._next.time:.3f} s"

    def until(self, now: int, numbers: Mapping[Key, int], start: int) -> Iterator[Answer]:
        """Yield the frames that are complete, or won't become it, up to a time.

        Args:
            now: The time in nanoseconds.
            numbers: Frame -> its number.
            start: Time from which answers count their seconds, in nanoseconds.
        """
        while self._next is not None and self._next.time <= now:
            output, self._next = self._next, next(self._coming, None)
            self.outputs += 1
            self.late += output.time > output.key[0]
            self._newest[output.task] = output
            frame = self._open.setdefault(output.key, _Open(output.time, output.time))
            frame.time, frame.maps[output.task] = output.time, output.map
            self._shown = None
            yield from self._closed(numbers, start)

    def rest(self, numbers: Mapping[Key, int], start: int) -> Iterator[Answer]:
        """Yield the frames of which not all maps came."""
        for key in list(self._open):
            yield self._answer(key, numbers, start)

    def newest(self, numbers: Mapping[Key, int], start: int) -> Answer | None:
        """Return the newest map of each task that came so far; None while a task has none.

        As old as the oldest of them.
        """
        if len(self._newest) < len(self._tasks):
            return None
        if self._shown is None:
            maps = {name: output.map for name, output in self._newest.items()}
            oldest = min(self._newest.values(), key=lambda output: output.key)
            known = known_pixels(maps, self._tasks)
            self._shown = _answer(oldest.key, oldest.time, maps, numbers, start, known)
        assert self._shown.known is not None
        self._covered.append(float(self._shown.known.mean()))
        return self._shown

    def _closed(self, numbers: Mapping[Key, int], start: int) -> Iterator[Answer]:
        # A topic keeps its order: what is older than its newest map won't come any more.
        for key, frame in list(self._open.items()):
            missing = [task.name for task in self._tasks if task.name not in frame.maps]
            newest = [self._newest.get(name) for name in missing]
            if all(o is not None and o.key > key and o.time >= frame.since for o in newest):
                yield self._answer(key, numbers, start)

    def _answer(self, key: Key, numbers: Mapping[Key, int], start: int) -> Answer:
        frame = self._open.pop(key)
        return _answer(key, frame.time, frame.maps, numbers, start)

    def _read(self) -> Iterator[Output]:
        with OpenBag(self.path) as bag:
            for message in bag.messages(self._topics, [RAW_TYPE]):
                task = self._topics[message.topic]
                image = bag.decoded(message)
                expected = (KINDS[task.kind].encoding, *FURTHER_ENCODINGS.get(task.kind, ()))
                try:
                    array = pixels.raw_pixels(image, expected)
                except ValueError as error:
                    raise bag.error(f"/{message.topic}: {error}") from error
                if task.kind == "depth":
                    array = pixels.as_depth(array)
                stamp, seen = stamp_of(image), self._seen[task.name]
                yield Output(task.name, (stamp, seen[stamp]), message.time, array)
                seen[stamp] += 1


def _answer(
    key: Key,
    time: int,
    maps: Maps,
    numbers: Mapping[Key, int],
    start: int,
    known: NDArray[np.bool_] | None = None,
) -> Answer:
    """Return an answer; its age counts from the output's stamp, as bags don't hold the key's."""
    number = numbers.get(key, -1)
    # The score knows when a frame was that has a number.
    age = 0.0 if number >= 0 else 1e-9 * (time - key[0])
    return Answer(number, 1e-9 * (time - start), maps, age, known)

"""Reads the camera's images of a bag, and the truth about them where the bag has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import array_of, stamp_of
from mtshare_ros.datasets.bags.open_bag import Message, OpenBag
from mtshare_ros.perception.frame import MAX_FOCAL_LENGTH

LONGEST_WAIT = 15
"""Images that may come after one whose truth is missing; then it is yielded without."""

_TRUTH = (topics.DEPTH, topics.LABELS, topics.NORMALS)


@dataclass(frozen=True)
class Frame:
    """One image of a bag, with the truth about it where the bag has it.

    Attributes:
        stamp: Nanoseconds, from the image's header.
        rgb: ``(H, W, 3)`` uint8.
        depth: ``(H, W)`` float32 metres, NaN invalid.
        labels: ``(H, W)`` uint8 class ids, 255 unlabelled.
        normals: ``(H, W, 3)`` float32 unit vectors in the optical frame, towards the camera; zero
            invalid.
        focal_length: fx / image width, or None where the bag has no calibration.
    """

    stamp: int
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32] | None = None
    labels: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    focal_length: float | None = None


@dataclass
class _Pending:
    """The arrays of one stamp that have come so far, by topic.

    Attributes:
        arrays: Topic, as of ``topics``, -> array.
        images_since: Images that have come since the first of them.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    images_since: int = 0


class ClipReader:
    """The frames of a bag, in the order of its images; read while they are iterated over.

    Attributes:
        path: The bag.
        truth: Which ground truth topics it has, without ``/compressed``.
        focal_length: fx / image width, or None where the bag has no calibration.
    """

    def __init__(
        self,
        path: Path,
        classes: int | None = None,
        image_topic: str | None = None,
        salvage: bool = False,
    ) -> None:
        """Look into a bag: a single ``.mcap`` or ``.db3``, or a folder of ``ros2 bag record``.

        Args:
            path: The bag.
            classes: Labels must be below this, or unlabelled; None for any.
            image_topic: Topic of the camera's images, with or without ``/compressed``; its
                calibration is on ``camera_info`` beside it. By default ``topics.IMAGE``, or the
                only topic of images that there is.
            salvage: Read an MCAP file whose end is missing as far as it goes; the iteration then
                ends with a ``BagError``.

        Raises:
            BagError: There is no bag, it can't be read, it has no images of a camera, or its
                calibration is none.
        """
        self.path = Path(path)
        self._classes = classes
        self._salvage = salvage
        with OpenBag(self.path, salvage) as bag:
            base = image_topic_of(bag, image_topic)
            images = bag.camera_images(base)
            self._chosen = {images: topics.IMAGE}
            for topic in _TRUTH:
                name = bag.find_images(topic)
                if name is not None:
                    self._chosen[name] = topic
            self.truth = tuple(topic for topic in self._chosen.values() if topic in _TRUTH)
            self._length = bag.count(images, topics.IMAGE_TYPES)
            self.focal_length = _focal_length(bag, info_topic_of(base))

    def __len__(self) -> int:
        """Return the number of images."""
        return self._length

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            BagError: A message can't be read or holds what can't be evaluated, or the bag is cut
                off.
        """
        pending: dict[int, _Pending] = {}
        with OpenBag(self.path, self._salvage) as bag:
            for message in bag.messages(self._chosen, topics.IMAGE_TYPES):
                topic = self._chosen[message.topic]
                stamp, values = self._decoded(bag, message)
                pending.setdefault(stamp, _Pending()).arrays[topic] = values
                if topic == topics.IMAGE:
                    for waiting in pending.values():
                        waiting.images_since += 1
                yield from self._ready(pending)
            for stamp, waiting in pending.items():
                if topics.IMAGE in waiting.arrays:
                    yield self._frame(stamp, waiting)
            if bag.cut_off:
                raise bag.error("is cut off; expected a file that ends with an index")

    def _ready(self, pending: dict[int, _Pending]) -> Iterator[Frame]:
        """Remove and yield, oldest first, the frames that need not wait any longer."""
        while pending:
            stamp, oldest = next(iter(pending.items()))
            complete = len(oldest.arrays) == len(self._chosen)
            if not complete and oldest.images_since <= LONGEST_WAIT:
                return
            del pending[stamp]
            if topics.IMAGE in oldest.arrays:
                yield self._frame(stamp, oldest)

    def _frame(self, stamp: int, gathered: _Pending) -> Frame:
        depth, labels, normals = (gathered.arrays.get(topic) for topic in _TRUTH)
        image = gathered.arrays[topics.IMAGE]
        return Frame(stamp, image, depth, labels, normals, self.focal_length)

    def _decoded(self, bag: OpenBag, message: Message) -> tuple[int, NDArray[Any]]:
        """Return a message's stamp (ns) and its array, in the units of ``Frame``."""
        content = bag.decoded(message)
        raw = message.type == topics.RAW_TYPE
        try:
            values = array_of(content, self._chosen[message.topic], raw, self._classes)
        except (ValueError, cv2.error) as error:
            raise bag.error(f"/{message.topic}: {error}") from error
        return stamp_of(content), values


def image_topic_of(bag: OpenBag, wanted: str | None) -> str:
    """Return the topic of the camera's images, without ``/compressed``."""
    if wanted is not None:
        return wanted.lstrip("/").removesuffix(topics.COMPRESSED)
    bases = {
        topic.name.removesuffix(topics.COMPRESSED)
        for topic in bag.topics
        if topic.type in topics.IMAGE_TYPES
    }
    bases -= set(_TRUTH)
    return bases.pop() if len(bases) == 1 else topics.IMAGE


def info_topic_of(base: str) -> str:
    """Return the topic of the calibration beside a topic of images."""
    return f"{base.rpartition('/')[0]}/camera_info".lstrip("/")


def _focal_length(bag: OpenBag, topic: str) -> float | None:
    """Return fx / width from the first calibration, or None if there is none."""
    message = next(bag.messages([topic], [topics.INFO_TYPE]), None)
    if message is None:
        return None
    info = bag.decoded(message)
    focal, width = float(info.k[0]), int(info.width)
    # All zero means uncalibrated.
    if focal == 0 or width == 0:
        return None
    if not 0 < focal / width < MAX_FOCAL_LENGTH:
        raise bag.error(
            f"/{topic}: fx {focal:g} of an image {width} wide;"
            f" expected more than 0 and less than {MAX_FOCAL_LENGTH:g} widths"
        )
    return focal / width

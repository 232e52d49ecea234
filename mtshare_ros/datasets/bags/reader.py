"""Reads the camera's images of a bag, and the truth about them where the bag has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.cut_off import WholeRecords, is_cut_off
from mtshare_ros.datasets.bags.messages import array_of
from mtshare_ros.errors import UserError
from mtshare_ros.perception.frame import MAX_FOCAL_LENGTH

LONGEST_WAIT = 15
"""Images that may come before the truth about one does; then it is handed out without."""

_TRUTH = (topics.DEPTH, topics.LABELS, topics.NORMALS)
_TYPES = (topics.RAW_TYPE, topics.COMPRESSED_TYPE)


class BagError(UserError):
    """A bag can't be read or used; the message names the bag, and topics where it is theirs."""


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
    """What came so far of the messages with one stamp: arrays by the topic they belong to."""

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
            BagError: Where there is no bag, it can't be read, it has no images of a camera, or
                its calibration is none.
        """
        self.path = Path(path)
        self._classes = classes
        if not self.path.exists():
            raise BagError(f"bag {self.path}: not found")
        self._cut_off = salvage and self.path.suffix == ".mcap" and is_cut_off(self.path)
        with self._reader() as reader:
            found = {c.topic.lstrip("/"): c for c in reader.connections}
            base = _image_topic(found, image_topic)
            images = self._pick(found, base)
            if images is None:
                expected = f"{base} or {base}{topics.COMPRESSED}"
                has = ", ".join(sorted(found)) or "no topics"
                raise BagError(f"bag {self.path}: no images on {expected}; it has {has}")
            self._info = base.rpartition("/")[0] + "/camera_info"
            chosen = {images: topics.IMAGE}
            chosen |= {t: topic for topic in _TRUTH if (t := self._pick(found, topic)) is not None}
            self._chosen = chosen
            self.truth = tuple(topic for topic in chosen.values() if topic in _TRUTH)
            self._length = sum(
                c.msgcount for c in self._wanted(reader) if c.topic.lstrip("/") == images
            )
            self.focal_length = self._read_focal_length(reader)

    def __len__(self) -> int:
        """Return the number of images."""
        return self._length

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            BagError: Where a message can't be read, or holds what can't be evaluated.
        """
        pending: dict[int, _Pending] = {}
        with self._reader() as reader:
            messages = reader.messages(self._wanted(reader))
            while (item := self._next(messages)) is not None:
                connection = item[0]
                topic = self._chosen[connection.topic.lstrip("/")]
                stamp, values = self._decoded(reader, item)
                pending.setdefault(stamp, _Pending()).arrays[topic] = values
                if topic == topics.IMAGE:
                    for waiting in pending.values():
                        waiting.images_since += 1
                yield from self._ready(pending)
        for stamp, waiting in pending.items():
            if topics.IMAGE in waiting.arrays:
                yield self._frame(stamp, waiting)
        if self._cut_off:
            raise BagError(f"bag {self.path}: is cut off; expected a file that ends with an index")

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

    def _frame(self, stamp: int, found: _Pending) -> Frame:
        depth, labels, normals = (found.arrays.get(topic) for topic in _TRUTH)
        image = found.arrays[topics.IMAGE]
        return Frame(stamp, image, depth, labels, normals, self.focal_length)

    @contextmanager
    def _reader(self) -> Iterator[AnyReader]:
        """Open the bag."""
        path: Any = WholeRecords(self.path) if self._cut_off else self.path
        reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
        # Damaged bytes make rosbags raise whatever its parsers happen to: all mean the same.
        try:
            reader.open()
        except Exception as error:
            raise self._unreadable(error) from error
        try:
            yield reader
        finally:
            reader.close()

    def _unreadable(self, error: Exception) -> BagError:
        said = " ".join(str(error).split()) or type(error).__name__
        return BagError(f"bag {self.path}: can't be read ({said}); expected a ROS 2 bag")

    def _next(self, messages: Iterator[Any]) -> Any | None:
        """Return the next message, or None after the last."""
        try:
            return next(messages, None)
        except Exception as error:
            raise self._unreadable(error) from error

    def _wanted(self, reader: AnyReader) -> list[Any]:
        """Return the connections that are read; a topic may have others, of other types."""
        chosen = (c for c in reader.connections if c.topic.lstrip("/") in self._chosen)
        return [c for c in chosen if c.msgtype in _TYPES]

    @staticmethod
    def _pick(found: dict[str, Any], topic: str) -> str | None:
        """Return the raw or compressed topic that a bag has, or None."""
        return next(
            (
                name
                for name in (topic, topic + topics.COMPRESSED)
                if name in found and found[name].msgtype in _TYPES
            ),
            None,
        )

    def _read_focal_length(self, reader: AnyReader) -> float | None:
        """Return fx / width from the first calibration, or None if there is none."""
        infos = [
            c
            for c in reader.connections
            if c.topic.lstrip("/") == self._info.lstrip("/") and c.msgtype == topics.INFO_TYPE
        ]
        # With no connection given, the reader returns every topic.
        item = self._next(reader.messages(infos)) if infos else None
        if item is None:
            return None
        info = self._message(reader, *item)
        focal, width = float(info.k[0]), int(info.width)
        # All zero means uncalibrated.
        if focal == 0 or width == 0:
            return None
        if not 0 < focal / width < MAX_FOCAL_LENGTH:
            raise BagError(
                f"bag {self.path}: {item[0].topic}: fx {focal:g} of an image {width} wide;"
                f" expected more than 0 and less than {MAX_FOCAL_LENGTH:g} widths"
            )
        return focal / width

    def _decoded(self, reader: AnyReader, item: Any) -> tuple[int, Any]:
        """Return a message's stamp (ns) and its array, in the units of ``Frame``."""
        connection = item[0]
        topic = self._chosen[connection.topic.lstrip("/")]
        message = self._message(reader, *item)
        stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        try:
            raw = connection.msgtype == topics.RAW_TYPE
            values = array_of(message, topic, raw, self._classes)
        except (ValueError, cv2.error) as error:
            raise BagError(f"bag {self.path}: {connection.topic}: {error}") from error
        return stamp, values

    def _message(self, reader: AnyReader, connection: Any, time: int, data: bytes) -> Any:
        """Return a message that was recorded at ``time`` (ns)."""
        try:
            return reader.deserialize(data, connection.msgtype)
        except Exception as error:
            raise BagError(f"bag {self.path}: {connection.topic} at {time}: {error}") from error


def _image_topic(found: dict[str, Any], wanted: str | None) -> str:
    """Return the topic of the camera's images, without ``/compressed``."""
    if wanted is not None:
        return wanted.lstrip("/").removesuffix(topics.COMPRESSED)
    bases = {
        name.removesuffix(topics.COMPRESSED) for name, c in found.items() if c.msgtype in _TYPES
    }
    bases -= set(_TRUTH)
    return bases.pop() if len(bases) == 1 else topics.IMAGE

"""Reads the camera's images of a bag, and the truth about them where the bag has it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.aspect import have_one_aspect
from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.bag_calibration import find_calibration
from mtshare_ros.datasets.bags.bag_cameras import choose_camera
from mtshare_ros.datasets.bags.legibility import Legibility
from mtshare_ros.datasets.bags.messages import (
    ClassError,
    content_of,
    rgb_of,
    serialized_stamp,
    stamp_of,
    truth_of,
)
from mtshare_ros.datasets.bags.open_bag import IncompleteBagError, OpenBag
from mtshare_ros.datasets.bags.pairing import ImageStamps, Pairing, Stamped
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.datasets.bags.repeats import Repeats
from mtshare_ros.errors import reason_of
from mtshare_ros.perception.camera.calibration import AUTO

TRUTH_FIELDS = {topics.DEPTH: "depth", topics.LABELS: "labels", topics.NORMALS: "normals"}
"""Topic of truth -> the field of ``Frame`` that has it."""


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
class _Waiting:
    """An image whose truth may still come.

    Attributes:
        stamp: Of its header, in nanoseconds.
        rgb: The image.
        missing: Topics of truth that will come.
        truths: Topic of truth -> array.
    """

    stamp: int
    rgb: NDArray[np.uint8]
    missing: set[str]
    truths: dict[str, NDArray[Any]] = field(default_factory=dict)


class ClipReader:
    """The frames of a bag, in the order of its images; read while they are iterated over.

    Attributes:
        path: The bag.
        camera: The camera that is read.
        truth: Which ground truth topics it has, without ``/compressed``.
        pairings: Topic of truth -> what became of it.
        calibration: What the bag says of the camera.
        losses: What of the bag could not be read, after a pass over it; empty if nothing.
    """

    def __init__(
        self,
        path: Path,
        classes: int | None = None,
        image_topic: str | None = None,
        intrinsics: str = AUTO,
        truths: Collection[str] = tuple(TRUTH_FIELDS),
    ) -> None:
        """Look into a bag; see ``OpenBag``.

        Args:
            path: The bag.
            classes: Labels must be below this, or unlabelled; None for any.
            image_topic: Topic of the camera's images, with or without its transport; its
                calibration is on ``camera_info`` beside it. By default ``topics.IMAGE``, or the
                only camera that there is.
            intrinsics: Which matrix of the calibration is the images': one of
                ``perception.camera.calibration.WISHES``.
            truths: Topics of truth to read, without ``/compressed``.

        Raises:
            BagError: There is no bag, it can't be read, or it has no images of a camera.
        """
        self.path = Path(path)
        self._classes = classes
        with OpenBag(self.path) as bag:
            self.camera = choose_camera(bag, image_topic)
            self._chosen = {self.camera.images: topics.IMAGE}
            for topic in truths:
                name = bag.find_images(topic)
                if name is not None and name != self.camera.images:
                    self._chosen[name] = topic
            self.truth = tuple(topic for topic in self._chosen.values() if topic in TRUTH_FIELDS)
            self._length = bag.count(self.camera.images, topics.IMAGE_TYPES)
            self.calibration = find_calibration(bag, self.camera, intrinsics)
            self._repeats = {name: Repeats(name) for name in self._chosen}
            self.pairings = _pairings(bag, self._chosen, self._repeats) if self.truth else {}
            self._length -= self._repeats[self.camera.images].count
        self.losses = ""
        self._legibility: Mapping[str, Legibility] = {}

    @property
    def focal_length(self) -> float | None:
        """Fx / image width, or None where the bag has no calibration of its images."""
        found = self.calibration.intrinsics
        return None if found is None else found.focal_length

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user has to know of the bag, but for its calibration; complete after a pass."""
        pairing = [pairing.problem for pairing in self.pairings.values()]
        unread = [str(legibility) for legibility in self._legibility.values()]
        repeats = [str(repeats) for repeats in self._repeats.values()]
        return tuple(text for text in (*pairing, *unread, *repeats) if text)

    def __len__(self) -> int:
        """Return the number of images; of a bag without truth, duplicates included."""
        return self._length

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a message that can't be read, or is a duplicate, is left out.

        Raises:
            BagError: Most of the messages of a topic can't be read, or the labels are of other
                classes.
            IncompleteBagError: A part of the bag was lost; the rest was yielded before.
        """
        self.losses = ""
        self._legibility = {name: Legibility(name) for name in self._chosen}
        self._repeats = {name: Repeats(name) for name in self._chosen}
        with OpenBag(self.path) as bag:
            yield from self._frames(bag)
            for legibility in self._legibility.values():
                if legibility.hopeless:
                    raise bag.error(legibility.verdict())
            self.losses = bag.losses
            bag.check_whole()

    def salvaged(self) -> Iterator[Frame]:
        """Yield the frames that are there, also of a bag of which a part was lost (``losses``).

        Raises:
            BagError: See ``__iter__``.
        """
        with suppress(IncompleteBagError):
            yield from self

    def _frames(self, bag: OpenBag) -> Iterator[Frame]:
        waiting: dict[int, _Waiting] = {}
        early: dict[int, dict[str, NDArray[Any]]] = {}
        seen = dict.fromkeys(self._chosen.values(), 0)
        expected = {
            topic: set(pairing.image_of.values()) for topic, pairing in self.pairings.items()
        }
        for message in bag.messages(self._chosen, topics.IMAGE_TYPES):
            if self._repeats[message.topic].is_repeat(message):
                continue
            topic = self._chosen[message.topic]
            number, seen[topic] = seen[topic], seen[topic] + 1
            if topic == topics.IMAGE:
                truths = early.pop(number, {})
                image = self._image(message)
                if image is not None:
                    waiting[number] = image
                    image.missing = {t for t, images in expected.items() if number in images}
                    image.missing -= set(truths)
                    image.truths = truths
            elif number in self.pairings[topic].image_of:
                target = self.pairings[topic].image_of[number]
                values = self._truth(bag, message, topic)
                if target in waiting:
                    waiting[target].missing.discard(topic)
                    if values is not None:
                        waiting[target].truths[topic] = values
                elif target >= seen[topics.IMAGE]:
                    if values is None:
                        expected[topic].discard(target)
                    else:
                        early.setdefault(target, {})[topic] = values
            while waiting and not next(iter(waiting.values())).missing:
                yield self._frame(waiting.pop(next(iter(waiting))))
        for image in waiting.values():
            yield self._frame(image)

    def _frame(self, image: _Waiting) -> Frame:
        height, width = image.rgb.shape[:2]
        focal_length = self.calibration.focal_length(width, height)
        truths = {}
        for name, topic in self._chosen.items():
            values = image.truths.get(topic)
            if values is None:
                continue
            size = (values.shape[1], values.shape[0])
            if have_one_aspect(size, (width, height)):
                truths[TRUTH_FIELDS[topic]] = values
            else:
                self._legibility[name].reject(
                    image.stamp,
                    f"{size[0]}x{size[1]}, but its image is {width}x{height}; expected the same"
                    " aspect ratio",
                )
        return Frame(image.stamp, image.rgb, **truths, focal_length=focal_length)

    def _image(self, message: Message) -> _Waiting | None:
        """Return an image, or None if it can't be read."""
        legibility = self._legibility[message.topic]
        try:
            content = content_of(message)
            rgb = rgb_of(content, message.type == topics.RAW_TYPE)
        except (ValueError, cv2.error) as error:
            legibility.skip(_time_of(message), reason_of(error))
            return None
        legibility.read += 1
        return _Waiting(stamp_of(content), rgb, set())

    def _truth(self, bag: OpenBag, message: Message, topic: str) -> NDArray[Any] | None:
        """Return the array of a message of truth, or None if it can't be read."""
        legibility = self._legibility[message.topic]
        try:
            raw = message.type == topics.RAW_TYPE
            values = truth_of(content_of(message), topic, raw, self._classes)
        except ClassError as error:
            raise bag.error(f"/{message.topic}: {error}") from error
        except (ValueError, cv2.error) as error:
            legibility.skip(_time_of(message), reason_of(error))
            return None
        legibility.read += 1
        return values


def _pairings(
    bag: OpenBag, chosen: Mapping[str, str], repeats: Mapping[str, Repeats]
) -> dict[str, Pairing]:
    """Return topic of truth -> its pairing, after a pass over the headers of the messages."""
    images: list[int | None] = []
    truths: dict[str, list[Stamped]] = {t: [] for t in chosen.values() if t in TRUTH_FIELDS}
    for message in bag.messages(chosen, topics.IMAGE_TYPES):
        if repeats[message.topic].is_repeat(message):
            continue
        topic, stamp = chosen[message.topic], serialized_stamp(message.data)
        if topic == topics.IMAGE:
            images.append(stamp)
        else:
            truths[topic].append(Stamped(stamp, len(images)))
    (name,) = (name for name, topic in chosen.items() if topic == topics.IMAGE)
    stamps = ImageStamps(name, images)
    return {topic: stamps.pair(topic, stamped) for topic, stamped in truths.items()}


def _time_of(message: Message) -> int:
    """Return the stamp of a message's header, or when it was recorded if it has none."""
    stamp = serialized_stamp(message.data)
    return message.time if stamp is None else stamp

"""Where the images of a video come from: a file, a bag or a camera of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.errors import UserError
from mtshare_ros.perception.camera.calibration import AUTO

DEFAULT_RATE = 30.0
"""Hz of a source that doesn't say its own."""
FASTEST = 1000.0
"""Hz; who says more says nothing."""
LONGEST_GAP = 2.0
"""Seconds between two images of a bag; a longer silence is played as one period."""
_BAG_SUFFIXES = (".mcap", ".db3", ".bag", ".zstd", ".zst", ".lz4")
_TO_TELL_RATE = 31
"""Images of a bag whose stamps say its rate."""


class VideoError(UserError):
    """A video or a camera can't be read, or a video not be written."""


@dataclass(frozen=True)
class Shot:
    """An image and when it comes.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        stamp: Nanoseconds.
        due: Seconds from the first image until it is to be shown; None: it comes when it is read.
        focal_length: fx / width; None where it is not known.
    """

    image: NDArray[np.uint8]
    stamp: int
    due: float | None
    focal_length: float | None = None


class Shots(Protocol):
    """Images in their order."""

    @property
    def rate(self) -> float:
        """Images in a second."""
        ...

    @property
    def count(self) -> int | None:
        """How many there should be; None where nobody knows."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user has to know, after a pass."""
        ...

    def __iter__(self) -> Iterator[Shot]:
        """Yield the images."""
        ...


def is_bag(source: str) -> bool:
    """Return whether a source is read as a bag."""
    path = Path(source)
    return path.is_dir() or path.suffix.lower() in _BAG_SUFFIXES


def is_camera(source: str) -> bool:
    """Return whether a source is a camera of this machine: a number or a device."""
    return source.isdecimal() or source.startswith("/dev/video")


def open_source(
    source: str,
    topic: str | None = None,
    intrinsics: str = AUTO,
    focal_length: float | None = None,
) -> Shots:
    """Open a video file, a bag or a camera.

    Args:
        source: A file, a bag's file or folder, a camera's device or its number.
        topic: Topic of a bag's images; see ``ClipReader``.
        intrinsics: Which matrix of a bag's calibration is the images'; see ``ClipReader``.
        focal_length: fx / width of a file's or a camera's images.

    Raises:
        VideoError: It can't be read, or has no image.
        BagError: The bag can't be read or has no images of a camera.
    """
    if is_camera(source):
        return Device(source, focal_length)
    if is_bag(source):
        return Bag(Path(source), topic, intrinsics)
    return VideoFile(Path(source), focal_length)


class VideoFile:
    """The images of a file that OpenCV reads, at a steady rate."""

    def __init__(self, path: Path, focal_length: float | None = None) -> None:
        """Look into the file.

        Raises:
            VideoError: It is no video that can be read, or has no image.
        """
        self._path, self._focal_length = path, focal_length
        if not path.is_file():
            raise VideoError(f"{path}: not found; expected a video, a bag or a camera")
        with _opened(str(path)) as capture:
            if not capture.isOpened():
                raise VideoError(f"{path}: not readable as a video; expected for instance an .mp4")
            if _read(capture) is None:
                raise VideoError(f"{path}: no image in it could be read")
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._warnings = _no_rate(str(path), rate)
        self.rate = DEFAULT_RATE if self._warnings else rate
        self.count = count if count > 0 else None
        self._read = 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """See ``Shots``."""
        if self.count is None or self._read >= self.count:
            return self._warnings
        text = f"{self._path}: {self._read} of {self.count} images could be read"
        return (*self._warnings, text)

    def __iter__(self) -> Iterator[Shot]:
        """See ``Shots``."""
        self._read = 0
        with _opened(str(self._path)) as capture:
            while (image := _read(capture)) is not None:
                due = self._read / self.rate
                self._read += 1
                yield Shot(image, round(1e9 * due), due, self._focal_length)
        if self.count is None or self._read < self.count:
            return
        self.count = self._read


class Bag:
    """The images of a bag, at the times of their stamps."""

    def __init__(self, path: Path, topic: str | None = None, intrinsics: str = AUTO) -> None:
        """Look into the bag.

        Raises:
            BagError: It can't be read or has no images of a camera.
            VideoError: It has no image that can be read.
        """
        self._path = path
        self._reader = ClipReader(path, None, topic, intrinsics, truths=())
        stamps = [frame.stamp for frame in islice(self._reader.salvaged(), _TO_TELL_RATE)]
        if not stamps:
            raise VideoError(f"bag {path}: no image in it could be read")
        steps = np.diff(np.array(stamps, np.int64))
        steps = steps[steps > 0]
        rate = 1e9 / float(np.median(steps)) if steps.size else 0.0
        self._no_rate = _no_rate(f"bag {path}", rate) if len(stamps) > 1 else ()
        self.rate = rate if 0.0 < rate <= FASTEST else DEFAULT_RATE

    @property
    def count(self) -> int | None:
        """See ``Shots``."""
        return len(self._reader)

    @property
    def warnings(self) -> tuple[str, ...]:
        """See ``Shots``."""
        problem = self._reader.calibration.problem
        lost = self._reader.losses
        more = [*([f"bag {self._path}: {lost}"] if lost else []), *([problem] if problem else [])]
        return (*self._no_rate, *more, *self._reader.warnings)

    def __iter__(self) -> Iterator[Shot]:
        """See ``Shots``."""
        due, before = 0.0, None
        for frame in self._reader.salvaged():
            if before is not None:
                step = 1e-9 * (frame.stamp - before)
                due += step if 0.0 <= step <= LONGEST_GAP else 1.0 / self.rate
            before = frame.stamp
            yield Shot(frame.rgb, frame.stamp, due, frame.focal_length)


class Device:
    """The images of a camera of this machine, as they come."""

    count = None
    warnings: tuple[str, ...] = ()

    def __init__(self, device: str, focal_length: float | None = None) -> None:
        """Open the camera.

        Raises:
            VideoError: There is none, or it gives no image.
        """
        self._device: str | int = int(device) if device.isdecimal() else device
        self._focal_length = focal_length
        name = f"/dev/video{device}" if device.isdecimal() else device
        if not Path(name).exists():
            raise VideoError(f"camera {device}: there is no {name} on this machine")
        with _opened(self._device) as capture:
            if not capture.isOpened() or _read(capture) is None:
                raise VideoError(
                    f"camera {device}: {name} gives no image; is it a camera, may you read it, and"
                    " does no other program use it?"
                )
            rate = float(capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if 0.0 < rate <= FASTEST else DEFAULT_RATE

    def __iter__(self) -> Iterator[Shot]:
        """See ``Shots``; ends when the camera gives no more images."""
        began = cv2.getTickCount()
        with _opened(self._device) as capture:
            while (image := _read(capture)) is not None:
                seconds = (cv2.getTickCount() - began) / cv2.getTickFrequency()
                yield Shot(image, round(1e9 * seconds), None, self._focal_length)


@contextmanager
def _opened(source: str | int) -> Iterator[Any]:
    """Open what OpenCV reads; what its libraries would print is said by the errors here."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(source)
        try:
            yield capture
        finally:
            capture.release()
    finally:
        cv2.utils.logging.setLogLevel(level)


def _read(capture: Any) -> NDArray[np.uint8] | None:
    there, image = capture.read()
    if not there or image is None:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _no_rate(name: str, rate: float) -> tuple[str, ...]:
    if 0.0 < rate <= FASTEST:
        return ()
    return (f"{name}: it does not say how many images a second has; {DEFAULT_RATE:g} are taken",)

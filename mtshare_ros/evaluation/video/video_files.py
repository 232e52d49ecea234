"""Writes pictures as a video (.mp4) or as an animation (.gif, .webp)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2

from mtshare_ros.errors import OptionError, written
from mtshare_ros.evaluation.pictures.map_pictures import Picture
from mtshare_ros.evaluation.video.sources import VideoError

if TYPE_CHECKING:
    from PIL.Image import Image

VIDEOS = {".mp4": "mp4v"}
"""Ending -> codec; the wheels of OpenCV have no encoder of H.264."""
ANIMATIONS = {".gif": 10, ".webp": 1}
"""Ending -> milliseconds that times are whole numbers of."""
MOST_PICTURES = 600
"""Of an animation, which is encoded when all are there."""
_QUALITY = 70


class VideoWriter(Protocol):
    """Takes pictures one by one."""

    def add(self, picture: Picture) -> None:
        """Add the next picture, (H, W, 3) uint8 RGB."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


def check_ending(path: Path, pictures: int | None = None) -> None:
    """Refuse a file that is of no kind that can be written.

    Args:
        path: The file.
        pictures: How many it will have; None where nobody knows.

    Raises:
        OptionError: Its ending is none of those, or an animation would be too long.
    """
    ending = path.suffix.lower()
    if ending not in (*VIDEOS, *ANIMATIONS):
        expected = ", ".join((*VIDEOS, *ANIMATIONS))
        raise OptionError(f"--output {path}: expected a name that ends in one of {expected}")
    if ending in ANIMATIONS and (pictures is None or pictures > MOST_PICTURES):
        found = "as many pictures as come" if pictures is None else f"{pictures} pictures"
        raise OptionError(
            f"--output {path}: an animation of {found}, expected up to {MOST_PICTURES}; use"
            " --seconds, --every or .mp4"
        )


@contextmanager
def open_video(path: Path, rate: float, size: tuple[int, int]) -> Iterator[VideoWriter]:
    """Open a file to write; it is complete when the context is left.

    Args:
        path: Its ending says what is written.
        rate: Pictures in a second.
        size: Width and height of the pictures.

    Raises:
        OSError: The file can't be written.
        VideoError: The encoder failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: VideoWriter
    if path.suffix.lower() in VIDEOS:
        writer = _Video(path, rate, size)
    else:
        writer = _Animation(path, rate)
    try:
        yield writer
    finally:
        writer.close()


class _Video:
    def __init__(self, path: Path, rate: float, size: tuple[int, int]) -> None:
        self._path = path
        code = cv2.VideoWriter.fourcc(*VIDEOS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(path), code, rate, size)
        if not self._writer.isOpened():
            raise VideoError(
                f"{path}: OpenCV can't write {size[0]}x{size[1]} at {rate:g} Hz there"
            )

    def add(self, picture: Picture) -> None:
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()
        # OpenCV does not say that a disk is full.
        if not self._path.is_file() or not self._path.stat().st_size:
            raise VideoError(f"{self._path}: nothing could be written; is the disk full?")


class _Animation:
    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._ending = path.suffix.lower()
        self._pictures: list[Image] = []

    def add(self, picture: Picture) -> None:
        from PIL import Image

        image = Image.fromarray(picture)
        if self._ending == ".gif":
            # As it is, it would be kept three times as large until the end.
            image = image.quantize(dither=Image.Dither.NONE)
        self._pictures.append(image)

    def close(self) -> None:
        if not self._pictures:
            return
        unit = ANIMATIONS[self._ending]
        times = [round(1e3 * n / self._rate / unit) for n in range(len(self._pictures) + 1)]
        steps = zip(times, times[1:], strict=False)
        more: dict[str, Any] = {"duration": [unit * (end - begin) for begin, end in steps]}
        if self._ending == ".webp":
            more |= {"quality": _QUALITY, "method": 4}
        first, *others = self._pictures
        with written(self._path):
            first.save(self._path, save_all=True, append_images=others, loop=0, **more)

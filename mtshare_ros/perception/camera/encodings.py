"""Raw images of cameras to RGB: the one table of encodings, for the node and for recordings.

Of 16 bits per channel the network needs the upper eight: which byte has them is what
``is_bigendian`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import UserError
from mtshare_ros.perception.frame import MIN_SIDE

MAX_SIDE = 16384
"""Longest side that is taken for an image and not for a corrupt message, in pixels."""
MAX_PIXELS = 64 << 20
"""Largest image that is decoded, in pixels."""

Bytes = NDArray[np.uint8]


class ImageError(UserError):
    """A message isn't an image that can be read; says what was found and what was expected.

    Attributes:
        kind: Short name of the fault, the same for all messages with it: ``encoding``, ``step``,
            ``data``, ``size`` or ``compressed``.
    """

    def __init__(self, kind: str, message: str) -> None:
        """Make the error."""
        super().__init__(message)
        self.kind = kind


class RawImage(Protocol):
    """A sensor_msgs/Image, of whatever library."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


@dataclass(frozen=True)
class _Packed:
    """An encoding that has the channels of a pixel side by side.

    Attributes:
        channels: Bytes per pixel, or words.
        conversion: OpenCV's conversion to RGB, or None where it is RGB.
    """

    channels: int
    conversion: int | None


@dataclass(frozen=True)
class _Planar:
    """An encoding of all brightness, then all colour: pairs of two bytes, by rows.

    Attributes:
        across: Pixels in a row that share a pair.
        down: Pixels in a column that share a pair.
        convert: Returns RGB of the bytes (H, W) of brightness and those (h, w, 2) of colour.
    """

    across: int
    down: int
    convert: Callable[[Bytes, Bytes], Any]


def _full_colour(brightness: Bytes, colour: Bytes) -> Any:
    """Return RGB of Y and of U, V of each pixel: BT.601, limited range (Y 16-235, U, V 16-240)."""
    return cv2.transform(np.dstack([brightness, colour]), _BT601)


# Recommendation ITU-R BT.601: rows R, G, B; columns Y, U, V and what is added.
_Y, _RV, _GU, _GV, _BU = 255 / 219, 1.596027, -0.391762, -0.812968, 2.017232
_BT601 = np.array(
    [
        [_Y, 0, _RV, -16 * _Y - 128 * _RV],
        [_Y, _GU, _GV, -16 * _Y - 128 * (_GU + _GV)],
        [_Y, _BU, 0, -16 * _Y - 128 * _BU],
    ]
)


def _two_planes(conversion: int) -> Callable[[Bytes, Bytes], Any]:
    return lambda brightness, colour: cv2.cvtColorTwoPlane(brightness, colour, conversion)


# OpenCV names a Bayer pattern after the second row's second and third pixel, ROS after the first
# row's first two.
_BYTES = {
    "rgb8": _Packed(3, None),
    "bgr8": _Packed(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Packed(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Packed(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Packed(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Packed(1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": _Packed(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Packed(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Packed(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Packed(1, cv2.COLOR_BayerGB2RGB),
    "yuv422": _Packed(2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Packed(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Packed(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Packed(2, cv2.COLOR_YUV2RGB_YUY2),
}
_WORDS = {f"{name[:-1]}16": packed for name, packed in _BYTES.items() if name.endswith("8")}
"""The same with two bytes per channel: ``mono16``, ``rgb16``, ``bayer_rggb16`` and so on."""
_PLANES = {
    "nv12": _Planar(2, 2, _two_planes(cv2.COLOR_YUV2RGB_NV12)),
    "nv21": _Planar(2, 2, _two_planes(cv2.COLOR_YUV2RGB_NV21)),
    "nv24": _Planar(1, 1, _full_colour),
}
ENCODINGS = (*_BYTES, *_WORDS, *_PLANES)
"""Encodings of a camera's raw images."""

_NAMELESS = {
    "8UC3": "rgb8 or bgr8",
    "8UC4": "rgba8 or bgra8",
    "16UC1": "mono16",
    "16UC3": "rgb16 or bgr16",
    "16UC4": "rgba16 or bgra16",
}
"""Encodings that say how many channels there are and not which -> what to publish instead."""


def decode_raw(message: RawImage) -> Bytes:
    """Return a camera's raw image as (H, W, 3) uint8 RGB.

    Raises:
        ImageError: It is of another encoding, or its data don't fill it.
    """
    encoding, width, height = message.encoding, message.width, message.height
    check_size(width, height)
    if encoding in _PLANES:
        return _decode_planes(message, _PLANES[encoding])
    packed = _BYTES.get(encoding) or _WORDS.get(encoding)
    if packed is None:
        raise _unknown(encoding)
    if packed.channels == 2 and width % 2:
        raise ImageError("size", f"{encoding} of {width}x{height}; expected an even width")
    word = 2 if encoding in _WORDS else 1
    rows = rows_of(message, width * packed.channels * word)
    if word == 2:
        rows = np.ascontiguousarray(rows[:, 0 if message.is_bigendian else 1 :: 2])
    channels = () if packed.channels == 1 else (packed.channels,)
    pixels = rows.reshape(height, width, *channels)
    if packed.conversion is None:
        return pixels
    return as_bytes(cv2.cvtColor(pixels, packed.conversion))


def rows_of(message: RawImage, row_bytes: int) -> Bytes:
    """Return the rows of an image's data without their padding, (height, row_bytes).

    Raises:
        ImageError: The rows are too short or too few.
    """
    step, height = message.step, message.height
    if step < row_bytes:
        raise ImageError(
            "step",
            f"step {step} for {message.width} pixels of {message.encoding}; expected {row_bytes} "
            "or more",
        )
    data = _data(message, height, f"step {step} x height {height}")
    return data.reshape(height, step)[:, :row_bytes]


def _decode_planes(message: RawImage, planar: _Planar) -> Bytes:
    width, height = message.width, message.height
    if width % planar.across or height % planar.down:
        raise ImageError("size", f"{message.encoding} of {width}x{height}; expected even sides")
    brightness = np.ascontiguousarray(rows_of(message, width))
    # A row of pairs takes two bytes where the row of brightness above it takes ``across``.
    step = message.step * 2 // planar.across
    rows, pairs = height // planar.down, width // planar.across
    lines = height + rows * 2 // planar.across
    data = _data(message, lines, f"step {message.step} x {lines} rows of brightness and colour")
    colour = data[height * message.step :].reshape(rows, step)[:, : 2 * pairs]
    return as_bytes(
        planar.convert(brightness, np.ascontiguousarray(colour).reshape(rows, pairs, 2))
    )


def _data(message: RawImage, lines: int, expected: str) -> Bytes:
    """Return the bytes of so many rows of ``step``."""
    size = message.step * lines
    if len(message.data) < size:
        raise ImageError(
            "data", f"{len(message.data)} bytes of data; expected {expected} = {size}"
        )
    return np.frombuffer(message.data, np.uint8, size)


def check_size(width: int, height: int) -> None:
    """Raise ImageError unless an image can be of this size."""
    fits = MIN_SIDE <= min(width, height) and max(width, height) <= MAX_SIDE
    if not fits or width * height > MAX_PIXELS:
        raise ImageError(
            "size",
            f"size {width}x{height}; expected sides of {MIN_SIDE} to {MAX_SIDE} and at most "
            f"{MAX_PIXELS} pixels",
        )


def as_bytes(picture: Any) -> Bytes:
    """Return what OpenCV gave; every release of OpenCV types it differently."""
    return np.asarray(picture, np.uint8)


def _unknown(encoding: str) -> ImageError:
    if encoding in _NAMELESS:
        return ImageError(
            "encoding",
            f"encoding {encoding!r} names no colours; publish {_NAMELESS[encoding]} instead",
        )
    return ImageError(
        "encoding", f"encoding {encoding[:32]!r}; expected one of {', '.join(ENCODINGS)}"
    )

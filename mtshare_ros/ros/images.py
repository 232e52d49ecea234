"""sensor_msgs/Image and CompressedImage to arrays, and arrays to Image.

Of 16 bits per channel the network needs the upper eight: which byte has them is what
``is_bigendian`` says on the way in. On the way out the flag states this machine's byte order,
because depth and normals have more than one byte.
"""

from __future__ import annotations

import math
import sys
from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from mtshare_ros.errors import UserError
from mtshare_ros.perception.frame import MIN_SIDE
from mtshare_ros.ros.compressed_size import compressed_size

MAX_SIDE = 16384
"""Longest side that is taken for an image and not for a corrupt message, in pixels."""
MAX_PIXELS = 64 << 20
"""Largest image that is decoded, in pixels."""

# Encoding -> channels and OpenCV's conversion to RGB (None: it is RGB). OpenCV names a Bayer
# pattern after the second row's second and third pixel, ROS after the first row's first two.
_BYTES: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
}
_WORDS = {f"{name[:-1]}16": entry for name, entry in _BYTES.items() if name.endswith("8")}
"""The same with two bytes per channel: ``mono16``, ``rgb16``, ``bayer_rggb16`` and so on."""
ENCODINGS = (*_BYTES, *_WORDS)
"""Encodings of a raw image that can be read."""

_OUTPUTS: dict[str, tuple[str, int]] = {
    "mono8": ("uint8", 1),
    "rgb8": ("uint8", 3),
    "16UC1": ("uint16", 1),
    "32FC1": ("float32", 1),
    "32FC3": ("float32", 3),
}


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


def decode(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Return the picture of a raw or compressed image message.

    Args:
        message: Image with one of ``ENCODINGS`` or, where cv_bridge is installed, a further one
            of its colour encodings; or CompressedImage holding a JPEG or a PNG.

    Returns:
        (H, W, 3) uint8 RGB. For ``rgb8`` it is a view of the message's data, rows perhaps padded.

    Raises:
        ImageError: The message can't be read.
    """
    if isinstance(message, CompressedImage):
        return _decode_compressed(message)
    return _decode_raw(message)


def _decode_raw(message: Image) -> NDArray[np.uint8]:
    encoding, width, height = message.encoding, message.width, message.height
    _check_size(width, height)
    if encoding not in ENCODINGS:
        found = _cv_bridge_decode(message)
        if found is not None:
            return found
        raise ImageError(
            "encoding", f"encoding {encoding[:32]!r}; expected one of {', '.join(ENCODINGS)}"
        )
    channels, conversion = _BYTES.get(encoding) or _WORDS[encoding]
    if channels == 2 and width % 2:
        raise ImageError("size", f"{encoding} of {width}x{height}; expected an even width")
    bytes_each = 2 if encoding in _WORDS else 1
    rows = _rows(message, width * channels * bytes_each)
    if bytes_each == 2:
        rows = np.ascontiguousarray(rows[:, 0 if message.is_bigendian else 1 :: 2])
    pixels = rows.reshape(height, width, *(() if channels == 1 else (channels,)))
    return pixels if conversion is None else _array(cv2.cvtColor(pixels, conversion))


def _rows(message: Image, row_bytes: int) -> NDArray[np.uint8]:
    """Return the rows of an image's data without their padding, (height, row_bytes)."""
    step, height = message.step, message.height
    if step < row_bytes:
        raise ImageError(
            "step",
            f"step {step} for {message.width} pixels of {message.encoding}; expected {row_bytes} "
            "or more",
        )
    if len(message.data) < step * height:
        raise ImageError(
            "data",
            f"{len(message.data)} bytes of data; expected step {step} x height {height} = "
            f"{step * height}",
        )
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    return rows[:, :row_bytes]


def _decode_compressed(message: CompressedImage) -> NDArray[np.uint8]:
    data = np.frombuffer(message.data, np.uint8)
    try:
        # The size is read first: a few bytes of PNG can claim gigabytes of picture.
        width, height = compressed_size(data.tobytes())
    except ValueError as error:
        raise ImageError("compressed", f"format {message.format[:32]!r}: {error}") from None
    _check_size(width, height)
    # The orientation tag is ignored: camera_info describes the sensor's rows and columns.
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ImageError("compressed", f"format {message.format[:32]!r}: the picture is corrupt")
    return _array(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture))


def _check_size(width: int, height: int) -> None:
    fits = MIN_SIDE <= min(width, height) and max(width, height) <= MAX_SIDE
    if not fits or width * height > MAX_PIXELS:
        raise ImageError(
            "size",
            f"size {width}x{height}; expected sides of {MIN_SIDE} to {MAX_SIDE} and at most "
            f"{MAX_PIXELS} pixels",
        )


def _array(picture: Any) -> NDArray[np.uint8]:
    # Typed differently by every release of OpenCV.
    return np.asarray(picture, np.uint8)


class ImagePacker:
    """Packs arrays into one Image message, whose memory it keeps.

    Getting fresh memory for a large image costs several times the copying.
    """

    def __init__(self) -> None:
        """Make an empty message."""
        self._message = Image()
        self._pixels: NDArray[Any] | None = None

    def pack(self, pixels: NDArray[Any], encoding: str, header: Header) -> Image:
        """Return the message with a copy of an array; it holds until the next call.

        Args:
            pixels: (H, W) or (H, W, 3), of the encoding's type.
            encoding: ``mono8``, ``rgb8``, ``16UC1``, ``32FC1`` or ``32FC3``.
            header: Header of the message (shared, not copied).

        Raises:
            ValueError: The array isn't of that encoding's type and shape.
        """
        dtype, channels = _OUTPUTS[encoding]
        shape = pixels.shape[:2] if channels == 1 else (*pixels.shape[:2], channels)
        if pixels.dtype != dtype or pixels.ndim < 2 or pixels.shape != shape:
            expected = "(H, W)" if channels == 1 else f"(H, W, {channels})"
            raise ValueError(
                f"array {pixels.shape} {pixels.dtype} for {encoding}; expected {expected} {dtype}"
            )
        if self._pixels is None or self._pixels.shape != shape or self._pixels.dtype != dtype:
            self._allocate(shape, encoding)
        assert self._pixels is not None
        np.copyto(self._pixels, pixels)
        self._message.header = header
        return self._message

    def _allocate(self, shape: tuple[int, ...], encoding: str) -> None:
        dtype = np.dtype(_OUTPUTS[encoding][0])
        # rclpy takes an array of bytes as it is, and walks through anything else byte by byte.
        data = array("B", bytes(math.prod(shape) * dtype.itemsize))
        self._message = Image(
            height=shape[0],
            width=shape[1],
            encoding=encoding,
            is_bigendian=int(sys.byteorder == "big"),
            step=len(data) // shape[0],
            data=data,
        )
        # The message's own array: some releases copy the one they are given.
        self._pixels = np.frombuffer(self._message.data, dtype).reshape(shape)


def encode(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    """Return a new Image message that holds a copy of an array; see ``ImagePacker.pack``."""
    return ImagePacker().pack(pixels, encoding, header)


def _cv_bridge_decode(message: Any) -> NDArray[np.uint8] | None:
    """Return the picture (H, W, 3) uint8 RGB of an Image message, or None.

    Names like ``8UC3`` and ``32FC1`` say nothing about colours: such images aren't taken.
    """
    if message.encoding[:1].isdigit():
        return None
    try:
        from cv_bridge import CvBridge

        picture = np.asarray(CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except Exception:
        # Not installed, built for another NumPy, or it doesn't know the encoding either; it
        # raises classes that exist only where it is installed.
        return None
    if picture.shape != (message.height, message.width, 3) or picture.dtype != np.uint8:
        return None
    return picture

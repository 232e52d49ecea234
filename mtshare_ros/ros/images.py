"""sensor_msgs/Image and CompressedImage to arrays, and arrays to Image.

Every encoding read here has 8 bits per channel, so ``is_bigendian`` means nothing on the way in;
on the way out the flag states this machine's byte order, because depth and normals are floats.
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

from mtshare_ros.ros.compressed import compressed_size

MIN_SIDE = 16
"""Shortest side that the network takes, in pixels."""
MAX_SIDE = 16384
"""Longest side that is taken for an image and not for a corrupt message, in pixels."""
MAX_PIXELS = 64 << 20
"""Largest image that is decoded, in pixels."""

# Encoding -> bytes per pixel and OpenCV's conversion to RGB (None: it is RGB). OpenCV names a
# Bayer pattern after the second row's second and third pixel, ROS after the first row's first two.
_DECODERS: dict[str, tuple[int, int | None]] = {
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
ENCODINGS = tuple(_DECODERS)
"""Encodings of a raw image that can be read."""

_OUTPUTS: dict[str, tuple[str, int]] = {
    "mono8": ("uint8", 1),
    "rgb8": ("uint8", 3),
    "16UC1": ("uint16", 1),
    "32FC1": ("float32", 1),
    "32FC3": ("float32", 3),
}


class ImageError(ValueError):
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
        message: Image with one of ``ENCODINGS``, or CompressedImage holding a JPEG or a PNG.

    Returns:
        (H, W, 3) uint8 RGB. For ``rgb8`` it is a view of the message's data, rows perhaps padded.

    Raises:
        ImageError: The message can't be read.
    """
    if isinstance(message, CompressedImage):
        return _decode_compressed(message)
    return _decode_raw(message)


def _decode_raw(message: Image) -> NDArray[np.uint8]:
    decoder = _DECODERS.get(message.encoding)
    if decoder is None:
        found = message.encoding[:32]
        raise ImageError("encoding", f"encoding {found!r}; expected one of {', '.join(ENCODINGS)}")
    pixel_bytes, conversion = decoder
    width, height, step = message.width, message.height, message.step
    _check_size(width, height)
    mosaic = message.encoding.startswith("bayer")
    if (mosaic or pixel_bytes == 2) and (width % 2 or (mosaic and height % 2)):
        raise ImageError("size", f"{message.encoding} of {width}x{height}; expected even sides")
    row_bytes = width * pixel_bytes
    if step < row_bytes:
        raise ImageError(
            "step",
            f"step {step} for {width} pixels of {message.encoding}; expected {row_bytes} or more",
        )
    if len(message.data) < step * height:
        raise ImageError(
            "data",
            f"{len(message.data)} bytes of data; expected step {step} x height {height} = "
            f"{step * height}",
        )
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    channels = () if pixel_bytes == 1 else (pixel_bytes,)
    pixels = rows[:, :row_bytes].reshape(height, width, *channels)
    if conversion is None:
        return pixels
    return _array(cv2.cvtColor(pixels, conversion))


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

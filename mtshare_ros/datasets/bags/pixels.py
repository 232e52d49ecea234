"""Pixels of truth and of predictions, to arrays and back, without ROS.

Raw images are rows of values in an encoding. Compressed ones are PNG, in which truth is
quantised: depth to millimetres, normals to 1/127. What a camera sends is decoded in
``perception.camera``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.camera.encodings import check_size, rows_of
from mtshare_ros.perception.camera.pictures import picture_size

Array = NDArray[Any]

ENCODINGS: dict[str, tuple[str, int]] = {
    "rgb8": ("u1", 3),
    "mono8": ("u1", 1),
    "8UC1": ("u1", 1),
    "16UC1": ("u2", 1),
    "mono16": ("u2", 1),
    "32FC1": ("f4", 1),
    "32FC3": ("f4", 3),
}
"""Value type and channels of the encodings of truth, and of what this package writes."""

JPEG_QUALITY = 92
"""Quality of a camera's JPEGs: what is lost is less than the sensor's noise."""

INVALID_NORMAL = 128
"""Value of all three channels where a PNG of normals has no normal."""


def raw_pixels(message: Any, expected: Collection[str] = tuple(ENCODINGS)) -> Array:
    """Return the values of an Image message, ``(H, W)`` or ``(H, W, C)``, in its own encoding.

    Args:
        message: A sensor_msgs/Image, of whatever library.
        expected: The encodings, of ``ENCODINGS``, that such an image can have.

    Raises:
        ValueError: Where the encoding is another one or the data don't fill the image.
    """
    if message.encoding not in expected:
        raise ValueError(
            f"encoding {message.encoding[:32]!r}: expected one of {', '.join(expected)}"
        )
    kind, channels = ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    height, width = message.height, message.width
    if not (height and width):
        raise ValueError(f"an image of {width}x{height}: expected pixels")
    rows = rows_of(message, width * channels * dtype.itemsize)
    values = np.ascontiguousarray(rows).view(dtype).astype(np.dtype(kind), copy=False)
    return values.reshape((height, width) if channels == 1 else (height, width, channels))


def unpacked(message: Any) -> Array:
    """Return the values of a CompressedImage message; colour is RGB.

    Raises:
        ValueError: Where the data are no image.
    """
    data = bytes(message.data)
    # The size is read first: a few bytes of PNG can claim gigabytes of picture.
    check_size(*picture_size(data))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{len(data)} bytes of a picture that is damaged")
    return _swapped(np.asarray(image))


def as_depth(pixels: Array) -> NDArray[np.float32]:
    """Return ``(H, W)`` float32 metres, NaN invalid, of metres or of whole millimetres.

    Raises:
        ValueError: Where the pixels have several channels or 8 bits.
    """
    if pixels.ndim != 2 or pixels.dtype == np.uint8:
        raise _wrong(pixels, "one channel of 16 bits (millimetres) or of floats (metres)")
    if pixels.dtype == np.uint16:
        return np.where(pixels > 0, pixels / np.float32(1000), np.float32(np.nan))
    depth = np.asarray(pixels, np.float32)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(np.nan))


def as_normals(pixels: Array) -> NDArray[np.float32]:
    """Return ``(H, W, 3)`` float32 unit vectors, zero invalid, of vectors or of a PNG's RGB.

    Raises:
        ValueError: Where the pixels have another number of channels or 16 bits.
    """
    if pixels.ndim != 3 or pixels.dtype == np.uint16:
        raise _wrong(pixels, "three channels of floats or of 8 bits")
    if pixels.dtype == np.uint8:
        valid = (pixels != INVALID_NORMAL).any(axis=-1, keepdims=True)
        normals = np.where(valid, 2 * pixels.astype(np.float32) / 255 - 1, np.float32(0))
    else:
        normals = np.nan_to_num(np.asarray(pixels, np.float32))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.asarray(np.divide(normals, length, out=np.zeros_like(normals), where=length > 0.5))


def as_labels(pixels: Array) -> NDArray[np.uint8]:
    """Return ``(H, W)`` uint8 class ids.

    Raises:
        ValueError: Where the pixels are not one channel of 8 bits.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise _wrong(pixels, "one channel of 8 bits")
    return pixels


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return depth in whole millimetres, 0 invalid and for what is too far for 16 bits."""
    whole = np.rint(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) * 1000)
    return np.where((whole > 0) & (whole < 65536), whole, 0).astype(np.uint16)


def coloured_normals(normals: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return normals as RGB, ``255 * (n + 1) / 2``; zero vectors are ``INVALID_NORMAL``."""
    values = np.rint((normals + 1) * 127.5).astype(np.uint8)
    values[~np.asarray(normals).any(axis=-1)] = INVALID_NORMAL
    return values


def jpeg(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the bytes ``(n,)`` of a JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return np.asarray(cv2.imencode(".jpg", _swapped(rgb), options)[1], np.uint8)


def png(pixels: Array) -> NDArray[np.uint8]:
    """Return the bytes ``(n,)`` of a PNG: colour, or one channel of 8 or 16 bits."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    return np.asarray(cv2.imencode(".png", _swapped(pixels), options)[1], np.uint8)


def _wrong(pixels: Array, expected: str) -> ValueError:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    return ValueError(f"{channels} channel(s) of type {pixels.dtype}: expected {expected}")


def _swapped(image: Array) -> Array:
    """Return colour with red and blue exchanged, as OpenCV's files have them."""
    return np.ascontiguousarray(image[..., 2::-1]) if image.ndim == 3 else image

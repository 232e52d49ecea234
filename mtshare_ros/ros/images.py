"""sensor_msgs/Image and CompressedImage to arrays, and arrays to Image.

On the way out ``is_bigendian`` states this machine's byte order, because depth and normals have
more than one byte.
"""

from __future__ import annotations

import math
import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from mtshare_ros.perception.camera.encodings import decode_raw
from mtshare_ros.perception.camera.pictures import decode_picture

_OUTPUTS: dict[str, tuple[str, int]] = {
    "mono8": ("uint8", 1),
    "rgb8": ("uint8", 3),
    "16UC1": ("uint16", 1),
    "32FC1": ("float32", 1),
    "32FC3": ("float32", 3),
}


def decode(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Return a camera's image as (H, W, 3) uint8 RGB.

    Raises:
        ImageError: The message can't be read.
    """
    if isinstance(message, CompressedImage):
        # The message's bytes may be an array of them; what is read may be bytes only.
        return decode_picture(bytes(message.data))
    return decode_raw(message)


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

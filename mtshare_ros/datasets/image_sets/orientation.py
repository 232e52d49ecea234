"""Which way up a picture is: the EXIF orientation of JPEG and PNG files.

Cameras that are turned store the rows and columns of their sensor and say in a tag how to turn
them. Every viewer does so, and truth is drawn on what a viewer shows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.camera.pictures import PNG

Array = NDArray[Any]

_TAG = 0x0112
_EXIF = b"Exif\0\0"
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_SCAN = 0xDA
_APP1 = 0xE1

_TURNS: dict[int, Callable[[Array], Array]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[:, ::-1],
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image.swapaxes(0, 1)[::-1],
}
"""EXIF orientation -> what turns stored rows and columns upright."""


def upright(image: Array, data: bytes) -> Array:
    """Return a picture (H, W, ...) turned as its file says.

    Args:
        image: The rows and columns that are stored.
        data: The JPEG or PNG file.
    """
    return np.ascontiguousarray(_TURNS[orientation(data)](image))


def orientation(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG or PNG file, 1 to 8; 1 where it has none."""
    blocks = _png_blocks(data) if data.startswith(PNG) else _jpeg_blocks(data)
    for block in blocks:
        try:
            found = _tag(block)
        except struct.error:  # Cut short; viewers pass over such a block, too.
            continue
        if found in _TURNS:
            return found
    return 1


def _png_blocks(data: bytes) -> Iterator[bytes]:
    at = len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"eXIf":
            yield data[at + 8 : at + 8 + length].removeprefix(_EXIF)
        at += 12 + length


def _jpeg_blocks(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _SCAN:
            return
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        block = data[at + 4 : at + 2 + length]
        if marker == _APP1 and block.startswith(_EXIF):
            yield block.removeprefix(_EXIF)
        at += 2 + length


def _tag(block: bytes) -> int | None:
    """Return the orientation in a TIFF header's first directory.

    Raises:
        struct.error: The block is cut short.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    (directory,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, directory)
    for number in range(count):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", block, directory + 2 + 12 * number)
        if tag == _TAG:
            # A short, or a long as some programs write it.
            form = {3: "H", 4: "I"}.get(kind, "H")
            value = struct.unpack_from(f"{order}{form}", block, directory + 10 + 12 * number)[0]
            return int(value)
    return None

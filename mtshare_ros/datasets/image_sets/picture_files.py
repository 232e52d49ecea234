"""Reads pictures of data sets: JPEG and PNG, whole and upright, alike for every command.

Of an image palettes are expanded, transparency is dropped, and of 16 bits the upper eight count,
as on the robot. Truth keeps the values that are stored.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.orientation import upright
from mtshare_ros.datasets.image_sets.truth_files import file_bytes, wrong
from mtshare_ros.errors import reason_of
from mtshare_ros.perception.camera.encodings import MAX_PIXELS, ImageError
from mtshare_ros.perception.camera.pictures import PNG, decode_picture, picture_size

Array = NDArray[Any]

_ALPHA = {"LA": 1, "RGBA": 3}
"""Pillow's name of channels with transparency -> those before it."""


def colour(path: Path) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) uint8 RGB, upright; grey is spread over the channels.

    Raises:
        DatasetError: The file is missing, damaged or no picture.
    """
    data = _picture_bytes(path)
    try:
        return np.asarray(upright(decode_picture(data), data), np.uint8)
    except ImageError as error:
        raise DatasetError(f"{path}: can't be decoded ({error}); expected a picture") from None


def indices(path: Path) -> Array:
    """Return the values of a PNG as they are stored, (H, W) or (H, W, 3), upright.

    A palette's are its indices, not its colours. Transparency is dropped.

    Raises:
        DatasetError: The file is missing, damaged or no PNG.
    """
    data = _picture_bytes(path)
    if not data.startswith(PNG):
        raise DatasetError(f"{path}: found no PNG, which keeps values as they are; expected one")
    return upright(_decode(path, data, expand=False), data)


def class_ids(path: Path) -> NDArray[np.uint8]:
    """Return ids (H, W) uint8 of a PNG; one with a palette holds ids, not colours.

    Raises:
        DatasetError: The file is missing, damaged, has several channels or more than 8 bits.
    """
    ids = indices(path)
    if ids.dtype == np.bool_:
        ids = ids.astype(np.uint8)
    if ids.ndim != 2 or ids.dtype != np.uint8:
        raise wrong(path, ids, "class ids in one channel of 8 bits")
    return ids


def channels(path: Path) -> Array:
    """Return a picture as (H, W) grey or (H, W, 3) colour of 8 bits, upright.

    Raises:
        DatasetError: The file is missing, damaged or no picture, or holds 8 bits in 16.
    """
    data = _picture_bytes(path)
    if not data.startswith(PNG):
        return _merged(colour(path))
    values = _decode(path, data, expand=True)
    if values.dtype == np.bool_:
        values = 255 * values.astype(np.uint8)
    elif values.dtype != np.uint8:
        largest = int(values.max())
        if 0 < largest < 256:
            raise DatasetError(
                f"{path}: 16 bits, and no value above {largest}; expected values up to 65535"
            )
        values = (values >> 8).astype(np.uint8)
    return upright(values, data)


def grey(path: Path) -> NDArray[np.uint8]:
    """Return a picture (H, W) of 8 bits, upright; three equal channels are one.

    Raises:
        DatasetError: The file is missing, damaged, no picture or coloured.
    """
    values = channels(path)
    merged = _merged(values) if values.ndim == 3 else values
    if merged.ndim != 2:
        raise wrong(path, values, "one channel")
    return np.asarray(merged, np.uint8)


def _merged(values: Array) -> Array:
    """Return (H, W) of three channels that are equal, else the channels."""
    equal = (values == values[..., :1]).all()
    return np.ascontiguousarray(values[..., 0]) if equal else values


def _decode(path: Path, data: bytes, expand: bool) -> Array:
    """Return a PNG's values without transparency; ``expand`` turns a palette into colours."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if expand and image.mode == "P":
                return np.array(image.convert("RGB"))
            values = np.array(image)
            kept = _ALPHA.get(image.mode)
    except Exception as error:  # Pillow raises built-in errors of many classes.
        raise _undecodable(path, reason_of(error)) from error
    if kept is None:
        return values
    return np.ascontiguousarray(values[..., 0] if kept == 1 else values[..., :kept])


def _picture_bytes(path: Path) -> bytes:
    """Return a file whose header tells a size that can be, and whose checksums hold."""
    data = file_bytes(path, "a picture")
    try:
        width, height = picture_size(data)
    except ImageError as error:
        raise _undecodable(path, str(error)) from None
    # A few bytes can claim gigabytes.
    if not 0 < width * height <= MAX_PIXELS:
        raise _undecodable(path, f"{width}x{height} pixels, of at most {MAX_PIXELS}")
    if data.startswith(PNG):
        _check_png(path, data)
    return data


def _check_png(path: Path, data: bytes) -> None:
    """Hold each block of a PNG against its checksum: decoders pass over some of them."""
    at, kind = len(PNG), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise _undecodable(path, f"PNG of {len(data)} bytes is cut short")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if data[end - 4 : end] != struct.pack(">I", zlib.crc32(data[at + 4 : end - 4])):
            raise _undecodable(path, f"PNG is damaged: block {kind.decode('latin-1')!r}")
        at = end


def _undecodable(path: Path, reason: str) -> DatasetError:
    return DatasetError(f"{path}: can't be decoded ({reason}); expected a picture")

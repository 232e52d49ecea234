"""Compressed pictures of cameras and data sets to RGB: JPEG and PNG, refused where damaged."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from mtshare_ros.perception.camera.encodings import Bytes, ImageError, as_bytes, check_size

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

NOTICES_DAMAGE = simplejpeg is not None
"""Whether a JPEG that lost bytes is noticed: OpenCV fills what is missing with grey, silently."""

PNG = b"\x89PNG\r\n\x1a\n"
"""What every PNG file begins with."""
_JPEG = b"\xff\xd8\xff"
_END_OF_JPEG = b"\xff\xd9"
_END_OF_PNG = b"IEND\xaeB`\x82"
# Markers of a frame header; C4, C8 and CC in that range mean other things.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def decode_picture(data: bytes) -> Bytes:
    """Return a JPEG or PNG as (H, W, 3) uint8 RGB, in the rows and columns that are stored.

    An orientation tag is ignored: a camera's calibration is of the rows and columns of its sensor.

    Raises:
        ImageError: It is neither, its size is absurd, or it is damaged (see ``NOTICES_DAMAGE``).
    """
    # The size is read first: a few bytes of PNG can claim gigabytes of picture.
    width, height = picture_size(data)
    check_size(width, height)
    if simplejpeg is not None and data.startswith(_JPEG):
        picture = _decode_strictly(data)
        if picture is not None:
            return picture
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if decoded is None:
        raise ImageError("compressed", f"{len(data)} bytes of a picture that is damaged")
    return as_bytes(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded))


def picture_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG or PNG, from its header.

    Raises:
        ImageError: It is neither, or it is cut short.
    """
    if data.startswith(PNG):
        return _png_size(data)
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    raise ImageError(
        "compressed",
        f"{len(data)} bytes that begin with {data[:4].hex()!r}; expected JPEG or PNG",
    )


def _decode_strictly(data: bytes) -> Bytes | None:
    """Return a JPEG's picture where the decoder has nothing to complain of.

    None for the colours of print, which only OpenCV turns into RGB.

    Raises:
        ImageError: The JPEG is damaged.
    """
    try:
        if simplejpeg.decode_jpeg_header(data)[2] in ("CMYK", "YCCK"):
            simplejpeg.decode_jpeg(data, "CMYK", strict=True)
            return None
        return as_bytes(simplejpeg.decode_jpeg(data, "RGB", strict=True))
    except ValueError as error:
        bare = _without_padding(data)
        if bare == data:
            raise ImageError(
                "compressed", f"JPEG of {len(data)} bytes is damaged: {error}"
            ) from None
    return _decode_strictly(bare)


def _without_padding(data: bytes) -> bytes:
    """Return a JPEG without zeros and fill bytes before its end, and without what comes after.

    Some cameras fill their pictures up to a fixed size: the decoder warns of that as of damage.
    """
    end = data.find(_END_OF_JPEG, _frame_header(data))
    picture = data[:end].rstrip(b"\x00\xff")
    # A byte FF of the picture is stored as FF 00.
    stuffed = data[len(picture) : end].startswith(b"\xff\x00")
    return picture + (b"\xff\x00" if stuffed else b"") + _END_OF_JPEG


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or _END_OF_PNG not in data:
        raise ImageError("compressed", f"PNG of {len(data)} bytes without its end: cut short")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    header = _frame_header(data)
    # A cut JPEG decodes, grey below the cut. The end may be followed by padding, and a
    # thumbnail's end comes before this header.
    if data.find(_END_OF_JPEG, header) < 0:
        raise ImageError("compressed", f"JPEG of {len(data)} bytes without its end: cut short")
    height, width = struct.unpack(">HH", data[header + 5 : header + 9])
    return width, height


def _frame_header(data: bytes) -> int:
    """Return where the header of a JPEG's frame begins.

    Raises:
        ImageError: There is none.
    """
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _FRAME_MARKERS:
            return position
        else:
            (length,) = struct.unpack(">H", data[position + 2 : position + 4])
            position += 2 + length
    raise ImageError("compressed", f"JPEG of {len(data)} bytes without a frame header")

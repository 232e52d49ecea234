"""The size of a JPEG or a PNG, from its header, without decoding it."""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_END_OF_JPEG = b"\xff\xd9"
# Markers of a frame header; C4, C8 and CC in that range mean other things.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def compressed_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a compressed picture.

    Raises:
        ValueError: It is neither a JPEG nor a PNG, or it is cut short.
    """
    if data.startswith(_PNG):
        return _png_size(data)
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    raise ValueError(f"{len(data)} bytes that begin with {data[:4].hex()!r}; expected JPEG or PNG")


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or b"IEND" not in data[-16:]:
        raise ValueError(f"PNG of {len(data)} bytes without its end: cut short")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        if marker in _FRAME_MARKERS:
            # A cut JPEG decodes, grey below the cut. The end may be followed by padding, and a
            # thumbnail's end comes before this header.
            if data.find(_END_OF_JPEG, position) < 0:
                raise ValueError(f"JPEG of {len(data)} bytes without its end: cut short")
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + length
    raise ValueError(f"JPEG of {len(data)} bytes without a frame header")

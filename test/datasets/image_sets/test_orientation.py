"""EXIF orientation: the eight ways to store a picture, against Pillow's."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mtshare_ros.datasets.image_sets.orientation import orientation, upright

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def stored(form: str, value: int) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x010F] = "Maker"
    exif[0x0112] = value
    Image.fromarray(PIXELS).save(file, form, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_a_picture_is_turned_as_its_tag_says(form: str, value: int) -> None:
    data = stored(form, value)
    assert orientation(data) == value
    with Image.open(io.BytesIO(data)) as image:
        pixels, expected = np.array(image), np.array(ImageOps.exif_transpose(image))
    found = upright(pixels, data)
    assert np.array_equal(found, expected) and found.flags.c_contiguous


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(3, "Hxx"), (4, "I")])
def test_either_order_of_bytes_and_a_long_number_are_read(
    order: str, kind: int, form: str
) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    entry = struct.pack(f"{order}HHHI{form}", 1, 0x0112, kind, 1, 6)
    block = b"Exif\0\0" + head + entry
    app1 = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    assert orientation(b"\xff\xd8" + app1 + b"\xff\xda") == 6


@pytest.mark.parametrize("value", [0, 9, 77])
def test_a_tag_that_means_nothing_turns_nothing(value: int) -> None:
    assert orientation(stored("JPEG", value)) == 1


def test_a_damaged_tag_is_passed_over() -> None:
    data = stored("JPEG", 6)
    rng = np.random.default_rng(0)
    found: set[Any] = set()
    for length in range(0, 120):
        found.add(orientation(data[:length]))
        changed = bytearray(data)
        changed[int(rng.integers(2, 80))] = int(rng.integers(256))
        found.add(orientation(bytes(changed)))
    assert found <= set(range(1, 9))


HEAD = b"II*\0" + struct.pack("<I", 8)
TURNED = HEAD + struct.pack("<HHHIHxx", 1, 0x0112, 3, 1, 6)


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (app1(b"Exif\0\0" + TURNED), 6),
        (app1(TURNED), 1),  # Another program's block.
        (b"\xff\xff" + app1(b"Exif\0\0" + TURNED), 6),  # Bytes that fill up.
        (b"\xff" + app1(b"Exif\0\0" + TURNED), 6),
        (b"\xff\x01\xff\xd0" + app1(b"Exif\0\0" + TURNED), 6),  # Markers without a length.
        (b"\xff\xda\0\x02" + app1(b"Exif\0\0" + TURNED), 1),  # The pixels have begun.
    ],
)
def test_blocks_of_a_jpeg_are_walked_over_up_to_its_pixels(data: bytes, value: int) -> None:
    assert orientation(b"\xff\xd8" + data) == value


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_a_block_of_a_png_may_begin_as_in_a_jpeg(prefix: bytes) -> None:
    block = prefix + TURNED
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", len(block), b"eXIf") + block + bytes(4)
    assert orientation(data) == 6

"""Pictures of data sets: whole and upright, their palettes, transparency and bits."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mtshare_ros.datasets.image_sets import picture_files
from mtshare_ros.datasets.image_sets.image_set import DatasetError
from mtshare_ros.datasets.image_sets.kinds import open_images
from support.trees import save, write_pascal

GREY = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32).astype(np.uint8)
COLOUR = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])


def palette(ids: Any, colours: Any) -> Image.Image:
    image = Image.fromarray(np.asarray(ids, np.uint8), "P")
    image.putpalette([part for colour in colours for part in colour])
    return image


def test_a_palette_holds_ids_and_not_colours(tmp_path: Path) -> None:
    write_pascal(tmp_path)
    ids = np.full((48, 64), 9, np.uint8)
    colours = [(255 - n, 255 - n, 255 - n) for n in range(256)]
    palette(ids, colours).save(tmp_path / "semseg" / "VOC12" / "2008_000003.png")
    found = open_images("pascal_context", tmp_path, "train").stored(0)["segmentation"]
    assert np.array_equal(found, ids)


def test_an_image_is_eight_bits_of_colour_however_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "x.png"

    def read(image: Any) -> Any:
        image.save(path)
        return picture_files.colour(path)

    grey = np.repeat(GREY[..., None], 3, axis=2)
    clear = np.full_like(GREY, 7)
    assert np.array_equal(read(Image.fromarray(COLOUR)), COLOUR)
    assert np.array_equal(read(Image.fromarray(GREY)), grey)
    assert np.array_equal(read(Image.fromarray(np.dstack([COLOUR, clear]))), COLOUR)
    assert np.array_equal(read(Image.fromarray(np.dstack([GREY, clear]), "LA")), grey)
    colours = [(n, 255 - n, 3) for n in range(256)]
    assert np.array_equal(read(palette(GREY, colours)), np.array(colours, np.uint8)[GREY])
    wide = GREY.astype(np.uint16) * 256 + 255
    cv2.imwrite(str(path), wide)
    assert np.array_equal(picture_files.colour(path), grey)
    cv2.imwrite(str(path), COLOUR[..., ::-1].astype(np.uint16) * 256 + 255)
    assert np.array_equal(picture_files.colour(path), COLOUR)


def test_truth_is_one_channel_however_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "x.png"

    def read(image: Any) -> Any:
        image.save(path)
        return picture_files.grey(path)

    clear = np.full_like(GREY, 7)
    assert np.array_equal(read(Image.fromarray(GREY)), GREY)
    assert np.array_equal(read(Image.fromarray(np.dstack([GREY, clear]), "LA")), GREY)
    assert np.array_equal(read(Image.fromarray(np.dstack([GREY] * 3))), GREY)
    assert np.array_equal(read(palette(GREY > 9, [(0, 0, 0), (255, 255, 255)])), 255 * (GREY > 9))
    assert np.array_equal(read(Image.fromarray(GREY > 9)), 255 * (GREY > 9))
    cv2.imwrite(str(path), GREY.astype(np.uint16) * 256 + 255)
    assert np.array_equal(picture_files.grey(path), GREY)
    with pytest.raises(DatasetError, match=r"x.png: \(24, 32, 3\) uint8; expected one channel"):
        read(Image.fromarray(COLOUR))
    cv2.imwrite(str(path), GREY.astype(np.uint16))
    with pytest.raises(DatasetError, match="16 bits, and no value above 255; .*up to 65535"):
        picture_files.grey(path)


def test_ids_are_whole_numbers_of_one_channel_in_a_png(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(np.dstack([GREY, GREY]), "LA").save(path)
    assert np.array_equal(picture_files.class_ids(path), GREY)
    Image.fromarray(GREY > 9).save(path)
    assert np.array_equal(picture_files.class_ids(path), GREY > 9)
    save(path, GREY.astype(np.uint16))
    with pytest.raises(DatasetError, match="uint16; expected class ids in one channel of 8 bits"):
        picture_files.class_ids(path)
    Image.fromarray(GREY).save(path, "JPEG")
    with pytest.raises(DatasetError, match="x.png: found no PNG, which keeps values as they are"):
        picture_files.class_ids(path)


def encoded(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(COLOUR).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("kind", ["cut", "empty", "swapped", "text"])
def test_a_damaged_picture_is_refused_by_name(tmp_path: Path, form: str, kind: str) -> None:
    data = encoded(form)
    middle = len(data) * 2 // 3
    damaged = {
        "cut": data[:middle],
        "empty": b"",
        "swapped": data[:middle] + data[middle + 20 : middle + 40] + data[middle + 20 :],
        "text": b"no picture at all",
    }
    path = tmp_path / f"x.{form.lower()}"
    path.write_bytes(damaged[kind])
    for read in (picture_files.colour, picture_files.grey):
        with pytest.raises(DatasetError, match=f"x.{form.lower()}: can't be decoded") as raised:
            read(path)
        assert "\n" not in str(raised.value)


def test_every_changed_byte_of_a_png_is_noticed(tmp_path: Path) -> None:
    data, path = encoded("PNG"), tmp_path / "x.png"
    for at in range(8, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(DatasetError):
            picture_files.indices(path)


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be read .Is a directory"):
        picture_files.colour(tmp_path)
    with pytest.raises(DatasetError, match="x.png: not found; expected a picture"):
        picture_files.indices(tmp_path / "x.png")


def test_a_few_bytes_that_claim_gigabytes_are_refused(tmp_path: Path) -> None:
    import struct

    def block(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(data)
    for read in (picture_files.colour, picture_files.indices):
        with pytest.raises(DatasetError, match="x.png: can't be decoded .60000x60000 pixels"):
            read(tmp_path / "x.png")


@pytest.mark.parametrize("value", range(1, 9))
def test_image_and_truth_are_turned_upright(tmp_path: Path, value: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = value
    for pixels, read in ((COLOUR, picture_files.colour), (GREY, picture_files.indices)):
        path = tmp_path / "x.png"
        Image.fromarray(pixels).save(path, exif=exif)
        with Image.open(path) as image:
            expected = np.array(ImageOps.exif_transpose(image))
        assert np.array_equal(read(path), expected)


def test_grey_of_a_jpeg_dark_16_bits_and_clear_colours_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(GREY).save(path, "JPEG")
    assert picture_files.channels(path).shape == GREY.shape
    save(path, np.zeros((24, 32), np.uint16))
    assert not picture_files.channels(path).any()
    Image.fromarray(np.dstack([COLOUR, GREY])).save(path)
    assert np.array_equal(picture_files.channels(path), COLOUR)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(path, exif=exif)
    assert np.array_equal(picture_files.channels(path), np.rot90(COLOUR, -1))


def test_a_png_with_right_checksums_and_no_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    data = encoded("PNG")
    # The first block of pixels becomes zeros, with the checksum of zeros.
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    content = b"IDAT" + bytes(length)
    check = zlib.crc32(content).to_bytes(4, "big")
    path.write_bytes(data[:at] + content + check + data[at + length + 8 :])
    for read in (picture_files.indices, picture_files.channels):
        with pytest.raises(DatasetError, match="x.png: can't be decoded"):
            read(path)

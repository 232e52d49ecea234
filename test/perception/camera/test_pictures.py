"""Compressed pictures to RGB, and what is no whole picture."""

import io
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rosbags.image import message_to_cvimage

from mtshare_ros.perception.camera import pictures
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.perception.camera.pictures import NOTICES_DAMAGE, decode_picture, picture_size


def random_picture(extension, width, height):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(extension, picture)[1].tobytes()


@given(st.sampled_from([".jpg", ".png"]), st.integers(1, 90), st.integers(1, 90))
def test_the_size_is_that_of_the_picture(extension, width, height):
    assert picture_size(random_picture(extension, width, height)) == (width, height)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_picture_that_is_cut_short_is_refused_wherever_it_ends(extension):
    data = random_picture(extension, 40, 30)
    for end in range(len(data) - 17):
        with pytest.raises(ImageError, match=r"cut short|without a frame header|expected JPEG"):
            picture_size(data[:end])


def test_other_formats_are_named_by_how_they_begin():
    with pytest.raises(ImageError, match=r"4 bytes that begin with '47494638'; expected JPEG or"):
        picture_size(b"GIF8")


def refused(data):
    with pytest.raises(ImageError) as caught:
        decode_picture(data)
    return caught.value


def picture(extension, pixels, *options):
    return cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), *options)[1].tobytes()


SMOOTH = cv2.resize(np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8), (50, 40))


@pytest.mark.parametrize(("extension", "name"), [(".png", "png"), (".jpg", "jpeg")])
@pytest.mark.parametrize("size", [(50, 40), (41, 51), (1280, 720)])
def test_compressed_images_agree_with_rosbags_image(extension, name, size):
    data = picture(extension, cv2.resize(SMOOTH, size))
    message = SimpleNamespace(format=name, data=np.frombuffer(data, np.uint8))
    assert (decode_picture(data) == message_to_cvimage(message, "rgb8")).all()


def test_png_comes_through_exactly_and_jpeg_nearly():
    assert (decode_picture(picture(".png", SMOOTH)) == SMOOTH).all()
    jpeg = decode_picture(picture(".jpg", SMOOTH))
    assert np.abs(jpeg.astype(int) - SMOOTH).mean() < 3


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_compressed_image_cut_short_is_refused(extension):
    data = picture(extension, SMOOTH)
    for length in (0, 3, 10, 30, len(data) // 2, len(data) - 20):
        assert refused(data[:length]).kind == "compressed"


def test_a_padded_jpeg_is_read():
    assert decode_picture(picture(".jpg", SMOOTH) + bytes(64)).shape == SMOOTH.shape


def test_a_png_that_claims_an_absurd_size_is_refused_before_it_is_decoded():
    data = bytearray(picture(".png", SMOOTH))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    assert refused(bytes(data)).kind == "size"


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(max_size=60),
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]),
)
def test_any_compressed_bytes_give_an_image_error(data, start):
    assert refused(start + data).kind in ("compressed", "size")


END = b"\xff\xd9"
DETAILED = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
JPEG = picture(".jpg", DETAILED)


def test_damage_is_noticed_here():
    assert NOTICES_DAMAGE


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_jpeg_that_is_cut_and_closed_again_is_refused(share):
    error = refused(JPEG[: int(share * len(JPEG))] + END)
    assert error.kind == "compressed" and "is damaged" in str(error)


def test_nearly_every_jpeg_that_lost_bytes_is_refused():
    start, random, noticed = len(JPEG) // 5, np.random.default_rng(4), 0
    for _ in range(100):
        place = int(random.integers(start, len(JPEG) - 300))
        lost = JPEG[:place] + JPEG[place + int(random.integers(20, 300)) :]
        try:
            decode_picture(lost)
        except ImageError:
            noticed += 1
    assert noticed >= 80


@pytest.mark.parametrize(
    "padded",
    [
        JPEG + bytes(1000),
        JPEG + JPEG[:500],
        JPEG[:-2] + bytes(1) + END,
        JPEG[:-2] + bytes(1000) + END,
        JPEG[:-2] + b"\xff" * 7 + END,
        JPEG[:-2] + bytes(20) + b"\xff\xff" + END + JPEG[:99],
    ],
)
def test_padding_and_what_comes_behind_the_end_is_no_damage(padded):
    assert (decode_picture(padded) == decode_picture(JPEG)).all()


def test_other_bytes_before_the_end_are_damage():
    assert "extraneous bytes" in str(refused(JPEG[:-2] + b"\x12" * 10 + END))


def test_a_last_byte_of_the_picture_that_looks_like_padding_is_kept():
    # Among many pictures some end in a byte FF, which is stored as FF 00.
    random = np.random.default_rng(5)
    for _ in range(4000):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        data = picture(".jpg", pixels)
        if data.endswith(b"\xff\x00" + END):
            break
    else:
        pytest.fail("no such picture")
    padded = data[:-2] + bytes(10) + END
    assert (decode_picture(padded) == decode_picture(data)).all()


def stored(mode, **options):
    file = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "options"),
    [("L", {}), ("RGB", {"progressive": True}), ("CMYK", {}), ("RGB", {"subsampling": 0})],
)
def test_every_kind_of_jpeg_is_read_and_its_damage_noticed(mode, options):
    data = stored(mode, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    assert np.abs(decode_picture(data).astype(int) - expected).mean() < 4
    assert "damaged" in str(refused(data[: len(data) * 3 // 4] + END))


def test_the_orientation_tag_is_passed_over():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_picture(stored("RGB", exif=exif)).shape == SMOOTH.shape


def turned(mode="RGB"):
    """Return a JPEG and a PNG whose tag says that they lie on their side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    png = io.BytesIO()
    Image.fromarray(SMOOTH).save(png, "PNG", exif=exif)
    return stored(mode, exif=exif), png.getvalue()


@pytest.mark.parametrize("strict", [True, False])
def test_the_orientation_tag_is_passed_over_whatever_decodes(monkeypatch, strict):
    if not strict:
        monkeypatch.setattr(pictures, "simplejpeg", None)
    for data in (*turned(), turned("CMYK")[0], turned("L")[0]):
        assert picture_size(data) == (50, 40)
        found = decode_picture(data).astype(int)
        assert found.shape == SMOOTH.shape
        if data.startswith(b"\x89PNG"):
            assert (found == SMOOTH).all()


def test_a_damaged_png_is_refused():
    data = bytearray(picture(".png", DETAILED))
    data[len(data) // 2] ^= 1
    assert "damaged" in str(refused(bytes(data)))


@pytest.mark.parametrize(
    "pixels",
    [DETAILED[..., 0], DETAILED.astype(np.uint16) * 257, np.dstack([DETAILED, DETAILED[..., :1]])],
)
def test_grey_16_bits_and_transparency_become_rgb(pixels):
    data = cv2.imencode(".png", pixels)[1].tobytes()
    expected = DETAILED[..., ::-1] if pixels.ndim == 3 else np.dstack([pixels] * 3)
    assert (decode_picture(data) == expected).all()


def test_without_the_strict_decoder_jpegs_are_read_all_the_same(monkeypatch):
    strict = decode_picture(JPEG)
    monkeypatch.setattr(pictures, "simplejpeg", None)
    assert (decode_picture(JPEG) == strict).all()
    assert refused(JPEG[:500]).kind == "compressed"

"""Raw images to RGB."""

from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.image import message_to_cvimage

from mtshare_ros.perception.camera.encodings import ENCODINGS, ImageError, decode_raw
from mtshare_ros.perception.frame import MIN_SIDE, check_image

BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1}
PACKED = [encoding for encoding in ENCODINGS if not encoding.startswith("nv")]
sides = st.integers(16, 40)
quick = settings(max_examples=40, deadline=None)


def message(encoding, width, height, data, step=None):
    step = step if step is not None else len(data) // height
    return SimpleNamespace(
        encoding=encoding,
        width=width,
        height=height,
        step=step,
        is_bigendian=0,
        data=array("B", bytes(data)),
    )


def random_bytes(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8).tobytes()


def bytes_per_pixel(encoding):
    if encoding.endswith("16"):
        return 2 * bytes_per_pixel(f"{encoding[:-2]}8")
    if encoding in BYTES:
        return BYTES[encoding]
    return 1 if encoding.startswith("bayer") else 2


def refused(image):
    with pytest.raises(ImageError) as caught:
        decode_raw(image)
    return caught.value


@quick
@given(width=sides, height=sides, padding=st.integers(0, 9), seed=st.integers(0, 99))
def test_rgb_comes_through_whatever_the_padding_of_its_rows(width, height, padding, seed):
    pixels = np.frombuffer(random_bytes(width * height * 3, seed), np.uint8)
    rows = np.full((height, width * 3 + padding), 77, np.uint8)
    rows[:, : width * 3] = pixels.reshape(height, -1)
    found = decode_raw(message("rgb8", width, height, rows.tobytes()))
    assert (found == pixels.reshape(height, width, 3)).all()


@pytest.mark.parametrize("encoding", PACKED)
def test_padded_rows_decode_like_tight_ones(encoding):
    width, height, pixel = 18, 16, bytes_per_pixel(encoding)
    tight = np.frombuffer(random_bytes(width * height * pixel), np.uint8).reshape(height, -1)
    padded = np.concatenate([tight, np.full((height, 5), 99, np.uint8)], axis=1)
    a = decode_raw(message(encoding, width, height, tight.tobytes()))
    b = decode_raw(message(encoding, width, height, padded.tobytes()))
    assert a.shape == (height, width, 3) and a.dtype == np.uint8
    assert (a == b).all()


@settings(max_examples=150, deadline=None)
@given(
    encoding=st.sampled_from(PACKED),
    width=sides,
    height=sides,
    bigendian=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_encoding_agrees_with_rosbags_image(encoding, width, height, bigendian, seed):
    if encoding.startswith(("yu", "uyvy")):
        width -= width % 2
    data = random_bytes(width * height * bytes_per_pixel(encoding), seed)
    image = message(encoding, width, height, data)
    image.is_bigendian = int(bigendian)
    # It takes that name for one without colours.
    theirs = message_to_cvimage(message("mono8", width, height, data), "rgb8")
    if encoding != "8UC1":
        theirs = message_to_cvimage(image, "rgb8")
    difference = np.abs(decode_raw(image).astype(int) - theirs)
    # It interpolates and scales 16 bits, where the upper eight are taken here.
    assert difference.max() <= (2 if encoding.endswith("16") else 0)


def test_the_byte_order_of_16_bits_is_honoured():
    rows = np.full((16, 16), 0x1234, "<u2")
    little = message("mono16", 16, 16, rows.tobytes())
    big = message("mono16", 16, 16, rows.byteswap().tobytes())
    big.is_bigendian = 1
    assert (decode_raw(little) == 0x12).all() and (decode_raw(big) == 0x12).all()


@pytest.mark.parametrize(
    ("width", "height"), [(160, 120), (161, 121), (120, 160), (1280, 720), (3840, 2160)]
)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "bayer_rggb8", "mono16"])
def test_sizes_from_160x120_to_4k_odd_ones_and_portrait_are_read(encoding, width, height):
    data = bytes(width * height * bytes_per_pixel(encoding))
    found = decode_raw(message(encoding, width, height, data))
    assert found.shape == (height, width, 3) and found.dtype == np.uint8


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"])
def test_a_mosaic_of_one_colour_decodes_to_that_colour(encoding):
    colour = {"r": 200, "g": 120, "b": 40}
    tile = [colour[letter] for letter in encoding[6:10]]
    mosaic = np.tile(np.array(tile, np.uint8).reshape(2, 2), (8, 9))
    found = decode_raw(message(encoding, 18, 16, mosaic.tobytes()))
    assert (found == (200, 120, 40)).all()


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_of_one_colour_decodes_to_that_colour(encoding):
    y, u, v = 132, 81, 169  # (200, 120, 40) in BT.601, video range
    pair = (u, y, v, y) if encoding in ("yuv422", "uyvy") else (y, u, y, v)
    found = decode_raw(message(encoding, 18, 16, np.tile(np.array(pair, np.uint8), 144).tobytes()))
    assert np.abs(found.astype(int) - (200, 120, 40)).max() <= 2


@pytest.mark.parametrize("shift", ["yuv422", "yuyv"])
def test_grey_yuv_is_grey(shift):
    pair = (128, 126, 128, 126) if shift == "yuv422" else (126, 128, 126, 128)
    found = decode_raw(message(shift, 18, 16, np.tile(np.array(pair, np.uint8), 144).tobytes()))
    assert np.ptp(found) == 0 and abs(int(found[0, 0, 0]) - 128) <= 1


@quick
@given(
    encoding=st.sampled_from(ENCODINGS + ("32FC1", "", "rgb8\x00", "x" * 500)),
    width=st.one_of(st.integers(14, 22), st.integers(0, 2**32 - 1)),
    height=st.one_of(st.integers(14, 22), st.integers(0, 2**32 - 1)),
    step=st.one_of(st.integers(0, 90), st.integers(0, 2**32 - 1)),
    size=st.integers(0, 2000),
)
def test_any_message_gives_an_image_or_an_image_error(encoding, width, height, step, size):
    try:
        found = decode_raw(message(encoding, width, height, bytes(size), step))
    except ImageError as error:
        assert error.kind in ("encoding", "step", "data", "size")
        assert len(str(error)) < 300
    else:
        assert found.shape == (height, width, 3)


def test_errors_say_what_was_found_and_expected():
    assert "'16UC7'; expected one of rgb8" in str(refused(message("16UC7", 16, 16, bytes(12))))
    assert str(refused(message("x" * 500, 16, 16, bytes(12)))).startswith(
        f"encoding '{'x' * 32}'; expected one of rgb8"
    )
    assert "step 47 for 16 pixels of rgb8; expected 48" in str(
        refused(message("rgb8", 16, 16, bytes(768), 47))
    )
    assert "767 bytes of data; expected step 48 x height 16 = 768" in str(
        refused(message("rgb8", 16, 16, bytes(767), 48))
    )


@pytest.mark.parametrize(
    ("width", "height"), [(0, 20), (20, 0), (15, 20), (20, 15), (16385, 20), (16384, 16384)]
)
def test_an_absurd_size_is_refused(width, height):
    error = refused(message("mono8", width, height, b"", width))
    assert error.kind == "size" and "expected sides of 16 to 16384" in str(error)


def test_the_smallest_image_that_is_read_is_the_smallest_that_the_network_takes():
    smallest = decode_raw(message("rgb8", MIN_SIDE, MIN_SIDE, bytes(3 * MIN_SIDE**2)))
    check_image(smallest)
    with pytest.raises(ValueError, match="expected 16x16 or more"):
        check_image(smallest[1:])


def planar(encoding, brightness, u, v, padding=0):
    """Return an image of planes (H, W), (h, w), (h, w), with padded rows."""
    height, width = brightness.shape
    step = width + padding
    pairs = np.stack([v, u] if encoding == "nv21" else [u, v], axis=-1).reshape(len(u), -1)
    room = step * 2 if encoding == "nv24" else step
    rows = np.full((height, step), 77, np.uint8), np.full((len(u), room), 77, np.uint8)
    rows[0][:, :width], rows[1][:, : pairs.shape[1]] = brightness, pairs
    data = b"".join(plane.tobytes() for plane in rows)
    return message(encoding, width, height, data, step)


def planes_of(rgb):
    """Return Y (H, W) and U, V (H / 2, W / 2) of an image, as OpenCV makes I420."""
    height, width = rgb.shape[:2]
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    area = height * width
    half = (height // 2, width // 2)
    return (
        i420[:area].reshape(height, width),
        i420[area : area + area // 4].reshape(half),
        i420[area + area // 4 :].reshape(half),
    )


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_planar_yuv_of_patches_decodes_to_their_colours(encoding, padding):
    patches = np.random.default_rng(0).integers(30, 220, (3, 4, 3), np.uint8)
    rgb = patches.repeat(8, axis=0).repeat(8, axis=1)
    y, u, v = planes_of(rgb)
    if encoding == "nv24":
        u, v = (plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (u, v))
    found = decode_raw(planar(encoding, y, u, v, padding))
    assert found.shape == rgb.shape and np.abs(found.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_planar_yuv_is_of_limited_range_and_every_value_is_taken(encoding):
    grey = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)
    size = (16, 16) if encoding == "nv24" else (8, 8)
    neutral = np.full(size, 128, np.uint8)
    found = decode_raw(planar(encoding, grey, neutral, neutral))
    expected = np.clip((grey.astype(float) - 16) * 255 / 219, 0, 255)
    assert np.abs(found.astype(float) - expected[..., None]).max() <= 1


@pytest.mark.parametrize(
    ("encoding", "width", "height"), [("nv12", 17, 16), ("nv21", 16, 17), ("yuyv", 17, 16)]
)
def test_an_odd_side_where_pixels_share_their_colour_is_refused(encoding, width, height):
    error = refused(message(encoding, width, height, bytes(2000), 2 * width))
    assert error.kind == "size" and "expected" in str(error) and "even" in str(error)


def test_a_planar_image_without_all_of_its_colour_is_refused():
    whole = planar("nv12", *planes_of(np.zeros((16, 16, 3), np.uint8)))
    whole.data = whole.data[:-1]
    assert "383 bytes of data; expected step 16 x 24 rows of brightness and colour = 384" in str(
        refused(whole)
    )


@pytest.mark.parametrize(
    ("encoding", "instead"),
    [
        ("8UC3", "rgb8 or bgr8"),
        ("8UC4", "rgba8 or bgra8"),
        ("16UC1", "mono16"),
        ("16UC3", "rgb16 or bgr16"),
        ("16UC4", "rgba16 or bgra16"),
    ],
)
def test_encodings_that_name_no_colours_say_what_to_publish(encoding, instead):
    error = refused(message(encoding, 16, 16, bytes(2000), 64))
    assert f"encoding {encoding!r} names no colours; publish {instead} instead" in str(error)


def test_one_channel_of_bytes_is_grey():
    data = random_bytes(256)
    same = [decode_raw(message(name, 16, 16, data)) for name in ("8UC1", "mono8")]
    assert (same[0] == same[1]).all()

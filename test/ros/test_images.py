"""Image messages to arrays and back."""

import sys
import types
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.image import message_to_cvimage
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from mtshare_ros.perception.frame import MIN_SIDE, check_image
from mtshare_ros.ros.images import ENCODINGS, ImageError, ImagePacker, decode, encode

BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
sides = st.integers(16, 40)
quick = settings(max_examples=40, deadline=None)


def message(encoding, width, height, data, step=None):
    step = step if step is not None else len(data) // height
    return Image(
        encoding=encoding, width=width, height=height, step=step, data=array("B", bytes(data))
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
        decode(image)
    return caught.value


@quick
@given(width=sides, height=sides, padding=st.integers(0, 9), seed=st.integers(0, 99))
def test_rgb_comes_through_whatever_the_padding_of_its_rows(width, height, padding, seed):
    pixels = np.frombuffer(random_bytes(width * height * 3, seed), np.uint8)
    rows = np.full((height, width * 3 + padding), 77, np.uint8)
    rows[:, : width * 3] = pixels.reshape(height, -1)
    found = decode(message("rgb8", width, height, rows.tobytes()))
    assert (found == pixels.reshape(height, width, 3)).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_padded_rows_decode_like_tight_ones(encoding):
    width, height, pixel = 18, 16, bytes_per_pixel(encoding)
    tight = np.frombuffer(random_bytes(width * height * pixel), np.uint8).reshape(height, -1)
    padded = np.concatenate([tight, np.full((height, 5), 99, np.uint8)], axis=1)
    a = decode(message(encoding, width, height, tight.tobytes()))
    b = decode(message(encoding, width, height, padded.tobytes()))
    assert a.shape == (height, width, 3) and a.dtype == np.uint8
    assert (a == b).all()


@settings(max_examples=150, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
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
    difference = np.abs(decode(image).astype(int) - message_to_cvimage(image, "rgb8"))
    # It interpolates and scales 16 bits, where the upper eight are taken here.
    assert difference.max() <= (2 if encoding.endswith("16") else 0)


def test_the_byte_order_of_16_bits_is_honoured():
    rows = np.full((16, 16), 0x1234, "<u2")
    little = message("mono16", 16, 16, rows.tobytes())
    big = message("mono16", 16, 16, rows.byteswap().tobytes())
    big.is_bigendian = 1
    assert (decode(little) == 0x12).all() and (decode(big) == 0x12).all()


@pytest.mark.parametrize(
    ("width", "height"), [(160, 120), (161, 121), (120, 160), (1280, 720), (3840, 2160)]
)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "bayer_rggb8", "mono16"])
def test_sizes_from_160x120_to_4k_odd_ones_and_portrait_are_read(encoding, width, height):
    data = bytes(width * height * bytes_per_pixel(encoding))
    found = decode(message(encoding, width, height, data))
    assert found.shape == (height, width, 3) and found.dtype == np.uint8


class Bridge:
    """Stands in for cv_bridge, which knows planar YUV and refuses depth as a colour."""

    def imgmsg_to_cv2(self, image, desired_encoding):
        """Return a green picture, or raise as cv_bridge does."""
        if image.encoding != "nv21":
            raise RuntimeError("not a color format")
        assert desired_encoding == "rgb8"
        return np.full((image.height, image.width, 3), (0, 255, 0), np.uint8)


def test_where_cv_bridge_is_installed_it_reads_what_is_not_in_the_table(monkeypatch):
    planar = message("nv21", 16, 16, bytes(384), 16)
    assert refused(planar).kind == "encoding"
    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(CvBridge=Bridge))
    assert (decode(planar) == (0, 255, 0)).all()
    for encoding in ("secret", "32FC1", "8UC3"):
        assert refused(message(encoding, 16, 16, bytes(768), 48)).kind == "encoding"
    assert refused(message("nv21", 65535, 65535, bytes(16), 16)).kind == "size"


def test_cv_bridge_agrees_where_it_is_installed():
    bridge = pytest.importorskip("cv_bridge").CvBridge()
    for encoding in ("rgb8", "bgr8", "rgba8", "bgra8", "mono8"):
        image = message(encoding, 20, 18, random_bytes(20 * 18 * bytes_per_pixel(encoding)))
        assert (decode(image) == bridge.imgmsg_to_cv2(image, "rgb8")).all(), encoding


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"])
def test_a_mosaic_of_one_colour_decodes_to_that_colour(encoding):
    colour = {"r": 200, "g": 120, "b": 40}
    tile = [colour[letter] for letter in encoding[6:10]]
    mosaic = np.tile(np.array(tile, np.uint8).reshape(2, 2), (8, 9))
    found = decode(message(encoding, 18, 16, mosaic.tobytes()))
    assert (found == (200, 120, 40)).all()


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_of_one_colour_decodes_to_that_colour(encoding):
    y, u, v = 132, 81, 169  # (200, 120, 40) in BT.601, video range
    pair = (u, y, v, y) if encoding in ("yuv422", "uyvy") else (y, u, y, v)
    found = decode(message(encoding, 18, 16, np.tile(np.array(pair, np.uint8), 144).tobytes()))
    assert np.abs(found.astype(int) - (200, 120, 40)).max() <= 2


@pytest.mark.parametrize("shift", ["yuv422", "yuyv"])
def test_grey_yuv_is_grey(shift):
    pair = (128, 126, 128, 126) if shift == "yuv422" else (126, 128, 126, 128)
    found = decode(message(shift, 18, 16, np.tile(np.array(pair, np.uint8), 144).tobytes()))
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
        found = decode(message(encoding, width, height, bytes(size), step))
    except ImageError as error:
        assert error.kind in ("encoding", "step", "data", "size")
        assert len(str(error)) < 300
    else:
        assert found.shape == (height, width, 3)


def test_errors_say_what_was_found_and_expected():
    assert "'16UC7'; expected one of rgb8" in str(refused(message("16UC7", 16, 16, bytes(12))))
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
    smallest = decode(message("rgb8", MIN_SIDE, MIN_SIDE, bytes(3 * MIN_SIDE**2)))
    check_image(smallest)
    with pytest.raises(ValueError, match="expected 16x16 or more"):
        check_image(smallest[1:])


def compressed(data, name="jpeg"):
    return CompressedImage(format=name, data=array("B", bytes(data)))


def picture(extension, pixels, *options):
    return cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), *options)[1].tobytes()


SMOOTH = cv2.resize(np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8), (50, 40))


@pytest.mark.parametrize(("extension", "name"), [(".png", "png"), (".jpg", "jpeg")])
@pytest.mark.parametrize("size", [(50, 40), (41, 51), (1280, 720)])
def test_compressed_images_agree_with_rosbags_image(extension, name, size):
    image = compressed(picture(extension, cv2.resize(SMOOTH, size)), name)
    assert (decode(image) == message_to_cvimage(image, "rgb8")).all()


def test_png_comes_through_exactly_and_jpeg_nearly():
    assert (decode(compressed(picture(".png", SMOOTH), "png")) == SMOOTH).all()
    jpeg = decode(compressed(picture(".jpg", SMOOTH)))
    assert np.abs(jpeg.astype(int) - SMOOTH).mean() < 3


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_compressed_image_cut_short_is_refused(extension):
    data = picture(extension, SMOOTH)
    for length in (0, 3, 10, 30, len(data) // 2, len(data) - 20):
        assert refused(compressed(data[:length])).kind == "compressed"


def test_a_padded_jpeg_is_read():
    assert decode(compressed(picture(".jpg", SMOOTH) + bytes(64))).shape == SMOOTH.shape


def test_a_png_that_claims_an_absurd_size_is_refused_before_it_is_decoded():
    data = bytearray(picture(".png", SMOOTH))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    assert refused(compressed(data)).kind == "size"


@quick
@given(
    data=st.binary(max_size=60),
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]),
)
def test_any_compressed_bytes_give_an_image_error(data, start):
    assert refused(compressed(start + data)).kind in ("compressed", "size")


@pytest.mark.parametrize(
    ("encoding", "dtype", "channels"),
    [
        ("mono8", "uint8", 1),
        ("rgb8", "uint8", 3),
        ("32FC1", "float32", 1),
        ("32FC3", "float32", 3),
    ],
)
def test_packed_arrays_are_read_alike_by_rosbags_image(encoding, dtype, channels):
    shape = (6, 7) if channels == 1 else (6, 7, channels)
    pixels = (np.random.default_rng(2).random(shape) * 250).astype(dtype)
    found = encode(pixels, encoding, Header(frame_id="camera"))
    assert isinstance(found.data, array) and found.header.frame_id == "camera"
    assert (found.height, found.width, found.step) == (6, 7, 7 * channels * pixels.itemsize)
    assert (message_to_cvimage(found) == pixels).all()


def test_arrays_need_not_be_contiguous():
    pixels = np.arange(48, dtype=np.float32).reshape(3, 4, 4).transpose(1, 2, 0)
    found = encode(pixels, "32FC3", Header())
    assert (np.frombuffer(found.data, np.float32).reshape(4, 4, 3) == pixels).all()


def test_a_packer_keeps_its_memory_until_the_size_changes():
    packer = ImagePacker()
    first = packer.pack(np.zeros((4, 4), np.uint8), "mono8", Header())
    memory = first.data
    second = packer.pack(np.ones((4, 4), np.uint8), "mono8", Header(frame_id="b"))
    assert second.data is memory and set(memory) == {1} and second.header.frame_id == "b"
    third = packer.pack(np.ones((2, 4), np.uint8), "mono8", Header())
    assert (third.height, len(third.data)) == (2, 8)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 2), np.float64), np.zeros((2, 2, 3), np.float32), np.zeros(4, np.float32)],
)
def test_an_array_of_another_type_or_shape_is_refused(pixels):
    with pytest.raises(ValueError, match=r"for 32FC1; expected \(H, W\) float32"):
        encode(pixels, "32FC1", Header())

"""Image messages to arrays and back."""

from array import array

import cv2
import numpy as np
import pytest
from rosbags.image import message_to_cvimage
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.ros.images import ImagePacker, decode, encode

PIXELS = np.random.default_rng(1).integers(0, 256, (20, 18, 3), np.uint8)


def test_raw_and_compressed_messages_are_decoded():
    data = array("B", PIXELS.tobytes())
    raw = Image(encoding="rgb8", width=18, height=20, step=54, data=data)
    png = array("B", cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes())
    assert (decode(raw) == PIXELS).all()
    assert (decode(CompressedImage(format="png", data=png)) == PIXELS).all()


def test_a_message_that_is_no_image_is_refused():
    for message in (Image(encoding="rgb8", width=18, height=20, step=54), CompressedImage()):
        with pytest.raises(ImageError):
            decode(message)


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

"""Image messages to arrays in the units of a clip's frames, and back."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import (
    ClassError,
    MessageError,
    content_of,
    header_of,
    raw_image,
    rgb_of,
    serialized_stamp,
    stamp_of,
    truth_of,
)
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.perception.camera.encodings import ImageError
from support.bag_files import STORE, clip_frame, image, jpeg


@pytest.mark.parametrize("stamp", [0, 999_999_999, 1_700_000_000_123_456_789])
def test_a_header_gives_back_its_stamp(stamp):
    assert stamp_of(SimpleNamespace(header=header_of(stamp))) == stamp
    message = image(clip_frame(0).rgb, "rgb8", stamp)
    for little in (True, False):
        data = STORE.serialize_cdr(message, topics.RAW_TYPE, little_endian=little)
        assert serialized_stamp(bytes(data)) == stamp
    assert serialized_stamp(bytes(11)) is None


@pytest.mark.parametrize(
    ("topic", "field", "encoding"),
    [
        (topics.DEPTH, "depth", "32FC1"),
        (topics.LABELS, "labels", "mono8"),
        (topics.NORMALS, "normals", "32FC3"),
    ],
)
def test_a_raw_image_gives_back_its_array(topic, field, encoding):
    values = getattr(clip_frame(0), field)
    found = truth_of(raw_image(values, encoding, 5), topic, raw=True)
    np.testing.assert_allclose(found, values, atol=1e-6)
    assert found.dtype == values.dtype


def test_what_a_topic_can_not_hold_is_refused():
    frame = clip_frame(0)
    with pytest.raises(ValueError, match="encoding 'rgb8': expected one of 32FC1, 16UC1, mono16"):
        truth_of(raw_image(frame.rgb, "rgb8", 0), topics.DEPTH, raw=True)
    with pytest.raises(ClassError, match="class id 15: the task has 0 to 3, and 255"):
        truth_of(raw_image(frame.labels, "mono8", 0), topics.LABELS, raw=True, classes=4)


def test_a_camera_s_image_is_decoded_raw_or_compressed():
    rgb = clip_frame(0).rgb
    assert np.array_equal(rgb_of(image(rgb, "rgb8"), raw=True), rgb)
    assert np.abs(rgb_of(jpeg(0), raw=False).astype(int) - rgb).mean() < 6
    with pytest.raises(ImageError, match="size 48x8; expected sides of 16 to"):
        rgb_of(image(rgb[:8], "rgb8"), raw=True)
    with pytest.raises(ImageError, match="cut short"):
        rgb_of(jpeg(0, bytes(jpeg(0).data[:-200])), raw=False)


@pytest.mark.parametrize("length", [0, 3, 40])
def test_a_message_that_is_cut_short_says_so_in_one_line(length):
    data = bytes(STORE.serialize_cdr(image(clip_frame(0).rgb, "rgb8"), topics.RAW_TYPE))
    with pytest.raises(MessageError) as error:
        content_of(Message("a", topics.RAW_TYPE, 0, data[:length]))
    assert str(error.value) and "\n" not in str(error.value)


def test_labels_are_below_the_number_of_classes_or_unlabelled():
    for encoding in ("mono8", "8UC1"):
        good = raw_image(np.array([[0, 3, 255]], np.uint8), encoding, 0)
        assert truth_of(good, topics.LABELS, True, classes=4).tolist() == [[0, 3, 255]]
    with pytest.raises(ClassError, match="class id 4: the task has 0 to 3"):
        truth_of(raw_image(np.array([[0, 4]], np.uint8), "mono8", 0), topics.LABELS, True, 4)
    nothing = raw_image(np.full((2, 3), 255, np.uint8), "mono8", 0)
    assert (truth_of(nothing, topics.LABELS, True, classes=4) == 255).all()


@pytest.mark.parametrize(("order", "kind"), [("<", 1), ("<", 3), (">", 0), (">", 2)])
def test_a_stamp_needs_twelve_bytes_and_may_lie_before_1970(order, kind):
    data = bytes([0, kind, 0, 0]) + struct.pack(order + "iI", -2, 500)
    assert serialized_stamp(data) == -2 * 10**9 + 500


def test_a_written_image_is_packed_whatever_array_it_came_from():
    assert header_of(5).frame_id == topics.FRAME_ID
    values = np.arange(24, dtype=np.float64).reshape(3, 8)[:, ::2]
    message = raw_image(values, "32FC1", 5)
    assert (message.height, message.width, message.step) == (3, 4, 16)
    assert bytes(message.data) == values.astype("<f4").tobytes()
    swapped = raw_image(np.array([[1, 258]], ">u2"), "16UC1", 5)
    assert bytes(swapped.data) == b"\x01\x00\x02\x01"

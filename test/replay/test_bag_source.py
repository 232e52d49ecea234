"""A bag's camera messages, ready to be published."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.replay.bag_source import BagSource
from mtshare_ros.replay.node_process import Inputs
from mtshare_ros.replay.recorder import Recorder
from mtshare_ros.ros.images import decode
from support.camera_bag import STAMPS, START, write_bag
from support.ros_harness import header, image


@pytest.mark.parametrize("compressed", [False, True])
def test_images_come_as_recorded_in_their_order_with_their_camera_info(tmp_path, compressed):
    source = BagSource(write_bag(tmp_path / "bag", compressed))
    assert (source.frames, source.start) == (len(STAMPS), START)
    transport, type_ = ("compressed", CompressedImage) if compressed else ("raw", Image)
    assert source.inputs == Inputs("/camera/image", "/camera/camera_info", transport)
    messages = list(source.messages())
    images = [message for message in messages if message.type in topics.IMAGE_TYPES]
    assert [message.time for message in images] == STAMPS
    assert len(messages) == 2 * len(STAMPS)
    for message in images:
        found = deserialize_message(message.data, type_)
        assert found.header == header(message.time)
        assert np.array_equal(decode(found), decode(image(message.time)))
    info = deserialize_message(source.first_camera_info, CameraInfo)
    assert info.k[0] == 150.0


def write(folder, messages):
    with Recorder(folder) as recorder:
        for topic, message in messages:
            kind = f"sensor_msgs/msg/{type(message).__name__}"
            recorder.add(recorder.add_topic(topic, kind), START, serialize_message(message))
        recorder.write(folder / "bag")
    return folder / "bag"


def test_a_bag_without_calibration_has_no_camera_info(tmp_path):
    source = BagSource(write(tmp_path, [("camera/image", image(START))]))
    assert source.first_camera_info is None and source.frames == 1


def test_a_topic_of_another_type_holds_no_images(tmp_path):
    bag = write(tmp_path, [("camera/image", CameraInfo(header=header(START)))])
    with pytest.raises(BagError, match=r"bag: no images of a camera, .*; it .*\(1 CameraInfo\)"):
        BagSource(bag)


def test_the_node_hears_a_camera_under_the_names_of_the_bag(tmp_path):
    bag = write(
        tmp_path,
        [
            ("front/color/image_raw/compressed", CompressedImage(header=header(START))),
            ("front/color/camera_info", CameraInfo(header=header(START))),
            ("rear/image", image(START)),
        ],
    )
    source = BagSource(bag, "/front/color/image_raw")
    expected = Inputs("/front/color/image_raw", "/front/color/camera_info", "compressed")
    assert source.inputs == expected and source.frames == 1
    assert source.first_camera_info is not None


def test_what_is_no_message_is_left_out_and_what_is_lost_is_said(tmp_path):
    with Recorder(tmp_path) as recorder:
        number = recorder.add_topic("camera/image", "sensor_msgs/msg/Image")
        whole = serialize_message(image(START))
        for place in range(300):
            recorder.add(number, START + place, whole[:9] if place == 1 else whole)
        recorder.write(tmp_path / "bag.mcap")
    path = tmp_path / "bag.mcap"
    assert BagSource(path).warnings == ()
    path.write_bytes(path.read_bytes()[:-20])
    source = BagSource(path)
    for _ in range(2):
        assert len(list(source.messages())) == 299
    lost, unread = source.warnings
    assert lost.startswith(f"bag {path}: is cut off")
    assert unread.startswith("/camera/image: 1 of 300 messages can't be used: 1000.000000001 s: ")

"""Bags of ROS 1, read as if ROS 2 had recorded them."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError, OpenBag
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.datasets.bags.ros1_bag import Ros1Bag, ros2_type, to_cdr
from support.bag_files import STEP, STORE, camera, clip_frame, put_ros1


def test_images_and_their_calibration_are_read(tmp_path):
    number = STORE.types["std_msgs/msg/Int32"](data=1)
    path = put_ros1(tmp_path / "a.bag", [*camera(), ("/level", "std_msgs/msg/Int32", number)])
    reader = ClipReader(path)
    frames = list(reader)
    assert [frame.stamp for frame in frames] == [index * STEP for index in range(6)]
    assert np.array_equal(frames[3].rgb, clip_frame(3).rgb)
    assert reader.focal_length == pytest.approx(0.8) and not reader.losses
    file = Ros1Bag(path)
    assert file.start == 10**6 and list(file.messages(["level"], ["std_msgs/msg/Int32"])) == []
    file.close()


def test_a_bag_without_an_index_is_told_how_to_get_one(tmp_path):
    path = put_ros1(tmp_path / "a.bag", camera())
    data = path.read_bytes()
    # The field index_pos of the header is 0 until the recorder has finished.
    place = data.index(b"index_pos=") + len(b"index_pos=")
    path.write_bytes(data[:place] + bytes(8) + data[place + 8 :])
    with pytest.raises(BagError, match="a.bag: can't be read .*rosbag reindex"):
        OpenBag(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_bag_that_is_cut_off_is_refused_in_one_line(tmp_path, share):
    path = put_ros1(tmp_path / "a.bag", camera())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BagError, match="a.bag: can't be read"):
        OpenBag(path)


def test_types_have_their_names_of_ros_2():
    assert ros2_type("sensor_msgs/Image") == topics.RAW_TYPE
    assert ros2_type(topics.RAW_TYPE) == topics.RAW_TYPE
    assert ros2_type("X") == "X"


def test_what_is_no_message_becomes_no_bytes():
    assert to_cdr(b"\xff\xff", topics.RAW_TYPE) == b""

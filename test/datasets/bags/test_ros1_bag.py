"""Bags of ROS 1, read as if ROS 2 had recorded them."""

import numpy as np
import pytest
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError, OpenBag
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.datasets.bags.ros1_bag import Ros1Bag, ros2_type, to_cdr
from support.bag_files import STEP, STORE, camera, clip_frame, is_open, put_ros1


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
    assert is_open(path)
    assert list(file.messages(["camera/image"], [topics.INFO_TYPE])) == []
    assert len(list(file.messages(["camera/image"], [topics.RAW_TYPE]))) == 6
    file.close()
    assert not is_open(path)


def test_two_writers_of_a_topic_are_counted_as_one_and_no_message_has_no_time(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    for count in (0, 3):
        path = tmp_path / f"{count}.bag"
        with Writer(path) as writer:
            for name in ("/left", "/right"):
                writing = writer.add_connection(
                    "/a", topics.INFO_TYPE, typestore=store, callerid=name
                )
                for time in range(count):
                    writer.write(writing, 7 + time, b"")
        file = Ros1Bag(path)
        assert [(t.name, t.count) for t in file.topics] == [("a", 2 * count)]
        assert file.start == (7 if count else None)
        file.close()


def test_a_bag_with_a_damaged_chunk_is_read_up_to_it_and_says_so(tmp_path):
    path = put_ros1(tmp_path / "a.bag", camera())
    data = bytearray(path.read_bytes())
    # A record's length, in the fourth image, becomes larger than the file.
    place = data.index(clip_frame(3).rgb.tobytes())
    header = data.rindex(b"op=\x02", 0, place)
    data[header - 8 : header + 4] = b"\xff" * 12
    path.write_bytes(data)
    file = Ros1Bag(path)
    found = list(file.messages(["camera/image"], [topics.RAW_TYPE]))
    file.close()
    assert len(found) == 3
    (lost,) = file.losses
    assert lost.startswith("can't be read to its end (")


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

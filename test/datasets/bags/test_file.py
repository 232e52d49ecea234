"""New bags: complete or not there, in the layout of `ros2 bag record`."""

import pytest
import yaml
from rosbags.highlevel import AnyReader

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.file import NEWEST_VERSION, STORE, BagFile
from mtshare_ros.datasets.bags.messages import header_of
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.simulator.clip_bag import ClipWriter
from support.bag_files import clip_frame, write


def test_a_bag_is_not_overwritten(tmp_path):
    path = write(tmp_path / "clip.mcap")
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="clip.mcap"):
        ClipWriter(path)
    assert path.read_bytes() == before


def test_a_clip_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "clip.mcap") as writer:
        writer.write(clip_frame(0))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_laid_out_as_ros2_bag_expects(tmp_path):
    path = write(tmp_path / "clip")
    assert sorted(p.name for p in path.iterdir()) == ["clip.mcap", "metadata.yaml"]
    content = (path / "clip.mcap").read_bytes()
    # The name of the compression, after its length, is a field of each chunk.
    assert b"\x04\x00\x00\x00zstd" in content and clip_frame(0).labels.tobytes() not in content
    assert "clip.mcap" in (path / "metadata.yaml").read_text()
    with AnyReader([path]) as reader:
        assert reader.message_count == 18


def test_a_single_file_may_lie_in_folders_that_are_not_there_yet(tmp_path):
    path = write(tmp_path / "a" / "b" / "clip.mcap", frames=1)
    assert path.is_file() and list(path.parent.iterdir()) == [path]


def pose(stamp):
    types = STORE.types
    zero = types["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=0.0)
    level = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    where = types["geometry_msgs/msg/Pose"](position=zero, orientation=level)
    return types[topics.POSE_TYPE](header=header_of(stamp), pose=where)


def test_serialized_messages_are_written_as_they_are_and_a_topic_may_have_none(tmp_path):
    data = bytes(STORE.serialize_cdr(pose(7), topics.POSE_TYPE))
    with BagFile(tmp_path / "bag") as bag:
        bag.add_topic("a", topics.POSE_TYPE)
        bag.add_topic("quiet", "std_msgs/msg/String")
        for stamp in (3, 1, 2):
            bag.put_serialized("a", data, stamp)
    with OpenBag(tmp_path / "bag") as bag:
        assert {(t.name, t.count) for t in bag.topics} == {("a", 3), ("quiet", 0)}
        found = list(bag.messages(["a"], [topics.POSE_TYPE]))
    assert [m.time for m in found] == [1, 2, 3] and {bytes(m.data) for m in found} == {data}


@pytest.mark.parametrize(("options", "version"), [((), 8), ((NEWEST_VERSION,), 9)])
def test_the_metadata_have_the_version_that_is_asked_for(tmp_path, options, version):
    with BagFile(tmp_path / "my.bag", *options) as bag:
        bag.put("a", topics.POSE_TYPE, pose(1), 1)
    information = yaml.safe_load((tmp_path / "my.bag" / "metadata.yaml").read_text())
    information = information["rosbag2_bagfile_information"]
    assert information["version"] == version and information["message_count"] == 1
    assert information["relative_file_paths"] == ["my.bag.mcap"]

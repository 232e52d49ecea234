"""Serialized messages that are kept while a node is measured."""

import resource

import numpy as np
import pytest
from mcap.reader import make_reader

from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.errors import JobError, exit_status
from mtshare_ros.replay.recorder import Recorder
from support.camera_bag import STAMPS, read


def test_a_bag_that_cannot_be_written_to_its_end_is_removed(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 1 << 20, np.uint8).tobytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Recorder(tmp_path) as recorder:
        number = recorder.add_topic("camera/image", "sensor_msgs/msg/Image")
        for stamp in STAMPS:
            recorder.add(number, stamp, noise)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
            with pytest.raises(JobError, match="bag .*out not written: ") as caught:
                recorder.write(tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert exit_status(caught.value) == 1 and not (tmp_path / "out").exists()
        recorder.write(tmp_path / "out")
    assert len(read(tmp_path / "out")["/camera/image"]) == len(STAMPS)


def test_messages_are_kept_as_they_are_with_their_times_and_topics(tmp_path):
    messages = [(1, 30, b"\0\1\0\0a"), (0, 10, b"\0\1\0\0b"), (1, 20, b"\0\1\0\0c")]
    with Recorder(tmp_path) as recorder:
        numbers = [recorder.add_topic(f"/node/{n}", "std_msgs/msg/String") for n in "xyz"]
        for topic, time, data in messages:
            recorder.add(numbers[topic], time, data)
        recorder.write(tmp_path / "out")
        assert recorder.counts == {"/node/x": 1, "/node/y": 2}
    found = read(tmp_path / "out")
    assert found == {
        "/node/x": [(10, b"\0\1\0\0b")],
        "/node/y": [(20, b"\0\1\0\0c"), (30, b"\0\1\0\0a")],
    }
    with OpenBag(tmp_path / "out") as bag:
        assert {topic.name for topic in bag.topics} == {"node/x", "node/y", "node/z"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["metadata.yaml", "out.mcap"]


def test_when_a_message_was_sent_is_in_the_bag_beside_when_it_came(tmp_path):
    # Large messages fill a chunk each, small ones share one.
    messages = [(30, 10, b"a" * 2**20), (40, 20, b"b"), (50, None, b"c"), (60, 5, b"d" * 2**20)]
    with Recorder(tmp_path) as recorder:
        number = recorder.add_topic("/node/x", "std_msgs/msg/String")
        for time, sent, data in messages:
            recorder.add(number, time, b"\0\1\0\0" + data, sent)
        recorder.write(tmp_path / "out.mcap")
    with (tmp_path / "out.mcap").open("rb") as file:
        found = [(m.log_time, m.publish_time) for _, _, m in make_reader(file).iter_messages()]
    assert found == [(30, 10), (40, 20), (50, 50), (60, 5)]
    assert [time for time, _ in read(tmp_path / "out.mcap")["/node/x"]] == [30, 40, 50, 60]


def test_a_bag_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    with Recorder(tmp_path) as recorder:
        recorder.add_topic("/a", "std_msgs/msg/String")
        with pytest.raises(JobError, match="out not written: exists already"):
            recorder.write(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_a_failure_after_which_nothing_is_kept(tmp_path):
    with Recorder(tmp_path) as recorder:
        number = recorder.add_topic("/a", "std_msgs/msg/String")
        recorder.add(number, 1, b"first")
        spool = recorder._spool
        with open("/dev/full", "wb", buffering=0) as full:
            recorder._spool = full
            recorder.add(number, 2, b"second")
        recorder._spool = spool
        recorder.add(number, 3, b"third")
        assert recorder.counts == {"/a": 1}
        says = f"messages can't be kept in {tmp_path}: No space left on device"
        assert recorder.failure == says
        with pytest.raises(JobError) as caught:
            recorder.write(tmp_path / "out")
        assert str(caught.value) == says and not (tmp_path / "out").exists()


def test_what_a_full_disk_does_not_take_is_no_error_in_the_end(tmp_path):
    with Recorder(tmp_path) as recorder:
        number = recorder.add_topic("/a", "std_msgs/msg/String")
        recorder._spool.close()
        recorder._spool = open("/dev/full", "wb")
        recorder.add(number, 1, b"in the buffer")

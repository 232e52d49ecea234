"""Predictions read back from a bag that a node's outputs were recorded into."""

from dataclasses import dataclass

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.evaluation.recorded import RecordedPredictions, score_recording
from mtshare_ros.tasks import TASKS

STORE = get_typestore(Stores.LATEST)
TYPES = STORE.types
TASK_LIST = (TASKS["normals"], TASKS["depth"], TASKS["segmentation"])
NODE = "/perception_node"
TOKENS = np.arange(8).reshape(2, 4)


def image(array, encoding, stamp, padding=0):
    """Return a sensor_msgs/Image whose rows have ``padding`` bytes after the pixels."""
    rows = np.ascontiguousarray(array).view(np.uint8).reshape(array.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    time = TYPES["builtin_interfaces/msg/Time"](stamp // 10**9, stamp % 10**9)
    header = TYPES["std_msgs/msg/Header"](time, "camera_optical_frame")
    return TYPES["sensor_msgs/msg/Image"](
        header, array.shape[0], array.shape[1], encoding, 0, rows.shape[1], rows.ravel()
    )


def outputs(index, dirty=2):
    """Return topic -> (array, encoding) of a frame, told apart by its values.

    Of its eight tokens ``dirty`` were recomputed.
    """
    normals = np.zeros((2, 4, 3), np.float32)
    normals[..., 2] = -1
    return {
        f"{NODE}/segmentation/mask": (np.full((2, 4), index, np.uint8), "mono8"),
        f"{NODE}/dirty_tokens": (np.where(TOKENS < dirty, 255, 0).astype(np.uint8), "mono8"),
        f"{NODE}/depth/image": (np.full((2, 4), 1 + index, np.float32), "32FC1"),
        f"{NODE}/normals/image": (normals, "32FC3"),
    }


def write_bag(path, frames, leave_out=(), dirty=None):
    """Write a bag of frames' outputs, the topics of each in another order."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {
            topic: writer.add_connection(topic, "sensor_msgs/msg/Image", typestore=STORE)
            for topic in outputs(0)
            if topic not in leave_out
        }
        for time, index in enumerate(frames):
            made = list(outputs(index, (dirty or {}).get(index, 2)).items())
            for topic, (array, encoding) in made[index % 4 :] + made[: index % 4]:
                if topic in topics and (index, topic) not in leave_out:
                    message = image(array, encoding, stamp=index * 10**8, padding=4)
                    data = STORE.serialize_cdr(message, "sensor_msgs/msg/Image")
                    writer.write(topics[topic], time, data)
    return path


@dataclass
class Frame:
    """As a clip has it."""

    stamp: int
    rgb: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    normals: None = None


def clip(count):
    """Return frames of twice the outputs' size whose truth is what ``outputs`` says."""
    return [
        Frame(
            stamp=i * 10**8,
            rgb=np.zeros((4, 8, 3), np.uint8),
            depth=np.full((4, 8), 1 + i, np.float32),
            labels=np.full((4, 8), i, np.uint8),
        )
        for i in range(count)
    ]


def test_frames_come_back_complete_and_in_order(tmp_path):
    bag = write_bag(tmp_path / "bag", range(5))
    frames = list(RecordedPredictions(bag, TASK_LIST))
    assert [frame.stamp for frame in frames] == [i * 10**8 for i in range(5)]
    for index, frame in enumerate(frames):
        assert (frame.maps["depth"] == 1 + index).all()
        assert (frame.maps["segmentation"] == index).all()
        assert frame.maps["normals"].shape == (2, 4, 3)
        assert frame.dirty.mean() == 0.25


def test_a_frame_with_an_output_missing_is_left_out(tmp_path):
    bag = write_bag(tmp_path / "bag", range(4), leave_out=[(2, f"{NODE}/depth/image")])
    stamps = [frame.stamp // 10**8 for frame in RecordedPredictions(bag, TASK_LIST)]
    assert stamps == [0, 1, 3]


def test_an_empty_topic_is_named(tmp_path):
    bag = write_bag(tmp_path / "bag", range(2), leave_out=[f"{NODE}/depth/image"])
    with pytest.raises(BagError, match=r"depth/image.*segmentation/mask \(2 Image\)"):
        RecordedPredictions(bag, TASK_LIST)


def test_predictions_are_scored_against_the_frame_of_their_stamp(tmp_path):
    bag = write_bag(tmp_path / "bag", [1, 2, 5])
    scores, calmest = score_recording(clip(6), RecordedPredictions(bag, TASK_LIST))
    assert scores.frames == 3
    assert calmest is not None and calmest.dirty_fraction == 0.25
    assert scores.accuracy.result() == {
        "depth": {"abs_rel": 0.0, "rmse": 0.0, "delta1": 1.0},
        "segmentation": {"miou": 1.0},
    }
    assert scores.dirty_fraction() == {"mean": 0.25, "max": 0.25}


@pytest.mark.parametrize(
    ("change", "said"), [({"encoding": "rgb8"}, "rgb8"), ({"height": 9}, "bytes")]
)
def test_an_image_that_the_node_would_not_publish_names_bag_and_topic(tmp_path, change, said):
    topic, kind = f"{NODE}/depth/image", "sensor_msgs/msg/Image"
    bag = write_bag(tmp_path / "bag", [0], leave_out=[topic])
    broken = image(np.zeros((2, 4), np.float32), "32FC1", 0)
    for key, value in change.items():
        object.__setattr__(broken, key, value)
    with Writer(tmp_path / "broken", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        with AnyReader([bag]) as reader:
            for connection, time, data in reader.messages():
                copied = writer.add_connection(connection.topic, kind, typestore=STORE)
                writer.write(copied, time, data)
        added = writer.add_connection(topic, kind, typestore=STORE)
        writer.write(added, 0, STORE.serialize_cdr(broken, kind))
    with pytest.raises(BagError, match=f"broken: {topic}: .*{said}"):
        list(RecordedPredictions(tmp_path / "broken", TASK_LIST))


def test_only_images_on_a_topic_of_that_very_name_are_predictions(tmp_path):
    topic = f"{NODE}/depth/image"
    bag = write_bag(tmp_path / "bag", range(2), leave_out=[topic])

    def with_also(name, kinds, count):
        """Return a copy of the bag that has further topics with ``count`` messages."""
        path = tmp_path / name
        depth = np.zeros((2, 4), np.float32)
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            with AnyReader([bag]) as reader:
                copied = {
                    c.topic: writer.add_connection(c.topic, c.msgtype, typestore=STORE)
                    for c in reader.connections
                }
                for connection, time, data in reader.messages():
                    writer.write(copied[connection.topic], time, data)
            for also, kind in kinds.items():
                added = writer.add_connection(also, kind, typestore=STORE)
                for number in range(count):
                    made = image(depth, "32FC1", number * 10**8)
                    if kind.endswith("String"):
                        made = TYPES[kind]("depth")
                    writer.write(added, number, STORE.serialize_cdr(made, kind))
        return path

    kind = "sensor_msgs/msg/Image"
    for name, kinds, count in (
        ("empty", {topic: kind}, 0),
        ("text", {topic: "std_msgs/msg/String"}, 2),
        ("other", {f"{NODE}/raw_depth/image": kind}, 2),
    ):
        with pytest.raises(BagError, match=r"no message on \.\.\./depth/image"):
            RecordedPredictions(with_also(name, kinds, count), TASK_LIST)
    assert len(list(RecordedPredictions(with_also("good", {topic: kind}, 2), TASK_LIST))) == 2


def test_the_calmest_frame_is_shown_with_its_time_since_the_first_one_that_was_sent(tmp_path):
    bag = write_bag(tmp_path / "bag", range(5, 9), dirty={5: 4, 6: 1, 7: 1, 8: 2})
    scores, calmest = score_recording(clip(9)[4:], RecordedPredictions(bag, TASK_LIST))
    assert calmest is not None and calmest.dirty_fraction == 1 / 8
    assert calmest.label == "0.20 s"
    assert scores.dirty_fraction() == {"mean": 0.25, "max": 0.5}

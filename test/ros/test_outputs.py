"""The output topics of a bundle: which there are, and which tasks they need."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.node import Node
from std_msgs.msg import Header

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.perception import palette
from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.ros import kind_outputs
from mtshare_ros.ros.frame_result import Result
from mtshare_ros.ros.outputs import Outputs
from mtshare_ros.tasks import SEGMENTATION

ALL = ("normals", "depth", "segmentation")


@pytest.fixture
def node(context):
    made = Node("outputs", context=context)
    yield made
    made.destroy_node()


def topics(node):
    names = node.get_publisher_names_and_types_by_node("outputs", "/")
    return {name.removeprefix("/outputs/") for name, _ in names if name.startswith("/outputs/")}


def test_each_task_has_its_topics_and_they_go_when_the_outputs_do(node, bundle_path):
    before = topics(node)
    outputs = Outputs(node, load_manifest(bundle_path))
    made = topics(node) - before
    assert {
        "depth/image",
        "depth/camera_info",
        "normals/image",
        "segmentation/mask",
        "segmentation/confidence",
        "segmentation/label_info_json",
        "points",
        "overlay",
        "dirty_tokens",
        *(f"{task}/color" for task in ALL),
    } <= made
    outputs.destroy()
    assert topics(node) == before


def test_a_camera_has_topics_of_its_own(node, bundle_path):
    outputs = Outputs(node, load_manifest(bundle_path), "front/")
    assert "front/depth/image" in topics(node)
    outputs.destroy()


def test_only_what_somebody_hears_is_wanted(node, bundle_path):
    outputs = Outputs(node, load_manifest(bundle_path))
    assert outputs.wanted(ALL) == set()
    outputs.destroy()


def test_a_kind_without_topics_is_refused_and_leaves_none(node, bundle_path, monkeypatch):
    before = topics(node)
    monkeypatch.delitem(kind_outputs.OUTPUTS, "segmentation")
    with pytest.raises(BundleError, match="task segmentation is of kind 'segmentation'"):
        Outputs(node, load_manifest(bundle_path))
    assert topics(node) == before


INPUT = Intrinsics(64, 24, fx=32.0, fy=16.0, cx=32.0, cy=10.0, source="K")


def result(*names, **changes):
    """Return a frame of 64x24 pixels that was computed for some tasks, with maps of 16x12."""
    maps = {
        "normals": np.tile(np.array([0, 0, -1], np.float32), (12, 16, 1)),
        "depth": np.linspace(0.5, 3.0, 192, dtype=np.float32).reshape(12, 16),
        "segmentation": (np.arange(192) % 16).reshape(12, 16).astype(np.uint8),
    }
    maps["depth"][3, 4] = np.nan
    dirty = np.zeros((2, 4), bool)
    dirty[0, 3] = True
    confidence = {"segmentation": np.full((12, 16), 77, np.uint8)}
    predictions = Predictions(
        5,
        {name: maps[name] for name in names},
        {name: confidence[name] for name in names if name in confidence},
        dirty,
    )
    image = np.zeros((24, 64, 3), np.uint8)
    image[:, 32:] = (200, 100, 50)
    values = {"header": Header(frame_id="cam"), "image": image, "predictions": predictions}
    values |= {"intrinsics": INPUT, "max_depth": 4.0, **changes}
    return Result(**values)


def messages(outputs, frame):
    """Return topic -> message of all topics for a frame."""
    prefix = "/outputs/"
    return {
        topic.publisher.topic_name.removeprefix(prefix): topic.message(frame)
        for topic in outputs._topics
    }


def pixels(message, dtype=np.uint8):
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)


@pytest.fixture
def outputs(node, bundle_path):
    made = Outputs(node, load_manifest(bundle_path))
    yield made
    made.destroy()


def test_a_frame_of_every_task_is_a_message_on_every_topic(outputs):
    frame = result(*ALL)
    found = messages(outputs, frame)
    assert all(message is not None for message in found.values())
    assert {(m.width, m.height, m.header.frame_id) for m in found.values()} == {(16, 12, "cam")}
    maps = frame.predictions.maps
    depth = pixels(found["depth/image"], np.float32)[..., 0]
    assert np.array_equal(depth, maps["depth"], equal_nan=True)
    assert np.array_equal(pixels(found["segmentation/mask"])[..., 0], maps["segmentation"])
    assert (pixels(found["segmentation/confidence"]) == 77).all()
    table = palette.label_table(SEGMENTATION.palette)
    colours = table[maps["segmentation"]]
    assert np.array_equal(pixels(found["segmentation/color"]), colours)
    shown = pixels(found["overlay"]).astype(int)
    assert np.abs(shown[:, :8] - colours[:, :8] / 2).max() <= 1
    assert np.abs(shown[:, 8:] - colours[:, 8:] / 2 - np.array([100, 50, 25])).max() <= 1
    expected = palette.colour_depth(maps["depth"], 4.0)
    assert np.array_equal(pixels(found["depth/color"]), expected)
    dirty = pixels(found["dirty_tokens"])[..., 0]
    assert (dirty[:6, 12:] == 255).all() and np.count_nonzero(dirty) == 24


def test_intrinsics_and_points_are_at_the_size_of_the_maps(outputs):
    found = messages(outputs, result(*ALL))
    info = found["depth/camera_info"]
    # A quarter of the width, half of the height.
    assert list(info.k) == pytest.approx([8.0, 0, 8.0, 0, 8.0, 5.0, 0, 0, 1.0])
    cloud = found["points"]
    points = np.frombuffer(cloud.data, np.float32).reshape(12, 16, -1)
    depth = result("depth").predictions.maps["depth"]
    z = depth[11, 0]
    assert points[11, 0, :3] == pytest.approx([(0 - 8) / 8 * z, (11 - 5) / 8 * z, z], rel=1e-5)
    assert np.isnan(points[3, 4, :3]).all()
    labels = np.frombuffer(cloud.data, np.uint32).reshape(12, 16, -1)[..., 4]
    assert np.array_equal(labels, result(*ALL).predictions.maps["segmentation"])


def test_a_task_whose_turn_it_was_not_leaves_no_message(outputs):
    found = messages(outputs, result("depth"))
    there = {name for name, message in found.items() if message is not None}
    assert there == {"depth/image", "depth/camera_info", "depth/color", "points", "dirty_tokens"}
    labels = np.frombuffer(found["points"].data, np.uint32).reshape(12, 16, -1)[..., 4]
    assert (labels == 255).all()
    assert not any(messages(outputs, result()).values())
    of_labels = messages(outputs, result("segmentation"))
    assert of_labels["points"] is None and of_labels["depth/camera_info"] is None
    assert of_labels["overlay"] is not None


def test_without_intrinsics_there_are_no_points_and_no_camera_info(outputs):
    found = messages(outputs, result(*ALL, intrinsics=None))
    missing = {name for name, message in found.items() if message is None}
    assert missing == {"points", "depth/camera_info"}


def test_depth_in_millimetres_is_that_and_its_picture_is_not(outputs):
    found = messages(outputs, result(*ALL, depth_encoding="16UC1"))
    message = found["depth/image"]
    assert message.encoding == "16UC1"
    values = pixels(message, np.uint16)[..., 0]
    assert (values[0, 0], values[11, 15], values[3, 4]) == (500, 3000, 0)
    plain = messages(outputs, result(*ALL))["depth/color"]
    assert bytes(found["depth/color"].data) == bytes(plain.data)


def heard(outputs, *names):
    """Let somebody subscribe to some topics, and nobody to the others."""
    sent = []
    outputs._topics = [
        replace(
            topic,
            publisher=SimpleNamespace(
                get_subscription_count=lambda n=name: int(n in names),
                publish=lambda message, n=name: sent.append(n),
            ),
        )
        for topic in outputs._topics
        for name in [topic.publisher.topic_name.removeprefix("/outputs/")]
    ]
    return sent


@pytest.mark.parametrize(
    ("names", "allowed", "expected"),
    [
        (["depth/image"], ALL, {"depth"}),
        (["depth/color", "normals/image"], ALL, {"depth", "normals"}),
        (["points"], ALL, {"depth", "segmentation"}),
        (["points"], ["depth"], {"depth"}),
        (["overlay"], ["depth"], set()),
        (["dirty_tokens"], ALL, {"normals"}),
        (["dirty_tokens"], ["segmentation", "depth"], {"depth"}),
        (["dirty_tokens", "segmentation/confidence"], ALL, {"segmentation"}),
        (["dirty_tokens", "overlay"], ["depth"], {"depth"}),
        (["depth/camera_info"], ALL, {"depth"}),
    ],
)
def test_what_is_heard_and_allowed_is_wanted(node, bundle_path, names, allowed, expected):
    outputs = Outputs(node, load_manifest(bundle_path))
    kept = list(outputs._topics)
    heard(outputs, *names)
    assert outputs.wanted(allowed) == expected
    outputs._topics = kept
    outputs.destroy()


def test_only_what_is_heard_is_published_people_s_pictures_last(node, bundle_path):
    outputs = Outputs(node, load_manifest(bundle_path))
    kept = list(outputs._topics)
    sent = heard(outputs, "overlay", "segmentation/mask", "normals/image", "depth/color")
    outputs.publish(result("segmentation", "depth"))
    assert sent == ["segmentation/mask", "depth/color", "overlay"]
    outputs._topics = kept
    outputs.destroy()

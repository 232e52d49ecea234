"""Clips as bags: what is written of a pose, a calibration and an image."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.datasets.bags import topics
from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator import clip_bag
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import look


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_the_orientation_turns_as_the_pose_does(turned):
    pose = look(np.array([1.0, 2.0, 3.0]), *turned)
    message = clip_bag._pose(pose, 5_000_000_001)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 1)
    position, orientation = message.pose.position, message.pose.orientation
    assert (position.x, position.y, position.z) == (1.0, 2.0, 3.0)
    w, x, y, z = orientation.w, orientation.x, orientation.y, orientation.z
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    again = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    assert w >= 0
    np.testing.assert_allclose(again, pose.rotation, atol=1e-9)


def test_the_calibration_is_that_of_a_camera_without_distortion():
    info = clip_bag._camera_info(Intrinsics(64, 48, 51.0, 52.0, 30.5, 22.5, source="K"), 7)
    assert (info.width, info.height, info.header.frame_id) == (64, 48, topics.FRAME_ID)
    assert info.k.tolist() == [51, 0, 30.5, 0, 52, 22.5, 0, 0, 1]
    assert info.p.tolist() == [51, 0, 30.5, 0, 0, 52, 22.5, 0, 0, 0, 1, 0]
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert info.d.tolist() == [0] * 5 and info.distortion_model == "plumb_bob"


def test_a_pose_is_in_the_world_and_an_image_in_the_camera():
    assert clip_bag._pose(look(np.zeros(3), 0, 0, 0), 0).header.frame_id == topics.WORLD_FRAME_ID
    packed = clip_bag._packed(topics.LABELS, np.full((4, 4), 3, np.uint8), 0)
    assert packed.header.frame_id == topics.FRAME_ID


def test_compressed_images_are_what_image_transport_expects():
    depth = np.array([[1.2345, np.nan], [0.5, 8.0]], np.float32)
    packed = clip_bag._packed(topics.DEPTH, depth, 5_000_000_001)
    assert packed.format == "16UC1; png compressed 16UC1"
    assert (packed.header.stamp.sec, packed.header.stamp.nanosec) == (5, 1)
    shown = cv2.imdecode(packed.data, cv2.IMREAD_UNCHANGED)
    assert shown.dtype == np.uint16 and shown.tolist() == [[1234, 0], [500, 8000]]
    formats = {
        topics.LABELS: ("mono8; png compressed mono8", np.uint8, (2, 2)),
        topics.NORMALS: ("rgb8; png compressed bgr8", np.float32, (2, 2, 3)),
        topics.IMAGE: ("rgb8; jpeg compressed bgr8", np.uint8, (2, 2, 3)),
    }
    for topic, (words, kind, shape) in formats.items():
        packed = clip_bag._packed(topic, np.zeros(shape, kind), 0)
        assert packed.format == words
        assert cv2.imdecode(packed.data, cv2.IMREAD_UNCHANGED).shape == shape


def test_compressed_images_have_topics_of_their_own():
    written = []
    writer = clip_bag.ClipWriter.__new__(clip_bag.ClipWriter)
    writer.put = lambda topic, kind, message, stamp: written.append((topic, kind, stamp))
    blank = np.zeros((4, 4), np.float32)
    frame = ClipFrame(
        9,
        np.zeros((4, 4, 3), np.uint8),
        blank,
        blank.astype(np.uint8),
        np.zeros((4, 4, 3), np.float32),
        look(np.zeros(3), 0, 0, 0),
        Intrinsics(4, 4, 4.0, 4.0, 1.5, 1.5, source="K"),
    )
    images = [topics.DEPTH, topics.LABELS, topics.NORMALS, topics.IMAGE]
    for compressed, ending, kind in (
        (False, "", topics.RAW_TYPE),
        (True, topics.COMPRESSED, topics.COMPRESSED_TYPE),
    ):
        writer._compressed = compressed
        written.clear()
        writer.write(frame)
        assert [topic for topic, _, _ in written[:2]] == [topics.CAMERA_INFO, topics.POSE]
        assert written[2:] == [(topic + ending, kind, 9) for topic in images]

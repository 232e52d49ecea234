"""Calibration in the live node: latched, of raw and of rectified images, and what points are."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2

from mtshare_ros.ros import camera_calibration
from support.ros_harness import (
    SECOND,
    active,
    camera_of,
    condition,
    connected,
    image,
    peer,
    perception_node,
    send,
    set_parameter,
    wait_for,
)

START = 5 * SECOND
FRAME = SECOND // 30
K = [150.0, 0.0, 80.0, 0.0, 150.0, 60.0, 0.0, 0.0, 1.0]
P = [120.0, 0.0, 82.0, 0.0, 0.0, 125.0, 58.0, 0.0, 0.0, 0.0, 1.0, 0.0]
BOTH = CameraInfo(width=160, height=120, k=K, p=P)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def medians(camera):
    """Return the median depth of each frame that came."""
    frames = camera.received["depth/image"]
    return [float(np.nanmedian(np.frombuffer(f.data, np.float32))) for f in frames]


def test_a_camera_info_that_was_latched_before_the_node_started_is_heard(context, bundle_path):
    with peer(context) as camera:
        info = camera.node.create_publisher(CameraInfo, "camera_info", LATCHED)
        info.publish(BOTH)
        with perception_node(context, bundle=str(bundle_path)) as node:
            camera.listen("depth/image")
            connected(node, camera, "depth")
            wait_for(lambda: camera_of(node).calibration.info, "the latched camera_info")
            send(node, camera, image(START))
            assert condition(node).calibration.words == "fx 120.0 (P)"
            assert condition(node).calibration.warning is None


def test_an_ordinary_camera_is_not_asked_for_a_latched_one(context, bundle_path):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.node.create_publisher(CameraInfo, "camera_info", 1)
        wait_for(active(node), "node active")
        wait_for(lambda: node.count_publishers("/camera_info"), "camera_info seen")
        for _ in range(3):
            camera_of(node).look_for_latched_info()
        found = node.get_subscriptions_info_by_topic("/camera_info")
        assert [f.qos_profile.durability for f in found] == [DurabilityPolicy.VOLATILE]


def test_the_wish_scales_depth_from_the_next_frame_on(context, bundle_path, steps):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen("depth/image")
        connected(node, camera, "depth")
        camera_of(node).calibration.take(BOTH)
        send(node, camera, image(START))
        assert set_parameter(camera, "intrinsics", "k").successful
        send(node, camera, image(START))
        wait_for(lambda: len(camera.received["depth/image"]) == 2, "both frames")
        rectified, raw = medians(camera)
        assert raw / rectified == pytest.approx(150 / 120, rel=1e-3)
        assert [step.focal_length for step in steps] == [120 / 160, 150 / 160]
        assert steps[-1].found.reset == "camera_info"
        assert not set_parameter(camera, "intrinsics", "q").successful


@pytest.mark.parametrize(("remapped", "fx"), [("image_raw", 150.0), ("image_rect", 120.0)])
def test_the_remapped_topic_says_whether_the_images_are_raw(context, bundle_path, remapped, fx):
    options = {"cli_args": ["--ros-args", "-r", f"image:=/front/{remapped}"]}
    with (
        perception_node(context, options, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        camera.image = camera.camera_on(f"/front/{remapped}")
        connected(node, camera, "depth")
        camera_of(node).calibration.take(BOTH)
        send(node, camera, image(START))
        assert condition(node).calibration.words.startswith(f"fx {fx}")


def points_by_depth_image_proc(depth, info):
    """Return the points (H, W, 3) as depth_image_proc's ``convertDepth`` computes them."""
    z = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
    rows, columns = np.indices(z.shape)
    fx, cx, fy, cy = info.p[0], info.p[2], info.p[5], info.p[6]
    return np.dstack([(columns - cx) * z / fx, (rows - cy) * z / fy, z])


@pytest.mark.parametrize("output_size", ["model", "input"])
@pytest.mark.parametrize("wish", ["p", "k"])
def test_others_make_the_same_points_of_the_published_calibration(
    context, bundle_path, output_size, wish
):
    options = {"output_size": output_size, "intrinsics": wish}
    part = CameraInfo(width=640, height=480, k=K, p=P, binning_x=2, binning_y=2)
    part.k = [4.0 * value for value in K[:8]] + [1.0]
    part.p = [4.0 * value for value in P[:10]] + [1.0, 0.0]
    part.roi.x_offset, part.roi.y_offset, part.roi.width, part.roi.height = 100, 60, 320, 240
    with (
        perception_node(context, bundle=str(bundle_path), **options) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        camera.listen("points", type_=PointCloud2)
        camera.listen("depth/camera_info", type_=CameraInfo)
        connected(node, camera, "depth", "segmentation")
        camera_of(node).calibration.take(part)
        send(node, camera, image(START))
        wait_for(lambda: all(camera.received.values()), "depth, points and calibration")
    (depth,), (cloud,), (info,) = (
        camera.received[t] for t in ("depth/image", "points", "depth/camera_info")
    )
    found = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, 5)[..., :3]
    expected = points_by_depth_image_proc(depth, info)
    assert np.isfinite(expected).any()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True)
    fx = {"p": 240.0, "k": 300.0}[wish] * info.width / 160
    cx = {"p": (328 - 100) / 2, "k": (320 - 100) / 2}[wish] * info.width / 160
    assert (info.p[0], info.p[2]) == pytest.approx((fx, cx)) and info.k[0] == info.p[0]
    assert (info.roi.width, info.roi.x_offset, info.binning_x) == (0, 0, 0)


def newest(camera):
    """Return the newest status of the node's diagnostics."""
    return camera.received["/diagnostics"][-1].status[0]


def test_metric_depth_without_calibration_is_a_warning_after_a_while(
    context, bundle_path, monkeypatch
):
    from diagnostic_msgs.msg import DiagnosticArray

    monkeypatch.setattr(camera_calibration, "PATIENCE", 0.2)
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen("/diagnostics", type_=DiagnosticArray)
        camera.listen("depth/image")
        connected(node, camera, "depth")
        stamp = START

        def warned(text):
            nonlocal stamp
            send(node, camera, image(stamp := stamp + FRAME))
            status = newest(camera)
            return status.level == DiagnosticStatus.WARN and text in status.message

        wait_for(lambda: warned("no camera_info on /camera_info"), "a warning")
        camera_of(node).calibration.take(CameraInfo(width=64, height=48))
        wait_for(lambda: warned("camera_info is of 64x48"), "the reason")
        camera_of(node).calibration.take(BOTH)
        wait_for(lambda: not warned("camera_info"), "no warning")

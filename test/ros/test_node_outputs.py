"""What the live node publishes, to whom, and at what quality of service."""

import numpy as np
import pytest
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.malformed import GOOD_INFO
from support.ros_harness import (
    SECOND,
    camera_of,
    connected,
    counts,
    image,
    peer,
    perception_node,
    send,
    set_parameter,
    wait_for,
)

START = 5 * SECOND
FRAME = SECOND // 30


def give_info(node, camera):
    info = camera.node.create_publisher(CameraInfo, "camera_info", 1)
    wait_for(info.get_subscription_count, "camera_info subscribed")
    info.publish(GOOD_INFO)
    wait_for(lambda: camera_of(node).calibration.info, "camera_info")


@pytest.mark.parametrize("output_size", ["model", "input"])
def test_the_cloud_is_of_the_size_of_the_mask_and_comes_only_with_a_camera_info(
    context, bundle_path, steps, output_size
):
    with (
        perception_node(context, bundle=str(bundle_path), output_size=output_size) as node,
        peer(context) as camera,
    ):
        camera.listen("points", type_=PointCloud2)
        connected(node, camera, "depth", "segmentation")
        send(node, camera, image(START))
        assert [step.wanted for step in steps] == [{"depth", "segmentation"}]
        give_info(node, camera)
        camera.listen("segmentation/mask", "depth/image")
        wait_for(lambda: node.count_subscribers("/perception_node/depth/image"), "mask heard")
        send(node, camera, image(START + FRAME))
        wait_for(
            lambda: all(
                camera.received[t] for t in ("points", "segmentation/mask", "depth/image")
            ),
            "outputs",
        )
        (cloud,), mask = camera.received["points"], camera.received["segmentation/mask"][-1]
        depth = camera.received["depth/image"][-1]
        assert cloud.header == mask.header and (cloud.width, cloud.height) == (
            mask.width, mask.height
        )  # fmt: skip
        z = np.frombuffer(cloud.data, np.float32).reshape(-1, 5)[:, 2]
        assert np.array_equal(z, np.frombuffer(depth.data, np.float32), equal_nan=True)
        labels = np.frombuffer(cloud.data, np.uint32).reshape(-1, 5)[:, 4]
        assert (labels == np.frombuffer(mask.data, np.uint8)).all()


def test_a_cloud_without_segmentation_is_unlabelled(context, bundle_path, steps):
    with (
        perception_node(context, bundle=str(bundle_path), tasks=["depth"]) as node,
        peer(context) as camera,
    ):
        camera.listen("points", type_=PointCloud2)
        connected(node, camera, "depth")
        give_info(node, camera)
        send(node, camera, image(START))
        wait_for(lambda: camera.received["points"], "cloud")
        labels = np.frombuffer(camera.received["points"][0].data, np.uint32).reshape(-1, 5)[:, 4]
        assert [step.wanted for step in steps] == [{"depth"}] and set(labels) == {255}


def test_depth_in_millimetres_by_parameter(context, bundle_path):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START))
        assert set_parameter(camera, "depth_encoding", "16UC1").successful
        send(node, camera, image(START))
        depths = camera.received["depth/image"]
        wait_for(lambda: len(depths) == 2, "both")
        assert [m.encoding for m in depths] == ["32FC1", "16UC1"]
        metres = np.frombuffer(depths[0].data, np.float32)
        millimetres = np.frombuffer(depths[1].data, np.uint16)
        near = millimetres > 0
        assert len(metres) == len(millimetres) and near.any()
        # The second frame came mostly out of the cache: the same picture.
        assert np.abs(metres[near] * 1000 - millimetres[near]).max() <= 1


def test_who_unsubscribes_ends_the_work_and_who_comes_back_gets_it_again(
    context, bundle_path, steps
):
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen("normals/image")
        first = camera.node.create_subscription(
            Image, "/perception_node/depth/image", lambda _: None, 1
        )
        connected(node, camera, "depth", "normals")
        send(node, camera, image(START))
        camera.node.destroy_subscription(first)
        connected(node, camera, "normals")
        send(node, camera, image(START + FRAME))
        camera.listen("depth/color")
        connected(node, camera, "depth", "normals")
        send(node, camera, image(START + 2 * FRAME))
        assert [step.wanted for step in steps] == [
            {"depth", "normals"},
            {"normals"},
            {"depth", "normals"},
        ]
        assert counts(node)["processed"] == 3


def test_all_outputs_of_many_frames_pair_by_their_exact_stamps(context, bundle_path):
    topics = ("depth/image", "segmentation/mask", "segmentation/confidence", "normals/image")
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen(*topics)
        connected(node, camera, "depth", "segmentation", "normals")
        for number in range(10):
            send(node, camera, image(START + number * FRAME))
            wait_for(lambda n=number: all(len(camera.received[t]) > n for t in topics), "outputs")
        sent = [START + n * FRAME for n in range(10)]
        for topic in topics:
            stamps = [m.header.stamp for m in camera.received[topic]]
            assert [s.sec * SECOND + s.nanosec for s in stamps] == sent, topic


def endpoint(node, topic, publisher):
    find = node.get_publishers_info_by_topic if publisher else node.get_subscriptions_info_by_topic
    own = [e for e in find(topic) if e.node_name == "perception_node"]
    assert len(own) == 1
    return own[0].qos_profile


def test_inputs_and_outputs_have_the_documented_quality_of_service(context, bundle_path):
    with perception_node(context, bundle=str(bundle_path)) as node:
        wait_for(lambda: node._cameras, "bundle open")
        for topic in ("/image", "/camera_info"):
            assert endpoint(node, topic, False).reliability == ReliabilityPolicy.BEST_EFFORT
        own = "/perception_node/"
        for topic in ("depth/image", "segmentation/mask", "points", "overlay"):
            found = endpoint(node, own + topic, True)
            assert found.reliability == ReliabilityPolicy.RELIABLE
            assert found.durability == DurabilityPolicy.VOLATILE
            # A listener that wants as little as sensors give is served, too.
            sensor = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
            assert qos_check_compatible(found, sensor)[0] != QoSCompatibility.ERROR
        latched = endpoint(node, f"{own}segmentation/label_info_json", True)
        assert latched.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_quality_of_service_is_overridden_for_each_topic_alone(context, bundle_path):
    overrides = {
        "/image.subscription.reliability": "reliable",
        "/perception_node/depth/image.publisher.reliability": "best_effort",
        "/perception_node/overlay.publisher.history": "keep_all",
    }
    given = {f"qos_overrides.{name}": value for name, value in overrides.items()}
    with perception_node(context, bundle=str(bundle_path), **given) as node:
        wait_for(lambda: node._cameras or node._cause, "bundle open")
        assert node._cause is None
        assert endpoint(node, "/image", False).reliability == ReliabilityPolicy.RELIABLE
        own = "/perception_node/"
        depth = endpoint(node, own + "depth/image", True)
        assert depth.reliability == ReliabilityPolicy.BEST_EFFORT
        normals = endpoint(node, own + "normals/image", True)
        assert normals.reliability == ReliabilityPolicy.RELIABLE
        overlay = f"qos_overrides.{own}overlay.publisher.history"
        assert node.get_parameter(overlay).value == "keep_all"

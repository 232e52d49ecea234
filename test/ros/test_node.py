"""The live node over real topics."""

import re
import threading

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from mtshare_ros.perception.stream import PerceptionStream
from support.ros_harness import (
    SECOND,
    active,
    call,
    camera_of,
    condition,
    connected,
    counts,
    ended,
    header,
    image,
    peer,
    perception_node,
    send,
    set_parameter,
    wait_for,
)

IMAGES = ("depth/image", "segmentation/mask", "segmentation/confidence", "normals/image")
PICTURES = ("depth/color", "segmentation/color", "normals/color", "overlay", "dirty_tokens")
START = 5 * SECOND


def test_all_outputs_of_a_frame_have_its_stamp_frame_and_one_size(context, bundle_path):
    with (
        perception_node(context, bundle=str(bundle_path), output_size="input") as node,
        peer(context) as camera,
    ):
        camera.listen(*IMAGES, *PICTURES)
        camera.listen("depth/camera_info", type_=CameraInfo)
        camera.listen("segmentation/label_info_json", type_=String)
        connected(node, camera, "depth", "segmentation", "normals")
        info = camera.node.create_publisher(CameraInfo, "camera_info", 1)
        wait_for(info.get_subscription_count, "camera_info subscribed")
        k = [150.0, 0.0, 80.0, 0.0, 150.0, 60.0, 0.0, 0.0, 1.0]
        info.publish(CameraInfo(width=160, height=120, k=k))
        wait_for(lambda: camera_of(node).calibration.info, "camera_info")
        send(node, camera, image(START))
        assert camera.received["segmentation/label_info_json"], "labels come before the mask"
        topics = (*IMAGES, *PICTURES, "depth/camera_info")
        wait_for(lambda: all(camera.received[t] for t in topics), "all outputs")
        for topic in topics:
            (message,) = camera.received[topic]
            assert message.header == header(START), topic
            assert (message.width, message.height) == (160, 120), topic
        assert list(camera.received["depth/camera_info"][0].k) == k
        encodings = [camera.received[topic][0].encoding for topic in (*IMAGES, *PICTURES)]
        assert encodings == ["32FC1", "mono8", "mono8", "32FC3", *["rgb8"] * 4, "mono8"]


def test_a_task_that_nobody_subscribes_to_is_not_computed(context, bundle_path, steps):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        wait_for(active(node), "node active")
        wait_for(camera.image.get_subscription_count, "image subscribed")
        send(node, camera, image(START))
        assert steps == [] and counts(node)["skipped"] == 1
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START + 1))
        camera.listen("segmentation/color")
        connected(node, camera, "depth", "segmentation")
        assert set_parameter(camera, "tasks", ["segmentation"]).successful
        send(node, camera, image(START + 2))
        assert [step.wanted for step in steps] == [{"depth"}, {"segmentation"}]


def test_the_dirty_tokens_alone_are_published_whatever_tasks_are_allowed(
    context, bundle_path, steps
):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("dirty_tokens")
        connected(node, camera, "normals")  # the base task
        send(node, camera, image(START))
        assert set_parameter(camera, "tasks", ["segmentation"]).successful
        connected(node, camera, "segmentation")
        send(node, camera, image(START + 1))
        camera.listen("segmentation/mask")
        assert set_parameter(camera, "tasks", ["all"]).successful
        connected(node, camera, "segmentation")
        send(node, camera, image(START + 2))
        wait_for(lambda: len(camera.received["dirty_tokens"]) == 3, "all pictures")
        assert [step.wanted for step in steps] == [
            {"normals"}, {"segmentation"}, {"segmentation"},
        ]  # fmt: skip


def test_of_images_that_come_while_one_is_in_work_only_the_newest_is_taken(
    context, bundle_path, monkeypatch
):
    started, release = threading.Event(), threading.Event()
    stamps, step = [], PerceptionStream.step

    def slow(self, picture, stamp, wanted, focal_length=None):
        stamps.append(stamp)
        started.set()
        assert release.wait(60)
        return step(self, picture, stamp, wanted, focal_length)

    monkeypatch.setattr(PerceptionStream, "step", slow)
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        camera.image.publish(image(START))
        assert started.wait(60)
        for number in (1, 2, 3):
            camera.image.publish(image(START + number))
            wait_for(lambda n=number: counts(node)["received"] == n + 1, f"image {number}")
        release.set()
        wait_for(ended(node, 4), "all images through")
        assert stamps == [START, START + 3]
        assert counts(node)["dropped"] == 2 and counts(node)["processed"] == 2


def test_bad_images_are_counted_and_the_node_goes_on(context, bundle_path):
    cut, unknown, empty, narrow = (image(START + n) for n in range(4))
    tiny = image(START + 4, size=(12, 12))
    cut.data = cut.data[:-1]
    unknown.encoding = "secret"
    empty.width = empty.height = 0
    narrow.step = 7
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START), cut, unknown, empty, narrow, Image(), tiny)
        send(node, camera, image(START + 9))
        assert counts(node)["rejected"] == 6 and counts(node)["processed"] == 2
        wait_for(lambda: len(camera.received["depth/image"]) == 2, "the good ones' outputs")


def test_the_cache_is_dropped_on_request_and_with_a_new_frame_id(context, bundle_path, steps):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("normals/image")
        connected(node, camera, "normals")
        send(node, camera, image(START), image(START))
        assert call(camera, Trigger, "perception_node/reset", Trigger.Request()).success
        send(node, camera, image(START), image(START), image(START, "another"))
        assert [step.found.reset for step in steps] == [
            "activated", None, "requested", None, "frame_id",
        ]  # fmt: skip


def test_the_focal_length_of_a_camera_info_that_fits_is_used(context, bundle_path, steps):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        taken = camera_of(node)
        for width, fx, says in (
            (160, 80.0, "fx 80.0 (K)"),
            (320, 80.0, "camera_info is of 320x120"),
            (160, 4801.0, "fx 4801 for 160 pixels; expected 16 to 4800"),
        ):
            taken.calibration.info = CameraInfo(
                width=width, height=120, k=[fx, 0, 80.0, 0, 80.0, 60.0, 0, 0, 1.0]
            )
            send(node, camera, image(START + len(steps)))
            assert says in condition(node).calibration.words
        assert [step.focal_length for step in steps] == [0.5, None, None]


def test_dynamic_parameters_hold_from_the_next_frame_and_fixed_ones_are_refused(
    context, bundle_path
):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START))
        assert set_parameter(camera, "output_size", "input").successful
        assert set_parameter(camera, "max_depth", 5).successful
        send(node, camera, image(START + 1))
        sizes = camera.received["depth/image"]
        wait_for(lambda: len(sizes) == 2, "both outputs")
        assert [(m.width, m.height) for m in sizes] == [(128, 96), (160, 120)]
        for name, value, reason in (
            ("bundle", "/elsewhere", "bundle can't be changed now"),
            ("max_depth", -1.0, "max_depth"),
            ("tasks", ["depth", "colour"], "tasks has colour; bundle .* has normals"),
        ):
            result = set_parameter(camera, name, value)
            assert not result.successful
            assert re.search(reason, result.reason), result.reason
        assert node.get_parameter("max_depth").value == 5


def test_a_task_has_a_rate_of_its_own(context, bundle_path):
    with (
        perception_node(context, bundle=str(bundle_path), task_every=["normals:3"]) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image", "normals/image", "dirty_tokens")
        connected(node, camera, "depth", "normals")
        for frame in range(7):
            send(node, camera, image(START + frame * 33_000_000))
        wait_for(lambda: len(camera.received["depth/image"]) == 7, "every depth")
        wait_for(lambda: len(camera.received["normals/image"]) == 3, "every third normals")
        stamps = [m.header.stamp.nanosec for m in camera.received["normals/image"]]
        assert stamps == [0, 99_000_000, 198_000_000]
        # Tasks whose turn it is not leave no picture of theirs, and no frame fails.
        set_parameter(camera, "tasks", ["normals"])
        for frame in range(7, 10):
            send(node, camera, image(START + frame * 33_000_000))
        assert len(camera.received["normals/image"]) == 4
        assert counts(node)["failed"] == 0 and counts(node)["processed"] == 10
        refused = set_parameter(camera, "task_every", ["edges:2"])
        assert not refused.successful and "task_every has edges" in refused.reason


def test_frames_that_are_carried_along_are_published_like_computed_ones(
    context, bundle_path, steps
):
    with (
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image", "dirty_tokens")
        connected(node, camera, "depth")
        assert set_parameter(camera, "carry_frames", 2).successful
        for frame in range(6):
            still = image(START)
            still.header.stamp.nanosec += frame * 33_000_000
            send(node, camera, still)
        wait_for(lambda: len(camera.received["depth/image"]) == 6, "every depth")
        assert [step.found.carried for step in steps] == [0, 1, 2, 0, 1, 2]
        stamps = [m.header.stamp.nanosec for m in camera.received["depth/image"]]
        assert stamps == [frame * 33_000_000 for frame in range(6)]
        wait_for(lambda: len(camera.received["dirty_tokens"]) == 6, "every picture")
        shown = [max(m.data) for m in camera.received["dirty_tokens"]]
        assert [value > 0 for value in shown] == [True, False, False] * 2
        refused = set_parameter(camera, "carry_frames", -1)
        assert not refused.successful and "carry_frames" in refused.reason

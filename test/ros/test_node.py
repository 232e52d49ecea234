"""The live node over real topics."""

import re
import threading
from array import array
from contextlib import contextmanager

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
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
    waiting,
)
from support.samples import coarse_image

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


@contextmanager
def held_network(monkeypatch):
    """Let the network be at a frame: yields when it has begun, and how to let it go on."""
    started, release = threading.Event(), threading.Event()
    step = PerceptionStream._step

    def slow(self, *arguments):
        started.set()
        assert release.wait(60)
        return step(self, *arguments)

    monkeypatch.setattr(PerceptionStream, "_step", slow)
    try:
        yield started, release
    finally:
        release.set()


def stamps(camera, topic="depth/image"):
    return [message.header.stamp.nanosec for message in camera.received[topic]]


def test_images_that_come_while_the_network_works_are_answered_at_once(
    context, bundle_path, monkeypatch
):
    with (
        perception_node(context, bundle=str(bundle_path), network_wait_ms=0.0) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        send(node, camera, image(START))
        with held_network(monkeypatch) as (started, release):
            for number in (1, 2, 3, 4):
                still = image(START)
                still.header = header(START + number)
                camera.image.publish(still)
                wait_for(lambda n=number: stamps(camera) == list(range(n + 1)), f"answer {number}")
            assert started.wait(60)
            release.set()
            wait_for(ended(node, 5), "all images through")
        assert counts(node)["processed"] == 5 and stamps(camera) == [0, 1, 2, 3, 4]


def test_before_the_first_key_the_image_in_work_and_the_newest_are_answered(
    context, bundle_path, monkeypatch
):
    with (
        held_network(monkeypatch) as (started, release),
        perception_node(context, bundle=str(bundle_path)) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        connected(node, camera, "depth")
        camera.image.publish(image(START))
        assert started.wait(60)
        for number in (1, 2, 3):
            camera.image.publish(image(START + number))
            wait_for(lambda n=number: waiting(node) == min(n, 1) + 1, f"image {number}")
            wait_for(lambda n=number: counts(node)["unserved"] == n - 1, f"image {number}")
        assert stamps(camera) == []
        release.set()
        wait_for(ended(node, 4), "all images through")
        wait_for(lambda: len(stamps(camera)) == 2, "two outputs")
        assert stamps(camera) == [0, 3]
        assert counts(node)["unserved"] == 2 and counts(node)["processed"] == 2


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


def test_a_task_has_a_rate_of_its_own_and_is_published_for_every_image(
    context, bundle_path, steps
):
    with (
        perception_node(context, bundle=str(bundle_path), task_every=["normals:3"]) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image", "normals/image", "dirty_tokens")
        connected(node, camera, "depth", "normals")
        for frame in range(7):
            still = image(START)
            still.header = header(START + frame * 33_000_000)
            send(node, camera, still)
        for topic in ("depth/image", "normals/image", "dirty_tokens"):
            wait_for(lambda t=topic: len(camera.received[t]) == 7, f"every {topic}")
            assert stamps(camera, topic) == [frame * 33_000_000 for frame in range(7)]
        computed = ["normals" in step.found.maps for step in steps]
        assert computed == [frame % 3 == 0 for frame in range(7)]
        assert all("depth" in step.found.maps for step in steps)
        assert counts(node)["failed"] == 0 and counts(node)["processed"] == 7
        refused = set_parameter(camera, "task_every", ["edges:2"])
        assert not refused.successful and "task_every has edges" in refused.reason


def test_images_between_two_keys_are_published_like_those_of_keys(context, bundle_path, steps):
    with (
        perception_node(context, bundle=str(bundle_path), carry_frames=2) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image", "dirty_tokens")
        connected(node, camera, "depth")
        for frame in range(6):
            still = image(START)
            still.header = header(START + frame * 33_000_000)
            camera.image.publish(still)
            wait_for(lambda n=frame: counts(node)["processed"] == n + 1, f"image {frame}")
            wait_for(lambda n=frame: len(steps) == 1 + n // 3, "the keys of 0 and 3")
        wait_for(lambda: len(camera.received["depth/image"]) == 6, "every depth")
        assert [s.found.stamp - START for s in steps] == [0, 3 * 33_000_000]
        assert stamps(camera) == [frame * 33_000_000 for frame in range(6)]
        wait_for(lambda: len(camera.received["dirty_tokens"]) == 6, "every picture")
        refused = set_parameter(camera, "carry_frames", -1)
        assert not refused.successful and "carry_frames" in refused.reason


def test_how_images_are_served_can_be_changed_while_the_node_runs(context, bundle_path):
    """An eighth of the image becomes dark: what its key says about it is unknown, or goes on."""
    with (
        perception_node(context, bundle=str(bundle_path), network_wait_ms=0.0) as node,
        peer(context) as camera,
    ):
        camera.listen("segmentation/mask")
        connected(node, camera, "segmentation")
        scene = coarse_image(size=(160, 120))
        dark = scene.copy()
        dark[:40, :60] //= 4
        masks = camera.received["segmentation/mask"]

        def unknown(number):
            """Return the part of the dark image's mask that is unlabelled."""
            for stamp, pixels in ((START + number, scene), (START + number + 1, dark)):
                message = image(stamp)
                message.data = array("B", pixels.tobytes())
                send(node, camera, message)
            wait_for(lambda: len(masks) == number + 2, "both masks")
            return float(np.mean(np.array(masks[-1].data) == 255))

        assert unknown(0) == pytest.approx(1 / 8, abs=0.06)
        assert set_parameter(camera, "unknown", "fill").successful
        assert unknown(2) == 0.0
        for name, value in (
            ("unknown", "guess"), ("fuse", 0.0), ("max_key_age", 0.0), ("network_wait_ms", -1.0),
        ):  # fmt: skip
            refused = set_parameter(camera, name, value)
            assert not refused.successful and name in refused.reason


def test_a_key_that_is_too_old_is_not_published_and_the_diagnostics_say_so(
    context, bundle_path, monkeypatch
):
    with (
        perception_node(
            context, bundle=str(bundle_path), network_wait_ms=0.0, max_key_age=0.1
        ) as node,
        peer(context) as camera,
    ):
        camera.listen("depth/image")
        camera.listen("/diagnostics", type_=DiagnosticArray)
        connected(node, camera, "depth")
        send(node, camera, image(START))
        with held_network(monkeypatch) as (_, release):
            for number in range(1, 7):
                still = image(START)
                still.header = header(START + number * 33_000_000)
                camera.image.publish(still)
                wait_for(lambda n=number: counts(node)["received"] == n + 1, f"image {number}")
                wait_for(lambda: not node._cameras._worker.work, "looked at")
            wait_for(lambda: len(stamps(camera)) == 4, "the first three after the key")
            said = "came without a key that says anything about them"

            def warned():
                found = [m.status[0] for m in camera.received["/diagnostics"]]
                return any(s.level == DiagnosticStatus.WARN and said in s.message for s in found)

            wait_for(warned, "a warning")
            release.set()
            wait_for(ended(node, 7), "all images through")
        assert stamps(camera)[:4] == [n * 33_000_000 for n in range(4)]
        assert node._state == "active"

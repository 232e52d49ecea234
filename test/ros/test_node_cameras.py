"""Several cameras in one node, on one opened engine."""

import threading
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import String
from std_srvs.srv import Trigger

from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.ros import opener
from mtshare_ros.ros.process_usage import resident_mib
from support.ros_harness import (
    SECOND,
    call,
    camera_of,
    counts,
    ended,
    image,
    peer,
    perception_node,
    set_parameter,
    wait_for,
)

CAMERAS = ("front", "left", "rear", "right")
START = 5 * SECOND
FRAME = SECOND // 30


def cameras_of(node, camera, *names, topic="depth/image"):
    """Subscribe to an output of each camera and return the publishers of their images."""
    publishers = {name: camera.camera(f"{name}/") for name in names}
    camera.listen(*(f"{name}/{topic}" for name in names))
    wait_for(lambda: node._state == "active" and node._cameras, "node active")
    for name in names:
        wait_for(publishers[name].get_subscription_count, f"{name} heard")
        wait_for(lambda n=name: camera_of(node, n).computing(), f"{name} subscribed")
    return publishers


def stamps(camera, topic):
    return [m.header.stamp.sec * SECOND + m.header.stamp.nanosec for m in camera.received[topic]]


def test_each_camera_has_its_topics_its_frames_and_its_cache(context, bundle_path, monkeypatch):
    opened, open_one = [], opener.open_engine

    def count_openings(*arguments):
        opened.append(open_one(*arguments))
        return opened[-1]

    steps, step = {}, PerceptionStream._step

    def spy(self, *arguments):
        found = step(self, *arguments)
        steps.setdefault(id(self), []).append(found)
        return found

    monkeypatch.setattr(opener, "open_engine", count_openings)
    monkeypatch.setattr(PerceptionStream, "_step", spy)
    with (
        perception_node(context, bundle=str(bundle_path), cameras=list(CAMERAS)) as node,
        peer(context) as camera,
    ):
        publishers = cameras_of(node, camera, *CAMERAS)
        camera.listen("left/segmentation/label_info_json", type_=String)
        for round_ in range(3):
            for number, name in enumerate(CAMERAS):
                # The same picture of a camera in each round: only its own cache knows it.
                message = image(START + number, f"{name}_frame")
                message.header.stamp.nanosec += round_ * FRAME
                publishers[name].publish(message)
                wait_for(ended(node, round_ + 1, name), f"{name} through")
        assert len(opened) == 1 and len(steps) == len(CAMERAS)
        for found in steps.values():
            assert [f.reset for f in found] == ["activated", None, None]
            assert found[0].dirty.all() and not found[1].dirty.all()
        for number, name in enumerate(CAMERAS):
            topic = f"{name}/depth/image"
            wait_for(lambda t=topic: len(camera.received[t]) == 3, topic)
            assert stamps(camera, topic) == [START + number + n * FRAME for n in range(3)]
            assert {m.header.frame_id for m in camera.received[topic]} == {f"{name}_frame"}
        wait_for(lambda: camera.received["left/segmentation/label_info_json"], "labels")
        assert call(camera, Trigger, "perception_node/reset", Trigger.Request()).success
        publishers["left"].publish(image(START + SECOND, "left_frame"))
        wait_for(ended(node, 4, "left"), "left through")
        assert sorted(f[-1].reset or "" for f in steps.values()) == ["", "", "", "requested"]


def test_a_camera_shows_what_it_would_show_alone(context, bundle_path):
    sent = [image(START + n * FRAME) for n in range(3)]
    found = {}
    for cameras in ((""), ("front", "rear")):
        names = [cameras] if isinstance(cameras, str) else list(cameras)
        with (
            # Images are answered from the key before, however fast the network is.
            perception_node(
                context, bundle=str(bundle_path), cameras=names, network_wait_ms=0.0
            ) as node,
            peer(context) as camera,
        ):
            first = names[0]
            topic = f"{first}/depth/image".lstrip("/")
            if first:
                publishers = cameras_of(node, camera, *names)
            else:
                camera.listen(topic)
                wait_for(lambda n=node: n._cameras and camera_of(n).computing(), "subscribed")
                wait_for(camera.image.get_subscription_count, "heard")
                publishers = {"": camera.image}
            for number, message in enumerate(sent):
                publishers[first].publish(message)
                if first:  # Another camera's frames in between.
                    publishers["rear"].publish(image(START + SECOND + number))
                    wait_for(ended(node, number + 1, "rear"), "rear through")
                wait_for(ended(node, number + 1, first), f"{first} through")
            wait_for(lambda c=camera, t=topic: len(c.received[t]) == 3, "outputs")
            found[first] = [bytes(m.data) for m in camera.received[topic]]
    assert found[""] == found["front"]


def test_a_flood_from_one_of_four_cameras_starves_no_other(context, bundle_path, monkeypatch):
    with (
        perception_node(context, bundle=str(bundle_path), cameras=list(CAMERAS)) as node,
        peer(context) as camera,
    ):
        publishers = cameras_of(node, camera, *CAMERAS)
        served = []

        def slow(source, received):
            served.append(source.name)
            time.sleep(0.02)
            source.serve(received)

        monkeypatch.setattr(node._cameras._worker, "_process", slow)
        flooding = threading.Event()

        def flood():
            stamp = START
            while not flooding.wait(0.002):
                publishers["front"].publish(image(stamp))
                stamp += FRAME

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for round_ in range(5):
                for name in CAMERAS[1:]:
                    publishers[name].publish(image(START + round_ * FRAME))
                for name in CAMERAS[1:]:
                    wait_for(ended(node, round_ + 1, name), f"{name} served")
        finally:
            flooding.set()
            thread.join()
        for name in CAMERAS[1:]:
            assert counts(node, name)["processed"] == 5 and counts(node, name)["dropped"] == 0
        wait_for(lambda: counts(node, "front")["dropped"] > 0, "the flood's frames dropped")
        assert served.count("front") >= 5, "the flood is served, too"


def test_diagnostics_speak_of_each_camera(context, bundle_path):
    with (
        perception_node(context, bundle=str(bundle_path), cameras=["front", "rear"]) as node,
        peer(context) as camera,
    ):
        publishers = cameras_of(node, camera, "front", "rear")
        camera.listen("/diagnostics", type_=DiagnosticArray)
        publishers["front"].publish(image(START))
        wait_for(ended(node, 1, "front"), "front through")

        def newest():
            messages = camera.received["/diagnostics"]
            return {s.name: s for s in messages[-1].status} if messages else {}

        def processed(name):
            status = newest().get(f"perception_node: perception {name}")
            return status and {v.key: v.value for v in status.values}["processed"]

        wait_for(lambda: processed("front") == "1" and processed("rear") == "0", "both cameras")
        rear = newest()["perception_node: perception rear"]
        assert rear.level == DiagnosticStatus.WARN
        assert rear.message == (
            "no images: /peer (reliable, volatile) publishes on /rear/image, but sent nothing"
            " lately"
        )


@pytest.mark.parametrize(
    "names", [["front", "front"], ["front", ""], ["Front"], ["a/b"], [f"c{n}" for n in range(17)]]
)
def test_names_that_make_no_topics_are_refused(context, names):
    with perception_node(context, autostart=False) as node, peer(context) as camera:
        result = set_parameter(camera, "cameras", names)
        assert not result.successful and "expected up to 16 different names" in result.reason
        assert node._values["cameras"] == [""]


def test_memory_grows_by_the_caches_of_each_camera_only(bundle_path):
    engine = open_engine(bundle_path)
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    tasks = [task.name for task in engine.manifest.tasks]

    def stream():
        result = PerceptionStream(engine)
        result.step(picture, START, tasks)
        return result

    streams = [stream() for _ in range(4)]
    state = streams[0]._state
    cached = sum(array.nbytes for array in state.arrays.values()) / 2**20
    before = resident_mib()
    streams += [stream() for _ in range(32)]
    grown = (resident_mib() - before) / 32
    # Beside the caches: the decoder's scratch memory at the outputs' size, and small change.
    scratch = 8 * 4 * 96 * 128 / 2**20
    assert len({id(s._state) for s in streams}) == 36
    assert grown < 1.25 * cached + scratch + 0.25, (grown, cached)

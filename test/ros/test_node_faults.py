"""What a robot throws at the node: for each fault the state before, the fault, the state after."""

import gc
import itertools
import json
import shutil
import threading
import time
from array import array

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo

from mtshare_ros.perception.engines.interface import EngineOutput
from support.malformed import GOOD_INFO, IMAGES, INFOS
from support.ros_harness import (
    SECOND,
    active,
    camera_of,
    change_state,
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

START = 5 * SECOND
FRAME = SECOND // 30


@pytest.fixture
def live(context, bundle_path):
    """A node that computes depth, and a camera; neither has seen a frame."""
    with perception_node(context, bundle=str(bundle_path)) as node, peer(context) as camera:
        camera.listen("depth/image")
        connected(node, camera, "depth")
        yield node, camera


def stamps(camera, topic="depth/image"):
    return [m.header.stamp.sec * SECOND + m.header.stamp.nanosec for m in camera.received[topic]]


def published(camera, *expected):
    """Wait until exactly these stamps were published."""
    wait_for(lambda: len(stamps(camera)) >= len(expected), f"{len(expected)} outputs")
    assert stamps(camera) == list(expected)


def serves(node, camera, stamp):
    """Assert that the node is well: a good image comes out under its own stamp."""
    before = counts(node)
    send(node, camera, image(stamp))
    wait_for(lambda: stamp in stamps(camera), "the good image's output")
    assert counts(node)["processed"] == before["processed"] + 1
    assert node._state == "active" and node._cause is None


def test_thirty_malformed_images_are_each_dropped_and_nothing_is_published_for_them(live):
    node, camera = live
    assert len(IMAGES) > 30
    clock = itertools.count(START, FRAME)
    serves(node, camera, good := next(clock))
    sent = [good]
    for name, message in IMAGES.items():
        before = counts(node)
        message.header = header(next(clock))
        send(node, camera, message)
        after = counts(node)
        assert after["rejected"] == before["rejected"] + 1, name
        assert after["processed"] == before["processed"], name
    serves(node, camera, last := next(clock))
    published(camera, *sent, last)


def test_malformed_camera_infos_are_passed_over_and_the_images_still_served(live, steps):
    node, camera = live
    clock = itertools.count(START, FRAME)
    camera.listen("depth/camera_info", type_=CameraInfo)
    info = camera.node.create_publisher(CameraInfo, "camera_info", 1)
    wait_for(info.get_subscription_count, "camera_info subscribed")
    for name, message in {"good": GOOD_INFO, **INFOS, "good again": GOOD_INFO}.items():
        message.header.frame_id = name
        info.publish(message)
        taken = camera_of(node)
        wait_for(lambda m=message, c=taken.calibration: c.info == m or _is(c, m), f"info {name}")
        serves(node, camera, next(clock))
        good = name.startswith("good")
        assert (steps[-1].focal_length is not None) == good, name
        assert (condition(node).calibration.words == "fx 150.0 (K)") == good, name
    wait_for(lambda: len(camera.received["depth/camera_info"]) == 2, "two camera_infos")


def _is(taken, message):
    """Whether the newest camera_info is this one; NaN makes messages differ from themselves."""
    found = taken.info
    return found is not None and found.header.frame_id == message.header.frame_id


@pytest.mark.parametrize("level", [0, 255])
def test_an_all_black_or_all_white_image_gives_finite_outputs(live, steps, level):
    node, camera = live
    send(node, camera, image(START))
    flat = image(START + FRAME)
    flat.data = array("B", bytes([level]) * len(flat.data))
    send(node, camera, flat, image(START + 2 * FRAME))
    depths = [step.found.maps["depth"] for step in steps]
    assert all(np.isfinite(depth[~np.isnan(depth)]).all() for depth in depths)
    published(camera, START, START + FRAME, START + 2 * FRAME)


@pytest.mark.parametrize(
    ("jump", "reset"),
    [(-2 * SECOND, "clock"), (3600 * SECOND, "clock"), (-1, "clock"), (0, None)],
)
def test_a_clock_that_jumps_drops_the_cache_and_a_duplicate_stamp_does_not(
    live, steps, jump, reset
):
    node, camera = live
    same = image(START)
    sent = [START, START + FRAME, START + FRAME + jump, START + 2 * FRAME + jump]
    for stamp in sent:
        same.header = header(stamp)
        send(node, camera, same)
    assert [step.found.reset for step in steps] == ["activated", None, reset, None]
    assert steps[2].found.dirty.all() == (reset is not None)
    published(camera, *sent)


def test_a_looping_bag_is_served_in_every_round(live, steps):
    node, camera = live
    bag = [START + n * FRAME for n in range(3)]
    send(node, camera, *(image(stamp) for stamp in bag * 3))
    assert [step.found.reset for step in steps][3::3] == ["clock", "clock"]
    assert counts(node)["processed"] == 9
    published(camera, *bag * 3)


@pytest.mark.parametrize("output_size", ["model", "input"])
def test_a_resize_in_mid_stream_drops_the_cache_and_resizes_all_outputs(live, steps, output_size):
    node, camera = live
    assert set_parameter(camera, "output_size", output_size).successful
    sizes = [(160, 120), (160, 120), (320, 240), (120, 160), (160, 120)]
    sent = [START + n * FRAME for n in range(len(sizes))]
    send(node, camera, *(image(t, size=s) for t, s in zip(sent, sizes, strict=True)))
    assert [step.found.reset for step in steps] == ["activated", None, "size", "size", "size"]
    published(camera, *sent)
    found = [(m.width, m.height) for m in camera.received["depth/image"]]
    assert found == (sizes if output_size == "input" else [(128, 96)] * 5)


def test_a_new_frame_id_drops_the_cache_and_is_that_of_the_output(live, steps):
    node, camera = live
    send(node, camera, image(START), image(START + 1, "left"), image(START + 2, "left"))
    assert [step.found.reset for step in steps] == ["activated", "frame_id", None]
    published(camera, START, START + 1, START + 2)
    frames = [m.header.frame_id for m in camera.received["depth/image"]]
    assert frames == ["camera_optical_frame", "left", "left"]


def test_a_burst_of_200_images_is_accounted_for_and_nothing_old_comes_after_something_new(live):
    node, camera = live
    serves(node, camera, START)
    sent = [START + n * FRAME for n in range(1, 201)]
    for message in [image(stamp) for stamp in sent]:
        camera.image.publish(message)

    def quiet():
        before = counts(node)
        time.sleep(0.3)  # Nothing tells whether a further one is on its way.
        found = counts(node)
        return found == before and sum(found.values()) == 2 * found["received"] > 2

    wait_for(quiet, "the burst through")
    serves(node, camera, last := sent[-1] + FRAME)
    found = counts(node)
    assert found["processed"] + found["unserved"] + found["dropped"] == found["received"] <= 202
    assert found["failed"] == found["rejected"] == 0
    came = stamps(camera)
    assert came == sorted(set(came)) and set(came) <= {START, *sent, last}


def test_an_engine_that_returns_nan_makes_no_key(live, monkeypatch):
    node, camera = live
    serves(node, camera, START)
    engine = node._cameras.engine
    run = engine.run

    def poisoned(*arguments):
        output = run(*arguments)
        raw = {task: np.full_like(values, np.nan) for task, values in output.raw.items()}
        return EngineOutput(raw, output.milliseconds)

    monkeypatch.setattr(engine, "run", poisoned)
    send(node, camera, image(START + FRAME))
    assert node._statistics[""].summary().failed_keys == 1 and counts(node)["failed"] == 0
    monkeypatch.setattr(engine, "run", run)
    serves(node, camera, START + 2 * FRAME)
    published(camera, START, START + FRAME, START + 2 * FRAME)


def test_an_engine_that_hangs_is_given_up_and_its_late_result_never_published(live, monkeypatch):
    node, camera = live
    serves(node, camera, START)
    camera.listen("/diagnostics", type_=DiagnosticArray)
    hung, release, back = threading.Event(), threading.Event(), threading.Event()
    engine = node._cameras.engine
    run = engine.run

    def hang(*arguments):
        hung.set()
        assert release.wait(120)
        output = run(*arguments)
        back.set()
        return output

    monkeypatch.setattr(engine, "run", hang)
    assert set_parameter(camera, "engine_timeout", 0.3).successful
    camera.image.publish(image(START + FRAME))
    assert hung.wait(60)
    wait_for(lambda: node._state == "unconfigured", "given up")
    assert node._cause == "the engine has not finished a frame within 0.3 s"
    # The image was answered from the key before.
    assert counts(node)["processed"] == 2 and counts(node)["failed"] == 0
    camera.received["/diagnostics"].clear()
    wait_for(lambda: camera.received["/diagnostics"], "diagnostics")
    (status,) = camera.received["/diagnostics"][-1].status
    assert (status.level, status.message) == (DiagnosticStatus.ERROR, node._cause)
    assert not node.close(), "the engine still holds its thread"
    # A new engine serves while the old one is still stuck.
    assert set_parameter(camera, "engine_timeout", 120.0).successful
    change_state(camera, "configure", "activate")
    connected(node, camera, "depth")
    serves(node, camera, START + 2 * FRAME)
    release.set()
    assert back.wait(60)
    wait_for(lambda: not [t for t in threading.enumerate() if _is_stuck(t, node)], "thread ended")
    serves(node, camera, START + 3 * FRAME)
    published(camera, *(START + n * FRAME for n in range(4)))


def _is_stuck(thread, node):
    return thread.name == "network" and thread is not node._cameras._network._thread


def test_a_bundle_replaced_under_a_running_node_is_noticed_at_the_next_configure(
    context, bundle_path, tmp_path
):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundle_path, bundle)
    with perception_node(context, bundle=str(bundle)) as node, peer(context) as camera:
        camera.listen("depth/image")
        connected(node, camera, "depth")
        serves(node, camera, START)
        shutil.rmtree(bundle)
        shutil.copytree(bundle_path, bundle)
        damaged = bytearray((bundle / "base.onnx").read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (bundle / "base.onnx").write_bytes(damaged)
        serves(node, camera, START + FRAME)
        change_state(camera, "deactivate", "cleanup", "configure")
        wait_for(lambda: node._cause, "the damage noticed")
        wait_for(lambda: node._state == "unconfigured", "unconfigured")
        assert "base.onnx: SHA-256 differs" in node._cause
        shutil.copy(bundle_path / "base.onnx", bundle)
        change_state(camera, "configure", "activate")
        wait_for(active(node), "active after all")
        connected(node, camera, "depth")
        serves(node, camera, START + 2 * FRAME)


def test_configuring_fails_with_the_cause_while_the_manifest_is_unusable(
    context, bundle_path, tmp_path
):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundle_path, bundle)
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(json.dumps({**json.loads(text), "schema_version": 99}))
    with perception_node(context, bundle=str(bundle)) as node:
        assert node._state == "unconfigured"
        assert "schema_version 99, expected 1" in node._cause
        assert node.trigger_configure().name == "FAILURE"
        (bundle / "manifest.json").write_text(text)
        assert node.trigger_configure().name == "SUCCESS"
        wait_for(lambda: node._cameras, "bundle open")
        assert node._cause is None and node._state == "inactive"


def serve_both(context, bundle_path, first, camera):
    """Let a second node of the same name serve an image, too, and end."""
    with perception_node(context, bundle=str(bundle_path)) as second:
        connected(second, camera, "depth")
        wait_for(lambda: condition(first).namesakes == 1, "noticed by the first")
        wait_for(lambda: condition(second).namesakes == 1, "noticed by the second")
        wait_for(lambda: camera.image.get_subscription_count() == 2, "both subscribed")
        camera.image.publish(image(START))
        wait_for(ended(first, 1), "through the first")
        wait_for(ended(second, 1), "through the second")
        wait_for(lambda: stamps(camera) == [START, START], "both outputs")


def test_two_nodes_of_one_name_both_serve_and_say_so(context, bundle_path):
    with perception_node(context, bundle=str(bundle_path)) as first, peer(context) as camera:
        camera.listen("depth/image")
        connected(first, camera, "depth")
        gc.collect()  # Nodes of earlier tests are listed until then, or until their lease ends.
        wait_for(lambda: condition(first).namesakes == 0, "alone")
        serve_both(context, bundle_path, first, camera)
        gc.collect()  # Until then, the graph goes on listing the other.
        wait_for(lambda: condition(first).namesakes == 0, "alone again")
        send(first, camera, image(START + FRAME))
        assert counts(first)["processed"] == 2

"""The way of a camera's images and their fates, without the node's states and without topics."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.serving.worker import FairWorker
from mtshare_ros.ros.camera import Camera, Received
from mtshare_ros.ros.camera_calibration import CalibrationState
from mtshare_ros.ros.parameter_values import frame_settings
from mtshare_ros.ros.parameters import TABLE
from mtshare_ros.ros.statistics import COUNTS, Statistics
from support.malformed import GOOD_INFO
from support.ros_harness import SECOND, image, wait_for

START = 5 * SECOND
VALUES = {parameter.name: parameter.default for parameter in TABLE} | {"max_failures": 2}


class Published:
    """Outputs that somebody wants, and what was published on them."""

    def __init__(self) -> None:
        """Start empty."""
        self.results: list[Any] = []
        self.needed: set[str] = {"depth"}

    def wanted(self, allowed: Any) -> set[str]:
        """Return those that may be computed."""
        return self.needed & set(allowed)

    def publish(self, result: Any) -> None:
        """Keep a result."""
        self.results.append(result)

    def destroy(self) -> None:
        """Do nothing: there are no topics."""


@dataclasses.dataclass
class Case:
    """A camera, where it publishes to and what it reported."""

    camera: Camera
    outputs: Published
    statistics: Statistics
    reports: list[tuple[str, str]]
    keys: list[Any]

    def serve(self, number: int = 0, **changes: Any) -> Received:
        """Serve an image that comes now."""
        message = image(START + number)
        for name, value in changes.items():
            setattr(message, name, value)
        received = Received(message)
        self.camera.serve(received)
        return received

    def compute(self, step: Callable[..., Any] | None = None) -> None:
        """Make a key of the newest image, by another function than the stream's."""
        stream = self.camera._channel._stream
        step = step or stream.step_view

        def noting(*arguments: Any) -> Any:
            self.keys.append(step(*arguments))
            return self.keys[-1]

        stream.step_view = noting  # type: ignore[method-assign]
        try:
            self.camera.compute()
        finally:
            del stream.step_view  # type: ignore[method-assign]

    def answer(self, number: int = 0, **changes: Any) -> None:
        """Serve an image and make a key of it."""
        self.serve(number, **changes)
        self.compute()

    @property
    def answered(self) -> list[int]:
        """The numbers of the images that were published."""
        return [r.header.stamp.nanosec for r in self.outputs.results]

    @property
    def fates(self) -> dict[str, int]:
        """The counts that aren't zero."""
        return {fate: n for fate, n in self.statistics.summary().counts.items() if n}


@pytest.fixture(scope="module")
def node(context: Any) -> Iterator[Node]:
    """A node for topics that nobody uses."""
    result = Node("camera_test", context=context)
    yield result
    result.destroy_node()


@pytest.fixture
def case(node: Node, engine: Any) -> Iterator[Case]:
    """The camera "front", which gives up after two failures."""
    statistics, reports = Statistics(), []  # type: ignore[var-annotated]
    camera = Camera(
        node,
        "front",
        engine,
        frame_settings(engine.manifest, VALUES),
        "raw",
        statistics,
        lambda *report: reports.append(report),
        on_give_up=lambda: reports.append(("gave up", "")),
    )
    camera._outputs.destroy()
    outputs = Published()
    camera._outputs = outputs  # type: ignore[assignment]
    yield Case(camera, outputs, statistics, reports, [])
    camera.destroy()


@pytest.fixture
def workers() -> Iterator[tuple[Any, Any]]:
    """The serving thread and the network's."""
    serving: FairWorker[Camera, Received] = FairWorker(Camera.serve, Camera.drop, "serving")
    network: FairWorker[Camera, None] = FairWorker(
        lambda camera, _: camera.compute(), lambda _: None, "network"
    )
    yield serving, network
    assert serving.stop(60) and network.stop(60)


def failing(*_: Any) -> Any:
    raise EngineError("the device is lost")


def test_every_fate_is_that_of_one_image(case: Case) -> None:
    case.serve(0)
    case.serve(1)  # Nothing was served yet, and the network will not come back to 0.
    case.compute()
    case.serve(2, encoding="secret")
    case.outputs.needed = set()
    case.serve(3)
    case.outputs.needed = {"depth"}
    case.camera._outputs.publish = failing  # type: ignore[method-assign]
    case.serve(4)
    case.camera.drop()
    assert case.fates == dict.fromkeys(COUNTS[1:], 1)
    assert case.answered == [1]
    assert [kind for kind, _ in case.reports] == ["front encoding", "front failed"]
    assert all(message.startswith("front/") for _, message in case.reports)


def test_a_frame_is_answered_at_once_and_the_first_when_its_key_is_there(case: Case) -> None:
    case.serve(0)
    assert case.answered == [] and case.fates == {}
    case.compute()
    for number in (1, 2):
        case.serve(number)
    assert case.answered == [0, 1, 2] and case.fates == {"processed": 3}
    assert [r.predictions.stamp - START for r in case.outputs.results] == [0, 1, 2]
    assert [r.predictions.carried for r in case.outputs.results] == [0, 1, 1]
    case.compute()
    assert case.answered == [0, 1, 2], "each image is answered once"
    assert case.statistics.summary().keys == 2


def test_an_image_whose_key_comes_after_a_newer_one_was_answered_is_not_answered(
    case: Case,
) -> None:
    case.answer(0)
    case.camera.reset("requested")
    case.serve(1)

    def meanwhile(*arguments: Any) -> Any:
        case.serve(2)
        return failing()

    case.compute(meanwhile)
    # The key of image 1 failed, and 2 waits in its turn.
    assert case.answered == [0] and case.fates == {"processed": 1, "unserved": 1}
    case.serve(3)
    assert case.fates == {"processed": 1, "unserved": 2}
    case.compute()
    assert case.answered == [0, 3]


def test_an_image_that_waits_while_the_network_is_at_it_is_answered_and_those_between_are_not(
    case: Case,
) -> None:
    case.serve(0)
    step = case.camera._channel._stream.step_view

    def meanwhile(*arguments: Any) -> Any:
        for number in (1, 2):
            case.serve(number)
        return step(*arguments)

    case.compute(meanwhile)
    assert case.answered == [0] and case.fates == {"processed": 1, "unserved": 1}
    case.serve(3)
    assert case.answered == [0, 3], "and 2 is too old by now"
    assert case.fates == {"processed": 2, "unserved": 2}


def test_images_that_wait_when_the_camera_stops_are_counted(case: Case) -> None:
    case.serve(0)
    case.camera.stop()
    case.camera.forget()
    case.camera.forget()
    assert case.fates == {"unserved": 1}


def test_an_image_is_taken_from_start_to_stop_and_served_in_its_thread(
    case: Case, workers: tuple[Any, Any]
) -> None:
    threads = []
    publish = case.outputs.publish

    def watched(result: Any) -> None:
        threads.append(threading.current_thread().name)
        publish(result)

    case.outputs.publish = watched  # type: ignore[method-assign]
    case.camera.take(image(START))
    case.camera.start(*workers)
    case.camera.take(image(START + 1))
    wait_for(lambda: case.fates.get("processed") == 1, "its key is there")
    case.camera.take(image(START + 2))
    wait_for(lambda: case.fates.get("processed") == 2, "served")
    case.camera.stop()
    case.camera.take(image(START + 3))
    assert case.fates == {"received": 2, "processed": 2} and case.answered == [1, 2]
    assert threads == ["network", "serving"]
    assert case.statistics.summary().last_reset == "activated"


def test_what_an_image_is_published_with_held_when_it_was_begun(case: Case) -> None:
    case.serve(0)
    stream = dataclasses.replace(case.camera.settings.stream, max_depth=7.0)
    case.camera.settings = dataclasses.replace(
        case.camera.settings, stream=stream, depth_encoding="16UC1"
    )
    case.compute()
    case.answer(1)
    found = [(r.max_depth, r.depth_encoding) for r in case.outputs.results]
    assert found == [(20.0, "32FC1"), (7.0, "16UC1")]


def test_an_engine_that_fails_makes_no_key_and_the_older_one_goes_on(case: Case) -> None:
    case.answer(0)
    case.serve(1)
    case.compute(failing)
    case.serve(2)
    assert case.answered == [0, 1, 2] and case.fates == {"processed": 3}
    summary = case.statistics.summary()
    assert (summary.keys, summary.failed_keys) == (1, 1)
    assert summary.reasons == {"failed_keys": "the device is lost"}
    assert case.reports == [("front failed", "front/no key made, cache reset: the device is lost")]


def test_an_image_whose_key_fails_is_unserved_at_once(case: Case) -> None:
    case.serve(0)
    case.compute(failing)
    assert case.fates == {"unserved": 1}
    # And so it is if the network was faster than the image's own thread.
    channel = case.camera._channel
    look = channel.look

    def slow(*arguments: Any) -> Any:
        found = look(*arguments)
        case.compute(failing)
        return found

    channel.look = slow  # type: ignore[method-assign]
    case.serve(1)
    assert case.fates == {"unserved": 2} and case.answered == []


def test_an_image_that_can_not_be_published_late_has_a_fate_and_the_thread_lives(
    case: Case,
) -> None:
    publish = case.outputs.publish
    case.serve(0)
    case.outputs.publish = failing  # type: ignore[method-assign]
    case.compute()
    assert case.fates == {"failed": 1} and case.reports[-1][0] == "front failed"
    case.outputs.publish = publish  # type: ignore[method-assign]
    case.answer(1)
    assert case.answered == [1] and case.fates == {"failed": 1, "processed": 1}


def test_images_that_can_not_be_published_make_the_camera_give_up_though_keys_are_made(
    case: Case,
) -> None:
    case.answer(0)
    case.outputs.publish = failing  # type: ignore[method-assign]
    for number in (1, 2):
        case.answer(number)
    assert str(case.camera.gave_up).startswith("2 frames failed in a row")
    assert case.statistics.summary().failed_keys == 0


def test_an_image_without_a_key_gets_one_however_far_apart_keys_are(
    case: Case, workers: tuple[Any, Any]
) -> None:
    stream = dataclasses.replace(case.camera.settings.stream, carry_frames=99)
    serving = dataclasses.replace(case.camera.settings.serving, max_key_age_ns=5)
    case.camera.settings = dataclasses.replace(
        case.camera.settings, stream=stream, serving=serving
    )
    case.camera.start(*workers)
    for number, fates in ((0, 1), (3, 2), (20, 3)):
        case.serve(number)
        wait_for(lambda n=fates: case.fates.get("processed") == n, f"image {number}")
    assert case.statistics.summary().keys == 2, "those of 0 and 20"


def test_the_camera_gives_up_once_and_a_start_forgets_it(
    case: Case, workers: tuple[Any, Any]
) -> None:
    for number in range(4):
        case.serve(number)
        case.compute(failing)
    cause = "2 frames failed in a row, the last with: the device is lost"
    assert case.camera.gave_up == cause
    assert [kind for kind, _ in case.reports].count("gave up") == 1
    case.camera.start(*workers)
    assert case.camera.gave_up is None
    case.camera.stop()


def test_failures_with_a_key_between_them_are_not_in_a_row(case: Case) -> None:
    for number, step in enumerate((failing, None, failing, None, failing)):
        case.serve(number)
        case.compute(step)
    assert case.camera.gave_up is None and case.statistics.summary().failed_keys == 3


@pytest.mark.parametrize("where", ["serve", "compute"])
def test_a_fault_while_the_process_shuts_down_is_not_counted(case: Case, where: str) -> None:
    case.serve(0)
    real = case.camera._node
    case.camera._node = SimpleNamespace(  # type: ignore[assignment]
        context=SimpleNamespace(ok=lambda: False)
    )
    if where == "compute":
        case.compute(failing)
    else:
        case.camera._outputs.wanted = failing  # type: ignore[method-assign]
        case.serve(1)
    case.camera._node = real
    assert case.fates == {} and case.reports == []
    assert case.statistics.summary().failed_keys == 0


def test_a_camera_info_is_used_as_long_as_it_fits(case: Case) -> None:
    assert case.camera.calibration_state() == CalibrationState("none")
    case.camera.calibration.take(GOOD_INFO)
    case.answer(0)
    message = image(START + 1, size=(64, 48))
    case.camera.serve(Received(message))
    case.compute()
    used, unused = (result.intrinsics for result in case.outputs.results)
    assert used.focal_length == GOOD_INFO.k[0] / GOOD_INFO.width and unused is None
    state = case.camera.calibration_state()
    assert state.words == "camera_info is of 160x120; expected one of the images, which are 64x48"
    assert state.warning == f"camera_info is not used: {state.words}"
    assert [kind for kind, _ in case.reports] == ["front camera_info"]


def info(fx: float) -> CameraInfo:
    """Return a CameraInfo of the images with a focal length."""
    return CameraInfo(width=160, height=120, k=[fx, 0.0, 80.0, 0.0, fx, 60.0, 0.0, 0.0, 1.0])


def test_a_camera_that_is_calibrated_anew_drops_its_keys_and_what_was_cached(case: Case) -> None:
    answered_at_once = []
    for fx in (None, None, 80.0, 80.0, 120.0, 80.0):
        if fx is not None:
            case.camera.calibration.take(info(fx))
        before = len(case.answered)
        case.serve(0)
        answered_at_once.append(len(case.answered) > before)
        case.compute()
    assert answered_at_once == [False, True, False, True, False, False]
    again = "camera_info"
    assert [key.reset for key in case.keys] == ["first frame", None, again, None, again, again]


def test_another_frame_id_is_another_camera_and_an_equal_one_the_same(case: Case) -> None:
    headers = [image(START, name).header for name in ("a", "a", "b", "b", "a")]
    for header in headers:
        case.answer(0, header=header)
    assert [key.reset for key in case.keys] == ["first frame", None, "frame_id", None, "frame_id"]
    # What is published under a name was seen by the camera of that name.
    assert [r.header.frame_id for r in case.outputs.results] == ["a", "a", "b", "b", "a"]
    assert [r.predictions.carried for r in case.outputs.results] == [0, 1, 0, 1, 0]


def test_of_several_reasons_to_drop_the_cache_the_last_is_told(case: Case) -> None:
    case.answer(0)
    case.camera.reset("requested")
    case.camera.reset("activated")
    case.answer(0)
    case.camera.reset("requested")
    case.answer(0, header=image(START, "another").header)
    case.answer(0, header=image(START, "another").header)
    resets = [key.reset for key in case.keys]
    assert resets == ["first frame", "activated", "frame_id", None]


def test_a_pause_forgets_failures_and_what_was_cached(
    case: Case, workers: tuple[Any, Any]
) -> None:
    case.answer(0)
    case.serve(1)
    case.compute(failing)
    case.camera.stop()
    case.camera.start(*workers)
    case.camera._network = None  # The keys are made here.
    case.serve(2)
    assert case.answered == [0, 1], "what was seen before the pause says nothing"
    case.compute(failing)
    assert case.camera.gave_up is None, "one failure since the pause"
    case.answer(3)
    assert not any(case.camera._failures.values()) and case.answered == [0, 1, 3]


def test_keys_are_so_many_frames_apart(case: Case, workers: tuple[Any, Any]) -> None:
    stream = dataclasses.replace(case.camera.settings.stream, carry_frames=2)
    case.camera.settings = dataclasses.replace(case.camera.settings, stream=stream)
    case.camera.start(*workers)
    for number in range(9):
        case.serve(number)
        keys = 1 + number // 3
        wait_for(lambda n=keys: case.statistics.summary().keys == n, "those of 0, 3 and 6")
        wait_for(lambda n=number: case.fates.get("processed") == n + 1, "answered")
    assert case.answered == list(range(9)) and case.fates == {"processed": 9}


def test_the_time_of_each_stage_is_told(case: Case) -> None:
    waiting = Received(image(START + 1))
    case.answer(0)
    time.sleep(0.1)  # ``waiting`` came before and waits for its turn.
    case.camera.serve(waiting)
    first, second = case.statistics._frames
    stages = {"wait", "image", "look", "serve", "publish", "latency", "age", "key_age"}
    assert stages <= set(second) and second["key_age"] == pytest.approx(1e-6)
    assert second["wait"] >= 100 and second["latency"] >= 100
    parts = ("wait", "image", "look", "serve", "publish")
    for times in (first, second):
        assert sum(times[part] for part in parts) <= times["latency"] + 1e-6
    assert first["age"] > 1e9, "the image is of 1970"
    (key,) = case.statistics._key_times
    assert {"prepare", "select", "stem", "base", "depth", "decode", "key"} <= set(key)
    assert "total" not in key


def test_no_topic_is_left_of_a_camera_that_cannot_be_made(
    node: Node, engine: Any, bundle_path: Path
) -> None:
    before = len(list(node.publishers)), len(list(node.subscriptions))
    settings = frame_settings(engine.manifest, VALUES)
    with pytest.raises(Exception, match="topic name"):
        Camera(node, "a b", engine, settings, "raw", Statistics(), print, lambda: None)
    assert (len(list(node.publishers)), len(list(node.subscriptions))) == before

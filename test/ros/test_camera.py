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
    step: Callable[..., Any]

    def serve(self, number: int = 0, **changes: Any) -> Received:
        """Serve an image that comes now."""
        message = image(START + number)
        for name, value in changes.items():
            setattr(message, name, value)
        received = Received(message)
        self.camera.serve(received)
        return received

    def replace_step(self, step: Callable[..., Any]) -> None:
        """Let the stream's ``step`` be another function."""
        self.camera._stream.step = step  # type: ignore[method-assign]

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
    yield Case(camera, outputs, statistics, reports, camera._stream.step)
    camera.destroy()


def failing(*_: Any) -> Any:
    raise EngineError("the device is lost")


def test_every_fate_is_that_of_one_image(case: Case) -> None:
    case.serve(0)
    case.serve(1, encoding="secret")
    case.outputs.needed = set()
    case.serve(2)
    case.outputs.needed = {"depth"}
    case.replace_step(failing)
    case.serve(3)
    case.camera.drop()
    assert case.fates == dict.fromkeys(COUNTS[1:], 1)
    assert [r.header.stamp.nanosec for r in case.outputs.results] == [0]
    assert [kind for kind, _ in case.reports] == ["front encoding", "front failed"]
    assert all(message.startswith("front/") for _, message in case.reports)


@pytest.mark.parametrize("abandoned", [False, True])
@pytest.mark.parametrize("raises", [False, True])
def test_a_frame_that_is_abandoned_in_work_leaves_no_trace(
    case: Case, abandoned: bool, raises: bool
) -> None:
    received = Received(image(START))

    def late(*arguments: Any) -> Any:
        if abandoned:
            case.camera.abandon(received)
        if raises:
            raise TypeError("a bug")
        return case.step(*arguments)

    case.replace_step(late)
    case.camera.serve(received)
    outcome = (len(case.outputs.results), case.fates, len(case.reports))
    if abandoned:
        assert outcome == (0, {"failed": 1}, 0), "counted when it was abandoned, once"
    else:
        assert outcome == ((0, {"failed": 1}, 1) if raises else (1, {"processed": 1}, 0))


def test_an_image_is_taken_from_start_to_stop_and_served_in_the_worker(case: Case) -> None:
    threads = []

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return case.step(*arguments)

    case.replace_step(watched)
    worker: FairWorker[Camera, Received] = FairWorker(Camera.serve, Camera.drop)
    case.camera.take(image(START))
    case.camera.start(worker)
    case.camera.take(image(START + 1))
    wait_for(lambda: "processed" in case.fates, "served")
    case.camera.stop()
    case.camera.take(image(START + 2))
    assert worker.stop(60)
    assert case.fates == {"received": 1, "processed": 1} and threads == ["perception"]
    (result,) = case.outputs.results
    assert result.header.stamp.nanosec == 1 and result.predictions.reset == "activated"


def test_what_an_image_is_published_with_held_when_it_was_begun(case: Case) -> None:
    def change(*arguments: Any) -> Any:
        stream = dataclasses.replace(case.camera.settings.stream, max_depth=7.0)
        case.camera.settings = dataclasses.replace(
            case.camera.settings, stream=stream, depth_encoding="16UC1"
        )
        return case.step(*arguments)

    case.replace_step(change)
    for number in range(2):
        case.serve(number)
    found = [(r.max_depth, r.depth_encoding) for r in case.outputs.results]
    assert found == [(20.0, "32FC1"), (7.0, "16UC1")]
    assert case.camera._stream.settings.max_depth == 7.0


def test_the_camera_gives_up_once_and_a_start_forgets_it(case: Case) -> None:
    case.replace_step(failing)
    for number in range(4):
        case.serve(number)
    cause = "2 frames failed in a row, the last with: the device is lost"
    assert case.camera.gave_up == cause
    assert [kind for kind, _ in case.reports].count("gave up") == 1
    worker: FairWorker[Camera, Received] = FairWorker(Camera.serve, Camera.drop)
    case.camera.start(worker)
    case.serve(4)
    assert worker.stop(60) and case.camera.gave_up is None


def test_a_fault_while_the_process_shuts_down_is_not_counted(case: Case) -> None:
    def shut_down(*_: Any) -> Any:
        raise RuntimeError("the context is not valid")

    case.replace_step(shut_down)
    real = case.camera._node
    case.camera._node = SimpleNamespace(  # type: ignore[assignment]
        context=SimpleNamespace(ok=lambda: False)
    )
    case.serve()
    case.camera._node = real
    assert case.fates == {} and case.reports == []


def test_a_camera_info_is_used_as_long_as_it_fits(case: Case) -> None:
    assert case.camera.calibration_state() == CalibrationState("none")
    case.camera.calibration.take(GOOD_INFO)
    case.serve(0)
    case.camera.serve(Received(image(START + 1, size=(64, 48))))
    used, unused = (result.intrinsics for result in case.outputs.results)
    assert used.focal_length == GOOD_INFO.k[0] / GOOD_INFO.width and unused is None
    state = case.camera.calibration_state()
    assert state.words == "camera_info is of 160x120; expected one of the images, which are 64x48"
    assert state.warning == f"camera_info is not used: {state.words}"
    assert [kind for kind, _ in case.reports] == ["front camera_info"]


def info(fx: float) -> CameraInfo:
    """Return a CameraInfo of the images with a focal length."""
    return CameraInfo(width=160, height=120, k=[fx, 0.0, 80.0, 0.0, fx, 60.0, 0.0, 0.0, 1.0])


def test_a_camera_that_is_calibrated_anew_drops_what_was_cached(case: Case) -> None:
    resets, scales = [], []
    step = case.step

    def noting(image: Any, stamp: int, wanted: Any, focal_length: Any) -> Any:
        found = step(image, stamp, wanted, focal_length)
        resets.append(found.reset)
        scales.append(focal_length)
        return found

    case.replace_step(noting)
    for fx in (None, None, 80.0, 80.0, 120.0, 80.0):
        if fx is not None:
            case.camera.calibration.take(info(fx))
        case.serve(0)
    assert scales == [None, None, 0.5, 0.5, 0.75, 0.5]
    again = "camera_info"
    assert resets == ["first frame", None, again, None, again, again]


def test_another_frame_id_is_another_camera_and_an_equal_one_the_same(case: Case) -> None:
    headers = [image(START, name).header for name in ("a", "a", "b", "b", "a")]
    for header in headers:
        case.serve(0, header=header)
    resets = [result.predictions.reset for result in case.outputs.results]
    assert resets == ["first frame", None, "frame_id", None, "frame_id"]


def test_of_several_reasons_to_drop_the_cache_the_last_is_told(case: Case) -> None:
    case.serve(0)
    case.camera.reset("requested")
    case.camera.reset("activated")
    case.serve(0)
    case.camera.reset("requested")
    case.serve(0, header=image(START, "another").header)
    case.serve(0, header=image(START, "another").header)
    resets = [result.predictions.reset for result in case.outputs.results]
    assert resets == ["first frame", "activated", "frame_id", None]


def test_a_pause_forgets_failures_and_what_was_cached(case: Case) -> None:
    case.serve(0)
    case.replace_step(failing)
    case.serve(1)
    worker: FairWorker[Camera, Received] = FairWorker(Camera.serve, Camera.drop)
    case.camera.stop()
    case.camera.start(worker)
    case.serve(2)
    assert case.camera.gave_up is None, "one failure since the pause"
    case.replace_step(case.step)
    case.serve(0)
    assert worker.stop(60)
    assert case.outputs.results[-1].predictions.reset == "engine failure"
    assert case.camera._failures == 0


def test_settings_that_did_not_change_leave_what_is_carried(case: Case) -> None:
    stream = dataclasses.replace(case.camera.settings.stream, carry_frames=9)
    case.camera.settings = dataclasses.replace(case.camera.settings, stream=stream)
    for _ in range(3):
        case.serve(0)
    stream = dataclasses.replace(stream, max_depth=5.0)
    case.camera.settings = dataclasses.replace(case.camera.settings, stream=stream)
    for _ in range(2):
        case.serve(0)
    found = [result.predictions for result in case.outputs.results]
    assert [f.carried for f in found] == [0, 1, 2, 0, 1]
    assert [f.reset for f in found] == ["first frame", None, None, None, None]


def test_the_time_of_each_stage_is_told_and_waiting_for_the_network_is_not_ros(case: Case) -> None:
    waiting = Received(image(START + 1))

    def slow(*arguments: Any) -> Any:
        time.sleep(0.1)
        found = case.step(*arguments)
        return dataclasses.replace(
            found, milliseconds={**found.milliseconds, "total": found.milliseconds["total"] + 100}
        )

    case.replace_step(slow)
    case.serve(0)  # ``waiting`` came before and waits for it.
    case.camera.serve(waiting)
    first, second = case.statistics._frames
    stages = {"wait", "image", "prepare", "select", "stem", "base", "depth", "decode", "total"}
    assert stages | {"publish", "latency", "ros", "age"} <= set(second)
    assert second["wait"] >= 100 and second["latency"] >= 200 and second["ros"] < 100
    parts = ("wait", "image", "total", "publish")
    assert sum(first[part] for part in parts) <= first["latency"] + 1e-6
    assert first["age"] > 1e9, "the image is of 1970"


def test_no_topic_is_left_of_a_camera_that_cannot_be_made(
    node: Node, engine: Any, bundle_path: Path
) -> None:
    before = len(list(node.publishers)), len(list(node.subscriptions))
    settings = frame_settings(engine.manifest, VALUES)
    with pytest.raises(Exception, match="topic name"):
        Camera(node, "a b", engine, settings, "raw", Statistics(), print, lambda: None)
    assert (len(list(node.publishers)), len(list(node.subscriptions))) == before

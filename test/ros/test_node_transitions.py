"""The node's transitions with cameras that are made up: what each leaves, and with which cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from mtshare_ros.ros import node as node_module
from mtshare_ros.ros.node import EXIT_PATIENCE, STALLED, PerceptionNode
from mtshare_ros.ros.parameters import ParameterError

SUCCESS, ERROR = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.ERROR


class MadeUpCameras:
    """Notes what it is told to do."""

    def __init__(self) -> None:
        """Be at no image, and have given nothing up."""
        self.told: list[Any] = []
        self.stuck: Any = None
        self.gave_up: str | None = None
        self.in_work = 0.0
        self.by_name: dict[str, Any] = {}
        self.refuses: str | None = None

    def start(self) -> None:
        """Note it."""
        self.told.append("start")

    def stop(self, patience: float) -> Any:
        """Return, once, the worker that is at an image, if there is one."""
        self.told.append(("stop", patience))
        stuck, self.stuck = self.stuck, None
        return stuck

    def close(self, patience: float) -> Any:
        """Return the worker that is at an image, if there is one."""
        self.told.append(("close", patience))
        stuck, self.stuck = self.stuck, None
        return stuck

    def reset(self, reason: str) -> None:
        """Note it."""
        self.told.append(("reset", reason))

    def apply(self, values: Any) -> None:
        """Note the values, or refuse them."""
        if self.refuses:
            raise ParameterError(self.refuses)
        self.told.append(("apply", values["max_age"]))


class MadeUpOpener:
    """Opens nothing."""

    def __init__(self, *arguments: Any, on_finished: Callable[[], None]) -> None:
        """Note what is to be opened."""
        self.arguments = arguments
        self.engine, self.error, self.progress = None, None, None
        self.finished, self.abandoned, self.ends = False, 0, True

    def abandon(self, patience: float) -> bool:
        """Return whether the thread has ended."""
        self.abandoned += 1
        return self.ends


@pytest.fixture
def node(
    context: Any, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PerceptionNode]:
    """A node that nobody spins; its bundle is never opened."""
    monkeypatch.setattr(node_module, "Opener", MadeUpOpener)
    given = {"bundle": str(bundle_path), "autostart": False, "engine_timeout": 7.0}
    result = PerceptionNode(
        context=context, parameter_overrides=[Parameter(k, value=v) for k, v in given.items()]
    )
    yield result
    result._cameras = None
    result.close()
    result.destroy_node()


def state(node: PerceptionNode) -> str:
    """Return the state that ROS has the node in."""
    return str(node._state_machine.current_state[1])


def active(node: PerceptionNode) -> MadeUpCameras:
    """Take a node to ``active``, and return its cameras."""
    node.trigger_configure()
    node._opener = None
    cameras = MadeUpCameras()
    node._cameras = cameras  # type: ignore[assignment]
    node.trigger_activate()
    assert state(node) == node._state == "active" and cameras.told == ["start"]
    cameras.told.clear()
    return cameras


def test_a_pause_waits_for_the_image_in_work_as_long_as_the_engine_may_take(
    node: PerceptionNode,
) -> None:
    cameras = active(node)
    assert node.trigger_deactivate() == SUCCESS
    assert state(node) == node._state == "inactive" and node._cause is None
    assert cameras.told == [("stop", 7.0)] and node._cameras is cameras
    node.trigger_activate()
    assert cameras.told[1:] == ["start"] and state(node) == "active"


def test_a_pause_while_failing_is_an_error_that_keeps_its_cause(node: PerceptionNode) -> None:
    cameras = active(node)
    cameras.gave_up = "3 frames failed in a row"
    node._on_gave_up()
    assert state(node) == node._state == "unconfigured"
    assert node._cause == "3 frames failed in a row"
    # An engine that fails is not waited for.
    assert cameras.told == [("stop", EXIT_PATIENCE), ("close", EXIT_PATIENCE)]
    assert node._cameras is None and node._condition("").cause == node._cause
    node.trigger_configure()
    assert node._cause is None and state(node) == "inactive"


def test_a_pause_in_which_the_engine_does_not_come_back_is_an_error(node: PerceptionNode) -> None:
    cameras = active(node)
    asked: list[float] = []

    def stop(patience: float) -> bool:
        asked.append(patience)
        return False

    cameras.stuck = SimpleNamespace(stop=stop)
    node.trigger_deactivate()
    assert state(node) == node._state == "unconfigured"
    assert node._cause == "the engine has not finished a frame within 7 s"
    assert not node.close() and asked, "its thread is waited for at the end"


def test_giving_up_counts_only_while_images_are_taken(node: PerceptionNode) -> None:
    cameras = active(node)
    node._on_gave_up()
    assert state(node) == "active", "nothing was given up"
    node.trigger_deactivate()
    cameras.gave_up = "3 frames failed in a row"
    node._on_gave_up()
    assert state(node) == node._state == "inactive" and node._cause is None


@pytest.mark.parametrize(("seconds", "expected"), [(7.0, "active"), (7.1, "unconfigured")])
def test_an_engine_that_hangs_is_given_up_after_its_time(
    node: PerceptionNode, seconds: float, expected: str
) -> None:
    active(node).in_work = seconds
    node._watch()
    assert state(node) == node._state == expected
    hangs = "the engine has not finished a frame within 7 s"
    assert node._cause == (None if expected == "active" else hangs)


def test_an_engine_that_is_long_at_a_frame_is_told_of(
    node: PerceptionNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras: Any = active(node)
    camera = SimpleNamespace(
        computing=lambda: ("depth",), calibration_state=lambda: None, why_silent=lambda: ""
    )
    manifest = SimpleNamespace(name="room", private={"depth": SimpleNamespace(rho=0.25)})
    cameras.engine = SimpleNamespace(name="onnxruntime", manifest=manifest)
    cameras.by_name = {"": camera}
    for seconds, stalled in ((0.0, 0.0), (STALLED, 0.0), (STALLED + 0.1, STALLED + 0.1)):
        cameras.in_work = seconds
        found = node._condition("")
        assert (found.stalled, found.state, found.backend) == (stalled, "active", "onnxruntime")
    assert found.private_share == {"depth": 0.25} and found.computing == ("depth",)


@pytest.mark.parametrize("label", ["cleanup", "shutdown"])
def test_what_ends_closes_the_cameras_once(node: PerceptionNode, label: str) -> None:
    cameras = active(node)
    node.trigger_deactivate()
    cameras.told.clear()
    getattr(node, f"trigger_{label}")()
    expected = {"cleanup": "unconfigured", "shutdown": "finalized"}[label]
    assert state(node) == node._state == expected
    assert cameras.told == [("close", EXIT_PATIENCE)] and node._cameras is None


def test_an_active_node_can_be_shut_down(node: PerceptionNode) -> None:
    cameras = active(node)
    node.trigger_shutdown()
    assert state(node) == node._state == "finalized" and node._cameras is None
    assert cameras.told == [("close", EXIT_PATIENCE)]


def test_a_bundle_that_is_still_being_opened_is_abandoned_with_its_state(
    node: PerceptionNode,
) -> None:
    node.trigger_configure()
    opener: Any = node._opener
    assert node._condition("").state == "opening" and opener.abandoned == 0
    opener.ends = False
    node.trigger_cleanup()
    assert node._opener is None and opener.abandoned == 1
    assert not node.close(), "its thread is still at it"
    opener.ends = True
    assert node.close()


@pytest.mark.parametrize("is_active", [False, True])
def test_a_bundle_that_can_not_be_opened_leaves_the_node_unconfigured(
    node: PerceptionNode, is_active: bool
) -> None:
    node.trigger_configure()
    if is_active:
        node.trigger_activate()
    opener: Any = node._opener
    node._on_opened()
    assert node._opener is opener, "it is not finished yet"
    opener.finished, opener.error = True, "bundle x not opened:\nno such file"
    node._on_opened()
    assert state(node) == node._state == "unconfigured"
    assert node._cause == "bundle x not opened: no such file" and node._opener is None
    node._on_opened()  # the guard may be triggered again
    assert state(node) == "unconfigured"


def test_a_node_that_is_configured_for_other_cameras_counts_theirs_from_zero(
    node: PerceptionNode,
) -> None:
    assert list(node._statistics) == [""]
    active(node)
    node._statistics[""].count("failed")
    (refused,) = node.set_parameters([Parameter("cameras", value=["left", "right"])])
    assert not refused.successful and "can't be changed now" in refused.reason
    node.trigger_deactivate()
    node.trigger_cleanup()
    (taken,) = node.set_parameters([Parameter("cameras", value=["left", "right"])])
    assert taken.successful
    node.trigger_configure()
    assert list(node._statistics) == ["left", "right"]
    assert node._condition("left").cameras == 2
    node.trigger_cleanup()
    node.set_parameters([Parameter("cameras", value=["left"])])
    node._statistics["left"].count("failed")
    node.trigger_configure()
    assert list(node._statistics) == ["left"]
    assert not any(node._statistics["left"].summary().counts.values())


def test_a_value_that_the_bundle_refuses_changes_nothing(node: PerceptionNode) -> None:
    cameras = active(node)
    cameras.refuses = "tasks has colour"
    (refused,) = node.set_parameters([Parameter("max_age", value=5)])
    assert not refused.successful and refused.reason == "tasks has colour"
    assert node._values["max_age"] != 5 != node.get_parameter("max_age").value
    cameras.refuses = None
    (taken,) = node.set_parameters([Parameter("max_age", value=5)])
    assert taken.successful and node._values["max_age"] == 5 and cameras.told == [("apply", 5)]


def test_a_bundle_that_is_none_is_refused_before_anything_is_opened(
    node: PerceptionNode, tmp_path: Path
) -> None:
    node.set_parameters([Parameter("bundle", value=str(tmp_path))])
    node._autostarting = True
    node.trigger_configure()
    assert state(node) == node._state == "unconfigured" and node._opener is None
    assert str(tmp_path) in str(node._cause) and not node._autostarting


def test_the_cache_is_dropped_on_request_where_there_is_one(node: PerceptionNode) -> None:
    answer = node._on_reset(Trigger.Request(), Trigger.Response())
    assert not answer.success and answer.message == "no bundle is open"
    cameras = active(node)
    answer = node._on_reset(Trigger.Request(), Trigger.Response())
    assert answer.success and cameras.told == [("reset", "requested")]

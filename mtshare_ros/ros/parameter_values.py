"""The values of the node's parameters: at its start, when they change, and for a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.serving.server import ServeSettings
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros.parameter_sources import check_unknown, given_to_all
from mtshare_ros.ros.parameters import (
    ALL_TASKS,
    BY_NAME,
    CONFIGURE,
    START,
    TABLE,
    ParameterError,
)
from mtshare_ros.ros.quality_of_service import PREFIX

_REFUSALS = {
    CONFIGURE: "it is read when the node is configured; clean the node up first",
    START: "it is read when the node starts; restart the node",
}


def declare(node: Node, arguments: Sequence[str]) -> dict[str, Any]:
    """Declare every parameter and return the values the node was started with.

    Args:
        node: The node.
        arguments: Arguments of the process.

    Raises:
        ParameterError: A value given at the start can't be taken, or there is no such parameter
            and it was meant for this node.
    """
    # A misspelt name would else be passed over, and the default be used. rclpy has no public way
    # to the names that were given.
    for_all = given_to_all(arguments, node.get_name())
    for name in node._parameter_overrides:
        # rclpy has declared its own by now; those of QoS come with their topics.
        known = name in BY_NAME or name.startswith(PREFIX) or node.has_parameter(name)
        if not known:
            node.get_logger().warning(check_unknown(name, node.get_name(), for_all))
    values = {}
    for parameter in TABLE:
        # Ranges are left to ``check``, whose message names the parameter and the limits.
        declared = node.declare_parameter(
            parameter.name, parameter.default, ParameterDescriptor(dynamic_typing=True)
        )
        values[parameter.name] = parameter.check(declared.value)
        node.set_descriptor(parameter.name, parameter.descriptor())
    return values


def changed(
    values: Mapping[str, Any], changes: Mapping[str, Any], configured: bool
) -> dict[str, Any]:
    """Return the values after some changes at run time.

    Args:
        values: Values of all parameters.
        changes: New values; names that aren't in the table (``use_sim_time``) are passed over.
        configured: Whether the node is configured, and parameters read then are fixed.

    Raises:
        ParameterError: A value can't be taken, or a fixed parameter would change.
    """
    result = dict(values)
    for name, value in changes.items():
        parameter = BY_NAME.get(name)
        if parameter is None:
            continue
        result[name] = parameter.check(value)
        fixed = parameter.holds_from == START or (configured and parameter.holds_from == CONFIGURE)
        if fixed and result[name] != values[name]:
            raise ParameterError(f"{name} can't be changed now: {_REFUSALS[parameter.holds_from]}")
    return result


@dataclass(frozen=True)
class FrameSettings:
    """What the parameters say about a frame.

    Attributes:
        stream: Settings of the network's stream.
        serving: Settings of the frames that are served.
        wait_seconds: Time that a frame waits for the network before it is served from a key.
        tasks: Tasks that may be computed.
        intrinsics: Which matrix of a CameraInfo is taken: one of ``calibration.WISHES``.
        depth_encoding: ``32FC1`` (metres) or ``16UC1`` (millimetres).
        max_failures: Failed frames in a row after which a camera gives up.
    """

    stream: StreamSettings
    serving: ServeSettings
    wait_seconds: float
    tasks: frozenset[str]
    intrinsics: str
    depth_encoding: str
    max_failures: int


def frame_settings(manifest: Manifest, values: Mapping[str, Any]) -> FrameSettings:
    """Return what the values of all parameters say about a frame of a bundle.

    Raises:
        ParameterError: The bundle lacks a task that ``tasks`` or ``task_every`` names.
    """
    return FrameSettings(
        stream=StreamSettings(
            max_dirty_fraction=values["max_dirty_fraction"],
            deadline_ms=values["deadline_ms"],
            change_threshold=values["change_threshold"],
            max_age=values["max_age"],
            carry_frames=values["carry_frames"],
            output_size=values["output_size"],
            max_depth=values["max_depth"],
            policy=values["policy"],
            task_every=_task_every(manifest, values["task_every"]),
        ),
        serving=ServeSettings(
            fill=values["unknown"] == "fill",
            fuse=values["fuse"],
            max_key_age_ns=round(1e9 * values["max_key_age"]),
            max_depth=values["max_depth"],
        ),
        wait_seconds=1e-3 * values["network_wait_ms"],
        tasks=_allowed_tasks(manifest, values["tasks"]),
        intrinsics=values["intrinsics"],
        depth_encoding=values["depth_encoding"],
        max_failures=values["max_failures"],
    )


def _allowed_tasks(manifest: Manifest, tasks: Sequence[str]) -> frozenset[str]:
    names = _checked_names(manifest, "tasks", tasks)
    return frozenset(names if ALL_TASKS in tasks else tasks)


def _task_every(manifest: Manifest, rates: Sequence[str]) -> dict[str, int]:
    """Return task -> frames."""
    parsed = {task: int(frames) for task, _, frames in (rate.partition(":") for rate in rates)}
    names = _checked_names(manifest, "task_every", parsed)
    others = parsed.pop(ALL_TASKS, 1)
    return {name: parsed.get(name, others) for name in names}


def _checked_names(manifest: Manifest, parameter: str, tasks: Iterable[str]) -> list[str]:
    """Return the names of the bundle's tasks; raise ParameterError unless it has ``tasks``."""
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in tasks if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"{parameter} has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    return names

"""The values of the node's parameters: at its start and when they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.ros.parameters import (
    ALL_TASKS,
    BY_NAME,
    CONFIGURE,
    START,
    TABLE,
    ParameterError,
    named,
)

_REFUSALS = {
    CONFIGURE: "it is read when the node is configured; clean the node up first",
    START: "it is read when the node starts; restart the node",
}


def declare(node: Node) -> dict[str, Any]:
    """Declare every parameter and return the values the node was started with.

    Raises:
        ParameterError: A value given at the start can't be taken, or there is no such parameter.
    """
    # A misspelt name would else be passed over, and the default be used. rclpy has no public way
    # to the names that were given.
    for name in node._parameter_overrides:
        # rclpy has declared its own by now; those of QoS come with their topics.
        if not (name.startswith("qos_overrides.") or node.has_parameter(name)):
            named(name)
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


def allowed_tasks(manifest: Manifest, tasks: Sequence[str]) -> frozenset[str]:
    """Return the tasks that the parameter ``tasks`` means.

    Raises:
        ParameterError: The bundle lacks one of them.
    """
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in tasks if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"tasks has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    return frozenset(names if ALL_TASKS in tasks else tasks)


def task_every(manifest: Manifest, rates: Sequence[str]) -> dict[str, int]:
    """Return what the parameter ``task_every`` means: task -> frames.

    Raises:
        ParameterError: The bundle lacks one of the tasks.
    """
    parsed = {task: int(frames) for task, _, frames in (rate.partition(":") for rate in rates)}
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in parsed if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"task_every has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    others = parsed.pop(ALL_TASKS, 1)
    return {name: parsed.get(name, others) for name in names}

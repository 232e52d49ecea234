"""The node's DiagnosticStatus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from mtshare_ros.ros.statistics import Summary


@dataclass(frozen=True)
class Condition:
    """What the node is doing, beside its frames.

    Attributes:
        state: ``unconfigured``, ``opening`` (the bundle), ``inactive``, ``active`` or
            ``finalized``.
        bundle: The bundle's folder, or its name and folder once opened.
        backend: Name of the engine, or the one asked for.
        cause: Why the node isn't configured, or None.
        computing: Tasks somebody subscribes to.
        camera_info: The state of ``camera_info``, in words.
        progress: How far opening the bundle is, in words, where that takes long, or None.
    """

    state: str
    bundle: str
    backend: str
    cause: str | None = None
    computing: tuple[str, ...] = ()
    camera_info: str = "none"
    progress: str | None = None


def status_name(node: str) -> str:
    """Return the name of the status of a node, given by its full name."""
    return f"{node.lstrip('/')}: perception"


def status(
    node: str, condition: Condition, summary: Summary, previous: Mapping[str, int]
) -> DiagnosticStatus:
    """Return the status.

    Args:
        node: Full name of the node.
        condition: What the node is doing.
        summary: What happened to its frames.
        previous: Counts of the summary before: what grew since decides the level.
    """
    level, message = _level(condition, summary, previous)
    values = {
        "state": condition.state,
        "bundle": condition.bundle,
        "backend": condition.backend,
        "computing": ", ".join(condition.computing),
        "camera_info": condition.camera_info,
        "fps": f"{summary.fps:.2f}",
    }
    if condition.cause is not None:
        values["cause"] = condition.cause
    if condition.progress is not None:
        values["progress"] = condition.progress
    values.update((name, str(count)) for name, count in summary.counts.items())
    if summary.dirty_fraction is not None:
        values["dirty_fraction_mean"] = f"{summary.dirty_fraction:.4f}"
    for stage, percentiles in summary.milliseconds.items():
        for percentile, value in percentiles.items():
            values[f"{stage}_ms_p{percentile}"] = f"{value:.3f}"
    return DiagnosticStatus(
        level=level,
        name=status_name(node),
        message=message,
        hardware_id=condition.backend,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _level(
    condition: Condition, summary: Summary, previous: Mapping[str, int]
) -> tuple[bytes, str]:
    if condition.cause is not None:
        return DiagnosticStatus.ERROR, condition.cause
    if condition.state != "active":
        return DiagnosticStatus.OK, condition.progress or condition.state
    grown = {name: count - previous.get(name, 0) for name, count in summary.counts.items()}
    if grown["failed"]:
        return DiagnosticStatus.ERROR, f"the engine failed on {grown['failed']} frames"
    if grown["rejected"]:
        return DiagnosticStatus.WARN, f"{grown['rejected']} images could not be read"
    if not grown["received"]:
        return DiagnosticStatus.WARN, "no images"
    if grown["skipped"] and not grown["processed"]:
        return DiagnosticStatus.OK, "nobody subscribes"
    return DiagnosticStatus.OK, f"{summary.fps:.1f} frames per second"

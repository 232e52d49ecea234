"""The node's diagnostics: one status per camera, published regularly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from mtshare_ros.ros.camera_calibration import CalibrationState
from mtshare_ros.ros.statistics import Statistics, Summary

_SERVING = ("image", "look", "network_wait", "serve", "publish")
"""Stages of an image that is served; the others are those of keys, or hold several stages."""


@dataclass(frozen=True)
class Thresholds:
    """From where on a camera that is served counts as one that isn't served well.

    Attributes:
        warn_dropped: Part of the received images that is dropped.
        warn_latency_ms: p95 of the time from callback to last output, for a warning.
        error_latency_ms: The same, for an error.
    """

    warn_dropped: float = 0.5
    warn_latency_ms: float = 200.0
    error_latency_ms: float = 1000.0


@dataclass(frozen=True)
class Condition:
    """What the node is doing, beside a camera's frames.

    Attributes:
        state: ``unconfigured``, ``opening`` (the bundle), ``inactive``, ``active`` or
            ``finalized``.
        bundle: The bundle's folder, or its name and folder once opened.
        backend: Name of the engine, or the one asked for.
        cause: Why the node isn't configured, or None.
        stalled: For how many seconds the engine has been at one frame, if that is long; else 0.
        namesakes: Other nodes of the same name.
        cameras: Cameras that share the engine, with this one.
        computing: Tasks somebody subscribes to.
        calibration: How the camera is calibrated.
        damage: What is said of damaged pictures, or None where they are noticed.
        silence: Returns why no images come, in words.
        progress: How far opening the bundle is, in words, where that takes long, or None.
        private_share: Sub-task -> private multiply-adds by those of the dense network.
        memory_mib: Resident memory of the process.
    """

    state: str
    bundle: str
    backend: str
    cause: str | None = None
    stalled: float = 0.0
    namesakes: int = 0
    cameras: int = 1
    computing: tuple[str, ...] = ()
    calibration: CalibrationState = CalibrationState("none")
    damage: str | None = None
    silence: Callable[[], str] = lambda: "no images"
    progress: str | None = None
    private_share: Mapping[str, float] = field(default_factory=dict)
    memory_mib: float = 0.0


def status_name(node: str, camera: str = "") -> str:
    """Return the name of the status of a node, given by its full name, or of one camera of it."""
    return f"{node.lstrip('/')}: perception {camera}".rstrip()


def status(
    name: str,
    condition: Condition,
    summary: Summary,
    previous: Mapping[str, int],
    thresholds: Thresholds = Thresholds(),
) -> DiagnosticStatus:
    """Return the status.

    Args:
        name: See ``status_name``.
        condition: What the node is doing.
        summary: What happened to the camera's frames.
        previous: What ``counted`` gave of the summary before: what grew decides the level.
        thresholds: From where on something is wrong.
    """
    counts = counted(summary)
    grown = {name: count - previous.get(name, 0) for name, count in counts.items()}
    level, message = _level(condition, summary, grown, thresholds)
    values = {
        "state": condition.state,
        "bundle": condition.bundle,
        "backend": condition.backend,
        "computing": ", ".join(condition.computing),
        "camera_info": condition.calibration.words,
        "fps": f"{summary.fps:.2f}",
        "received_fps": f"{summary.received_fps:.2f}",
        "key_fps": f"{summary.key_fps:.2f}",
        "resets": str(summary.resets),
        "last_reset": summary.last_reset or "",
        "private_share": ", ".join(f"{t} {rho:.3f}" for t, rho in condition.private_share.items()),
        "memory_mib": f"{condition.memory_mib:.1f}",
    }
    if condition.cause is not None:
        values["cause"] = condition.cause
    if condition.damage is not None:
        values["damage"] = condition.damage
    if condition.progress is not None:
        values["progress"] = condition.progress
    values.update((name, str(count)) for name, count in counts.items())
    values.update((f"{fate}_because", reason) for fate, reason in summary.reasons.items())
    if summary.coverage is not None:
        values["coverage"] = f"{summary.coverage:.4f}"
    if summary.dirty_fraction is not None:
        values["dirty_fraction_mean"] = f"{summary.dirty_fraction:.4f}"
    for stage, percentiles in summary.milliseconds.items():
        for percentile, value in percentiles.items():
            values[f"{stage}_ms_p{percentile}"] = f"{value:.3f}"
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=condition.backend,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def counted(summary: Summary) -> dict[str, int]:
    """Return what is counted: frames by their fates, and the network's results."""
    return {**summary.counts, "keys": summary.keys, "failed_keys": summary.failed_keys}


def _level(
    condition: Condition, summary: Summary, grown: Mapping[str, int], thresholds: Thresholds
) -> tuple[bytes, str]:
    error, warn, ok = DiagnosticStatus.ERROR, DiagnosticStatus.WARN, DiagnosticStatus.OK
    if condition.cause is not None:
        return error, condition.cause
    if condition.namesakes:
        return warn, f"{condition.namesakes} other nodes have this name; their outputs mix"
    if condition.state != "active":
        return ok, condition.progress or condition.state
    if condition.stalled:
        return error, f"the engine has been at one frame for {condition.stalled:.1f} s"
    if grown["failed_keys"]:
        because = _because(summary, "failed_keys")
        return error, f"the engine failed on {grown['failed_keys']} frames{because}"
    if grown["failed"]:
        return error, f"{grown['failed']} images could not be served{_because(summary, 'failed')}"
    if grown["rejected"]:
        return warn, f"{grown['rejected']} images could not be read{_because(summary, 'rejected')}"
    if not grown["received"]:
        return warn, condition.silence()
    if grown["skipped"] and not grown["processed"]:
        return ok, "nobody subscribes"
    if grown["unserved"] and not grown["processed"]:
        return warn, f"{grown['unserved']} images came without a key that says anything about them"
    level, message = _pace(condition, summary, grown, thresholds)
    doubts = [text for text in (condition.calibration.warning, condition.damage) if text]
    return max(level, warn) if doubts else level, "; ".join([message, *doubts])


def _because(summary: Summary, fate: str) -> str:
    """Return the reason of the last frame with a fate, in words."""
    return f", the last one: {summary.reasons[fate]}" if fate in summary.reasons else ""


def _pace(
    condition: Condition, summary: Summary, grown: Mapping[str, int], thresholds: Thresholds
) -> tuple[bytes, str]:
    """Return level and message of how fast the images of a camera that works are served."""
    error, warn, ok = DiagnosticStatus.ERROR, DiagnosticStatus.WARN, DiagnosticStatus.OK
    rate = f"{summary.fps:.1f} of {summary.received_fps:.1f} images per second"
    age = summary.milliseconds.get("key_age", {}).get(50)
    if age is not None:
        rate += f", from keys {age:.0f} ms old"
    latency = summary.milliseconds.get("latency", {}).get(95, 0.0)
    if latency > thresholds.warn_latency_ms:
        level = error if latency > thresholds.error_latency_ms else warn
        return level, f"{rate}, {latency:.0f} ms late; {_reason(condition, summary)}"
    if grown["dropped"] > thresholds.warn_dropped * grown["received"]:
        return warn, f"{rate}; {_reason(condition, summary)}"
    return ok, rate


def _reason(condition: Condition, summary: Summary) -> str:
    """Return where the time of an image goes, in words."""
    medians = {stage: times[50] for stage, times in summary.milliseconds.items()}
    parts = {stage: medians[stage] for stage in _SERVING if stage in medians}
    words = []
    if parts:
        slowest = max(parts, key=lambda stage: parts[stage])
        words.append(
            f"an image takes {sum(parts.values()):.0f} ms, most of it {slowest} "
            f"({parts[slowest]:.0f} ms)"
        )
    if "key" in medians:
        words.append(f"a key takes {medians['key']:.0f} ms")
    if summary.dirty_fraction is not None:
        words.append(f"{summary.dirty_fraction:.0%} of the tokens are recomputed")
    if condition.cameras > 1:
        words.append(f"{condition.cameras} cameras take turns")
    if summary.last_reset is not None:
        words.append(f"the cache was dropped {summary.resets} times, last: {summary.last_reset}")
    return ", ".join(words)


class Health:
    """Publishes on ``/diagnostics`` how a node and its cameras are."""

    def __init__(self, node: Node) -> None:
        """Create the publisher."""
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._before: dict[str, tuple[Statistics, dict[str, int]]] = {}

    def publish(
        self,
        statistics: Mapping[str, Statistics],
        condition: Callable[[str], Condition],
        values: Mapping[str, Any],
    ) -> None:
        """Publish a status for each camera.

        Args:
            statistics: Camera -> what happened to its frames.
            condition: Returns what the node is doing for a camera.
            values: Values of all parameters.
        """
        thresholds = Thresholds(
            warn_dropped=values["warn_dropped"],
            warn_latency_ms=values["warn_latency_ms"],
            error_latency_ms=values["error_latency_ms"],
        )
        node = self._node.get_fully_qualified_name()
        message = DiagnosticArray()
        for camera, now in statistics.items():
            summary = now.summary()
            before, counts = self._before.get(camera, (now, {}))
            # Counts of another configuration say nothing about this one.
            previous = counts if before is now else {}
            name = status_name(node, camera)
            message.status.append(status(name, condition(camera), summary, previous, thresholds))
            self._before[camera] = now, counted(summary)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def namesakes(self) -> int:
        """Return how many other nodes have this node's name."""
        own = (self._node.get_name(), self._node.get_namespace())
        # Discovery may not have come back to this node itself yet.
        return max(0, self._node.get_node_names_and_namespaces().count(own) - 1)

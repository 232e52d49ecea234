"""The node's diagnostics as messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from mtshare_ros.ros.diagnostics import Condition, Thresholds, status, status_name
from mtshare_ros.ros.statistics import Statistics


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
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray()
        for camera, now in statistics.items():
            summary = now.summary()
            before, counts = self._before.get(camera, (now, {}))
            message.status.append(
                status(
                    status_name(name, camera),
                    condition(camera),
                    summary,
                    # Those of another configuration say nothing about this one.
                    counts if before is now else {},
                    thresholds,
                )
            )
            self._before[camera] = now, summary.counts
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def namesakes(self) -> int:
        """Return how many other nodes have this node's name."""
        own = (self._node.get_name(), self._node.get_namespace())
        # Discovery may not have come back to this node itself yet.
        return max(0, self._node.get_node_names_and_namespaces().count(own) - 1)

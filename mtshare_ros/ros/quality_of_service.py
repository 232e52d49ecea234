"""What can be overridden of the topics' QoS, and the overrides that nobody honours."""

from __future__ import annotations

from collections.abc import Collection

from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind

from mtshare_ros.ros.parameters import ParameterError

PREFIX = "qos_overrides."
"""What the names of parameters with QoS overrides begin with."""
POLICIES = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
OVERRIDABLE = QoSOverridingOptions(policy_kinds=POLICIES)
"""What parameters ``qos_overrides.TOPIC.subscription.POLICY`` and ``.publisher.`` can set."""


def check_overrides(node: Node, given: Collection[str], topics: Collection[str]) -> None:
    """Refuse an override of one of the node's topics that nothing took.

    It is called when all topics are created: each takes the overrides that it knows.

    Args:
        node: The node.
        given: Names of the parameters that the node was started with.
        topics: Resolved names of the node's topics.

    Raises:
        ParameterError: An override can't be honoured.
    """
    for name in given:
        topic = name.removeprefix(PREFIX).partition(".")[0]
        if name.startswith(PREFIX) and topic in topics and not node.has_parameter(name):
            policies = ", ".join(policy.name.lower() for policy in POLICIES)
            raise ParameterError(
                f"{name} can't be honoured; expected {PREFIX}{topic}.subscription or .publisher,"
                f" as the node has it, with one of {policies}"
            )

"""Why no images come: what is on the topic instead, and which topic may be meant."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from mtshare_ros.perception.camera.calibration import base_topic

TRANSPORTS = {"sensor_msgs/msg/Image": "raw", "sensor_msgs/msg/CompressedImage": "compressed"}
"""Type of images -> value of the parameter ``image_transport``."""
MOST_NAMED = 3
"""Topics that are suggested at most."""


def why_silent(node: Node, name: str, type_: Any, topic: str, profile: QoSProfile) -> str:
    """Return why a subscription to images hears nothing, in one line.

    Args:
        node: The node with the subscription.
        name: Name of the images' topic that a launch file remaps.
        type_: Class of the messages.
        topic: Resolved name of the topic that is subscribed to.
        profile: QoS of the subscription.
    """
    wanted = f"sensor_msgs/msg/{type_.__name__}"
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        return f"no images: nobody publishes on {topic}{_likely(node, name, wanted)}"
    for publisher in publishers:
        if publisher.topic_type != wanted:
            return (
                f"no images: {topic} has {publisher.topic_type} of {_name(publisher)}, expected"
                f" {wanted}{_likely(node, name, wanted)}"
            )
        compatible, reason = qos_check_compatible(publisher.qos_profile, profile)
        if compatible == QoSCompatibility.ERROR:
            return f"no images: the QoS of {_name(publisher)} on {topic} doesn't fit: {reason}"
    sources = ", ".join(f"{_name(p)} ({_quality(p.qos_profile)})" for p in publishers)
    return f"no images: {sources} publishes on {topic}, but sent nothing lately"


def _name(publisher: Any) -> str:
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"


def _quality(profile: QoSProfile) -> str:
    return f"{profile.reliability.name}, {profile.durability.name}".lower().replace("_", " ")


def _likely(node: Node, name: str, wanted: str) -> str:
    """Return which topics may be meant and what to do, in words; nothing if there are none."""
    own = f"{node.get_fully_qualified_name()}/"
    found: dict[str, list[str]] = {type_: [] for type_ in TRANSPORTS}
    for topic, types in sorted(node.get_topic_names_and_types()):
        for type_ in types:
            if type_ in found and not topic.startswith(own):
                if node.count_publishers(topic):
                    found[type_].append(base_topic(topic))
    other = next(type_ for type_ in TRANSPORTS if type_ != wanted)
    for type_, change in (
        (wanted, ""),
        (other, f" and set image_transport to {TRANSPORTS[other]}"),
    ):
        if found[type_]:
            named = ", ".join(found[type_][:MOST_NAMED])
            return f"; there are images on {named}: remap {name}:={found[type_][0]}{change}"
    return ""

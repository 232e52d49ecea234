"""Overrides of the topics' QoS: honoured, or a cause."""

from types import SimpleNamespace

import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from mtshare_ros.ros.parameters import ParameterError
from mtshare_ros.ros.quality_of_service import check_overrides
from support.ros_harness import perception_node, wait_for


def test_the_error_names_the_policies_that_a_topic_takes():
    node = SimpleNamespace(has_parameter=lambda name: False)
    topics = {"/image"}
    check_overrides(node, ["max_age", "qos_overrides./other.subscription.depth"], topics)
    with pytest.raises(ParameterError, match="one of history, depth, reliability, durability$"):
        check_overrides(node, ["qos_overrides./image.subscription.deadline"], topics)


def opened(context, bundle_path, **overrides):
    given = {f"qos_overrides.{name}": value for name, value in overrides.items()}
    return perception_node(context, bundle=str(bundle_path), **given)


def test_each_policy_of_a_topic_can_be_set(context, bundle_path):
    topic = "/camera_info.subscription"
    overrides = {f"{topic}.durability": "transient_local", f"{topic}.reliability": "reliable"}
    with opened(context, bundle_path, **overrides) as node:
        wait_for(lambda: node._cameras or node._cause, "bundle open")
        assert node._cause is None
        found = node.get_subscriptions_info_by_topic("/camera_info")
        profiles = [entry.qos_profile for entry in found]
        assert profiles
        (image,) = node.get_subscriptions_info_by_topic("/image")
        assert image.qos_profile.durability == DurabilityPolicy.VOLATILE, "of that topic alone"
        for profile in profiles:
            assert profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            assert profile.reliability == ReliabilityPolicy.RELIABLE


@pytest.mark.parametrize(
    "name",
    [
        "/camera_info.subscription.deadline",
        "/camera_info.subscription.durabilty",
        "/camera_info.publisher.durability",
        "/perception_node/depth/image.subscription.reliability",
    ],
)
def test_one_that_can_not_be_honoured_is_a_cause(context, bundle_path, name):
    with opened(context, bundle_path, **{name: "reliable"}) as node:
        wait_for(lambda: node._cause, "the failure")
        assert f"qos_overrides.{name} can't be honoured" in node._cause


def test_those_of_other_nodes_topics_are_passed_over(context, bundle_path):
    overrides = {"/other.subscription.reliability": "reliable"}
    with opened(context, bundle_path, **overrides) as node:
        wait_for(lambda: node._cameras or node._cause, "bundle open")
        assert node._cause is None

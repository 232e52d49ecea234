"""Why no images come."""

import gc
import time

import pytest
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from mtshare_ros.ros.silence import why_silent
from support.ros_harness import wait_for

INPUT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


@pytest.fixture
def node(context):
    made = Node("listener", context=context)
    yield made
    made.destroy_node()


@pytest.fixture
def driver(context):
    made = Node("driver", namespace="/front", context=context)
    yield made
    made.destroy_node()
    # A node stays in the graph until its cycles are collected.
    del made
    gc.collect()


def reason(node, type_=Image, topic="/image", profile=INPUT):
    return why_silent(node, "image", type_, topic, profile)


def says(node, text, **arguments):
    wait_for(lambda: text in reason(node, **arguments), text)


def test_nobody_publishes(node):
    wait_for(lambda: reason(node) == "no images: nobody publishes on /image", "no topic")


def test_the_topics_with_images_are_named_and_how_to_remap(node, driver):
    driver.create_publisher(Image, "image_raw", 1)
    driver.create_publisher(Image, "image_rect", 1)
    driver.create_publisher(String, "words", 1)
    says(
        node,
        "there are images on /front/image_raw, /front/image_rect: remap image:=/front/image_raw",
    )
    assert "image_transport" not in reason(node)


def test_images_of_the_other_transport_are_named_with_the_parameter(node, driver):
    driver.create_publisher(CompressedImage, "image_raw/compressed", 1)
    says(node, "remap image:=/front/image_raw and set image_transport to compressed")
    says(
        node,
        "there are images on /front/image_raw: remap image:=/front/image_raw",
        type_=CompressedImage,
        topic="/image/compressed",
    )


def test_three_topics_are_named_at_most_and_raw_ones_before_compressed_ones(node, driver):
    for name in "dbca":
        driver.create_publisher(Image, name, 1)
    driver.create_publisher(CompressedImage, "a/compressed", 1)
    topics = "there are images on /front/a, /front/b, /front/c"
    wait_for(lambda: node.count_publishers("/front/a/compressed"), "the compressed topic")
    wait_for(lambda: node.count_publishers("/front/d"), "the last topic")
    assert reason(node).endswith(f"{topics}: remap image:=/front/a")


def test_only_topics_that_somebody_publishes_are_suggested(node, driver):
    driver.create_subscription(Image, "wanted", print, 1)
    driver.create_publisher(Image, "/listener_2/image", 1)
    wait_for(lambda: node.count_subscribers("/front/wanted"), "the subscription")
    says(node, "there are images on /listener_2/image: remap image:=/listener_2/image")


def test_each_publisher_is_looked_at(node, driver, monkeypatch):
    driver.create_publisher(Image, "/image", LATCHED)
    driver.create_publisher(Image, "/image", 1)
    infos = node.get_publishers_info_by_topic
    wait_for(lambda: len(infos("/image")) == 2, "both publishers")

    def latched_ones_first(topic):
        return sorted(infos(topic), key=lambda info: -info.qos_profile.durability)

    for order in (latched_ones_first, lambda topic: latched_ones_first(topic)[::-1]):
        monkeypatch.setattr(node, "get_publishers_info_by_topic", order)
        assert "/front/driver on /image doesn't fit:" in reason(node, profile=LATCHED)


def test_another_type_on_the_topic_is_named_with_its_publisher(node, driver):
    driver.create_publisher(String, "/image", 1)
    says(node, "/image has std_msgs/msg/String of /front/driver, expected sensor_msgs/msg/Image")


def test_a_quality_of_service_that_does_not_fit_is_named(node, driver):
    driver.create_publisher(Image, "/image", QoSProfile(depth=1))
    says(node, "the QoS of /front/driver on /image doesn't fit:", profile=LATCHED)


def test_a_publisher_that_fits_and_sends_nothing_is_named_with_its_quality(node, driver):
    driver.create_publisher(Image, "/image", 1)
    says(
        node,
        "/front/driver (reliable, volatile) publishes on /image, but sent nothing lately",
    )


def test_outputs_of_the_node_are_not_suggested(node):
    node.create_publisher(Image, "~/overlay", 1)
    time.sleep(0.2)
    assert reason(node) == "no images: nobody publishes on /image"

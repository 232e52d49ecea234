"""What a listener hears of the live node."""

import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.replay.listener import NODE, Listener, stamp_of
from mtshare_ros.replay.node_process import Inputs
from mtshare_ros.replay.recorder import Tally
from mtshare_ros.ros.diagnostics import status_name
from support.ros_harness import header, image, wait_for

ROOM = load_manifest(Path(__file__).parents[2] / "models" / "room")
START = 1_000_000_000_000


class Noted(Tally):
    """Notes what is added."""

    def __init__(self):
        """Start with nothing."""
        super().__init__()
        self.added = []

    def add(self, number, stamp, data):
        """Note a message."""
        self.added.append((self._topics[number][0], stamp))


@pytest.fixture
def heard():
    """What the listener hands on."""
    return Noted()


@pytest.fixture
def listener(context, heard):
    inputs = Inputs("/camera/image", "/camera/info", "compressed")
    made = Listener(context, ROOM, heard, START, inputs)
    yield made
    made.close()
    assert not made._thread.is_alive()


def test_all_outputs_are_recorded_and_latched_labels_are_heard(listener, heard):
    topics = dict(heard._topics)
    tasks = {task.name for task in ROOM.tasks}
    assert {topic.split("/")[2] for topic in topics if topic.count("/") == 3} == tasks
    assert topics[f"{NODE}/depth/image"] == "sensor_msgs/msg/Image"
    assert topics[f"{NODE}/dirty_tokens"] == "sensor_msgs/msg/Image"
    assert topics["/diagnostics"] == "diagnostic_msgs/msg/DiagnosticArray"
    latched = f"{NODE}/segmentation/label_info_json"
    for topic, expected in (
        (latched, DurabilityPolicy.TRANSIENT_LOCAL),
        (f"{NODE}/depth/image", DurabilityPolicy.VOLATILE),
    ):
        (found,) = listener._node.get_subscriptions_info_by_topic(topic)
        assert found.qos_profile.durability == expected


def test_it_is_matched_once_somebody_hears_both_the_images_and_the_camera_info(listener, context):
    assert not listener.matched()
    node = Node("camera_user", context=context)
    node.create_subscription(CompressedImage, "/camera/image/compressed", print, 1)
    wait_for(listener._image.get_subscription_count, "the images' match")
    assert not listener.matched()
    node.create_subscription(CameraInfo, "/camera/info", print, 1)
    wait_for(listener.matched, "both matches")
    node.destroy_node()


def test_outputs_have_their_own_stamps_and_all_else_has_the_bags_time(listener, heard):
    def take(type_, message):
        listener._callback(0, f"/{type_.__name__}", type_)(serialize_message(message))
        return heard.added.pop()[1]

    assert take(DiagnosticArray, DiagnosticArray()) == START
    before = time.perf_counter()
    for stamp in (START + 50, START + 20):
        listener.publish_image(serialize_message(image(stamp)))
    assert take(DiagnosticArray, DiagnosticArray()) == START + 50, "it never goes back"
    assert take(Image, image(START + 20)) == START + 20
    assert take(CameraInfo, CameraInfo(header=header(START + 30))) == START + 30
    assert list(listener.arrived["/Image"]) == [START + 20]
    assert "/CameraInfo" not in listener.arrived and "/DiagnosticArray" not in listener.arrived
    times = [*listener.sent.values(), *listener.arrived["/Image"].values()]
    assert len(times) == 3 and before < min(times) <= max(times) < time.perf_counter()


def test_only_the_nodes_own_diagnostics_are_heard():
    def of(name, state):
        return DiagnosticStatus(name=name, values=[KeyValue(key="state", value=state)])

    listener = Listener.__new__(Listener)
    listener.diagnostics, listener.heard = {}, 0.0
    listener._hear(DiagnosticArray(status=[]))
    listener._hear(DiagnosticArray(status=[of("camera_driver: status", "broken")]))
    assert listener.diagnostics == {} and listener.heard == 0
    mine = of(status_name(NODE), "active")
    listener._hear(DiagnosticArray(status=[of("battery", "low"), mine, of("fan", "on")]))
    assert listener.diagnostics == {"state": "active"} and listener.heard > 0


@pytest.mark.parametrize("stamp", [0, 5_000_000_007, 1_700_000_000_999_999_999])
def test_the_stamp_of_a_serialized_message_is_that_of_its_header(stamp):
    assert stamp_of(serialize_message(image(stamp))) == stamp


def test_the_stamp_is_read_in_the_byte_order_that_the_message_says():
    assert stamp_of(b"\0\0\0\0" + (3).to_bytes(4, "big") + (4).to_bytes(4, "big")) == 3 * 10**9 + 4

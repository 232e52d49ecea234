"""What a listener hears of the live node."""

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.replay.clock import BagClock
from mtshare_ros.replay.listener import NODE, Listener, latencies, stamp_of
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

    def add(self, number, time, data, sent=None):
        """Note a message."""
        self.added.append((self._topics[number][0], time, sent))


@pytest.fixture
def heard():
    """What the listener hands on."""
    return Noted()


@pytest.fixture
def listener(context, heard):
    inputs = Inputs("/camera/image", "/camera/info", "compressed")
    made = Listener(context, ROOM, heard, BagClock(START), inputs)
    yield made
    made.close()
    assert not made._thread.is_alive()


def test_all_outputs_are_recorded_and_latched_labels_are_heard(listener, heard):
    topics = dict(heard._topics)
    assert topics.pop("/camera/image/compressed") == "sensor_msgs/msg/CompressedImage"
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


def test_all_that_is_heard_has_the_bags_time_and_that_of_the_image_that_it_answers(
    listener, heard
):
    def take(type_, message):
        listener._callback(0, f"/{type_.__name__}", type_)(serialize_message(message))
        return heard.added.pop()[1:]

    assert take(DiagnosticArray, DiagnosticArray()) == (START, None), "the clock stands still"
    sent = []
    for stamp in (START + 50, START + 20):
        listener.publish_image(serialize_message(image(stamp)))
        sent.append(heard.added.pop()[1])
    assert sent[0] == START + 50 < sent[1], "it begins at the first image's stamp"
    at, of = take(Image, image(START + 20))
    assert of == sent[1] < at
    later, of = take(CameraInfo, CameraInfo(header=header(START + 50)))
    assert of == sent[0] and later > at
    assert take(Image, image(START + 30))[1] is None, "nobody sent such an image"
    assert list(listener.arrived["/Image"]) == [(START + 20, 0), (START + 30, 0)]
    assert "/CameraInfo" not in listener.arrived and "/DiagnosticArray" not in listener.arrived


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


class Taken:
    """Keeps what a listener hands on."""

    def __init__(self):
        """Start with nothing."""
        self.messages = []

    def add(self, *message):
        """Keep a message."""
        self.messages.append(message)

    def publish(self, data):
        """Send nowhere."""


def test_each_message_of_a_stamp_is_kept_with_when_it_was_sent_and_when_it_came():
    listener = Listener.__new__(Listener)
    taken = Taken()
    listener.sent, listener.arrived = {}, {}
    listener._clock, listener._taker, listener._image = BagClock(), taken, taken
    listener._images = 7
    take = listener._callback(3, "depth", Image)
    for _ in range(2):
        listener.publish_image(serialize_message(image(5 * 10**9)))
    for _ in range(3):
        take(serialize_message(image(5 * 10**9)))
    assert list(listener.sent) == [(5 * 10**9, 0), (5 * 10**9, 1)]
    assert [number for number, *_ in taken.messages] == [7, 7, 3, 3, 3]
    times = [time for _, time, *_ in taken.messages]
    assert times[0] == 5 * 10**9 and times == sorted(times) and len(set(times)) == 5
    # An answer says when its image was sent; the third one answers no image.
    assert [sent for *_, sent in taken.messages[2:]] == [times[0], times[1], None]
    late = latencies(listener.sent, listener.arrived["depth"])
    expected = [(times[2] - times[0]) / 1e6, (times[3] - times[1]) / 1e6]
    assert late == pytest.approx(expected, abs=1e-3)

"""What a listener hears of the live node."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from mtshare_ros.replay.clock import BagClock
from mtshare_ros.replay.listener import NODE, Listener, latencies, stamp_of
from mtshare_ros.ros.diagnostics import status_name
from support.ros_harness import image


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

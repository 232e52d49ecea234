"""What a listener hears of the live node."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.serialization import serialize_message

from mtshare_ros.replay.listener import NODE, Listener, stamp_of
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

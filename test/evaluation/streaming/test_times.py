"""What makes a simulated time of a measured one."""

import pytest

from mtshare_ros.evaluation.streaming.times import Pace

MEASURED = {"prepare": 1.0, "select": 0.5, "stem": 4.0, "base": 10.0, "depth": 6.0, "decode": 2.0}
MEASURED["total"] = sum(MEASURED.values()) + 0.5


def test_measured_times_are_taken_as_they_are():
    assert Pace().computed(MEASURED) == pytest.approx(0.024)
    assert Pace().computed(MEASURED, beside_ms=3.0) == pytest.approx(0.027)
    assert Pace().served(5.0) == pytest.approx(0.005) and Pace().looked(2.0) == 0.002


def test_a_slower_machine_has_a_slower_network_and_the_same_rest():
    """The network's graphs take 20 ms of the 24."""
    assert Pace(slower=4.0).computed(MEASURED) == pytest.approx(0.084)
    assert Pace(slower=0.5).computed(MEASURED) == pytest.approx(0.014)
    assert Pace(slower=4.0).served(5.0) == pytest.approx(0.005)


def test_times_that_are_given_take_the_place_of_what_was_measured():
    pace = Pace(slower=2.0, network_ms=30.0, serve_ms=4.0)
    assert pace.computed(MEASURED, beside_ms=3.0) == pytest.approx(0.060)
    assert pace.served(9.0) == pytest.approx(0.004) and pace.looked(2.0) == 0.0

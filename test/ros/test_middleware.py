"""Variables of the environment that differ between releases of ROS."""

import pytest

from mtshare_ros.ros import middleware


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("humble", {"ROS_LOCALHOST_ONLY": "1"}),
        ("kilted", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}),
    ],
)
def test_the_node_of_a_replay_is_heard_on_this_machine_only(monkeypatch, release, expected):
    monkeypatch.setenv("ROS_DISTRO", release)
    variables = middleware.environment()
    assert expected.items() <= variables.items()
    assert set(variables) - set(expected) == set(middleware.large_messages())

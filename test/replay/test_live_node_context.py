"""A ROS context that is seen on this machine only."""

import os

from rclpy.node import Node

from mtshare_ros.replay.live_node import local_context
from mtshare_ros.ros.middleware import environment


def test_the_context_has_its_domain_and_the_environment_is_put_back(monkeypatch):
    name = next(iter(environment()))
    monkeypatch.setenv(name, "as before")
    before = dict(os.environ)
    with local_context(97) as context:
        assert context.get_domain_id() == 97
        assert {key: os.environ[key] for key in environment()} == environment()
        node = Node("someone", context=context)
        node.destroy_node()
    assert not context.ok() and dict(os.environ) == before

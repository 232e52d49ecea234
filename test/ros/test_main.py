"""The entry point of ``perception_node``."""

from importlib.metadata import entry_points

from mtshare_ros.ros import main


def test_it_is_what_ros2_run_starts():
    (entry,) = entry_points(group="console_scripts", name="perception_node")
    assert entry.load() is main.main

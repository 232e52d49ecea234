"""Play a bag into perception_node, with rviz."""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    Shutdown,
)
from launch.conditions import UnlessCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

LAUNCH = os.path.join(get_package_share_directory("mtshare_ros"), "launch")


def arguments() -> list[DeclareLaunchArgument]:
    """Return the launch arguments that perception.launch.py lacks or that have other defaults."""
    return [
        DeclareLaunchArgument("bag", description="Bag to play."),
        DeclareLaunchArgument("rate", default_value="1.0", description="Speed factor of the bag."),
        DeclareLaunchArgument(
            "delay",
            default_value="5.0",
            description="Seconds to wait for the node to open its bundle before the bag starts.",
        ),
        DeclareLaunchArgument(
            "image",
            default_value="/camera/image",
            description="Topic of the bag's images. For compressed ones, leave out /compressed.",
        ),
        DeclareLaunchArgument(
            "camera_info",
            default_value="/camera/camera_info",
            description="Topic of the bag's camera_info.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="true",
            choices=["true", "false"],
            description="Take the node's time from the bag.",
        ),
        DeclareLaunchArgument(
            "rviz",
            default_value="true",
            choices=["true", "false"],
            description="Start rviz. Without rviz, everything ends with the bag.",
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe what ``ros2 launch mtshare_ros replay.launch.py`` starts."""
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(os.path.join(LAUNCH, "perception.launch.py"))
    )
    bag = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag"), "--clock"),
            *("--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")),
        ],
        output="screen",
        on_exit=[Shutdown(condition=UnlessCondition(LaunchConfiguration("rviz")))],
    )
    return LaunchDescription([*arguments(), node, bag])

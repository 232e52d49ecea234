"""Score a bundle on a bag with ground truth; writes report.json and index.html."""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

from launch import LaunchDescription

SHARE = get_package_share_directory("mtshare_ros")


def arguments() -> list[DeclareLaunchArgument]:
    """Return the launch arguments."""
    return [
        DeclareLaunchArgument(
            "bundle",
            default_value=os.path.join(SHARE, "models", "room"),
            description="Folder of the model bundle.",
        ),
        DeclareLaunchArgument("bag", description="Bag with images and ground truth."),
        DeclareLaunchArgument("output", description="Folder for the report."),
        DeclareLaunchArgument(
            "policy",
            default_value="tokens",
            description="What is recomputed: tokens (those that changed), dense (all in every "
            "frame) or hold:K (all in every K-th frame).",
        ),
        DeclareLaunchArgument(
            "max_dirty_fraction",
            default_value="1.0",
            description="Largest part of the tokens that may be recomputed in a frame.",
        ),
        DeclareLaunchArgument(
            "intrinsics",
            default_value="auto",
            choices=["auto", "p", "k"],
            description="Matrix of camera_info that describes the images: p of rectified, k of "
            "raw ones; auto goes by the topic's name.",
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe what ``ros2 launch mtshare_ros evaluate.launch.py`` starts."""
    evaluation = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package="mtshare_ros", executable="mtshare"),
            *("evaluate", LaunchConfiguration("bundle"), "--bag", LaunchConfiguration("bag")),
            *("--output", LaunchConfiguration("output")),
            *("--policy", LaunchConfiguration("policy")),
            *("--max-dirty-fraction", LaunchConfiguration("max_dirty_fraction")),
            *("--intrinsics", LaunchConfiguration("intrinsics")),
        ],
        output="screen",
        on_exit=[Shutdown()],
    )
    return LaunchDescription([*arguments(), evaluation])

"""Start one perception_node for several cameras, which share its network."""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from mtshare_ros.ros import middleware

SHARE = get_package_share_directory("mtshare_ros")


def arguments() -> list[DeclareLaunchArgument]:
    """Return the launch arguments."""
    return [
        DeclareLaunchArgument(
            "cameras",
            default_value="front,rear",
            description="Names of the cameras, separated by commas.",
        ),
        DeclareLaunchArgument(
            "image",
            default_value="/{camera}/image_raw",
            description="Topic of a camera's images; {camera} stands for its name.",
        ),
        DeclareLaunchArgument(
            "camera_info",
            default_value="/{camera}/camera_info",
            description="Topic of a camera's intrinsics; {camera} stands for its name.",
        ),
        DeclareLaunchArgument(
            "intrinsics",
            default_value="",
            choices=["", "auto", "p", "k"],
            description="Matrix of camera_info that describes the images: p of rectified, k of "
            "raw ones; auto goes by the topic's name. If empty, params_file says it.",
        ),
        DeclareLaunchArgument(
            "bundle",
            default_value="",
            description="Folder of the model bundle. If empty, params_file names it, or else the "
            "package's bundle is used.",
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=os.path.join(SHARE, "config", "perception.yaml"),
            description="File with the node's parameters.",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the node and its topics."
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=["true", "false"],
            description="Take the time from /clock, as in simulations and with bags.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Lowest severity that the node logs.",
        ),
    ]


def perception_node(context: LaunchContext) -> list[Node]:
    """Return the node's action."""
    named = LaunchConfiguration("cameras").perform(context)
    cameras = [name.strip() for name in named.split(",") if name.strip()]
    overrides = {
        "cameras": cameras,
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
    }
    for name in ("bundle", "intrinsics"):
        value = LaunchConfiguration(name).perform(context)
        if value:
            overrides[name] = ParameterValue(value, value_type=str)
    patterns = {
        name: LaunchConfiguration(name).perform(context) for name in ("image", "camera_info")
    }
    return [
        Node(
            package="mtshare_ros",
            executable="perception_node",
            name="perception_node",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            remappings=[
                (f"{camera}/{name}", pattern.replace("{camera}", camera))
                for camera in cameras
                for name, pattern in patterns.items()
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe what ``ros2 launch mtshare_ros multi_camera.launch.py`` starts."""
    variables = middleware.large_messages().items()
    return LaunchDescription(
        [
            *arguments(),
            *(SetEnvironmentVariable(*variable) for variable in variables),
            OpaqueFunction(function=perception_node),
        ]
    )

"""Start perception_node, with rviz on request."""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from mtshare_ros.ros import middleware

SHARE = get_package_share_directory("mtshare_ros")
BOOLEAN = ["true", "false"]


def arguments() -> list[DeclareLaunchArgument]:
    """Return the launch arguments."""
    return [
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
            "image",
            default_value="image",
            description="Topic of the camera's images. With image_transport compressed, leave out "
            "/compressed.",
        ),
        DeclareLaunchArgument(
            "camera_info",
            default_value="camera_info",
            description="Topic of the camera's intrinsics.",
        ),
        DeclareLaunchArgument(
            "intrinsics",
            default_value="",
            choices=["", "auto", "p", "k"],
            description="Matrix of camera_info that describes the images: p of rectified, k of "
            "raw ones; auto goes by the topic's name. If empty, params_file says it.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=BOOLEAN,
            description="Take the time from /clock, as in simulations and with bags.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Lowest severity that the node logs.",
        ),
        DeclareLaunchArgument(
            "rviz",
            default_value="false",
            choices=BOOLEAN,
            description="Start rviz with pictures of the outputs.",
        ),
    ]


def large_messages() -> list[SetEnvironmentVariable]:
    """Give Fast DDS room for images, unless the user has a profile."""
    return [SetEnvironmentVariable(*variable) for variable in middleware.large_messages().items()]


def perception_node(context: LaunchContext) -> list[Node]:
    """Return the node's action."""
    overrides = {
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    }
    for name in ("bundle", "intrinsics"):
        value = LaunchConfiguration(name).perform(context)
        if value:
            overrides[name] = ParameterValue(value, value_type=str)
    return [
        Node(
            package="mtshare_ros",
            executable="perception_node",
            name="perception_node",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            remappings=[
                ("image", LaunchConfiguration("image")),
                ("camera_info", LaunchConfiguration("camera_info")),
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe what ``ros2 launch mtshare_ros perception.launch.py`` starts."""
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", os.path.join(SHARE, "config", "perception.rviz")],
        remappings=[("image", LaunchConfiguration("image"))],
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="log",
    )
    return LaunchDescription(
        [*arguments(), *large_messages(), OpaqueFunction(function=perception_node), rviz]
    )

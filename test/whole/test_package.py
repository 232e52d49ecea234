"""What makes the folder a ROS package, and its launch file."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import mtshare_ros
from mtshare_ros.ros import middleware
from mtshare_ros.ros.parameters import BY_NAME

ROOT = Path(mtshare_ros.__file__).parents[1]
LAUNCH = ROOT / "launch" / "perception.launch.py"
LAUNCHES = sorted((ROOT / "launch").glob("*.launch.py"))
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
DEBIAN = {"numpy": "python3-numpy", "cv2": "python3-opencv", "yaml": "python3-yaml"}
UNDECLARED = {
    "mtshare_ros",
    "onnxruntime",
    "rosbags",
    "simplejpeg",
    "torch",
    "onnx",
    "tensorrt",
    "pycuda",
}
"""Itself, and what no Debian package has: the documentation says how to install it."""
COMMON = [
    "bundle",
    "params_file",
    "namespace",
    "image",
    "camera_info",
    "intrinsics",
    "use_sim_time",
    "log_level",
]
ARGUMENTS = {
    "perception.launch.py": [*COMMON, "rviz"],
    "replay.launch.py": ["bag", "rate", "delay", "image", "camera_info", "use_sim_time", "rviz"],
    "evaluate.launch.py": [
        "bundle",
        "bag",
        "output",
        "policy",
        "max_dirty_fraction",
        "intrinsics",
    ],
    "multi_camera.launch.py": ["cameras", *COMMON],
}
DISPLAYS = {
    f"rviz_default_plugins/{name}"
    for name in ("Camera", "Grid", "Image", "PointCloud2", "RobotModel", "TF")
}
"""Classes of displays that rviz2 registers (some of those in its rviz_default_plugins)."""
TRANSFORMERS = {"RGB8", "XYZ", "Intensity", "AxisColor", "FlatColor", "RGBF32"}
"""What its PointCloud2 display makes colours and positions from."""


def imported(paths):
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_the_manifest_is_that_of_an_ament_python_package():
    assert PACKAGE.get("format") == "3" and PACKAGE.findtext("name") == "mtshare_ros"
    assert PACKAGE.findtext("export/build_type") == "ament_python"
    assert PACKAGE.find("buildtool_depend") is None
    assert (ROOT / "resource" / "mtshare_ros").read_bytes() == b""


def test_manifest_and_setup_agree_on_the_version():
    version = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text())
    assert version and version[1] == PACKAGE.findtext("version")


def test_exactly_what_the_online_side_imports_is_declared():
    online = [*ROOT.glob("mtshare_ros/ros/**/*.py"), *ROOT.glob("mtshare_ros/perception/**/*.py")]
    used = set(imported([*online, *LAUNCHES])) - set(sys.stdlib_module_names) - UNDECLARED
    declared = {e.text for e in PACKAGE.findall("exec_depend")}
    assert declared - {"rviz2"} == {DEBIAN.get(name, name) for name in used}


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.name)
def test_every_launch_argument_is_described(path):
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument"
    ]
    assert sorted(c.args[0].value for c in calls) == sorted(ARGUMENTS[path.name])
    for call in calls:
        given = {k.arg for k in call.keywords}
        assert "description" in given
        # Only what nobody can guess has to be given.
        assert "default_value" in given or call.args[0].value in ("bag", "output")


def test_launch_imports_only_what_starts_without_the_middleware():
    modules = "from mtshare_ros.ros import middleware; import sys; "
    code = modules + "assert not {'rclpy', 'cv2', 'numpy'} & set(sys.modules)"
    assert "from mtshare_ros.ros import middleware\n" in LAUNCH.read_text()
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("release", "name"),
    [("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("jazzy", "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_fast_dds_gets_room_unless_the_user_has_a_profile(monkeypatch, release, name):
    monkeypatch.setenv("ROS_DISTRO", release)
    monkeypatch.delenv(name, raising=False)
    (path,) = middleware.large_messages().values()
    # Of the installed package where there is one, else of this checkout.
    assert Path(path).read_bytes() == (ROOT / "config" / "fastdds.xml").read_bytes()
    monkeypatch.setenv(name, "/etc/mine.xml")
    assert middleware.large_messages() == {name: "/etc/mine.xml"}


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.name)
def test_launch_files_describe_what_they_start_where_ros_has_launch(monkeypatch, tmp_path, path):
    sources = pytest.importorskip("launch.launch_description_sources")
    pytest.importorskip("launch_ros")
    packages = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    packages.mkdir(parents=True)
    (packages / "mtshare_ros").touch()
    share = tmp_path / "share" / "mtshare_ros"
    share.mkdir()
    (share / "launch").symlink_to(ROOT / "launch")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    found = sources.get_launch_description_from_python_launch_file(str(path))
    names = {argument.name for argument in found.get_launch_arguments()}
    included = ARGUMENTS["perception.launch.py"] if path.name == "replay.launch.py" else []
    assert names == {*ARGUMENTS[path.name], *included}


def test_the_rviz_configuration_shows_what_rviz_can_draw():
    shown = yaml.safe_load((ROOT / "config" / "perception.rviz").read_text())
    manager = shown["Visualization Manager"]
    displays = manager["Displays"]
    assert {d["Class"] for d in displays} <= DISPLAYS
    topics = {d["Topic"]["Value"]: d["Class"].partition("/")[2] for d in displays}
    # rviz2 throws on 32FC3: so the colour pictures.
    pictures = ("depth/color", "segmentation/color", "normals/color", "overlay")
    assert topics == {
        "image": "Image",
        **{f"perception_node/{name}": "Image" for name in pictures},
        "perception_node/points": "PointCloud2",
    }
    (cloud,) = (d for d in displays if d["Class"].endswith("PointCloud2"))
    assert {cloud["Color Transformer"], cloud["Position Transformer"]} <= TRANSFORMERS
    assert [panel["Class"] for panel in shown["Panels"]] == ["rviz_common/Displays"]
    assert {tool["Class"] for tool in manager["Tools"]} == {"rviz_default_plugins/MoveCamera"}
    assert manager["Views"]["Current"]["Class"] == "rviz_default_plugins/Orbit"


def test_the_parameter_file_names_parameters_that_exist():
    values = yaml.safe_load((ROOT / "config" / "perception.yaml").read_text())
    assert set(values["/**/perception_node"]["ros__parameters"]) <= set(BY_NAME)


def test_the_fast_dds_profile_has_room_for_large_images():
    text = (ROOT / "config" / "fastdds.xml").read_text()
    ElementTree.fromstring(text.split("?>", 1)[1])
    size = re.search(r"<segment_size>(\d+)</segment_size>", text)
    assert size and int(size[1]) > 4 * 1920 * 1080 * 3

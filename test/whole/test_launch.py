"""The launch files, each run for real where ROS has `launch` and `launch_ros`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mtshare_ros
from mtshare_ros.ros.middleware import environment
from support.bag_files import write
from support.ros_harness import DOMAIN, peer, ros, wait_for

pytest.importorskip("launch")
pytest.importorskip("launch_ros")

ROOT = Path(mtshare_ros.__file__).parents[1]
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

service = LaunchService()
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [argument.split(":=", 1) for argument in sys.argv[2:]]
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installed package: what colcon would make of this checkout."""
    folder = tmp_path_factory.mktemp("prefix")
    packages = folder / "share" / "ament_index" / "resource_index" / "packages"
    packages.mkdir(parents=True)
    (packages / "mtshare_ros").touch()
    share = folder / "share" / "mtshare_ros"
    share.mkdir()
    for name in ("launch", "config", "models"):
        (share / name).symlink_to(ROOT / name)
    executables = folder / "lib" / "mtshare_ros"
    executables.mkdir(parents=True)
    _script(executables / "perception_node", "from mtshare_ros.ros.main import main")
    _script(executables / "mtshare", "from mtshare_ros.cli import main")
    return folder


def _script(path, first, then="sys.exit(main())"):
    path.write_text(f"#!{sys.executable}\nimport sys\n{first}\n{then}\n")
    path.chmod(0o755)


class Launched:
    """A launch file that runs, in a process of its own."""

    def __init__(self, prefix, name, *arguments, path=()):
        """Start it, with some folders before others in the search path of programs."""
        ament = os.pathsep.join(filter(None, [str(prefix), os.environ.get("AMENT_PREFIX_PATH")]))
        places = [*map(str, path), os.environ["PATH"]]
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(prefix / "share/mtshare_ros/launch" / name)]
            + list(arguments),
            env={
                **os.environ,
                **environment(),
                "AMENT_PREFIX_PATH": ament,
                "PATH": os.pathsep.join(places),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "ROS_DOMAIN_ID": str(DOMAIN),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def wait_for_line(self, text):
        """Return the first line that holds a text."""
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return line
        raise AssertionError(f"never said {text!r}:\n{self.said}")

    def interrupt(self):
        """End it as Ctrl-C does; return its status."""
        self.process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self):
        """Return its status when it has ended by itself."""
        rest, _ = self.process.communicate(timeout=120)
        self.said += rest
        return self.process.returncode


def test_perception_starts_the_node_with_its_topics_remapped(prefix, bundle_path):
    with ros() as context, peer(context) as camera:
        launched = Launched(
            prefix,
            "perception.launch.py",
            f"bundle:={bundle_path}",
            "namespace:=robot",
            "image:=/camera/color/image_raw",
        )
        line = launched.wait_for_line("bundle small on onnxruntime")
        assert "[robot.perception_node]" in line
        count = camera.node.count_subscribers
        wait_for(lambda: count("/camera/color/image_raw"), "the remapped image")
        assert camera.node.count_publishers("/robot/perception_node/depth/image")
        assert launched.interrupt() == 0
    assert "Traceback" not in launched.said and "finished cleanly" in launched.said


def test_multi_camera_starts_one_node_for_all(prefix, bundle_path):
    with ros() as context, peer(context) as camera:
        launched = Launched(
            prefix,
            "multi_camera.launch.py",
            f"bundle:={bundle_path}",
            "cameras:=left, right",
            "image:=/{camera}/color/image_raw",
        )
        launched.wait_for_line("bundle small on onnxruntime")
        for name in ("left", "right"):
            count = camera.node.count_subscribers
            wait_for(lambda n=name, c=count: c(f"/{n}/color/image_raw"), f"image of {name}")
            wait_for(lambda n=name, c=count: c(f"/{n}/camera_info"), f"camera_info of {name}")
            assert camera.node.count_publishers(f"/perception_node/{name}/depth/image")
        assert launched.interrupt() == 0
    assert "Traceback" not in launched.said


PLAY = """
import json, time
from pathlib import Path
Path({record!r}).write_text(json.dumps(sys.argv[1:]))
time.sleep(1.0)
"""


def test_replay_plays_the_bag_into_the_node_and_ends_with_it(prefix, bundle_path, tmp_path):
    record = tmp_path / "played.json"
    # Wherever there is no `ros2 bag`, a stand-in that writes down what it was asked for.
    _script(tmp_path / "ros2", PLAY.format(record=str(record)), "sys.exit(0)")
    launched = Launched(
        prefix,
        "replay.launch.py",
        f"bundle:={bundle_path}",
        "bag:=/bags/room.mcap",
        "rate:=0.5",
        "rviz:=false",
        path=[tmp_path],
    )
    assert launched.finish() == 0
    assert json.loads(record.read_text()) == [
        *("bag", "play", "/bags/room.mcap", "--clock", "--rate", "0.5", "--delay", "5.0")
    ]
    assert "perception_node" in launched.said and "Traceback" not in launched.said


def test_evaluate_writes_a_report(prefix, bundle_path, tmp_path):
    clip = write(tmp_path / "clip.mcap")
    launched = Launched(
        prefix,
        "evaluate.launch.py",
        f"bundle:={bundle_path}",
        f"bag:={clip}",
        f"output:={tmp_path / 'report'}",
        "policy:=dense",
    )
    assert launched.finish() == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["frames"] == 3 and report["policy"] == "dense"
    assert "Traceback" not in launched.said

"""Starting and ending the node as a process."""

import re
import signal
import time
from pathlib import Path

import pytest

from support.node_program import STARTED, start
from support.ros_harness import wait_for_line

STUCK = """
import sys, time
from mtshare_ros.ros import main as node
from mtshare_ros.ros import opener
opener.open_engine = lambda *_: (print("opening", flush=True), time.sleep(60))
sys.exit(node.main())
"""

TORN = """
import sys
import rclpy
from mtshare_ros.ros import main as node
from mtshare_ros.ros import program
def spin(_):
    {before}
    raise RuntimeError("failed to initialize wait set")
program.SingleThreadedExecutor.spin = spin
sys.exit(node.main())
"""

HUNG = """
import sys, time
from sensor_msgs.msg import Image
from mtshare_ros.ros import main as node
from mtshare_ros.ros import camera
start = camera.Camera.start
def start_with_an_image(self, *workers):
    start(self, *workers)
    self.take(Image())
camera.Camera.start = start_with_an_image
camera.Outputs.wanted = lambda *_: {"depth"}
camera.decode = lambda _: (print("hung", flush=True), time.sleep(60))
sys.exit(node.main())
"""

OPENED = "bundle small"
"""What the node says when the bundle is open."""
EXIT_LIMIT = 2.0


def slowness():
    """Return how many times slower than alone this machine is now: others may use its cores."""
    wall, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < 0.05:
        pass
    return max(1.0, (time.monotonic() - wall) / 0.05)


def end(process, name):
    """Send a signal; assert a prompt end without a traceback, return the status."""
    slow = slowness()
    began = time.monotonic()
    process.send_signal(getattr(signal, name))
    rest, _ = process.communicate(timeout=60)
    took = time.monotonic() - began
    # The node's own limit is on the clock; what Python needs to end comes on top.
    assert took < EXIT_LIMIT + 0.6 * (slow - 1), (took, slow)
    assert "Traceback" not in rest and "Exception" not in rest, rest
    return process.returncode


@pytest.fixture(autouse=True)
def _none_left():
    """A node that a failed test left running would answer in the tests after it."""
    yield
    while STARTED:
        STARTED.pop().kill()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_node_promptly_and_without_a_traceback(bundle_path, name):
    process = start(f"bundle:={bundle_path}")
    wait_for_line(process, OPENED)
    assert end(process, name) == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("part", [0.15, 0.4, 0.6, 0.8, 1.0])
def test_a_signal_at_any_moment_of_the_start_ends_the_node(bundle_path, name, part, start_time):
    process = start(f"bundle:={bundle_path}")
    wait_until_its_own(process)
    time.sleep(part * start_time)
    assert end(process, name) == 0


@pytest.fixture(scope="module")
def start_time(bundle_path):
    """Seconds from the first line of the program to an open bundle."""
    process = start(f"bundle:={bundle_path}")
    wait_until_its_own(process)
    began = time.monotonic()
    wait_for_line(process, OPENED)
    took = time.monotonic() - began
    process.terminate()  # One that is killed stays in other nodes' graphs for 20 s.
    process.communicate()
    return took


def wait_until_its_own(process):
    """Wait until the program has blocked the signals: before, they are Python's."""
    blocked = 1 << (signal.SIGINT - 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = Path(f"/proc/{process.pid}/status").read_text()
        (mask,) = re.findall(r"SigBlk:\s*([0-9a-f]+)", status)
        if int(mask, 16) & blocked:
            return
        time.sleep(0.005)
    raise AssertionError("the program never blocked the signals")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_node_whose_engine_hangs(bundle_path, name):
    process = start(f"bundle:={bundle_path}", program=("-c", HUNG))
    wait_for_line(process, "hung")
    assert end(process, name) == 0


def test_a_second_signal_while_the_node_ends_changes_nothing(bundle_path):
    process = start(f"bundle:={bundle_path}")
    wait_for_line(process, OPENED)
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert end(process, "SIGTERM") == 0


def test_a_parameter_that_cannot_be_taken_ends_the_start_with_one_line():
    process = start("max_age:=0")
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 2
    assert said.strip() == "perception_node: max_age is 0; expected 1 to 100000"


@pytest.mark.parametrize(("before", "status"), [("rclpy.shutdown()", 0), ("pass", 1)])
def test_what_an_executor_raises_counts_unless_ros_was_shut_down(before, status):
    process = start("autostart:=false", program=("-c", TORN.format(before=before)))
    said, _ = process.communicate(timeout=90)
    assert process.returncode == status, said
    assert ("RuntimeError: failed to initialize wait set" in said) == bool(status)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "max_age"], "perception_node: ROS doesn't start: .*'-p max_age'.*"),
        (["--bogus"], "perception_node: ROS doesn't start: .*--bogus.*"),
        (["--params-file", "/none.yaml"], "perception_node: ROS doesn't start: .*/none.yaml.*"),
        (["-p", "max_agee:=5"], ".*: no parameter 'max_agee'; did you mean 'max_age'."),
        (
            ["-p", "perception_node:wheel_radius:=0.3"],
            "perception_node: no parameter 'wheel_radius', which was given to perception_node; .*",
        ),
        (["-p", "use_sim_time:=maybe"], "perception_node: .*'use_sim_time' to 'maybe'.*"),
    ],
)
def test_arguments_that_cannot_be_taken_end_the_start_with_one_line(arguments, says):
    process = start(others=arguments)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 2
    # rcl itself logs a line before it raises.
    own = [line for line in said.splitlines() if "[rcl]" not in line]
    assert len(own) == 1 and re.fullmatch(says, own[0]), said
    assert ".c:" not in said


def test_a_misspelt_parameter_in_a_file_ends_the_start_with_one_line(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text("/**:\n  ros__parameters:\n    max_age: 5\n    max_agee: 5\n")
    process = start(others=["--params-file", str(path)])
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 2
    assert said.startswith("perception_node: no parameter 'max_agee'; ") and said.count("\n") == 1


def test_parameters_that_all_nodes_get_are_passed_over_with_a_warning(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text("/**:\n  ros__parameters:\n    max_age: 5\n    wheel_radius: 0.3\n")
    process = start("autostart:=false", "wheel_base:=2.0", others=["--params-file", str(path)])
    for name in ("wheel_radius", "wheel_base"):
        wait_for_line(process, f"parameter '{name}' is passed over")
    assert end(process, "SIGINT") == 0


def test_a_signal_ends_a_node_whose_bundle_is_still_being_opened():
    process = start("max_age:=5", program=("-c", STUCK))
    wait_for_line(process, "opening")
    assert end(process, "SIGINT") == 0

"""Starting and ending the node as a process."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from ros_harness import DOMAIN

from mtshare_ros.ros.middleware import environment

STUCK = """
import sys, time
from mtshare_ros.ros import node, opening
opening.open_engine = lambda *_: (print("opening", flush=True), time.sleep(60))
sys.exit(node.main())
"""

TORN = """
import sys
import rclpy
from mtshare_ros.ros import node
def spin(_):
    {before}
    raise RuntimeError("failed to initialize wait set")
rclpy.spin = spin
sys.exit(node.main())
"""


def start(*parameters, program=("-m", "mtshare_ros.ros.node"), others=()):
    arguments = [*others, *(word for p in parameters for word in ("-p", p))]
    return subprocess.Popen(
        [sys.executable, *program, "--ros-args", *arguments],
        env={**os.environ, **environment(), "ROS_DOMAIN_ID": str(DOMAIN)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_node_promptly_and_without_a_traceback(bundle_path, name):
    process = start(f"bundle:={bundle_path}")
    # What the bundle is, said once it is open.
    first = process.stdout.readline()
    assert "bundle small" in first
    process.send_signal(getattr(signal, name))
    began = time.monotonic()
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and time.monotonic() - began < 5
    assert "Traceback" not in rest


def test_a_parameter_that_cannot_be_taken_ends_the_start_with_one_line():
    process = start("max_age:=0")
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said.strip() == "perception_node: max_age is 0; expected 1 to 100000"


@pytest.mark.parametrize(("before", "status"), [("rclpy.shutdown()", 0), ("pass", 1)])
def test_what_an_executor_raises_counts_unless_ros_was_shut_down(before, status):
    process = start("autostart:=false", program=("-c", TORN.format(before=before)))
    said, _ = process.communicate(timeout=20)
    assert process.returncode == status, said
    assert ("RuntimeError: failed to initialize wait set" in said) == bool(status)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "max_age"], "perception_node: ROS doesn't start: .*'-p max_age'.*"),
        (["--bogus"], "perception_node: ROS doesn't start: .*--bogus.*"),
        (["--params-file", "/none.yaml"], "perception_node: ROS doesn't start: .*/none.yaml.*"),
        (["-p", "max_agee:=5"], "perception_node: no parameter 'max_agee'; the node has .*"),
        (["-p", "use_sim_time:=maybe"], "perception_node: .*'use_sim_time' to 'maybe'.*"),
    ],
)
def test_arguments_that_cannot_be_taken_end_the_start_with_one_line(arguments, says):
    process = start(others=arguments)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    # rcl itself logs a line before it raises.
    own = [line for line in said.splitlines() if "[rcl]" not in line]
    assert len(own) == 1 and re.fullmatch(says, own[0]), said
    assert ".c:" not in said


def test_a_misspelt_parameter_in_a_file_ends_the_start_with_one_line(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text("/**:\n  ros__parameters:\n    max_age: 5\n    max_agee: 5\n")
    process = start(others=["--params-file", str(path)])
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said.startswith("perception_node: no parameter 'max_agee'; ") and said.count("\n") == 1


def test_a_signal_ends_a_node_whose_bundle_is_still_being_opened():
    process = start("max_age:=5", program=("-c", STUCK))
    assert process.stdout.readline() == "opening\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=5)
    assert process.returncode == 0 and "Traceback" not in rest

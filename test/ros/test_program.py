"""The node's program: how it starts; how it ends is held in test_node_exit.py."""

import subprocess
import sys

import pytest
import rclpy

from mtshare_ros.errors import UserError
from mtshare_ros.ros import main, program


def test_arguments_that_ros_refuses_are_one_line_and_status_2(capsys):
    assert program.run(["--ros-args", "-p", "nonsense"], main.SIGNALS) == 2
    assert not rclpy.ok()
    error = capsys.readouterr().err
    assert error.startswith("perception_node: ROS doesn't start") and error.count("\n") == 1


def test_a_parameter_that_can_not_be_taken_is_one_line_and_status_2(capsys):
    arguments = ["--ros-args", "-p", "max_age:=0"]
    assert program.run(arguments, main.SIGNALS) == 2
    assert "max_age" in capsys.readouterr().err and not rclpy.ok()


def test_a_start_error_is_a_users():
    assert issubclass(program.StartError, UserError)


@pytest.mark.parametrize("name", main.SIGNALS)
def test_signals_are_blocked_before_anything_is_loaded(name):
    code = (
        "import os, signal, sys\n"
        "from mtshare_ros.ros import main\n"
        "assert 'rclpy' not in sys.modules\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, main.SIGNALS)\n"
        f"os.kill(os.getpid(), {int(name)})\n"
        "sys.exit(main.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

"""The process of the live node."""

import os
import subprocess
import sys
import time

import pytest

from mtshare_ros.errors import exit_status
from mtshare_ros.replay import node_process
from mtshare_ros.replay.node_process import (
    Inputs,
    NodeProcess,
    ReplayFailedError,
    parameter_arguments,
)
from mtshare_ros.ros.parameters import ParameterError


def test_a_node_that_ends_by_itself_is_a_failed_job():
    with NodeProcess({}, domain_id=1) as node:
        node._process.kill()
        node._process.wait()
        with pytest.raises(ReplayFailedError, match="the node ended with status -9") as caught:
            node.check()
    assert exit_status(caught.value) == 1


def test_parameters_are_arguments_that_ros_reads_with_their_types():
    given = {"tasks": "depth, segmentation", "max_depth": 10, "output_size": "input"}
    assert parameter_arguments(given) == [
        "-p", 'tasks:=["depth", "segmentation"]', "-p", "max_depth:=10.0",
        "-p", 'output_size:="input"',
    ]  # fmt: skip
    listed = parameter_arguments({"tasks": " depth,, normals ,"})
    assert listed == ["-p", 'tasks:=["depth", "normals"]']
    with pytest.raises(ParameterError, match="^bundle is .*; ROS takes only names that are UTF-8"):
        parameter_arguments({"bundle": os.fsdecode(b"/caf\xe9")})
    with pytest.raises(ParameterError, match="no parameter 'speed'"):
        parameter_arguments({"speed": 1})


def test_the_last_words_of_a_node_are_the_last_line_that_it_wrote():
    with NodeProcess({}, domain_id=1) as node:
        node._process.kill()
        node._process.wait()
        node._log.write(b"first\nlast\n")
        assert node.last_words() == "last"
    with NodeProcess({}, domain_id=1) as node:
        node._process.kill()
        node._process.wait()
        node._log.truncate(0)
        assert node.last_words() == "it wrote nothing"


START = "import signal, sys, time; signal.signal(signal.SIGINT, {}); print('up', flush=True)"


@pytest.fixture
def program(monkeypatch):
    """A function that starts another program in the node's place; and what was asked for."""
    asked, popen = [], subprocess.Popen

    def start(on_interrupt, **options):
        code = f"{START.format(on_interrupt)}; time.sleep(10)"

        def instead(command, **keywords):
            asked.append((command, keywords["env"]))
            return popen([sys.executable, "-S", "-c", code], **keywords)

        monkeypatch.setattr(node_process.subprocess, "Popen", instead)
        node = NodeProcess(options.pop("parameters", {}), **options)
        while node.last_words() == "it wrote nothing":
            time.sleep(0.01)
        return node

    start.asked = asked
    return start


def test_the_node_is_started_where_the_camera_is_and_with_a_session_of_its_own(program):
    inputs = Inputs("/front/image", "/front/info", "compressed")
    with program("signal.SIG_DFL", parameters={"max_age": 7}, domain_id=42, inputs=inputs) as node:
        assert os.getsid(node.pid) == node.pid != os.getsid(0)
    ((command, environment),) = program.asked
    assert command[1:] == [
        "-m", "mtshare_ros.ros.main", "--ros-args",
        "-r", "image:=/front/image", "-r", "camera_info:=/front/info",
        "-p", "max_age:=7", "-p", 'image_transport:="compressed"',
    ]  # fmt: skip
    assert environment["ROS_DOMAIN_ID"] == "42"
    assert node._process.returncode == -9, "a node that still runs in the end is killed"


def test_an_interrupted_node_has_some_seconds_to_exit(program, monkeypatch):
    with program("lambda *_: sys.exit(0)", domain_id=1) as node:
        waited, wait = [], node._process.wait
        monkeypatch.setattr(node._process, "wait", lambda t=None: waited.append(t) or wait(t))
        node.stop()
        assert waited == [15.0] and node._process.returncode == 0
    with (
        program("lambda *_: sys.exit('odd')", domain_id=1) as node,
        pytest.raises(ReplayFailedError, match="node exited with status 1: odd"),
    ):
        node.stop()
    monkeypatch.setattr(node_process, "EXIT_TIMEOUT", 0.05)
    with (
        program("signal.SIG_IGN", domain_id=1) as node,
        pytest.raises(ReplayFailedError, match=r"did not exit within 0\.05 s of an interrupt"),
    ):
        node.stop()

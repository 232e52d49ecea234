"""The node's program: how it starts; how it ends is held in test_node_exit.py."""

import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
import rclpy

from mtshare_ros.errors import UserError
from mtshare_ros.ros import main, program
from support.ros_harness import DOMAIN

MINE = signal.SIGUSR1
QUIET = ["--ros-args", "-p", "autostart:=false"]


def test_arguments_that_ros_refuses_are_one_line_and_status_2(capsys):
    assert program.run(["--ros-args", "-p", "nonsense"], main.SIGNALS) == 2
    assert not rclpy.ok()
    error = capsys.readouterr().err
    assert error.startswith("perception_node: ROS doesn't start") and error.count("\n") == 1
    assert not re.search(r"at \S+:\d+", error), "lines of the sources of ROS"


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


@pytest.fixture
def exits(monkeypatch):
    """Statuses with which the process would have been ended at once."""
    found = []
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
    monkeypatch.setattr(program, "os", SimpleNamespace(_exit=found.append))
    yield found
    for timer in timers():
        timer.cancel()


def timers():
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.fixture
def signalled():
    """A signal that waits for this thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [MINE])
    signal.pthread_kill(threading.get_ident(), MINE)
    yield
    signal.sigtimedwait([MINE], 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.usefixtures("signalled")
def test_a_signal_closes_the_node_and_ros(exits, monkeypatch):
    closed, close = [], program.PerceptionNode.close
    monkeypatch.setattr(program.PerceptionNode, "close", lambda n: closed.append(1) or close(n))
    assert program.run(QUIET, [MINE]) == 0
    assert closed == [1] and exits == [] and not rclpy.ok()


@pytest.mark.usefixtures("signalled")
def test_a_node_that_can_not_be_closed_is_left_to_the_end_of_the_process(exits, monkeypatch):
    close = program.PerceptionNode.close
    monkeypatch.setattr(program.PerceptionNode, "close", lambda node: close(node) and False)
    program.run(QUIET, [MINE])
    assert exits == [0]


@pytest.mark.usefixtures("signalled")
def test_a_close_that_hangs_is_cut_off_after_a_while(exits, monkeypatch):
    close, ended = program.PerceptionNode.close, threading.Event()
    monkeypatch.setattr(program.os, "_exit", lambda status: exits.append(status) or ended.set())
    monkeypatch.setattr(program, "EXIT_LIMIT", 0.01)
    monkeypatch.setattr(program.PerceptionNode, "close", lambda n: (ended.wait(5), close(n))[1])
    program.run(QUIET, [MINE])
    assert exits == [0]


@pytest.mark.parametrize("shut_down", [False, True])
def test_what_an_executor_raises_is_raised_while_ros_is_up(exits, monkeypatch, shut_down):
    class Torn(program.SingleThreadedExecutor):
        def spin(self):
            if shut_down:
                rclpy.shutdown()
            raise RuntimeError("failed to initialize wait set")

    monkeypatch.setattr(program, "SingleThreadedExecutor", Torn)
    if shut_down:
        assert program.run(QUIET, [MINE]) == 0
        return
    with pytest.raises(RuntimeError, match="wait set"):
        program.run(QUIET, [MINE])
    rclpy.try_shutdown()
    assert all(timer.finished.is_set() for timer in timers()), "the traceback is to be printed"

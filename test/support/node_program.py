"""The node as a process, as `ros2 run` starts it."""

import os
import subprocess
import sys

from mtshare_ros.ros.middleware import environment
from support.ros_harness import DOMAIN

STARTED: list[subprocess.Popen[str]] = []
"""Processes that a test may have left running."""


def start(*parameters, program=("-m", "mtshare_ros.ros.main"), others=()):
    arguments = [*others, *(word for p in parameters for word in ("-p", p))]
    process = subprocess.Popen(
        [sys.executable, *program, "--ros-args", *arguments],
        env={**os.environ, **environment(), "ROS_DOMAIN_ID": str(DOMAIN)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    STARTED.append(process)
    return process

"""The live node in a process and on a ROS domain of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from mtshare_ros.datasets.bags import topics
from mtshare_ros.errors import JobError
from mtshare_ros.ros.middleware import environment
from mtshare_ros.ros.parameters import ParameterError, named

EXIT_TIMEOUT = 15.0
"""Time in which an interrupted node must exit, in seconds."""

Value = str | float | int | bool


class ReplayFailedError(JobError):
    """A replay was asked for rightly, but the node failed."""


def is_text(value: str) -> bool:
    """Whether ROS can take a text: file names may have bytes that are none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parameter_arguments(parameters: Mapping[str, Value]) -> list[str]:
    """Return ``-p name:=value`` for each parameter.

    Args:
        parameters: Name -> value; of ``tasks``, names separated by commas.

    Raises:
        ParameterError: There is no such parameter, or a value can't be taken.
    """
    arguments = []
    for name, value in parameters.items():
        parameter = named(name)
        typed: object = value
        if isinstance(parameter.default, list) and isinstance(value, str):
            typed = [item.strip() for item in value.split(",") if item.strip()]
        if isinstance(value, str) and not is_text(value):
            raise ParameterError(f"{name} is {value!r}; ROS takes only names that are UTF-8")
        # JSON is YAML, and puts texts that look like numbers in quotes.
        arguments += ["-p", f"{name}:={json.dumps(parameter.check(typed))}"]
    return arguments


@dataclass(frozen=True)
class Inputs:
    """Where the node hears a camera.

    Attributes:
        image: Resolved name of the images' topic, without that of a transport.
        camera_info: Resolved name of the CameraInfo's topic.
        transport: ``raw`` or ``compressed``.
    """

    image: str = f"/{topics.IMAGE}"
    camera_info: str = f"/{topics.CAMERA_INFO}"
    transport: str = "raw"


DEMO_INPUTS = Inputs()
"""Those of the project's own clips."""


class NodeProcess:
    """A running ``perception_node``; a context manager that stops it."""

    def __init__(
        self, parameters: Mapping[str, Value], domain_id: int, inputs: Inputs = DEMO_INPUTS
    ) -> None:
        """Start the node.

        Args:
            parameters: The node's parameters.
            domain_id: ROS domain to use.
            inputs: Where it hears a camera.

        Raises:
            ParameterError: There is no such parameter, or a value can't be taken.
        """
        command = [sys.executable, "-m", "mtshare_ros.ros.main", "--ros-args"]
        command += ["-r", f"image:={inputs.image}", "-r", f"camera_info:={inputs.camera_info}"]
        command += parameter_arguments({**parameters, "image_transport": inputs.transport})
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment(), "ROS_DOMAIN_ID": str(domain_id)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal interrupts the replay, which then interrupts the node once.
            start_new_session=True,
        )

    def __enter__(self) -> NodeProcess:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ReplayFailedError if the process has ended."""
        status = self._process.poll()
        if status is not None:
            raise ReplayFailedError(f"the node ended with status {status}: {self.last_words()}")

    def stop(self) -> None:
        """Interrupt the node as Ctrl-C does.

        Raises:
            ReplayFailedError: It does not exit in time, or not with status 0.
        """
        self.check()
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ReplayFailedError(
                f"the node did not exit within {EXIT_TIMEOUT:g} s of an interrupt"
            ) from None
        if status != 0:
            raise ReplayFailedError(
                f"the interrupted node exited with status {status}: {self.last_words()}"
            )

    def last_words(self) -> str:
        """Return the last line that the node wrote."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

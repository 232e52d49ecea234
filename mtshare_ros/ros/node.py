"""The program ``perception_node``: starts the node, spins it, and ends with an exit status."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException

from mtshare_ros.errors import one_line
from mtshare_ros.ros.lifecycle import PerceptionNode
from mtshare_ros.ros.parameters import ParameterError


class StartError(Exception):
    """ROS doesn't start with the arguments it was given."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit status."""
    node, finished = None, True
    try:
        node = _start(args)
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (StartError, ParameterError, ParameterException) as error:
        print(f"perception_node: {one_line(error)}", file=sys.stderr)
        return 2
    except RuntimeError:
        # A signal that comes between two callbacks takes ROS from under the executor.
        if rclpy.ok():
            raise
    finally:
        if node is not None:
            finished = node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    if not finished:
        # A runtime that is building an engine can't be interrupted, and Python's own exit aborts
        # when such a thread comes back from it.
        sys.stdout.flush()
        os._exit(0)
    return 0


def _start(args: Sequence[str] | None) -> PerceptionNode:
    try:
        rclpy.init(args=None if args is None else list(args))
    except RuntimeError as error:
        # What rclpy raises has no public class; the lines of C it names say nothing to a user.
        said = re.sub(r", at \S+:\d+", "", str(error))
        raise StartError(f"ROS doesn't start: {said}") from None
    return PerceptionNode()


if __name__ == "__main__":
    sys.exit(main())

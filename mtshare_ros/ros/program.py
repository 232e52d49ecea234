"""The run of ``perception_node``: its start, spinning until a signal comes, its exit status."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Collection, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from mtshare_ros.errors import UserError, one_line
from mtshare_ros.ros.node import EXIT_PATIENCE, PerceptionNode
from mtshare_ros.ros.parameters import ParameterError

EXIT_LIMIT = 1.8
"""Time after a signal at which the process ends whatever is still going on, in seconds."""
_POLL = 0.2


class StartError(UserError):
    """ROS doesn't start with the arguments it was given."""


class _Spinning:
    """A node being spun in a thread, so that the main thread can wait for signals."""

    def __init__(self, node: PerceptionNode) -> None:
        self.error: BaseException | None = None
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name="spinning", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._executor.shutdown(EXIT_PATIENCE)
        self._thread.join(EXIT_PATIENCE)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except BaseException as error:
            self.error = error


def run(args: Sequence[str] | None, signals: Collection[signal.Signals]) -> int:
    """Run the node until a signal comes; return the exit status.

    Args:
        args: Arguments of ROS; None for those of the process.
        signals: Signals that end the node; blocked in every thread.
    """
    node = start(args)
    if node is None:
        return 2
    spinning = _Spinning(node)
    while spinning.running and signal.sigtimedwait(signals, _POLL) is None:
        pass
    # An executor that is stopped in the middle of a callback may raise: only what it raised by
    # itself counts, and only while ROS was up.
    failure = None if spinning.running or not node.context.ok() else spinning.error
    # A runtime that is building an engine can't be interrupted, and Python's own exit aborts
    # when such a thread comes back from it.
    limit = threading.Timer(EXIT_LIMIT, os._exit, (0,))
    limit.daemon = True
    limit.start()
    spinning.stop()
    finished = node.close()
    if failure is not None:
        limit.cancel()
        raise failure
    if not finished:
        sys.stdout.flush()
        os._exit(0)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


def start(args: Sequence[str] | None) -> PerceptionNode | None:
    """Start ROS and the node; say on stderr what the user gave wrongly and return None then."""
    try:
        _start_ros(args)
        return PerceptionNode(args)
    except (StartError, ParameterError, ParameterException) as error:
        print(f"perception_node: {one_line(error)}", file=sys.stderr)
        rclpy.try_shutdown()
        return None


def _start_ros(args: Sequence[str] | None) -> None:
    try:
        rclpy.init(
            args=None if args is None else list(args),
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except RuntimeError as error:
        # What rclpy raises has no public class; the lines of C it names say nothing to a user.
        said = re.sub(r", at \S+:\d+", "", str(error))
        raise StartError(f"ROS doesn't start: {said}") from None
    except UnicodeEncodeError as error:
        # An argument whose bytes are no text, as those of a file's name may be.
        raise StartError(f"ROS doesn't start: {error.object!r}: expected UTF-8") from None

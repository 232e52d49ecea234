"""The entry of ``perception_node``: blocks signals, and only then imports what it runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that end the node."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit status."""
    # Blocked before anything starts a thread, and then waited for in one place: a handler could
    # strike in any line, while modules load or ROS shuts down, and leave a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    from mtshare_ros.ros.program import run

    if signal.sigpending() & set(SIGNALS):
        return 0
    return run(args, SIGNALS)


if __name__ == "__main__":
    sys.exit(main())

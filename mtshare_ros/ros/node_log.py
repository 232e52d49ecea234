"""The node's log: what the package logs outside of ROS, and faults at a bounded rate."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

Report = Callable[[str, str], None]
"""Called with the kind of a fault and a message; limits how often a kind is logged."""


class ForwardLog(logging.Handler):
    """A handler of Python's logging that hands everything to a node's logger."""

    def __init__(self, logger: Any) -> None:
        """Hand to ``logger``, a node's logger."""
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one message on."""
        # rclpy wants one place in the code for each severity.
        message = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(message)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(message)
        else:
            self._logger.info(message)

    def start(self) -> None:
        """Take the messages of this package."""
        package = logging.getLogger("mtshare_ros")
        package.setLevel(min(package.getEffectiveLevel(), logging.INFO))
        package.addHandler(self)

    def stop(self) -> None:
        """Take no more."""
        logging.getLogger("mtshare_ros").removeHandler(self)


PERIOD = 1.0
"""Shortest time between two log lines about one kind of fault, in seconds."""


class Reporter:
    """Logs warnings, at most one per kind and ``PERIOD``; may be used from several threads."""

    def __init__(self, logger: Any) -> None:
        """Log to ``logger``, a node's logger."""
        self._logger = logger
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}

    def __call__(self, kind: str, message: str) -> None:
        """Log ``message`` unless a fault of the same kind was logged just now."""
        now = time.monotonic()
        with self._lock:
            if now - self._logged.get(kind, -PERIOD) < PERIOD:
                return
            self._logged[kind] = now
        self._logger.warning(message)

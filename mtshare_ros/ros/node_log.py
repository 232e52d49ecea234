"""Brings what the package logs outside of ROS into the node's log."""

from __future__ import annotations

import logging
from typing import Any


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

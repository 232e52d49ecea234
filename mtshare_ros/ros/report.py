"""Faults that repeat with every frame, logged at a readable pace."""

from __future__ import annotations

import threading
import time
from typing import Any

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

"""One thread that works on the newest frame; knows nothing of ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestWorker(Generic[Item]):
    """Runs ``process`` on the newest item, in a thread of its own.

    An item that was put while another waited replaces it: what a robot needs is the latest frame,
    and a queue would only make every result old.
    """

    def __init__(self, process: Callable[[Item], None], on_drop: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            process: Called with each item, in the thread; must not raise.
            on_drop: Called in the thread of ``put`` for each item that was replaced unseen.
        """
        self._process = process
        self._on_drop = on_drop
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="perception", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Make ``item`` the next one to be processed; returns at once."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify()
        if replaced:
            self._on_drop()

    def stop(self) -> None:
        """Finish the item being processed, forget the one that waits, and end the thread."""
        with self._changed:
            self._stopping = True
            if self._item is not None:
                self._item = None
                self._on_drop()
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._process(item)

    def _next(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._item is not None)
            item, self._item = self._item, None
            return None if self._stopping else item

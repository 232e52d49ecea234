"""One thread that works on the newest item of each source in turn; knows nothing of ROS."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Source = TypeVar("Source", bound=Hashable)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Work(Generic[Source, Item]):
    """An item in work and whose it is."""

    source: Source
    item: Item
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """For how long it has been in work."""
        return time.monotonic() - self._began


class FairWorker(Generic[Source, Item]):
    """Runs ``process`` on the newest item of each source in turn, in a thread of its own.

    An item that was put while another of its source waited replaces it: what a robot needs is the
    latest frame, and a queue would only make every result old. The newer item keeps the older
    one's turn, and a source that was served goes to the end: so a source waits for at most one
    item of each of the others, however fast they come.

    With a ``depth`` above 1, so many items of a source may wait, and are worked on in their
    order; the oldest is replaced.
    """

    def __init__(
        self,
        process: Callable[[Source, Item], None],
        on_drop: Callable[[Source], None],
        name: str = "perception",
        depth: int = 1,
    ) -> None:
        """Start the thread.

        Args:
            process: Called with a source and its item, in the thread; must not raise.
            on_drop: Called in the thread of ``put`` or ``stop`` with the source of each item that
                was dropped unseen.
            name: Name of the thread.
            depth: Items of a source that may wait.
        """
        self._process = process
        self._on_drop = on_drop
        self._changed = threading.Condition()
        self._depth = depth
        self._waiting: dict[Source, deque[Item]] = {}  # In the order of their turns.
        self._work: Work[Source, Item] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def work(self) -> Work[Source, Item] | None:
        """The item in work, or None."""
        return self._work

    def put(self, source: Source, item: Item) -> None:
        """Make ``item`` the next one of its source to be processed; returns at once.

        Once the worker is stopped the item itself is dropped.
        """
        with self._changed:
            queue = self._waiting.get(source, deque())
            dropped = self._stopping or len(queue) == self._depth
            if not self._stopping:
                if dropped:
                    queue.popleft()
                queue.append(item)
                self._waiting[source] = queue
                self._changed.notify()
        if dropped:
            self._on_drop(source)

    def stop(self, patience: float) -> bool:
        """Forget the items that wait and end the thread after the item in work.

        Args:
            patience: How long to wait for that item, in seconds.

        Returns:
            Whether the thread has ended.
        """
        with self._changed:
            self._stopping = True
            dropped = [source for source, queue in self._waiting.items() for _ in queue]
            self._waiting = {}
            self._changed.notify()
        for source in dropped:
            self._on_drop(source)
        self._thread.join(max(0.0, patience))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            self._process(work.source, work.item)

    def _next(self) -> Work[Source, Item] | None:
        with self._changed:
            self._work = None
            self._changed.wait_for(lambda: self._stopping or self._waiting)
            if not self._stopping:
                source = next(iter(self._waiting))
                queue = self._waiting.pop(source)
                self._work = Work(source, queue.popleft())
                if queue:  # At the end: the others come first.
                    self._waiting[source] = queue
            return self._work

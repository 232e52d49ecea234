"""Serialized messages, set aside while a node is measured and written as a bag afterwards."""

from __future__ import annotations

import contextlib
import struct
import tempfile
import threading
from collections import Counter
from pathlib import Path

from mtshare_ros.datasets.bags.file import NEWEST_VERSION, BagFile
from mtshare_ros.errors import JobError

_RECORD = struct.Struct("<HqqI")


class Tally:
    """Counts serialized messages and keeps none; several threads may add them.

    Attributes:
        counts: Topic -> number of messages.
        failure: Why no more messages are taken, or None.
    """

    def __init__(self) -> None:
        """Start from zero."""
        self.counts: Counter[str] = Counter()
        self.failure: str | None = None
        self._topics: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def add_topic(self, topic: str, message_type: str) -> int:
        """Return the number under which messages of ``topic`` are added.

        Args:
            topic: Full name.
            message_type: For instance ``sensor_msgs/msg/Image``.
        """
        self._topics.append((topic, message_type))
        return len(self._topics) - 1

    def add(self, number: int, time: int, data: bytes, sent: int | None = None) -> None:
        """Take a serialized message.

        Args:
            number: That of its topic.
            time: When it came, in nanoseconds.
            data: The message.
            sent: When what it answers was sent, in nanoseconds; by default ``time``.
        """
        with self._lock:
            self.counts[self._topics[number][0]] += 1


class Recorder(Tally):
    """Keeps serialized messages in a temporary file until ``write``; a context manager.

    Compressing while the node runs would take its cores, and a minute of messages would fill the
    memory; appending to a file costs one copy. A full disk is a ``failure``.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the messages in a temporary file in ``folder``."""
        super().__init__()
        self._folder = folder
        self._spool = tempfile.TemporaryFile(dir=folder)

    def __enter__(self) -> Recorder:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the messages."""
        # A full disk does not take what the buffer still holds, which nobody needs any more.
        with contextlib.suppress(OSError):
            self._spool.close()

    def add(self, number: int, time: int, data: bytes, sent: int | None = None) -> None:
        """Keep a serialized message; see ``Tally`` and ``failure``."""
        head = _RECORD.pack(number, time, time if sent is None else sent, len(data))
        with self._lock:
            if self.failure is not None:
                return
            try:
                self._spool.write(head)
                self._spool.write(data)
            except OSError as error:
                # The listener's thread calls this, and must go on.
                self.failure = f"messages can't be kept in {self._folder}: {error.strerror}"
                return
        super().add(number, time, data)

    def write(self, path: Path) -> None:
        """Write all messages as a compressed MCAP bag; ``path`` must not exist.

        Raises:
            JobError: The bag can't be written; nothing of it is left.
        """
        if self.failure is not None:
            raise JobError(self.failure)
        try:
            with BagFile(path, NEWEST_VERSION) as bag:
                names = [topic.lstrip("/") for topic, _ in self._topics]
                for name, (_, message_type) in zip(names, self._topics, strict=True):
                    bag.add_topic(name, message_type)
                self._spool.seek(0)
                while head := self._spool.read(_RECORD.size):
                    number, time, sent, length = _RECORD.unpack(head)
                    bag.put_serialized(names[number], self._spool.read(length), time, sent)
        except OSError as error:
            raise JobError(f"bag {path} not written: {error.strerror or error}") from None

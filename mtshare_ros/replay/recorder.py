"""Serialized messages, set aside while a node is being measured and written as a bag after."""

from __future__ import annotations

import contextlib
import shutil
import struct
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

from mtshare_ros.errors import JobError

_RECORD = struct.Struct("<HqI")


class Recorder:
    """Keeps serialized messages in a temporary file until ``write``; a context manager.

    Compressing while the node runs would take its cores, and a minute of messages would fill the
    memory; appending to a file costs one copy.

    Attributes:
        counts: Topic -> number of messages.
        failure: Why no more messages are kept (a full disk), or None.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the messages in ``folder`` meanwhile."""
        self.counts: Counter[str] = Counter()
        self.failure: str | None = None
        self._folder = folder
        self._topics: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._spool = tempfile.TemporaryFile(dir=folder)

    def __enter__(self) -> Recorder:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget the messages."""
        # What the buffer still holds can't be written to a full disk, and isn't wanted.
        with contextlib.suppress(OSError):
            self._spool.close()

    def add_topic(self, topic: str, message_type: str) -> int:
        """Return the number under which messages of ``topic`` are added.

        Args:
            topic: Full name.
            message_type: For instance ``sensor_msgs/msg/Image``.
        """
        with self._lock:
            self._topics.append((topic, message_type))
            return len(self._topics) - 1

    def add(self, number: int, stamp: int, data: bytes) -> None:
        """Add a serialized message with its time in nanoseconds; see ``failure``."""
        with self._lock:
            if self.failure is not None:
                return
            try:
                self._spool.write(_RECORD.pack(number, stamp, len(data)))
                self._spool.write(data)
            except OSError as error:
                # Called in a thread of its caller, which must live on.
                self.failure = f"messages can't be kept in {self._folder}: {error.strerror}"
                return
            self.counts[self._topics[number][0]] += 1

    def write(self, path: Path) -> None:
        """Write all messages as a compressed MCAP bag; ``path`` must not exist.

        Raises:
            JobError: The bag can't be written; nothing of it is left.
        """
        if self.failure is not None:
            raise JobError(self.failure)
        try:
            self._write(path)
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise JobError(f"bag {path} not written: {error.strerror or error}") from None

    def _write(self, path: Path) -> None:
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        store = get_typestore(Stores.LATEST)
        writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            connections = [
                writer.add_connection(topic, type_, typestore=store)
                for topic, type_ in self._topics
            ]
            self._spool.seek(0)
            while head := self._spool.read(_RECORD.size):
                number, stamp, length = _RECORD.unpack(head)
                writer.write(connections[number], stamp, self._spool.read(length))

"""A new bag (MCAP, compressed) that appears when it is complete: the one way to write bags."""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any, Literal, TypeVar

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.errors import written
from mtshare_ros.output_checks import check_new_output

METADATA_VERSION: Literal[8] = 8
"""Version of rosbag2's metadata that Humble and everything later reads."""

NEWEST_VERSION: Literal[9] = Writer.VERSION_LATEST
"""Version of rosbag2's metadata that Jazzy and everything later writes."""

STORE = get_typestore(Stores.ROS2_HUMBLE)
"""Message types; those used here are the same from Humble to Kilted."""

_Self = TypeVar("_Self", bound="BagFile")

_BEFORE_PUBLISHED = 1 + 8 + 2 + 4 + 8
"""Bytes of a message's record in MCAP before the time at which it was published."""


class _TimedMcap(McapWriter):
    """An MCAP file whose messages may have been published at another time than recorded.

    Attributes:
        sent: When the next message was published, in nanoseconds; None: when it is recorded.
    """

    sent: int | None = None

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        self._published: list[tuple[int, int]] = []
        super().__init__(path, compression)

    def write(self, connection: Any, timestamp: int, data: bytes | memoryview) -> None:
        """Write a message."""
        if self.sent is not None:
            self._published.append((self.chunk.bio.tell() + _BEFORE_PUBLISHED, self.sent))
        super().write(connection, timestamp, data)

    def close_chunk(self) -> None:
        """Put the times of publication in their places before the chunk is compressed."""
        for place, sent in self._published:
            self.chunk.bio.seek(place)
            self.chunk.bio.write(struct.pack("<Q", sent))
        self._published.clear()
        self.chunk.bio.seek(0, io.SEEK_END)
        super().close_chunk()


class _Writer(Writer):
    """Writes MCAP with both times of a message."""

    STORAGE_PLUGINS = {**Writer.STORAGE_PLUGINS, StoragePlugin.MCAP: _TimedMcap}


class BagFile:
    """Writes one bag; use it as a context manager.

    A path that ends in ``.mcap`` becomes a single file; any other becomes a folder with a
    ``metadata.yaml``, as ``ros2 bag record`` makes it. Schemas are in the file.
    """

    def __init__(self, path: Path, version: Literal[8, 9] = METADATA_VERSION) -> None:
        """Begin a bag.

        Args:
            path: What to write; it must not exist.
            version: Version of the metadata.

        Raises:
            OSError: ``path`` exists or can't be made.
        """
        self.path = Path(path)
        check_new_output(self.path)
        self._version = version
        self._connections: dict[str, Any] = {}

    def __enter__(self: _Self) -> _Self:
        """Open a bag beside the path, which the path's name is given to at the end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=".bag-", dir=self.path.parent))
        self._folder = self._work / self.path.name.removesuffix(".mcap")
        self._writer = _Writer(
            self._folder, version=self._version, storage_plugin=StoragePlugin.MCAP
        )
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with written(self.path):
            self._writer.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        """Finish the bag, or leave nothing behind where the writing failed."""
        try:
            with written(self.path):
                self._writer.__exit__(kind, *rest)
            if kind is None:
                single = self.path.suffix == ".mcap"
                os.rename(next(self._folder.glob("*.mcap")) if single else self._folder, self.path)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def add_topic(self, topic: str, msgtype: str) -> None:
        """Add a topic (without the leading slash), which may stay without messages."""
        self._connections[topic] = self._writer.add_connection(
            f"/{topic}", msgtype, typestore=STORE
        )

    def put(self, topic: str, msgtype: str, message: Any, stamp: int) -> None:
        """Write a message under a topic (without the leading slash) and a stamp in ns."""
        if topic not in self._connections:
            self.add_topic(topic, msgtype)
        self.put_serialized(topic, STORE.serialize_cdr(message, msgtype), stamp)

    def put_serialized(
        self, topic: str, data: bytes | memoryview, time: int, sent: int | None = None
    ) -> None:
        """Write a serialized message.

        Args:
            topic: A topic that was added.
            data: The message.
            time: When it was recorded, in nanoseconds.
            sent: When it was published; by default ``time``.
        """
        with written(self.path):
            storage = self._writer.storage
            if isinstance(storage, _TimedMcap):
                storage.sent = sent
            self._writer.write(self._connections[topic], time, data)

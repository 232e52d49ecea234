"""A new bag (MCAP, compressed) that appears when it is complete: the one way to write bags."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, TypeVar

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.errors import written
from mtshare_ros.outputs import check_new_output

METADATA_VERSION: Literal[8] = 8
"""Version of rosbag2's metadata that Humble and everything later reads."""

NEWEST_VERSION: Literal[9] = Writer.VERSION_LATEST
"""Version of rosbag2's metadata that Jazzy and everything later writes."""

STORE = get_typestore(Stores.ROS2_HUMBLE)
"""Message types; those used here are the same from Humble to Kilted."""

_Self = TypeVar("_Self", bound="BagFile")


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
        self._writer = Writer(
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

    def put_serialized(self, topic: str, data: bytes | memoryview, stamp: int) -> None:
        """Write a serialized message under a topic that was added and a stamp in ns."""
        with written(self.path):
            self._writer.write(self._connections[topic], stamp, data)

"""Bags of ROS 1 (``.bag``): their messages as ROS 2 would have recorded them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.rosbag1 import Reader

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.file import STORE
from mtshare_ros.datasets.bags.recorded_file import Losses, Message, StorageError, Topic
from mtshare_ros.errors import reason_of

MAGIC = b"#ROSBAG V"
READ_TYPES = (*topics.IMAGE_TYPES, topics.INFO_TYPE)
"""Types whose fields are the same in ROS 1 and 2, but for the header's number."""


def ros2_type(name: str) -> str:
    """Return the name that ROS 2 gives to a message type of ROS 1."""
    package, slash, last = name.partition("/")
    return f"{package}/msg/{last}" if slash and "/" not in last else name


def to_cdr(data: bytes, type_: str) -> bytes:
    """Return a message of ROS 1, of one of ``READ_TYPES``, as ROS 2 serializes it.

    What is no such message becomes no bytes: whoever decodes it says that it can't be read.
    """
    try:
        return bytes(STORE.ros1_to_cdr(data, type_))
    except Exception:  # Damaged bytes make generated code raise anything.
        return b""


class Ros1Bag:
    """A bag of ROS 1 as a ``Storage``."""

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Raises:
            StorageError: It can't be read, or it has no index.
        """
        self.losses = Losses()
        # Damaged bytes make rosbags raise whatever its parsers raise: all of it means the same.
        try:
            self._reader = Reader(path)
            self._reader.open()
        except OSError:
            raise
        except Exception as error:
            reason = reason_of(error)
            if "reindex" in reason:
                reason = "it has no index; run `rosbag reindex` on it"
            raise StorageError(reason) from error
        counts: dict[tuple[str, str], int] = {}
        for connection in self._reader.connections:
            key = (connection.topic.lstrip("/"), connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        self.topics = tuple(Topic(*key, count) for key, count in counts.items())
        self.start = self._reader.start_time if sum(counts.values()) else None

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """See ``Storage``."""
        wanted = [
            connection
            for connection in self._reader.connections
            if connection.topic.lstrip("/") in names
            and connection.msgtype in types
            and connection.msgtype in READ_TYPES
        ]
        # Without a connection, rosbags would return the messages of all topics.
        if not wanted:
            return
        try:
            for connection, time, data in self._reader.messages(wanted):
                type_ = connection.msgtype
                yield Message(connection.topic.lstrip("/"), type_, time, to_cdr(data, type_))
        except Exception as error:
            self.losses.note(f"can't be read to its end ({reason_of(error)})")

    def close(self) -> None:
        """See ``Storage``."""
        self._reader.close()

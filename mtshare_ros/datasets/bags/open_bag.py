"""A bag that is open for reading: the one way into recorded bags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.cut_off import WholeRecords, is_cut_off
from mtshare_ros.errors import UserError


class BagError(UserError):
    """A bag can't be read or used; the message names the bag, and a topic that is at fault."""


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name: Without the leading slash.
        type: For instance ``sensor_msgs/msg/Image``.
        count: Number of its messages.
    """

    name: str
    type: str
    count: int


@dataclass(frozen=True)
class Message:
    """A message as it was recorded.

    Attributes:
        topic: Name of its topic, without the leading slash.
        type: For instance ``sensor_msgs/msg/Image``.
        time: When it was recorded, in nanoseconds.
        data: The serialized message.
    """

    topic: str
    type: str
    time: int
    data: bytes


class OpenBag:
    """A bag that is open for reading; a context manager that closes it.

    Attributes:
        path: The bag.
        cut_off: Whether it is an MCAP file whose end is missing; its whole records can be read.
        topics: Its topics; a name is there once for each type.
    """

    def __init__(self, path: Path, salvage: bool = False) -> None:
        """Open a single ``.mcap`` or ``.db3``, or a folder as ``ros2 bag record`` makes it.

        Args:
            path: The bag.
            salvage: Also open an MCAP file whose end is missing.

        Raises:
            BagError: There is no bag, or it can't be read.
        """
        self.path = Path(path)
        if not self.path.exists():
            raise self.error("not found")
        self.cut_off = (
            salvage
            and self.path.suffix == ".mcap"
            and self.path.is_file()
            and is_cut_off(self.path)
        )
        source: Any = WholeRecords(self.path) if self.cut_off else self.path
        # Damaged bytes make rosbags raise whatever its parsers raise: all of it means the same.
        try:
            self._reader = AnyReader([source], default_typestore=get_typestore(Stores.LATEST))
            self._reader.open()
        except Exception as error:
            raise self._unreadable(error) from error
        self.topics = tuple(
            Topic(c.topic.lstrip("/"), c.msgtype, c.msgcount) for c in self._reader.connections
        )

    def __enter__(self) -> OpenBag:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bag."""
        self._reader.close()

    @property
    def start(self) -> int:
        """Time of the first message, in nanoseconds."""
        return int(self._reader.start_time)

    def count(self, topic: str, types: Collection[str]) -> int:
        """Return how many messages of these types a topic has."""
        return sum(t.count for t in self.topics if t.name == topic and t.type in types)

    def find_images(self, base: str) -> str | None:
        """Return the topic with images: ``base``, else ``base`` compressed, else None."""
        names = {topic.name for topic in self.topics if topic.type in topics.IMAGE_TYPES}
        return next((name for name in (base, base + topics.COMPRESSED) if name in names), None)

    def camera_images(self, base: str) -> str:
        """Return the topic with a camera's images: ``base``, else ``base`` compressed.

        Raises:
            BagError: There are no images on either.
        """
        name = self.find_images(base)
        if name is None:
            raise self.lacks(f"images on {base} or {base}{topics.COMPRESSED}")
        return name

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """Yield the messages on some topics, of some types, in the order of their recording.

        Raises:
            BagError: The bag is damaged.
        """
        connections = [
            c
            for c in self._reader.connections
            if c.topic.lstrip("/") in names and c.msgtype in types
        ]
        # Without a connection, rosbags would return the messages of all topics.
        if not connections:
            return
        try:
            for connection, time, data in self._reader.messages(connections):
                yield Message(connection.topic.lstrip("/"), connection.msgtype, time, data)
        except Exception as error:
            raise self._unreadable(error) from error

    def decoded(self, message: Message) -> Any:
        """Return the content of a message.

        Raises:
            BagError: The message can't be read.
        """
        try:
            return self._reader.deserialize(message.data, message.type)
        except Exception as error:
            raise self.error(f"/{message.topic} at {message.time}: {error}") from error

    def error(self, text: str) -> BagError:
        """Return an error that names the bag."""
        return BagError(f"bag {self.path}: {text}")

    def lacks(self, expected: str) -> BagError:
        """Return the error that something is missing, which lists what there is instead."""
        present = (f"{t.name} ({t.count} {t.type.rpartition('/')[2]})" for t in self.topics)
        return self.error(f"no {expected}; it has {', '.join(sorted(present)) or 'no topics'}")

    def _unreadable(self, error: Exception) -> BagError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return self.error(f"can't be read ({reason}); expected a ROS 2 bag")

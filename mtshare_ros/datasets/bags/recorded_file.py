"""What every kind of recorded file gives: its topics, and its messages in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtshare_ros.errors import UserError


class StorageError(UserError):
    """A file holds no recording that can be read; says why, without the file's name."""


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
        data: The message, serialized as ROS 2 does it (CDR).
    """

    topic: str
    type: str
    time: int
    data: bytes


class Losses:
    """What of a file can't be read, in words; each is there once."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._texts: dict[str, None] = {}

    def note(self, text: str) -> None:
        """Add what can't be read, as the rest of a sentence about the file."""
        self._texts[text] = None

    def __iter__(self) -> Iterator[str]:
        """Yield the texts in the order in which they were noted."""
        return iter(self._texts)


class Storage(Protocol):
    """A file of recorded messages that is open for reading.

    Damage in the file ends no reading: what is lost is noted, and the rest is read.
    """

    @property
    def topics(self) -> Sequence[Topic]:
        """Its topics; what can't be read has a type that no reader asks for."""
        ...

    @property
    def start(self) -> int | None:
        """Time of the first message, in nanoseconds; None if there is no message."""
        ...

    @property
    def losses(self) -> Losses:
        """What can't be read; complete when all messages were asked for."""
        ...

    def messages(self, names: Collection[str], types: Collection[str]) -> Iterator[Message]:
        """Yield the messages on some topics, of some types, in the order of their recording."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

"""Messages that a bag holds more than once: recorded twice, or merged with themselves."""

from __future__ import annotations

import hashlib

from mtshare_ros.datasets.bags.messages import serialized_stamp
from mtshare_ros.datasets.bags.recorded_file import Message


class Repeats:
    """Finds the messages of a topic whose every byte was there before, the stamp included.

    Such a message is the same one again. Another image with the same stamp is not.
    """

    def __init__(self, topic: str) -> None:
        """Start before the first message; ``topic`` without the leading slash."""
        self.count = 0
        self._topic = topic
        self._first = 0
        self._known: set[bytes] = set()

    def is_repeat(self, message: Message) -> bool:
        """Return whether a message was there before, and count it then."""
        stamp = serialized_stamp(message.data)
        if stamp is None:
            return False  # No message at all: it is counted as one that can't be read.
        key = hashlib.blake2b(message.data, digest_size=16).digest()
        if key not in self._known:
            self._known.add(key)
            return False
        self._first = self._first if self.count else stamp
        self.count += 1
        return True

    def __str__(self) -> str:
        """Return it in words, for people; empty if no message was there before."""
        if not self.count:
            return ""
        seconds, nanoseconds = divmod(self._first, 1_000_000_000)
        return (
            f"/{self._topic}: {self.count} duplicates passed over, the same message recorded"
            f" again, such as that of {seconds}.{nanoseconds:09d} s"
        )

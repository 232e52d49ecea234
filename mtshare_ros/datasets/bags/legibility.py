"""How many messages of a topic can be used, and what is wrong with those that can't."""

from __future__ import annotations

from dataclasses import dataclass, field

NAMED = 3
"""Messages that can't be read which are named; the others are only counted."""


@dataclass
class Legibility:
    """What became of the messages of a topic.

    Attributes:
        topic: Its name, without the leading slash.
        read: Messages that were read.
        unread: Messages that can't be read.
        named: When the first of them were, and why they can't be read.
        reason: Why the first of them can't be read.
    """

    topic: str
    read: int = 0
    unread: int = 0
    named: list[str] = field(default_factory=list)
    reason: str = ""

    def skip(self, stamp: int, reason: str) -> None:
        """Count a message that can't be read; ``stamp`` in nanoseconds."""
        self.unread += 1
        self.reason = self.reason or reason
        if len(self.named) < NAMED:
            seconds, nanoseconds = divmod(stamp, 1_000_000_000)
            self.named.append(f"{seconds}.{nanoseconds:09d} s: {reason}")

    def reject(self, stamp: int, reason: str) -> None:
        """Count a message that was read and can't be used."""
        self.read -= 1
        self.skip(stamp, reason)

    @property
    def hopeless(self) -> bool:
        """Whether most of the messages can't be used."""
        return self.unread > self.read

    def verdict(self) -> str:
        """Return what to tell of a hopeless topic."""
        total = self.unread + self.read
        return f"/{self.topic}: {self.reason} ({self.unread} of {total} messages can't be used)"

    def __str__(self) -> str:
        """Return it in words, for people; empty if all messages were read."""
        if not self.unread:
            return ""
        text = f"/{self.topic}: {self.unread} of {self.unread + self.read} messages can't be used"
        more = "; ..." if self.unread > len(self.named) else ""
        return f"{text}: {'; '.join(self.named)}{more}"

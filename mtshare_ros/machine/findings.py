"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        found: What was found, or what is missing and how to get it.
        ok: Whether it is there.
        needed: Whether the machine's purpose needs it.
    """

    what: str
    found: str
    ok: bool = True
    needed: bool = True

    @property
    def fatal(self) -> bool:
        """Whether the machine can't serve its purpose because of this."""
        return self.needed and not self.ok

    @property
    def mark(self) -> str:
        """A short word for a table's first column."""
        if self.ok:
            return "ok"
        return "MISSING" if self.needed else "not here"

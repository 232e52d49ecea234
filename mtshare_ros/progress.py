"""How a job says how far it is: it calls what its caller gave it and draws nothing itself."""

from __future__ import annotations

from collections.abc import Callable

OnStep = Callable[[int, int, str], None]
"""Called with the steps that are done, those in all, and a few words on what is being done."""


def silent(done: int, total: int, text: str) -> None:
    """Tell nobody; what a job calls when its caller gave it nothing."""

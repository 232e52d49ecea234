"""How a job says how far it is: it calls what its caller gave it and draws nothing itself."""

from __future__ import annotations

from collections.abc import Callable

OnCount = Callable[[int, int], None]
"""Called with the steps that are done and those in all."""

OnStep = Callable[[int, int, str], None]
"""Called with the steps that are done, those in all, and a few words on what is being done."""


def silent(*_: object) -> None:
    """Tell nobody; what a job calls when its caller gave it nothing."""

"""Memory of a process, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path


def resident_mib(process: int | str = "self") -> float:
    """Return the resident memory of a process in MiB; by default of this one."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

"""Memory and computing time of a process, as Linux tells them."""

from __future__ import annotations

import os
from pathlib import Path


def resident_mib(process: int | str = "self") -> float:
    """Return the resident memory of a process in MiB; by default of this one."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(process: int | str = "self") -> float:
    """Return the time that all threads of a process have computed; by default of this one."""
    # The second field, the name, may hold spaces; it ends with the last parenthesis.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

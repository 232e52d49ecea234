"""Where the package's models and configuration files are."""

from __future__ import annotations

import sys
from pathlib import Path

import mtshare_ros

PACKAGE = "mtshare_ros"


def package_path(relative: str) -> Path:
    """Return the path of a file or folder that comes with the package.

    It is looked for in the share folder of the ROS package, then in that of this Python, then
    beside the source; the last is returned if it is nowhere.
    """
    candidates = [
        Path(sys.prefix) / "share" / PACKAGE / relative,
        Path(mtshare_ros.__file__).resolve().parents[1] / relative,
    ]
    share = _ros_share()
    if share is not None:
        candidates.insert(0, share / relative)
    return next((path for path in candidates if path.exists()), candidates[-1])


def _ros_share() -> Path | None:
    from ament_index_python.packages import get_package_share_directory

    try:
        return Path(get_package_share_directory(PACKAGE))
    except (LookupError, OSError):
        # Not a package of the sourced workspaces, or none is sourced.
        return None

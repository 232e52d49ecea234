"""Environment variables of ROS that differ between releases; for launch files, too."""

from __future__ import annotations

import os

from mtshare_ros.ros.package_files import package_path


def large_messages() -> dict[str, str]:
    """Return what gives Fast DDS room for images: the user's profile, or this package's.

    Other implementations of DDS pass it over.
    """
    name = f"{'FASTRTPS' if _humble() else 'FASTDDS'}_DEFAULT_PROFILES_FILE"
    return {name: os.environ.get(name, str(package_path("config/fastdds.xml")))}


def environment() -> dict[str, str]:
    """Return the variables that keep ROS on this machine and let large messages through."""
    variables = large_messages()
    if _humble():
        variables["ROS_LOCALHOST_ONLY"] = "1"
    else:
        variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return variables


def _humble() -> bool:
    return os.environ.get("ROS_DISTRO") == "humble"

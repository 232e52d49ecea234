"""Say in plain words what this machine lacks for ``make setup``, before anything is installed.

Old interpreters can parse this file, so that they print the message and no SyntaxError.
"""

import importlib.util
import platform
import sys

ROS_WHEELS = ((3, 10), (3, 13))
"""Oldest and newest Python for which rclpy is published as a wheel."""


def missing():
    """Return one line for each thing this machine lacks."""
    lines = []
    version = sys.version_info[:2]
    if not ROS_WHEELS[0] <= version <= ROS_WHEELS[1]:
        lines.append(
            "Python {}.{} found, but rclpy has wheels for Python 3.10 to 3.13 only: choose one"
            " of these with `make PYTHON=python3.12 ...`".format(*version)
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        lines.append(
            "Python's venv module is missing: install it with `sudo apt install"
            " python{}.{}-venv`".format(*version)
        )
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        lines.append(
            "rclpy has wheels for Linux on x86-64 only, but this is "
            + platform.system()
            + " on "
            + platform.machine()
            + ": build the package in a ROS 2 workspace instead (README.md)"
        )
    elif platform.libc_ver()[0] != "glibc":
        lines.append(
            "rclpy's wheels need glibc, but this machine has another C library (Alpine: musl)"
        )
    return lines


if __name__ == "__main__":
    problems = missing()
    for problem in problems:
        sys.stderr.write("error: " + problem + "\n")
    sys.exit(2 if problems else 0)

"""What a machine lacks, in plain words: the job behind `mtshare doctor`.

Nothing is imported here that may be missing: each thing is tried when its turn comes.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from mtshare_ros.errors import EXTRAS
from mtshare_ros.machine.board import version_of
from mtshare_ros.machine.doctor_gpu import examine_gpu
from mtshare_ros.machine.findings import Finding

if TYPE_CHECKING:
    from mtshare_ros.bundle.manifest import Manifest

ROBOT = {"numpy": "arrays", "cv2": "OpenCV", "onnxruntime": "runs the graphs", "rclpy": "ROS 2"}
"""Modules without which the node can't run."""

WORKSHOP = {
    "torch": "training, export and the dense baselines",
    "onnx": "export",
    "mujoco": "simulated rooms",
    "pydantic": "configurations of a training",
    "rosbags": "bags",
    "jinja2": "the report's page",
    "matplotlib": "the report's plots",
    "scipy": "scores of boundaries",
}
"""Modules of the other jobs."""

DISTRIBUTIONS = {"cv2": "opencv-python-headless", "rclpy": "ros-rclpy"}
"""Module -> the distribution to ask for a version, where the module has none."""

GL_LIBRARIES = ("libEGL.so.1", "libOSMesa.so.8", "libOSMesa.so.6")
"""Any of these lets the simulator draw without a screen."""

MIN_FREE_GB = 1.0
"""The network, its caches and ROS together stay below this."""


def examine(bundle: Path | None = None, train: bool = False) -> list[Finding]:
    """Look at this machine, and at a bundle if one is given.

    Args:
        bundle: Folder of a bundle that the machine is to run.
        train: Whether the machine is also to train, export and simulate.
    """
    findings = [_python(), *(_module(name, why) for name, why in ROBOT.items()), _middleware()]
    findings.append(_damage())
    findings += [_module(name, why, needed=train) for name, why in WORKSHOP.items()]
    findings += [_drawing(needed=train), _processor(), _memory()]
    findings += examine_gpu(_manifest(bundle))
    if bundle is not None:
        findings.append(_bundle(bundle))
    return findings


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", found)


def _module(name: str, why: str, needed: bool = True) -> Finding:
    what = f"{name} ({why})"
    try:
        version = version_of(name, DISTRIBUTIONS.get(name))
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            hint = f"pip install 'mtshare_ros[{EXTRAS[name]}]'"
            if name == "rclpy":
                hint = f"source a ROS 2 installation's setup.bash, or {hint}"
            return Finding(what, hint, ok=False, needed=needed)
        # Installed but broken: a library of the system is missing, or built for another Python.
        return Finding(what, f"can't be imported: {error}", ok=False, needed=needed)
    return Finding(what, version or "there", needed=needed)


def _damage() -> Finding:
    what = "simplejpeg (notices JPEGs that lost bytes)"
    try:
        from mtshare_ros.perception.camera.pictures import NOTICES_DAMAGE
    except ImportError as error:  # What the rows above say of it: no arrays, or no OpenCV.
        return Finding(what, f"unknown: {error}", ok=False, needed=False)
    if NOTICES_DAMAGE:
        return Finding(what, version_of("simplejpeg") or "there", needed=False)
    hint = "damaged JPEGs are not noticed and are served and scored as they decode"
    install = f"pip install 'mtshare_ros[{EXTRAS['simplejpeg']}]'"
    return Finding(what, f"{hint}: {install}", ok=False, needed=False)


def _middleware() -> Finding:
    what = "RMW (what carries ROS messages)"
    try:
        from rclpy.utilities import get_rmw_implementation_identifier

        return Finding(what, str(get_rmw_implementation_identifier()))
    except Exception as error:  # Whatever rcl or the middleware raises means: no messages.
        return Finding(what, f"none could be loaded: {error}", ok=False)


def _drawing(needed: bool) -> Finding:
    what = "GL without a screen (simulated rooms)"
    for library in GL_LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return Finding(what, library, needed=needed)
    hint = f"none of {', '.join(GL_LIBRARIES)}: sudo apt install libegl1"
    return Finding(what, hint, ok=False, needed=needed)


def _processor() -> Finding:
    return Finding("processor", f"{len(os.sched_getaffinity(0))} threads")


def _memory() -> Finding:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) / 1e6
            enough = free >= MIN_FREE_GB
            found = f"{free:.1f} GB free" + ("" if enough else f"; {MIN_FREE_GB:g} GB is needed")
            return Finding("memory", found, ok=enough)
    return Finding("memory", "unknown", ok=True)


def _manifest(bundle: Path | None) -> Manifest | None:
    """Return a bundle's manifest; what is wrong with it is said of the bundle itself."""
    try:
        from mtshare_ros.bundle.folder import load_manifest

        return None if bundle is None else load_manifest(bundle, verify=False)
    except (ImportError, ValueError, OSError):
        return None


def _bundle(bundle: Path) -> Finding:
    what = f"bundle {bundle}"
    try:
        from mtshare_ros.perception.engines import open_engine

        engine = open_engine(bundle)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        return Finding(what, str(error), ok=False)
    tasks = ", ".join(task.name for task in engine.manifest.tasks)
    return Finding(what, f"{tasks}; self-test reproduced by {engine.name}")

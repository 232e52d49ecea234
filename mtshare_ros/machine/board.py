"""What machine this is: processor, board, JetPack, power mode and versions, for reports."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

MODEL = Path("/proc/device-tree/model")
RELEASE = Path("/etc/nv_tegra_release")
JETPACKS = {"35": "5", "36": "6", "38": "7"}
"""Release of Jetson Linux (L4T) -> JetPack."""
UNKNOWN = "unknown"


def board_name() -> str | None:
    """Return the name of a Jetson, or None on another machine."""
    try:
        name = MODEL.read_text().strip("\0\n ")
    except OSError:
        return None
    return name if "jetson" in name.lower() or RELEASE.is_file() else None


def jetpack() -> str | None:
    """Return JetPack's major version and that of Jetson Linux, or None where there is none."""
    try:
        text = RELEASE.read_text()
    except OSError:
        return None
    match = re.search(r"R(\d+)\D+REVISION:\s*([\d.]+)", text)
    if not match:
        return UNKNOWN
    major, revision = match.groups()
    return f"{JETPACKS.get(major, UNKNOWN)} (Jetson Linux {major}.{revision})"


def power_mode() -> str | None:
    """Return the power mode that ``nvpmodel`` tells of, or None where there is no such tool."""
    tool = shutil.which("nvpmodel") or "/usr/sbin/nvpmodel"
    try:
        done = subprocess.run([tool, "-q"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"NV Power Mode:\s*(\S+)", done.stdout)
    return match.group(1) if match else UNKNOWN


def describe_board() -> dict[str, str]:
    """Return what a table of times has to say about the board that it is from."""
    return {
        "board": board_name() or platform.node() or platform.machine(),
        "jetpack": jetpack() or "none",
        "power_mode": power_mode() or UNKNOWN,
    }


def version_of(module: str, distribution: str | None = None) -> str | None:
    """Return the version of a module, or None where neither it nor its distribution has one.

    Args:
        module: Name of the module.
        distribution: Name of its distribution, where that is another.

    Raises:
        ImportError: The module can't be imported.
    """
    version = getattr(importlib.import_module(module), "__version__", None)
    try:
        return str(version or importlib.metadata.version(distribution or module))
    except importlib.metadata.PackageNotFoundError:
        return None


def gpu_versions() -> dict[str, str]:
    """Return the GPU's name and the versions of what drives it; what is absent is left out."""
    versions = {}
    for module in ("tensorrt", "pycuda", "onnxruntime"):
        try:
            version = version_of(module)
        except ImportError:
            continue
        if version is not None:
            versions[module] = version
    try:
        cuda = importlib.import_module("pycuda.driver")
        cuda.init()
        versions["gpu"] = str(cuda.Device(0).name())
        major, minor = divmod(int(cuda.get_driver_version()) // 10, 100)
        versions["cuda_driver"] = f"{major}.{minor}"
    except Exception:  # no pycuda, no driver, no GPU: there is nothing to tell
        pass
    return versions


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Return what a table of CPU times has to say about where it is from."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
    }

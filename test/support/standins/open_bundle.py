"""A bundle in TensorRT, or in what stands in for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
from support.standins.device import Device

GRAPHS = ["stem", "base", "normals", "depth", "segmentation"]
"""Graphs of the small bundle, in the order in which they are compiled."""


def open_bundle(bundle: Path, files: EngineFiles, precision: str = "fp32", **options: Any) -> Any:
    """Open a bundle with the engines in ``files``; those that are missing are compiled."""
    from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

    return open_tensorrt(bundle, load_manifest(bundle), precision, files=files, **options)


def compiled(device: Device) -> list[str]:
    """Return the graphs that were compiled since the last call."""
    built = [line.removeprefix("build ") for line in device.log if line.startswith("build ")]
    device.log.clear()
    return built

"""What a Jetson, or another machine with an NVIDIA GPU, lacks for TensorRT, in plain words."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mtshare_ros.machine.board import board_name, gpu_versions, jetpack, power_mode, version_of
from mtshare_ros.machine.findings import Finding

if TYPE_CHECKING:
    from mtshare_ros.bundle.manifest import Manifest

OLDEST = (10, 3)
"""Oldest version of TensorRT that the engines are made for: JetPack 6.2's."""
NVIDIA_DEVICES = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu/igpu0/power", "/dev/nvmap")
SLOW_MODES = ("7W", "10W", "15W")


def examine_gpu(manifest: Manifest | None = None) -> list[Finding]:
    """Look for what TensorRT needs; nothing of it is fatal, as the node runs on the CPU, too.

    Args:
        manifest: The bundle that is to run, for its need of memory.
    """
    board = board_name()
    if board is None and not any(Path(device).exists() for device in NVIDIA_DEVICES):
        return []
    findings = [Finding("GPU", board or "NVIDIA, no Jetson", needed=False)]
    if board is not None:
        findings += [_jetpack(), _power()]
    findings += [_tensorrt(), _pycuda(), _onnx(), _use()]
    if manifest is not None:
        findings.append(_gpu_memory(manifest))
    return findings


def _missing(what: str, found: str) -> Finding:
    return Finding(what, found, ok=False, needed=False)


def _jetpack() -> Finding:
    found, what = jetpack(), "JetPack"
    if found is None:
        return _missing(what, "unknown: no /etc/nv_tegra_release (in a container: mount it)")
    if found.startswith("5"):
        hint = "its Python 3.8 is too old: flash JetPack 6.2 or newer (SDK Manager)"
        return _missing(what, f"{found}; {hint}")
    return Finding(what, found, needed=False)


def _power() -> Finding:
    found, what = power_mode(), "power mode"
    if found is None:
        return _missing(what, "unknown: nvpmodel is not there (in a container, ask the host)")
    if found.removeprefix("MODE_").upper() in SLOW_MODES:
        hint = "for more speed: sudo nvpmodel -q --verbose lists the modes, sudo nvpmodel -m 0"
        return Finding(what, f"{found}; {hint}, then sudo jetson_clocks", needed=False)
    return Finding(what, found, needed=False)


def _tensorrt() -> Finding:
    what = "tensorrt (runs the graphs on a GPU)"
    try:
        version = version_of("tensorrt") or "0"
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorrt":
            hint = "sudo apt install python3-libnvinfer; a virtual environment needs "
            return _missing(what, f"{hint}--system-site-packages to see it")
        return _missing(what, f"can't be imported: {error}: sudo apt install tensorrt")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return _missing(what, f"{version}; {oldest} or newer is needed: JetPack 6.2 brings it")
    return Finding(what, version, needed=False)


def _pycuda() -> Finding:
    what = "pycuda (the GPU's memory)"
    try:
        importlib.import_module("pycuda.driver")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "pycuda":
            hint = "pip install pycuda"
            if shutil.which("nvcc") is None:
                hint = "export PATH=/usr/local/cuda/bin:$PATH, then pip install pycuda"
            return _missing(what, hint)
        return _missing(what, f"can't be imported: {error}: build it anew for this CUDA")
    return Finding(what, gpu_versions().get("pycuda", "there"), needed=False)


def _onnx() -> Finding:
    what = "onnx (only to compile engines)"
    if importlib.util.find_spec("onnx") is None:
        return _missing(what, "pip install onnx")
    return Finding(what, "there", needed=False)


def _use() -> Finding:
    what = "TensorRT"
    try:
        from mtshare_ros.perception.engines.choice import tensorrt_problem

        problem = tensorrt_problem()
    except ImportError as error:
        problem = str(error)
    if problem:
        return _missing(what, f"can't be used: {problem}")
    versions = gpu_versions()
    return Finding(
        what, f"on {versions.get('gpu')}, CUDA {versions.get('cuda_driver')}", needed=False
    )


def _gpu_memory(manifest: Manifest) -> Finding:
    from mtshare_ros.bundle.gpu_memory import gpu_memory

    what = f"memory for bundle {manifest.name} on the GPU"
    need = gpu_memory(manifest, "fp16").total() / 1e6
    text = f"{need:.0f} MB for one camera in fp16, beside what CUDA and TensorRT take"
    free = _free_mb()
    if free is None:
        return Finding(what, text, needed=False)
    if free < need:
        return _missing(what, f"{text}; {free:.0f} MB are free: close other programs")
    return Finding(what, f"{text}; {free:.0f} MB are free", needed=False)


def _free_mb() -> float | None:
    """Return the GPU's free memory in MB; on a Jetson it is the machine's."""
    try:
        from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

        gpu = Gpu()
        with gpu.current():
            return gpu.free_bytes() / 1e6
    except (ImportError, RuntimeError):
        return None

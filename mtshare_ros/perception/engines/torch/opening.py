"""Opens a bundle in torch. Importing this needs torch and onnx."""

from __future__ import annotations

from pathlib import Path

import torch

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.selftest import load_selftest, open_with_fallback, run_selftest
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine


def open_torch(
    folder: Path, manifest: Manifest, threads: int, precision: str
) -> TorchBundleEngine:
    """Open a bundle on the first GPU that torch can use, else on the CPU, and try it.

    Raises:
        BundleError: The bundle can't be used.
        EngineError: The self-test is not reproduced, in fp32 if fp16 failed it.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(threads)
        precision = "fp32"

    def open_in(precision: str) -> TorchBundleEngine:
        engine = TorchBundleEngine(folder, manifest, device, precision)
        run_selftest(engine, load_selftest(folder, manifest))
        return engine

    return open_with_fallback(precision, open_in)

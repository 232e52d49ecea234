"""Opens a bundle in torch. Importing this needs torch and onnx."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.selftest import load_selftest, run_selftest
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine

_LOG = logging.getLogger(__name__)


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
    engine = TorchBundleEngine(folder, manifest, device, precision)
    try:
        run_selftest(engine, load_selftest(folder, manifest), engine.precision)
    except EngineError as error:
        if engine.precision == "fp32":
            raise
        _LOG.warning("%s; fp16 is not used, opened in fp32 instead", error)
        return open_torch(folder, manifest, threads, "fp32")
    return engine

"""Inference engines behind one small interface."""

from __future__ import annotations

import logging
from pathlib import Path

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.build_progress import OnProgress
from mtshare_ros.perception.engines.choice import BACKENDS, PRECISIONS, choose_backend
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.engines.selftest import load_selftest, run_selftest

__all__ = ["BACKENDS", "PRECISIONS", "open_engine"]

_LOG = logging.getLogger(__name__)


def open_engine(
    bundle: Path,
    backend: str = "auto",
    threads: int = 2,
    precision: str = "fp16",
    on_progress: OnProgress | None = None,
) -> Engine:
    """Open a bundle: files verified, graphs loaded, self-test reproduced.

    Args:
        bundle: Folder of the bundle.
        backend: One of ``BACKENDS``; ``auto`` is the best one at hand.
        threads: CPU threads of a computation.
        precision: One of ``PRECISIONS``: what a GPU computes in. On the CPU it is fp32.
        on_progress: Called while engines are compiled for a GPU; returns whether to go on.

    Raises:
        BundleError: The bundle can't be used.
        EngineError: The backend is not there, or it does not reproduce the self-test.
    """
    choice = choose_backend(backend)
    _LOG.info("backend %s: %s", choice.backend, choice.reason)
    manifest = load_manifest(bundle)
    if choice.backend == "tensorrt":
        from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

        try:
            return open_tensorrt(bundle, manifest, precision, on_progress).engine
        except EngineError as error:
            if backend != "auto":
                raise
            _LOG.warning("backend onnxruntime instead of tensorrt: %s", error)
        choice = choose_backend("onnxruntime")
    if choice.backend == "torch":
        from mtshare_ros.perception.engines.torch.engine import open_torch

        return open_torch(bundle, manifest, threads, precision)
    return _open_onnxruntime(bundle, manifest, threads)


def _open_onnxruntime(bundle: Path, manifest: Manifest, threads: int) -> Engine:
    try:
        from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
    except ImportError as error:
        raise EngineError(f"backend onnxruntime: can't be imported: {error}") from error
    engine = OnnxRuntimeEngine(bundle, manifest, threads)
    run_selftest(engine, load_selftest(bundle, manifest))
    return engine

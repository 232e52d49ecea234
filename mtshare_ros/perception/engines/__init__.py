"""Inference engines behind one small interface."""

from __future__ import annotations

from pathlib import Path

from mtshare_ros.bundle import load_manifest
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.engines.selftest import load_selftest, run_selftest

BACKENDS = ("auto", "onnxruntime")


def open_engine(bundle: Path, backend: str = "auto", threads: int = 2) -> Engine:
    """Open a bundle: files verified, graphs loaded, self-test reproduced.

    Args:
        bundle: Folder of the bundle.
        backend: ``onnxruntime``, or ``auto`` for the best one at hand.
        threads: Threads of a computation.

    Raises:
        BundleError: The bundle can't be used.
        EngineError: The backend is not there, or it does not reproduce the self-test.
    """
    if backend not in BACKENDS:
        raise EngineError(f"backend: found {backend!r}, expected one of {', '.join(BACKENDS)}")
    manifest = load_manifest(bundle)
    try:
        from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
    except ImportError as error:
        raise EngineError(
            "backend onnxruntime: the Python package onnxruntime is missing: "
            "pip install onnxruntime"
        ) from error
    engine = OnnxRuntimeEngine(bundle, manifest, threads)
    run_selftest(engine, load_selftest(bundle, manifest))
    return engine

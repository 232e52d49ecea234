"""From a bundle to an opened TensorRT engine: found on disk or compiled, and always tried.

Importing this needs tensorrt and pycuda; compiling also needs onnx.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import tensorrt as trt

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.build_progress import BuildProgress, OnProgress
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.selftest import load_selftest, open_with_fallback, run_selftest
from mtshare_ros.perception.engines.sizes import static_sizes
from mtshare_ros.perception.engines.tensorrt.build import TensorRTLog, compile_graph
from mtshare_ros.perception.engines.tensorrt.engine import TensorRTEngine
from mtshare_ros.perception.engines.tensorrt.engine_files import (
    EngineFiles,
    EngineKey,
    derivation_digest,
)
from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltGraph:
    """One graph's engine on disk.

    Attributes:
        graph: Name of the graph.
        path: Its file.
        size: Size of the engine in bytes.
        seconds: Time that compiling took; None if it was there already.
    """

    graph: str
    path: Path
    size: int
    seconds: float | None


@dataclass(frozen=True)
class Opened:
    """An engine that reproduced the self-test, and what it was made of.

    Attributes:
        engine: The engine.
        built: Its graphs.
        difference: Largest difference in the self-test, as a part of what is tolerated.
    """

    engine: TensorRTEngine
    built: tuple[BuiltGraph, ...]
    difference: float


def open_tensorrt(
    folder: Path,
    manifest: Manifest,
    precision: str = "fp16",
    on_progress: OnProgress | None = None,
    files: EngineFiles | None = None,
    rebuild: bool = False,
) -> Opened:
    """Open a bundle in TensorRT; engines that are not on disk are compiled, which takes minutes.

    fp16 engines that don't reproduce the self-test are not used: the bundle is opened in fp32
    then, with a warning.

    Args:
        folder: The bundle, files verified.
        manifest: Its manifest.
        precision: ``fp16`` or ``fp32``.
        on_progress: Called while engines are compiled; returns whether to go on.
        files: Where engines are kept.
        rebuild: Compile engines even if they are on disk.

    Raises:
        BundleError: The bundle's self-test can't be read, or graphs can't be derived.
        EngineError: There is no GPU, compiling failed or was ended, or the self-test fails even
            in fp32.
    """
    gpu, stored = Gpu(), files or EngineFiles()
    frames = load_selftest(folder, manifest)

    def open_in(precision: str) -> Opened:
        engine, built = _load_or_build(
            folder, manifest, precision, gpu, stored, on_progress, rebuild
        )
        # Each size has kernels of its own, and the clip's frames alone would not see them all.
        worst = max(run_selftest(engine.from_size(size), frames) for size in engine.sizes)
        return Opened(engine, tuple(built), worst)

    return open_with_fallback(precision, open_in)


def _load_or_build(
    folder: Path,
    manifest: Manifest,
    precision: str,
    gpu: Gpu,
    files: EngineFiles,
    on_progress: OnProgress | None,
    rebuild: bool,
) -> tuple[TensorRTEngine, list[BuiltGraph]]:
    keys = engine_keys(manifest, precision, gpu)
    plans = {} if rebuild else _stored(keys, files)
    if len(plans) == len(keys):
        try:
            engine = TensorRTEngine(manifest, plans, precision, gpu)
            sizes = {name: len(plan) for name, plan in plans.items()}
            return engine, [
                BuiltGraph(n, files.path(n, keys[n]), s, None) for n, s in sizes.items()
            ]
        except EngineError as error:
            _LOG.warning("%s; compiled again", error)
            plans = {}
    built = _build(folder, manifest, precision, gpu, keys, plans, files, on_progress)
    return TensorRTEngine(manifest, plans, precision, gpu), built


def _stored(keys: dict[str, EngineKey], files: EngineFiles) -> dict[str, bytes]:
    plans = {name: files.load(name, key) for name, key in keys.items()}
    return {name: plan for name, plan in plans.items() if plan is not None}


def engine_keys(manifest: Manifest, precision: str, gpu: Gpu) -> dict[str, EngineKey]:
    """Return for each graph what its engine on this machine is found by."""
    derivation, sizes = derivation_digest(), static_sizes(manifest.input)
    return {
        name: EngineKey(
            graph.sha256,
            derivation,
            precision,
            sizes,
            str(trt.__version__),
            gpu.name,
            (gpu.capability[0], gpu.capability[1]),
        )
        for name, graph in manifest.graphs.items()
    }


def _build(
    folder: Path,
    manifest: Manifest,
    precision: str,
    gpu: Gpu,
    keys: dict[str, EngineKey],
    plans: dict[str, bytes],
    files: EngineFiles,
    on_progress: OnProgress | None,
) -> list[BuiltGraph]:
    """Compile what ``plans`` lacks, put it there and on disk."""
    try:
        from mtshare_ros.perception.engines.derived_graphs import derive_graphs
    except ImportError as error:
        raise EngineError(
            "compiling engines needs the Python package onnx: pip install onnx"
        ) from error
    sizes, log = static_sizes(manifest.input), TensorRTLog()
    missing = [name for name in keys if name not in plans]
    # Compiling tries kernels for every size: the more weights, the longer.
    progress = BuildProgress({name: manifest.graphs[name].size for name in missing}, on_progress)
    built = []
    for name, model in derive_graphs(folder, manifest, precision):
        if name in plans:
            built.append(BuiltGraph(name, files.path(name, keys[name]), len(plans[name]), None))
            continue
        start = time.monotonic()
        progress.enter(name)
        with gpu.current():
            plans[name] = compile_graph(name, model, sizes, progress, log, gpu.free_bytes())
        seconds = time.monotonic() - start
        path = files.store(name, keys[name], plans[name])
        _LOG.info("tensorrt: engine %s compiled in %.0f s: %s", name, seconds, path)
        built.append(BuiltGraph(name, path, len(plans[name]), seconds))
    return built

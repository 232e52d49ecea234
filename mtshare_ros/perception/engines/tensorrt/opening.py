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
    workshop = _Workshop(folder, manifest, Gpu(), files or EngineFiles(), on_progress)
    frames = load_selftest(folder, manifest)

    def open_in(precision: str) -> Opened:
        engine, built = workshop.load_or_build(precision, rebuild)
        # Each size has kernels of its own, and the clip's frames alone would not see them all.
        worst = max(run_selftest(engine.from_size(size), frames) for size in engine.sizes)
        return Opened(engine, tuple(built), worst)

    return open_with_fallback(precision, open_in)


@dataclass(frozen=True)
class _Workshop:
    """What engines are compiled from and for, and where they are kept."""

    folder: Path
    manifest: Manifest
    gpu: Gpu
    files: EngineFiles
    on_progress: OnProgress | None

    def load_or_build(
        self, precision: str, rebuild: bool
    ) -> tuple[TensorRTEngine, list[BuiltGraph]]:
        """Return the bundle's engine, and its graphs; compile what is not on disk."""
        keys = engine_keys(self.manifest, precision, self.gpu)
        plans = {} if rebuild else _stored(keys, self.files)
        engine: TensorRTEngine | None = None
        seconds: dict[str, float] = {}
        if len(plans) == len(keys):
            try:
                engine = TensorRTEngine(self.manifest, plans, precision, self.gpu)
            except EngineError as error:
                _LOG.warning("%s; compiled again", error)
                plans = {}
        if engine is None:
            seconds = self._build(precision, keys, plans)
            engine = TensorRTEngine(self.manifest, plans, precision, self.gpu)
        return engine, [
            BuiltGraph(name, self.files.path(name, key), len(plans[name]), seconds.get(name))
            for name, key in keys.items()
        ]

    def _build(
        self, precision: str, keys: dict[str, EngineKey], plans: dict[str, bytes]
    ) -> dict[str, float]:
        """Compile what ``plans`` lacks, put it there and on disk; return the seconds it took."""
        try:
            from mtshare_ros.perception.engines.derived_graphs import derive_graphs
        except ImportError as error:
            raise EngineError(
                "compiling engines needs the Python package onnx: pip install onnx"
            ) from error
        sizes, log = static_sizes(self.manifest.input), TensorRTLog()
        # Compiling tries kernels for every size: the more weights, the longer.
        weights = {n: graph.size for n, graph in self.manifest.graphs.items() if n not in plans}
        progress = BuildProgress(weights, self.on_progress)
        seconds = {}
        for name, model in derive_graphs(self.folder, self.manifest, precision):
            if name in plans:
                continue
            start = time.monotonic()
            progress.enter(name)
            with self.gpu.current():
                free = self.gpu.free_bytes()
                plans[name] = compile_graph(name, model, sizes, progress, log, free)
            seconds[name] = time.monotonic() - start
            path = self.files.store(name, keys[name], plans[name])
            _LOG.info("tensorrt: engine %s compiled in %.0f s: %s", name, seconds[name], path)
        return seconds


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

"""Compiles one derived graph with TensorRT. Importing this needs tensorrt."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import tensorrt as trt

from mtshare_ros.perception.engines.build_progress import BuildProgress
from mtshare_ros.perception.engines.interface import EngineError

WORKSPACE_BYTES = 1 << 30
"""Most scratch memory that a kernel may ask for; half of what is free, if that is less."""
_LOG = logging.getLogger(__name__)
_LEVELS = {
    trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
    trt.ILogger.Severity.ERROR: logging.ERROR,
    trt.ILogger.Severity.WARNING: logging.WARNING,
    trt.ILogger.Severity.INFO: logging.DEBUG,
    trt.ILogger.Severity.VERBOSE: logging.DEBUG,
}


class TensorRTLog(trt.ILogger):
    """Passes TensorRT's messages on and keeps its last error: its functions only return None."""

    def __init__(self) -> None:
        """Start without an error."""
        trt.ILogger.__init__(self)
        self.last_error = "TensorRT gave no reason"

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Take one message."""
        level = _LEVELS.get(severity, logging.DEBUG)
        if level == logging.ERROR:
            self.last_error = " ".join(msg.split())
        _LOG.log(level, "TensorRT: %s", msg)


class _Monitor(trt.IProgressMonitor):
    """Hands TensorRT's phases to a ``BuildProgress``."""

    def __init__(self, progress: BuildProgress) -> None:
        trt.IProgressMonitor.__init__(self)
        self._progress = progress

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        self._progress.phase_start(phase_name, parent_phase, num_steps)

    def step_complete(self, phase_name: str, step: int) -> bool:
        return self._progress.step(phase_name, step)

    def phase_finish(self, phase_name: str) -> None:
        self._progress.phase_finish(phase_name)


def compile_graph(
    name: str,
    model: bytes,
    sizes: Sequence[int],
    progress: BuildProgress,
    log: TensorRTLog,
    free_bytes: int,
) -> bytes:
    """Return a serialised engine for the current GPU.

    Types are those of the graph (a strongly typed network). A graph with an input ``index`` gets
    one optimisation profile for each size, at which its minimum, optimum and maximum are the same.

    Args:
        name: Name of the graph, for messages.
        model: The derived graph.
        sizes: Numbers of rows.
        progress: Is told of each step, and can end the build.
        log: TensorRT's log.
        free_bytes: The GPU's free memory.

    Raises:
        EngineError: TensorRT can't parse or compile the graph; the message names the node.
    """
    builder = trt.Builder(log)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        raise EngineError(f"TensorRT {trt.__version__}: graph {name}: {_parser_errors(parser)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(
        trt.MemoryPoolType.WORKSPACE, min(WORKSPACE_BYTES, free_bytes // 2)
    )
    # With TF32 products lose 13 bits: fp32 is asked for where fp16 was too inexact.
    config.clear_flag(trt.BuilderFlag.TF32)
    monitor = _Monitor(progress)  # TensorRT holds no reference to it
    config.progress_monitor = monitor
    inputs = [network.get_input(number).name for number in range(network.num_inputs)]
    if "index" in inputs:
        for size in sizes:
            profile = builder.create_optimization_profile()
            profile.set_shape("index", (size,), (size,), (size,))
            if config.add_optimization_profile(profile) < 0:
                raise EngineError(f"TensorRT: graph {name}: no profile for {size} rows")
    plan = builder.build_serialized_network(network, config)
    if not progress.going_on:
        raise EngineError(f"TensorRT: graph {name}: the build was ended")
    if plan is None:
        raise EngineError(
            f"TensorRT: graph {name} could not be compiled: {log.last_error} "
            f"({free_bytes / 1e6:.0f} MB were free)"
        )
    return bytes(plan)


def _parser_errors(parser: trt.OnnxParser) -> str:
    errors = [parser.get_error(number) for number in range(parser.num_errors)]
    return "; ".join(
        f"node {error.node_name()!r} ({error.node_operator()}): {error.desc()}" for error in errors
    )

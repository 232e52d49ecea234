"""``mtshare bench --engine``: a bundle's times, stage by stage, on one engine of this machine.

With TensorRT it needs neither torch nor ONNX: a board runs it once, and the file says which.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.board import describe_board, gpu_versions
from mtshare_ros.evaluation.build import on_progress
from mtshare_ros.evaluation.cases import Case, SeparateCase, StreamCase, summary, take_turns
from mtshare_ros.perception.engines import BACKENDS, open_engine

FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Shares of dirty tokens for an engine that computes any number of them."""


def bench_engine(
    bundle: Path,
    backend: str,
    precision: str,
    output: Path,
    on_step: Callable[[int, int], None],
    *,
    rounds: int = 200,
    threads: int = 2,
) -> dict[str, Any]:
    """Measure and write the result to ``output`` as JSON.

    Args:
        bundle: Bundle to measure.
        backend: One of ``BACKENDS``.
        precision: What a GPU computes in.
        output: JSON file.
        on_step: Called while engines are compiled.
        rounds: Measured frames of each case; the cases take turns.
        threads: CPU threads.

    Returns:
        What was written: the machine, and ``cases`` with percentiles of the whole step, the
        median of each stage, and ``ratio`` (median of the first case / median of the case). With
        torch the first case is one dense network per task, its launches recorded as ours are;
        else it is every token dirty.

    Raises:
        OptionError: There is no such backend.
    """
    if backend not in BACKENDS:
        raise OptionError(f"--engine {backend!r}: expected one of {', '.join(BACKENDS)}")
    engine = open_engine(bundle, backend, threads, precision, on_progress(on_step))
    spec = engine.manifest.input
    sizes = [size - spec.prefix for size in engine.sizes[::-1]]
    fractions = [size / spec.tokens for size in sizes] or FRACTIONS
    # Bounded, or a token that is due by its age would make the next size of it.
    cases: list[Case] = [StreamCase(engine, part, most=part) for part in fractions]
    if engine.name == "torch":
        from mtshare_ros.evaluation.rivals_gpu import RecordedNetworks

        rival = RecordedNetworks(engine.manifest, precision)
        cases.insert(0, SeparateCase(rival, spec))
    seconds, stages = take_turns(cases, rounds)
    result: dict[str, Any] = {
        "bundle": engine.manifest.name,
        "network": engine.manifest.network,
        "tasks": [task.name for task in engine.manifest.tasks],
        "engine": engine.name,
        "precision": getattr(engine, "precision", "fp32"),
        "rounds": rounds,
        "machine": {**describe_board(), **gpu_versions()},
        "cases": summary(cases, seconds, stages),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    return result

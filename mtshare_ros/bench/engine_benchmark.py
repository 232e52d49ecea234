"""``mtshare bench --engine``: a bundle's times, stage by stage, on one engine of this machine.

With TensorRT it needs neither torch nor ONNX: a board runs it once, and the file says which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.bench.cases import Case, DenseCase, SceneCamera, StreamCase
from mtshare_ros.bench.measurement import ratio, summary, take_turns
from mtshare_ros.bench.result import describe, new_result, write_result
from mtshare_ros.errors import OptionError
from mtshare_ros.machine.board import describe_board, gpu_versions
from mtshare_ros.perception.engines import BACKENDS, open_engine
from mtshare_ros.perception.engines.build_progress import on_progress
from mtshare_ros.progress import OnCount, silent

ENGINE_FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Shares of dirty tokens for an engine that computes any number of them."""


def bench_engine(
    bundle: Path,
    backend: str,
    precision: str,
    output: Path,
    on_step: OnCount = silent,
    *,
    rounds: int = 200,
    threads: int = 2,
    command: str = "",
) -> dict[str, Any]:
    """Measure and write the result to ``output`` as JSON.

    Args:
        bundle: Bundle to measure.
        backend: One of ``BACKENDS``.
        precision: What a GPU computes in.
        output: JSON file.
        on_step: Called while engines are compiled, then after each round.
        rounds: Measured frames of each case; the cases take turns.
        threads: CPU threads.
        command: The command line that asked for it, for the record.

    Returns:
        What was written; see ``result.py``. With torch the first case is one dense network per
        task, its launches recorded as ours are; else it is every token dirty.

    Raises:
        OptionError: There is no such backend.
    """
    if backend not in BACKENDS:
        raise OptionError(f"--engine {backend!r}: expected one of {', '.join(BACKENDS)}")
    engine = open_engine(bundle, backend, threads, precision, on_progress(on_step))
    manifest = engine.manifest
    spec, count = manifest.input, len(manifest.tasks)
    sizes = [size - spec.prefix for size in engine.sizes[::-1]]
    fractions = [size / spec.tokens for size in sizes] or ENGINE_FRACTIONS
    # The share is bounded: a token that is due by its age would need the next size.
    cases: list[Case] = [StreamCase(SceneCamera(engine, most=part), part) for part in fractions]
    facts = [{"kind": "stream", "tasks": count, "fraction": round(f, 4)} for f in fractions]
    if engine.name == "torch":
        from mtshare_ros.bench.gpu_rivals import RecordedNetworks
        from mtshare_ros.bench.rivals import SEPARATE

        rival = RecordedNetworks(manifest, precision)
        cases.insert(0, DenseCase(SEPARATE, rival, spec))
        facts.insert(0, {"kind": "separate", "tasks": count, "fraction": 1.0})
    rows = summary(cases, take_turns(cases, rounds, on_step))
    result = new_result(command, {**describe_board(), **gpu_versions()}, threads, rounds)
    result["settings"] = [describe(manifest, manifest.name, engine.name, engine.precision)]
    result["cases"] = [
        {"setting": 0, **row, **fact, "ratio": ratio(rows[0], row)}
        for row, fact in zip(rows, facts, strict=True)
    ]
    write_result(output, result)
    return result

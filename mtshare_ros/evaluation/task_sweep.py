"""``mtshare bench --sweep-tasks``: what each further task costs, in one interleaved run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime as ort

from mtshare_ros.bundle import load_manifest
from mtshare_ros.evaluation.bench import random_bundle
from mtshare_ros.evaluation.cases import (
    Case,
    SeparateCase,
    StreamCase,
    pinned,
    processor,
    summary,
    take_turns,
)
from mtshare_ros.evaluation.rivals import SeparateNetworks
from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.tasks import TASKS

TARGET = 0.30
"""What a further task should cost at most, in times of one dense network."""


def sweep_tasks(
    bundle: Path | None,
    width: int,
    size: tuple[int, int],
    output: Path,
    *,
    depth: int = 12,
    threads: int = 2,
    rounds: int = 60,
) -> dict[str, Any]:
    """Measure one dense network, and our stream with 1, 2, ... tasks; write the result as JSON.

    Every token is dirty in every frame, so that only the sharing between tasks is measured. All
    streams are of one bundle and one engine; that of n tasks asks for the first n.

    Args:
        bundle: Bundle to measure; None makes one of all tasks with random weights, a sixth of
            the heads and of the neurons private in each block (rho = 1/6).
        width: Width of the random network.
        size: Width and height of its input in pixels.
        output: JSON file.
        depth: Blocks of the random network.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured frames of each case.

    Returns:
        What was written: ``cases``, the dense network of the base task first, each with ``name``,
        ``p50_ms``, ``p95_ms``, ``p99_ms``, ``stages_p50`` and ``ratio`` (median of the dense
        network / median of this case). A case of two tasks or more has ``added``: its median less
        that of one task fewer, over that of the dense network. ``mean_added`` is the mean of
        these, None for a bundle of one task; and the setting.
    """
    with tempfile.TemporaryDirectory() as scratch, pinned(threads):
        folder = bundle
        if folder is None:
            config = NetworkConfig(width, depth, 6, 4 * width, size=size)
            folder = Path(scratch) / "random"
            random_bundle(folder, config, LayerShare(1, config.hidden // 6), tuple(TASKS))
        manifest = load_manifest(folder)
        tasks = manifest.tasks
        engine = OnnxRuntimeEngine(folder, manifest, threads)
        config = NetworkConfig.from_dict(manifest.network)
        dense = SeparateNetworks(config, tasks[:1], Path(scratch), threads)
        cases: list[Case] = [SeparateCase(dense, manifest.input)]
        cases += [StreamCase(engine, 1.0, tasks[:count]) for count in range(1, len(tasks) + 1)]
        rows = summary(cases, *take_turns(cases, rounds))
    added = _name_and_compare(rows)
    result: dict[str, Any] = {
        "bundle": manifest.name if bundle else None,
        "network": manifest.network,
        "tasks": [task.name for task in tasks],
        "rho": {name: round(share.rho, 4) for name, share in manifest.private.items()},
        "threads": threads,
        "rounds": rounds,
        "machine": {"processor": processor(), "onnxruntime": ort.__version__},
        "target_added": TARGET,
        "mean_added": round(sum(added) / len(added), 4) if added else None,
        "cases": rows,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _name_and_compare(rows: list[dict[str, Any]]) -> list[float]:
    """Name the cases by their number of tasks, and return what each further task added."""
    dense, *streams = rows
    dense["name"] = "one dense network"
    added = []
    for count, row in enumerate(streams, start=1):
        row["name"] = f"{count} task" if count == 1 else f"{count} tasks"
        if count > 1:
            added.append((row["p50_ms"] - streams[count - 2]["p50_ms"]) / dense["p50_ms"])
            row["added"] = round(added[-1], 4)
    return added

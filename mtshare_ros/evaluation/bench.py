"""``mtshare bench``: time against separate dense networks, in one interleaved run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime as ort
import torch

from mtshare_ros.bundle import load_manifest
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
from mtshare_ros.export.bundle import write_bundle
from mtshare_ros.manifest import LayerShare, Manifest
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.tasks import TASKS

FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.05)
"""Shares of dirty tokens that are measured."""


def random_bundle(
    folder: Path,
    config: NetworkConfig,
    share: LayerShare,
    tasks: tuple[str, ...] = ("normals", "depth", "segmentation"),
) -> Manifest:
    """Write a bundle with random weights, the first task as base: for time and parity only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = SingleTaskNetwork(config, TASKS[tasks[0]].channels)
        subtasks = {}
        for name in tasks[1:]:
            subtask = SubTask(config, [share] * config.depth, TASKS[name].channels)
            for block in subtask.blocks:
                for name_, parameter in block.named_parameters():
                    if name_ in ("proj.weight", "fc2.weight"):  # zero at the start of training
                        torch.nn.init.trunc_normal_(parameter, std=0.02)
            subtasks[TASKS[name]] = subtask
        return write_bundle(
            folder,
            folder.name,
            "Random weights: for measuring time, never for use.",
            base,
            TASKS[tasks[0]],
            subtasks,
            focal_length=0.8,
        )


def run_bench(
    bundle: Path | None,
    width: int,
    size: tuple[int, int],
    output: Path,
    *,
    depth: int = 12,
    threads: int = 2,
    rounds: int = 60,
) -> dict[str, Any]:
    """Measure and write the result to ``output`` as JSON.

    Args:
        bundle: Bundle to measure; None makes one with random weights, a sixth of the heads and
            of the neurons private (rho = 1/6), two sub-tasks.
        width: Width of the random network.
        size: Width and height of its input in pixels.
        output: JSON file.
        depth: Blocks of the random network.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured frames of each case.

    Returns:
        What was written: ``cases`` with ``name``, ``p50_ms``, ``p95_ms``, ``p99_ms`` and
        ``ratio`` (median of the separate dense networks / median of this case), and the setting.
    """
    with tempfile.TemporaryDirectory() as scratch, pinned(threads):
        folder = bundle
        if folder is None:
            config = NetworkConfig(width, depth, 6, 4 * width, size=size)
            folder = Path(scratch) / "random"
            random_bundle(folder, config, LayerShare(1, config.hidden // 6))
        manifest = load_manifest(folder)
        engine = OnnxRuntimeEngine(folder, manifest, threads)
        config = NetworkConfig.from_dict(manifest.network)
        networks = SeparateNetworks(config, manifest.tasks, Path(scratch), threads)
        cases: list[Case] = [
            SeparateCase(networks, manifest.input),
            *(StreamCase(engine, fraction) for fraction in FRACTIONS),
        ]
        seconds, stages = take_turns(cases, rounds)
    rows = summary(cases, seconds, stages)
    result: dict[str, Any] = {
        "bundle": manifest.name if bundle else None,
        "network": manifest.network,
        "tasks": [task.name for task in manifest.tasks],
        "rho": {name: round(share.rho, 4) for name, share in manifest.private.items()},
        "threads": threads,
        "rounds": rounds,
        "machine": {"processor": processor(), "onnxruntime": ort.__version__},
        "stem_and_head_share": _stem_and_head_share(rows, manifest),
        "cases": rows,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _stem_and_head_share(cases: list[dict[str, Any]], manifest: Manifest) -> float:
    """Return the share of one dense network's time that sharing can't save."""
    stages = cases[1]["stages_p50"]
    fixed = stages["stem"] + stages[manifest.base_task.name]
    return round(fixed / (cases[0]["p50_ms"] / len(manifest.tasks)), 3)

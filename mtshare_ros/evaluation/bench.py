"""``mtshare bench``: time against separate dense networks, in one interleaved run.

Each case is a whole ``step``, from a uint8 image to decoded arrays. The cases take turns within
one process, so that what else the machine does meets all of them alike.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime as ort
import torch
from tqdm import tqdm

from mtshare_ros.bundle import load_manifest
from mtshare_ros.evaluation.rivals import SeparateNetworks
from mtshare_ros.export.bundle import write_bundle
from mtshare_ros.manifest import InputSpec, LayerShare, Manifest
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.stream import PerceptionStream, StreamSettings
from mtshare_ros.tasks import TASKS, Task

FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.05)
"""Shares of dirty tokens that are measured."""
_NEVER = 1_000_000
_FRAME_NS = 33_333_333


class _Case(Protocol):
    """One way to get all tasks of a frame."""

    name: str

    def prepare(self) -> None:
        """Make the next image; not timed."""
        ...

    def step(self) -> dict[str, float]:
        """Compute the frame; timed. Returns the times of its stages."""
        ...


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


class _ChangingScene:
    """Images in which a given share of tokens, drawn anew each frame, changed visibly."""

    def __init__(self, spec: InputSpec, fraction: float) -> None:
        self._spec, self._count = spec, max(1, round(fraction * spec.tokens))
        self._rng = np.random.default_rng(0)
        coarse = self._rng.integers(40, 180, (*spec.grid, 3), dtype=np.uint8)
        size = (spec.width, spec.height)
        self._image: Image = np.asarray(
            cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.uint8
        )
        self._brighter = np.zeros(spec.tokens, np.bool_)

    def next(self) -> Image:
        rows, columns = self._spec.grid
        side = self._spec.stride
        chosen = self._rng.choice(rows * columns, self._count, replace=False)
        # To and fro by a little: visible in each chosen token, and never a cut.
        self._brighter[chosen] ^= True
        step = (self._brighter.reshape(rows, columns) * 24).astype(np.uint8)
        full = step.repeat(side, axis=0).repeat(side, axis=1)
        return np.asarray(self._image + full[..., None], np.uint8)


class _StreamCase:
    """Our stream with a share of the tokens dirty in each frame.

    Without ``tasks`` it computes all tasks of the engine's bundle.
    """

    def __init__(
        self, engine: OnnxRuntimeEngine, fraction: float, tasks: Sequence[Task] = ()
    ) -> None:
        self.name = f"dirty {fraction:g}"
        self._scene = _ChangingScene(engine.manifest.input, fraction)
        self._stream = PerceptionStream(engine, StreamSettings(max_age=_NEVER))
        self._tasks = [task.name for task in tasks or engine.manifest.tasks]
        self._stamp = 0

    def prepare(self) -> None:
        self._stamp += _FRAME_NS
        self._image = self._scene.next()

    def step(self) -> dict[str, float]:
        predictions = self._stream.step(self._image, self._stamp, self._tasks)
        if predictions.reset not in (None, "first frame"):
            raise RuntimeError(f"{self.name}: the cache was dropped: {predictions.reset}")
        return {**predictions.milliseconds, "dirty_fraction": float(predictions.dirty.mean())}


class _SeparateCase:
    """One dense network per task."""

    name = "separate dense networks"

    def __init__(self, networks: SeparateNetworks, spec: InputSpec) -> None:
        self._networks, self._spec = networks, spec
        self._scene = _ChangingScene(spec, 1.0)

    def prepare(self) -> None:
        self._image = self._scene.next()

    def step(self) -> dict[str, float]:
        self._networks.step(self._image, self._spec)
        return {}


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
    with tempfile.TemporaryDirectory() as scratch, _pinned(threads):
        folder = bundle
        if folder is None:
            config = NetworkConfig(width, depth, 6, 4 * width, size=size)
            folder = Path(scratch) / "random"
            random_bundle(folder, config, LayerShare(1, config.hidden // 6))
        manifest = load_manifest(folder)
        engine = OnnxRuntimeEngine(folder, manifest, threads)
        config = NetworkConfig.from_dict(manifest.network)
        networks = SeparateNetworks(config, manifest.tasks, Path(scratch), threads)
        cases: list[_Case] = [
            _SeparateCase(networks, manifest.input),
            *(_StreamCase(engine, fraction) for fraction in FRACTIONS),
        ]
        seconds, stages = _measure(cases, rounds)
    rows = _summary(cases, seconds, stages)
    result: dict[str, Any] = {
        "bundle": manifest.name if bundle else None,
        "network": manifest.network,
        "tasks": [task.name for task in manifest.tasks],
        "rho": {name: round(share.rho, 4) for name, share in manifest.private.items()},
        "threads": threads,
        "rounds": rounds,
        "machine": {"processor": _processor(), "onnxruntime": ort.__version__},
        "stem_and_head_share": _stem_and_head_share(rows, manifest),
        "cases": rows,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    return result


@contextmanager
def _pinned(threads: int) -> Iterator[None]:
    """Keep the process on as many cores as it has threads."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:threads])
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _measure(
    cases: list[_Case], rounds: int
) -> tuple[list[list[float]], list[list[dict[str, float]]]]:
    """Let the cases take turns, in an order drawn anew each round; a tenth is warm-up."""
    order = np.random.default_rng(0)
    seconds: list[list[float]] = [[] for _ in cases]
    stages: list[list[dict[str, float]]] = [[] for _ in cases]
    warmup = max(3, rounds // 10)
    for turn in tqdm(range(warmup + rounds), desc="bench", unit="round", disable=None):
        for index in order.permutation(len(cases)):
            cases[index].prepare()
            start = time.perf_counter()
            times = cases[index].step()
            elapsed = time.perf_counter() - start
            if turn >= warmup:
                seconds[index].append(elapsed)
                stages[index].append(times)
    return seconds, stages


def _summary(
    cases: list[_Case], seconds: list[list[float]], stages: list[list[dict[str, float]]]
) -> list[dict[str, Any]]:
    reference = float(np.median(seconds[0]))
    rows = []
    for case, times, parts in zip(cases, seconds, stages, strict=True):
        p50, p95, p99 = (float(np.percentile(times, q)) * 1e3 for q in (50, 95, 99))
        names = parts[0]
        rows.append(
            {
                "name": case.name,
                "p50_ms": round(p50, 3),
                "p95_ms": round(p95, 3),
                "p99_ms": round(p99, 3),
                "ratio": round(reference * 1e3 / p50, 3),
                "stages_p50": {
                    name: round(float(np.median([part[name] for part in parts])), 3)
                    for name in names
                },
            }
        )
    return rows


def _stem_and_head_share(cases: list[dict[str, Any]], manifest: Manifest) -> float:
    """Return the share of one dense network's time that sharing can't save."""
    stages = cases[1]["stages_p50"]
    fixed = stages["stem"] + stages[manifest.base_task.name]
    return round(fixed / (cases[0]["p50_ms"] / len(manifest.tasks)), 3)


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""Cases that take turns within one process, and how they are timed.

Each case is a whole ``step``, from a uint8 image to decoded arrays. What else the machine does
meets all of them alike.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from tqdm import tqdm

from mtshare_ros.manifest import InputSpec
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.tasks import Task

if TYPE_CHECKING:  # boards that are timed have no torch
    from mtshare_ros.evaluation.rivals import SeparateNetworks
    from mtshare_ros.evaluation.rivals_gpu import RecordedNetworks

_NEVER = 1_000_000
_FRAME_NS = 33_333_333


class Case(Protocol):
    """One way to get all tasks of a frame."""

    name: str

    def prepare(self) -> None:
        """Make the next image; not timed."""
        ...

    def step(self) -> dict[str, float]:
        """Compute the frame; timed. Returns the times of its stages."""
        ...


class ChangingScene:
    """Images in which a given share of tokens, drawn anew each frame, changed visibly."""

    def __init__(self, spec: InputSpec, fraction: float) -> None:
        """Start with a scene of the size of ``spec``."""
        self._spec, self._count = spec, max(1, round(fraction * spec.tokens))
        self._rng = np.random.default_rng(0)
        coarse = self._rng.integers(40, 180, (*spec.grid, 3), dtype=np.uint8)
        size = (spec.width, spec.height)
        self._image: Image = np.asarray(
            cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.uint8
        )
        self._brighter = np.zeros(spec.tokens, np.bool_)

    def next(self) -> Image:
        """Return the next image, (H, W, 3) uint8."""
        rows, columns = self._spec.grid
        side = self._spec.stride
        chosen = self._rng.choice(rows * columns, self._count, replace=False)
        # To and fro by a little: visible in each chosen token, and never a cut.
        self._brighter[chosen] ^= True
        step = (self._brighter.reshape(rows, columns) * 24).astype(np.uint8)
        full = step.repeat(side, axis=0).repeat(side, axis=1)
        return np.asarray(self._image + full[..., None], np.uint8)


class StreamCase:
    """Our stream with a share of the tokens dirty in each frame.

    Without ``tasks`` it computes all tasks of the engine's bundle.
    """

    def __init__(
        self, engine: Engine, fraction: float, tasks: Sequence[Task] = (), most: float = 1.0
    ) -> None:
        """Open a stream on ``engine`` with a ``max_dirty_fraction``."""
        self.name = f"dirty {fraction:.4g}"
        self._scene = ChangingScene(engine.manifest.input, fraction)
        self._stream = PerceptionStream(engine, StreamSettings(most, max_age=_NEVER))
        self._tasks = [task.name for task in tasks or engine.manifest.tasks]
        self._stamp = 0

    def prepare(self) -> None:
        """Make the next image; not timed."""
        self._stamp += _FRAME_NS
        self._image = self._scene.next()

    def step(self) -> dict[str, float]:
        """Compute a frame; timed. Returns its stages' times and the share of dirty tokens."""
        predictions = self._stream.step(self._image, self._stamp, self._tasks)
        if predictions.reset not in (None, "first frame"):
            raise RuntimeError(f"{self.name}: the cache was dropped: {predictions.reset}")
        return {**predictions.milliseconds, "dirty_fraction": float(predictions.dirty.mean())}


class SeparateCase:
    """One dense network per task."""

    name = "separate dense networks"

    def __init__(self, networks: SeparateNetworks | RecordedNetworks, spec: InputSpec) -> None:
        """Time ``networks`` on images of the size of ``spec``."""
        self._networks, self._spec = networks, spec
        self._scene = ChangingScene(spec, 1.0)

    def prepare(self) -> None:
        """Make the next image; not timed."""
        self._image = self._scene.next()

    def step(self) -> dict[str, float]:
        """Compute a frame; timed."""
        self._networks.step(self._image, self._spec)
        return {}


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keep the process on as many cores as it has threads."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:threads])
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def take_turns(
    cases: list[Case], rounds: int
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


def summary(
    cases: list[Case], seconds: list[list[float]], stages: list[list[dict[str, float]]]
) -> list[dict[str, Any]]:
    """Return a row for each case: times, and the first case's median over its own as ratio."""
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


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

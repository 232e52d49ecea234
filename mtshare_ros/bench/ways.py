"""The cases of one network at one size: every way to compute its tasks, measured in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bench.cases import Case, DenseCase, HoldCase, SceneCamera, StreamCase
from mtshare_ros.bench.measurement import ratio, summary, take_turns
from mtshare_ros.bench.multiply_adds import count_work
from mtshare_ros.bench.result_reader import main_count
from mtshare_ros.bench.rivals import SEPARATE, SHARED, Rivals
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.progress import OnCount


@dataclass(frozen=True)
class Way:
    """A case, and what is clear before it is measured.

    Attributes:
        kind: ``separate``: a dense network per task; ``shared``: one encoder with a head per task;
            ``stream``: base and sub-tasks; ``hold``: the same, dense in every K-th frame.
        tasks: Number of tasks.
        fraction: Share of the tokens that are computed, on average.
        work: Multiply-adds of a frame, on average.
        case: What is timed.
    """

    kind: str
    tasks: int
    fraction: float
    work: float
    case: Case


def ways_of(
    folder: Path,
    manifest: Manifest,
    counts: Sequence[int],
    fractions: Sequence[float],
    scratch: Path,
    threads: int,
) -> list[Way]:
    """Return the cases of a bundle, for its first n tasks of each n in ``counts``.

    What is held is measured for ``main_count`` tasks: it takes a K-th of a dense frame.
    """
    tasks = manifest.tasks[: max(counts)]
    engine = OnnxRuntimeEngine(folder, manifest, threads)
    rivals = Rivals(NetworkConfig.from_dict(manifest.network), tasks, scratch, threads)
    networks, work = rivals.separate(tasks), count_work(manifest)
    ways = []
    for count in counts:
        some = tasks[:count]
        names = [task.name for task in some]
        separate = DenseCase(SEPARATE, networks.first(count), manifest.input)
        ways.append(Way("separate", count, 1.0, work.separate(names), separate))
        if count > 1:  # of one task it is the separate network
            shared = DenseCase(SHARED, rivals.shared(some), manifest.input)
            ways.append(Way("shared", count, 1.0, work.shared(names), shared))
        camera = SceneCamera(engine, some)
        for fraction in fractions:
            stream = StreamCase(camera, fraction)
            ways.append(Way("stream", count, fraction, work.stream(names, fraction), stream))
        for period in periods(fractions) if count == main_count(counts) else ():
            held = work.stream(names, 1.0) / period
            ways.append(Way("hold", count, 1 / period, held, HoldCase(camera, period)))
    return ways


def periods(fractions: Sequence[float]) -> list[int]:
    """Return the periods K at which holding is as much work as a share of dirty tokens, 1 / K."""
    return sorted({round(1 / fraction) for fraction in fractions if fraction <= 0.5})


def measure_ways(ways: Sequence[Way], rounds: int, on_round: OnCount) -> list[dict[str, Any]]:
    """Time the cases in turns and return a row for each (``result.py`` says what is in it)."""
    cases = [way.case for way in ways]
    rows = summary(cases, take_turns(cases, rounds, on_round))
    dense = {w.tasks: (w, row) for w, row in zip(ways, rows, strict=True) if w.kind == "separate"}
    for way, row in zip(ways, rows, strict=True):
        rival, reference = dense[way.tasks]
        work = way.work / rival.work
        row.update(kind=way.kind, tasks=way.tasks, fraction=round(way.fraction, 4))
        row.update(ratio=ratio(reference, row), work=round(work, 4))
        row["ideal_ms"] = round(work * reference["p50_ms"], 3)
    return rows

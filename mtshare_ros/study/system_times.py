"""Whole-frame time of every system of a study in ONNX Runtime: ``timing.json``.

Systems that compute the same are measured once. What is dense costs the same whatever share of
the tokens changed. Random weights stand in where only a stage's shapes matter.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtshare_ros.bench.measurement import pinned, ratio, summary, take_turns
from mtshare_ros.errors import OptionError
from mtshare_ros.machine.board import machine
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.study.plans import plans_of
from mtshare_ros.study.study_config import Study
from mtshare_ros.study.timed_cases import STUDY_FRACTIONS, TimedCases
from mtshare_ros.tasks import TASKS


def measure(
    study: Study,
    *,
    size: tuple[int, int] | None = None,
    threads: int = 2,
    rounds: int = 60,
    on_round: OnCount = silent,
) -> dict[str, Any]:
    """Measure every system that is trained and can be exported, interleaved in one process.

    Args:
        study: The study.
        size: Width and height of the input, with random weights and the trained private units;
            by default the study's, or the networks' own size, with trained weights.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured frames of each case.
        on_round: Called after each round with the rounds done and those in all.

    Returns:
        Content of ``timing.json``.

    Raises:
        StudyError: No system can be measured, or their networks differ.
        OptionError: The size is none of whole tokens.
    """
    plans, config, skipped = plans_of(study)
    size = size or study.size
    resized = config if size is None else _resized(config, size)
    tasks = [TASKS[name] for name in study.metrics]
    with tempfile.TemporaryDirectory() as scratch, pinned(threads):
        made = TimedCases(resized, tasks, Path(scratch), threads)
        ways = {name: made.candidates(plan, size is None) for name, plan in plans.items()}
        measured = summary(made.cases, take_turns(made.cases, rounds, on_round))
    rows = []
    for name, candidates in ways.items():
        for fraction in STUDY_FRACTIONS:
            times = {way: measured[cases[fraction]] for way, cases in candidates.items()}
            fastest = min(times, key=lambda way: float(times[way]["p50_ms"]))
            kept = {key: times[fastest][key] for key in ("p50_ms", "p95_ms", "p99_ms")}
            kept["ratio"] = ratio(measured[0], times[fastest])
            rows.append({"system": name, "fraction": fraction, "how": fastest, **kept})
    return {
        "network": resized.to_dict(),
        "weights": "trained" if size is None else "random",
        "threads": threads,
        "rounds": rounds,
        "machine": machine(),
        "fractions": list(STUDY_FRACTIONS),
        "cases": rows,
        "skipped": skipped,
    }


def _resized(config: NetworkConfig, size: tuple[int, int]) -> NetworkConfig:
    try:
        return replace(config, size=size)
    except ValueError as error:
        raise OptionError(f"--size: {error}") from error

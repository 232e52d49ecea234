"""The files of a report: ``report.json`` for programs, ``index.html`` for people."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.errors import JobError, one_line, written
from mtshare_ros.evaluation.pictures.kept_frames import SLOWEST
from mtshare_ros.evaluation.report.page import page
from mtshare_ros.evaluation.scores import Recording, Run, Scores

JSON_NAME = "report.json"
PAGE_NAME = "index.html"


def write_report(
    folder: Path,
    run: Run,
    scores: Scores,
    manifest: Manifest,
    *,
    stop: BaseException | None = None,
    recording: Recording | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write ``report.json`` and ``index.html`` into a folder, which is made if it is missing.

    If the writing is interrupted, a file is there as a whole, or not at all.

    Args:
        folder: The report's folder.
        run: What was run, and on what.
        scores: The run's scores.
        manifest: The bundle's manifest.
        stop: Why the run ended before its frames did, if it did: the report is marked as partial.
        recording: What the live node reported, if the run went through it.
        more: Further entries of ``report.json``.

    Returns:
        The content of ``report.json``.

    Raises:
        JobError: No frame was scored, or a number is not finite.
    """
    if not scores.frames:
        raise JobError(f"{run.source}: no frame was scored")
    numbers = _summary(run, scores, stop, recording) | dict(more or {})
    # Long lists last, so that the head of the file can be read.
    numbers["per_frame"] = scores.series.result()
    _check_finite(numbers, run.source)
    text = json.dumps(numbers, indent=2, allow_nan=False) + "\n"
    shown = page(run, scores, numbers, manifest)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / JSON_NAME, text)
    _replace(folder / PAGE_NAME, shown)
    return numbers


def _summary(
    run: Run, scores: Scores, stop: BaseException | None, recording: Recording | None
) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "frames": scores.frames,
        "complete": stop is None,
        "tasks": scores.accuracy.result(),
        "truth_frames": scores.truth_frames,
        "disagreement": scores.disagreement(),
        "latency_ms": scores.latency.result() if recording is None else recording.latency_ms,
        "dirty_fraction": scores.dirty_fraction(),
        "engine": run.engine,
        "policy": run.policy,
        "bundle": run.bundle,
        "baselines": {name: baseline.result() for name, baseline in scores.baselines.items()},
        "worst_frames": _worst(scores),
    }
    if stop is not None:
        numbers["stopped"] = one_line(stop)
    if run.frames is not None:
        numbers["expected_frames"] = run.frames
    if recording is not None:
        numbers["delivery"] = recording.delivery
    return numbers


def _worst(scores: Scores) -> dict[str, list[int]]:
    """Return reason -> numbers of the frames that are shown because they are the worst."""
    reasons = [*(task.name for task in scores.tasks), SLOWEST]
    shown = scores.kept.result()
    worst = {r: [kept.moment.index for kept in shown if r in kept.reasons] for r in reasons}
    return {reason: indices for reason, indices in worst.items() if indices}


def _check_finite(numbers: Any, where: str) -> None:
    if isinstance(numbers, dict):
        for key, value in numbers.items():
            _check_finite(value, f"{where}: {key}")
    elif isinstance(numbers, float) and not math.isfinite(numbers):
        raise JobError(f"{where} is {numbers}: expected a finite number")


def _replace(path: Path, text: str) -> None:
    whole = path.with_name(f".{path.name}.new")
    # Names of files may have bytes that are no UTF-8.
    with written(path):
        whole.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(whole, path)

"""Write what a run was worth: ``report.json`` for programs, ``index.html`` for people.

The page needs no network and no other file: pictures and plots are inside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtshare_ros.errors import JobError
from mtshare_ros.evaluation import pictures
from mtshare_ros.evaluation.disagreement import UNITS
from mtshare_ros.evaluation.metrics import SegmentationMetric
from mtshare_ros.evaluation.scores import Example, Scores
from mtshare_ros.manifest import Manifest
from mtshare_ros.tasks import PROBABILITY_KINDS, Task

JSON_NAME = "report.json"
PAGE_NAME = "index.html"

METRICS = {
    "miou": ("mIoU", 100.0, "%", True),
    "abs_rel": ("AbsRel", 1.0, "", False),
    "rmse": ("RMSE", 1.0, "m", False),
    "delta1": ("δ < 1.25", 100.0, "%", True),
    "mean_deg": ("mean angle", 1.0, "°", False),
    "median_deg": ("median angle", 1.0, "°", False),
    "within_11": ("within 11.25°", 100.0, "%", True),
    "within_22": ("within 22.5°", 100.0, "%", True),
    "within_30": ("within 30°", 100.0, "%", True),
    "ods_f": ("odsF", 100.0, "%", True),
    "max_f": ("maxF", 100.0, "%", True),
}
"""Metric key -> name, factor and unit on the page, and whether higher is better."""


@dataclass(frozen=True)
class Run:
    """What was run on what.

    Attributes:
        bundle: The bundle's folder, as given.
        engine: Name of the engine.
        policy: One of ``policies.POLICIES``.
        source: Where the frames come from; on the page only.
    """

    bundle: str
    engine: str
    policy: str
    source: str


@dataclass(frozen=True)
class Recording:
    """What the live node said of a run.

    Attributes:
        delivery: Fate of the frames -> count: ``received``, ``processed``, ``dropped``, ...
        latency_ms: Stage -> ``p50``, ``p95``, ``p99`` in milliseconds, as in its diagnostics.
    """

    delivery: dict[str, int]
    latency_ms: dict[str, dict[str, float]]


def write_report(
    folder: Path,
    run: Run,
    scores: Scores,
    manifest: Manifest,
    *,
    pools: Mapping[str, Scores] | None = None,
    recording: Recording | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write ``report.json`` and ``index.html`` into a folder, which is made if need be.

    Args:
        folder: The report's folder.
        run: What was run on what.
        scores: What came out.
        manifest: The bundle's manifest.
        pools: The same for parts of the set, by name.
        recording: What the live node said of the run, if it was one through the node.
        more: Further entries of ``report.json``.

    Returns:
        The content of ``report.json``.

    Raises:
        JobError: No frame was scored, or a number is not finite.
    """
    numbers = summary(run, scores, pools=pools, recording=recording) | dict(more or {})
    _check_finite(numbers, run.source)
    text = json.dumps(numbers, indent=2, allow_nan=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(text, encoding="utf-8")
    page = _page(run, scores, numbers, manifest)
    (folder / PAGE_NAME).write_text(page, encoding="utf-8")
    return numbers


def summary(
    run: Run,
    scores: Scores,
    *,
    pools: Mapping[str, Scores] | None = None,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """Return the content of ``report.json``; arguments and errors as ``write_report``."""
    if not scores.frames:
        raise JobError(f"{run.source}: no frame was scored")
    numbers: dict[str, Any] = {
        "frames": scores.frames,
        "tasks": scores.accuracy(),
        "disagreement": {
            name: float(np.mean(values)) for name, values in scores.disagreements.items()
        },
        "latency_ms": scores.latency.result() if recording is None else recording.latency_ms,
        "dirty_fraction": {
            "mean": float(np.mean(scores.dirty_fractions)),
            "max": float(np.max(scores.dirty_fractions)),
        },
        "engine": run.engine,
        "policy": run.policy,
        "bundle": run.bundle,
    }
    if pools:
        numbers["pools"] = {
            name: {"frames": part.frames, "tasks": part.accuracy()}
            for name, part in sorted(pools.items())
        }
    if recording is not None:
        numbers["delivery"] = recording.delivery
    return numbers


def _check_finite(numbers: Any, where: str) -> None:
    if isinstance(numbers, dict):
        for key, value in numbers.items():
            _check_finite(value, f"{where}: {key}")
    elif isinstance(numbers, float) and not math.isfinite(numbers):
        raise JobError(f"{where} is {numbers}: expected a finite number")


def _page(run: Run, scores: Scores, numbers: dict[str, Any], manifest: Manifest) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mtshare_ros.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["metric"] = _metric_text
    shown = [maps for e in scores.examples for maps in (e.predictions, e.truths)]
    far = pictures.far_depth(manifest.tasks, shown)
    return environment.get_template("report.html").render(
        run=run,
        numbers=numbers,
        manifest=manifest,
        tasks=manifest.tasks,
        metrics=METRICS,
        units={task.name: UNITS[task.kind] for task in manifest.tasks},
        private=_private_share(manifest),
        examples=[_example(example, manifest, far) for example in scores.examples],
        far=far,
        worst=pictures.WORST,
        probabilities=[task.name for task in manifest.tasks if task.kind in PROBABILITY_KINDS],
        legend=_legend(scores, manifest),
        dense=scores.reference_latency.result().get("total"),
        timeline=pictures.timeline_plot(
            scores.timeline(),
            scores.reference_latency.stages.get("total", []),
            scores.dirty_fractions,
        ),
        stages=pictures.stages_plot(numbers["latency_ms"]),
    )


def _metric_text(value: float, key: str) -> str:
    """Return a metric as the page shows it."""
    _, factor, unit, _ = METRICS[key]
    digits = 1 if factor == 100.0 or unit == "°" else 3
    return f"{value * factor:.{digits}f} {unit}".strip().replace(" °", "°")


def _private_share(manifest: Manifest) -> dict[str, float]:
    return {name: share.rho for name, share in manifest.private.items()}


def _legend(scores: Scores, manifest: Manifest) -> list[dict[str, Any]]:
    """Return name, colour and IoU (None where it never occurred) of each class."""
    entries: list[dict[str, Any]] = []
    for task in manifest.tasks:
        metric = scores.metrics[task.name]
        if isinstance(metric, SegmentationMetric):
            for item, iou in zip(task.classes, metric.per_class(), strict=True):
                colour = "rgb({}, {}, {})".format(*item.colour)
                known = None if np.isnan(iou) else float(iou)
                entries.append({"name": item.name, "colour": colour, "iou": known})
    return entries


def _example(example: Example, manifest: Manifest, far: float) -> dict[str, Any]:
    """Return the pictures of one frame, ready for the page."""
    return {
        "index": example.index,
        "frame": pictures.embedded(example.rgb, "jpg"),
        "dirty": None
        if example.dirty is None
        else pictures.embedded(pictures.dirty_picture(example.rgb, example.dirty), "jpg"),
        "dirty_percent": None if example.dirty is None else 100 * example.dirty_fraction,
        "maps": {
            task.name: _map_pictures(task, example, far)
            for task in manifest.tasks
            if task.name in example.predictions
        },
    }


def _map_pictures(task: Task, example: Example, far: float) -> dict[str, str]:
    prediction = example.predictions[task.name]
    found = {"prediction": pictures.embedded(pictures.map_picture(task, prediction, far))}
    truth = example.truths.get(task.name)
    if truth is not None:
        found["truth"] = pictures.embedded(pictures.map_picture(task, truth, far))
        found["error"] = pictures.embedded(pictures.error_picture(task, prediction, truth), "jpg")
    return found

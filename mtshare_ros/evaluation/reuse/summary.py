"""From played clips to numbers: ``reuse.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtshare_ros.evaluation.metric_names import METRICS
from mtshare_ros.evaluation.reuse.compare import Clip, Track
from mtshare_ros.tasks import Task

SETTLED = 20
"""Frames after which the time of a frame is taken to be that of a running stream."""

CARRY = "carry"
"""Policies of this kind carry frames along; what they compute is dense."""

SAME_TIME = 1.02
"""Factor up to which a mean time is called equal."""

BEARABLE = 0.01
"""Relative loss of accuracy against the truth that is taken for a shorter time."""


def summary(clip: Clip, tasks: Sequence[Task], periods: Sequence[int]) -> dict[str, Any]:
    """Return everything about a clip.

    Args:
        clip: The clip, with ways called ``hold:K``, ``warp:K``, ``carry:K`` and ``tokens:SHARE``.
        tasks: The bundle's tasks.
        periods: Each K that is held.
    """
    ways = [_way(track) for track in clip.tracks]
    for way in ways:
        way["loss"] = _loss(way["accuracy"], ways[0]["accuracy"], tasks)
    found = {way["name"]: way for way in ways}
    # The default policy, or the first that is compared.
    ours = clip.tracks[1].way.policy
    reused = [way for way in ways if way["policy"] == ours]
    carried = [way for way in ways if way["policy"].startswith(CARRY)]
    return {
        "name": clip.name,
        "frames": len(clip.tracks[0].dirty),
        "separate_ms": clip.networks_ms,
        "ways": ways,
        "equal_time": [
            _equal_time(found, candidates, period)
            for candidates in (reused, carried)
            if candidates
            for period in periods
        ],
        "fastest": _fastest([ways[0], *reused, *carried], float(np.mean(clip.networks_ms))),
    }


def _way(track: Track) -> dict[str, Any]:
    settled = track.ms[SETTLED:] or track.ms
    p50, p95, p99 = (float(np.percentile(settled, q)) for q in (50, 95, 99))
    return {
        "name": track.way.name,
        "policy": track.way.policy,
        "max_dirty_fraction": track.way.settings.max_dirty_fraction,
        "mean_ms": float(np.mean(track.ms)),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "p99_over_mean": p99 / float(np.mean(settled)),
        "dirty": float(np.mean([dirty.mean() for dirty in track.dirty])),
        "error": {task: float(np.mean(values)) for task, values in track.errors.items()},
        "accuracy": track.accuracy.result(),
        "ms": track.ms,
        "errors": track.errors,
        "resets": track.resets,
    }


def _loss(
    accuracy: Mapping[str, Mapping[str, float]],
    dense: Mapping[str, Mapping[str, float]],
    tasks: Sequence[Task],
) -> dict[str, float]:
    """Return each task's relative loss against the dense network, by the task's first metric."""
    losses = {}
    for task in tasks:
        # A clip may lack a task's truth.
        if task.name in dense and dense[task.name][task.metrics[0]]:
            before, now = (a[task.name][task.metrics[0]] for a in (dense, accuracy))
            sign = 1 if METRICS[task.metrics[0]][3] else -1
            losses[task.name] = sign * (before - now) / before
    return losses


def _fastest(ways: Sequence[dict[str, Any]], separate_ms: float) -> dict[str, Any]:
    """Return the way of the shortest mean time whose loss is bearable in every task."""
    bearable = [way for way in ways if max(way["loss"].values(), default=0.0) <= BEARABLE]
    way = min(bearable, key=lambda way: float(way["mean_ms"]))
    return {
        "name": way["name"],
        "bearable": BEARABLE,
        "loss": way["loss"],
        "times_faster": separate_ms / way["mean_ms"],
    }


def _equal_time(
    ways: Mapping[str, dict[str, Any]], candidates: Sequence[dict[str, Any]], period: int
) -> dict[str, Any]:
    """Compare with holding every K-th dense frame, at the same mean time.

    Of the candidates the slowest is taken whose mean time is no longer; where none is as short,
    the fastest, and ``time`` says by how much it is longer.
    """
    hold, warp = ways[f"hold:{period}"], ways[f"warp:{period}"]
    within = [way for way in candidates if way["mean_ms"] <= SAME_TIME * hold["mean_ms"]]
    ours = (
        max(within, key=lambda way: way["mean_ms"])
        if within
        else min(candidates, key=lambda way: way["mean_ms"])
    )
    return {
        "period": period,
        "ours": ours["name"],
        "time": ours["mean_ms"] / hold["mean_ms"],
        "warp_time": warp["mean_ms"] / hold["mean_ms"],
        "of_hold": _ratios(ours["error"], hold["error"]),
        "of_warp": _ratios(ours["error"], warp["error"]),
    }


def _ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float | None]:
    return {task: value / theirs[task] if theirs[task] else None for task, value in ours.items()}

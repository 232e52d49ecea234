"""From played clips to numbers: ``reuse.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtshare_ros.metrics.names import METRICS
from mtshare_ros.study.reuse.played_clips import Clip, Track
from mtshare_ros.tasks import Task

SETTLED = 20
"""Frames after which the time of a frame is taken to be that of a running stream."""

_MEANS = ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "p99_over_mean", "dirty")

CARRY = "carry"
"""Policies of this kind carry frames along; what they compute is dense."""

SAME_TIME = 1.02
"""Factor up to which a mean time is called equal."""

BEARABLE = 0.01
"""Relative loss of accuracy against the truth that is taken for a shorter time."""


def summary(clip: Clip, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return everything about a clip: the time of separate networks, and every way.

    Args:
        clip: The clip, played.
        tasks: The bundle's tasks.
    """
    ways = [_way(track) for track in clip.tracks]
    for way in ways:
        way["loss"] = _loss(way["accuracy"], ways[0]["accuracy"], tasks)
    return {
        "name": clip.name,
        "frames": len(clip.tracks[0].dirty),
        "separate_ms": clip.networks_ms,
        "ways": ways,
    }


def kind_of(name: str) -> str:
    """Return what clips of one kind have in common: the name without a number at its end."""
    return re.sub(r"-\d+$", "", name)


def by_kind(clips: Sequence[dict[str, Any]], periods: Sequence[int]) -> list[dict[str, Any]]:
    """Return the means over the clips of each kind, and what they say.

    Args:
        clips: As ``summary`` returns them, with ways called ``hold:K``, ``warp:K``, ``carry:K``
            and ``tokens:SHARE``.
        periods: Each K that is held.
    """
    kinds = dict.fromkeys(kind_of(clip["name"]) for clip in clips)
    return [
        _kind(name, [clip for clip in clips if kind_of(clip["name"]) == name], periods)
        for name in kinds
    ]


def _kind(name: str, clips: Sequence[dict[str, Any]], periods: Sequence[int]) -> dict[str, Any]:
    ways = [_mean_way(same) for same in zip(*(clip["ways"] for clip in clips), strict=True)]
    separate = float(np.mean([np.mean(clip["separate_ms"]) for clip in clips]))
    by_name = {way["name"]: way for way in ways}
    # The dense network is first; then the default policy, or the first that is compared.
    ours = ways[1]["policy"]
    reused = [way for way in ways if way["policy"] == ours]
    carried = [way for way in ways if way["policy"].startswith(CARRY)]
    for way in ways:
        way["times_faster"] = separate / way["mean_ms"]
    return {
        "name": name,
        "clips": [clip["name"] for clip in clips],
        "separate_ms": separate,
        "ways": ways,
        "equal_time": [
            _equal_time(by_name, candidates, period)
            for candidates in (reused, carried)
            if candidates
            for period in periods
        ],
        "fastest": _fastest([ways[0], *reused, *carried]),
    }


def _mean_way(ways: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of one way's figures over clips; ``worst_loss`` is that of any clip."""
    first = ways[0]
    means = {key: float(np.mean([way[key] for way in ways])) for key in _MEANS}
    losses = {
        task: [way["loss"][task] for way in ways if task in way["loss"]] for task in first["error"]
    }
    return {
        "name": first["name"],
        "policy": first["policy"],
        "max_dirty_fraction": first["max_dirty_fraction"],
        **means,
        "error": {t: float(np.mean([w["error"][t] for w in ways])) for t in first["error"]},
        "loss": {task: float(np.mean(values)) for task, values in losses.items() if values},
        "worst_loss": {task: max(values) for task, values in losses.items() if values},
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
            sign = 1 if METRICS[task.metrics[0]].higher_is_better else -1
            losses[task.name] = sign * (before - now) / before
    return losses


def _fastest(ways: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the way of the shortest mean time whose loss is bearable in every task."""
    bearable = [way for way in ways if max(way["loss"].values(), default=0.0) <= BEARABLE]
    way = min(bearable, key=lambda way: float(way["mean_ms"]))
    return {
        "name": way["name"],
        "bearable": BEARABLE,
        "loss": way["loss"],
        "times_faster": way["times_faster"],
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

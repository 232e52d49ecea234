"""How cases are timed: in turns within one process, pinned, warmed up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from mtshare_ros.bench.cases import Case
from mtshare_ros.progress import OnCount, silent

Times = tuple[list[list[float]], list[list[dict[str, float]]]]
"""Of each case: seconds of each frame, and the times of its stages in milliseconds."""


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


def take_turns(cases: Sequence[Case], rounds: int, on_round: OnCount = silent) -> Times:
    """Let the cases take turns, in an order drawn anew each round.

    Before the ``rounds`` that count a tenth as many, three at least, are warm-up. What else the
    machine does meets all cases alike.
    """
    order = np.random.default_rng(0)
    seconds: list[list[float]] = [[] for _ in cases]
    stages: list[list[dict[str, float]]] = [[] for _ in cases]
    warmup = max(3, rounds // 10)
    for turn in range(warmup + rounds):
        for index in order.permutation(len(cases)):
            cases[index].prepare()
            start = time.perf_counter()
            times = cases[index].step()
            elapsed = time.perf_counter() - start
            if turn >= warmup:
                seconds[index].append(elapsed)
                stages[index].append(times)
        on_round(turn + 1, warmup + rounds)
    return seconds, stages


def summary(cases: Sequence[Case], times: Times) -> list[dict[str, Any]]:
    """Return a row for each case.

    ``name``; ``p50_ms``, ``p95_ms``, ``p99_ms`` and ``mean_ms`` of a frame, over whole periods;
    ``stages_p50``: stage -> median.
    """
    rows = []
    for case, seconds, stages in zip(cases, *times, strict=True):
        # A period that is cut short has too many of the frames that it computes.
        whole = seconds[len(seconds) % case.period :]
        p50, p95, p99 = (float(np.percentile(whole, q)) * 1e3 for q in (50, 95, 99))
        rows.append(
            {
                "name": case.name,
                "p50_ms": round(p50, 3),
                "p95_ms": round(p95, 3),
                "p99_ms": round(p99, 3),
                "mean_ms": round(float(np.mean(whole)) * 1e3, 3),
                "stages_p50": {
                    name: round(float(np.median([part[name] for part in stages])), 3)
                    for name in stages[0]
                },
            }
        )
    return rows


def ratio(reference: dict[str, Any], row: dict[str, Any]) -> float:
    """Return how many times faster a row is, by its median, or by its mean if results are held."""
    key = "mean_ms" if row.get("kind") == "hold" else "p50_ms"
    return round(reference[key] / row[key], 3)

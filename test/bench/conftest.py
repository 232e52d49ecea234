"""A result as it is measured, with made-up times."""

from __future__ import annotations

from typing import Any

import pytest

from mtshare_ros.bench.result import SCHEMA_VERSION
from mtshare_ros.network.config import NetworkConfig


def row(kind: str, tasks: int, fraction: float, milliseconds: float) -> dict[str, Any]:
    """Return a row as it is measured; separate networks take 100 ms each."""
    names = {
        "separate": "separate dense networks",
        "shared": "shared encoder",
        "stream": f"dirty {fraction:g}",
        "hold": f"hold {round(1 / fraction)}",
    }
    return {
        "setting": 0,
        "name": names[kind],
        "kind": kind,
        "tasks": tasks,
        "fraction": fraction,
        "p50_ms": 0.01 if kind == "hold" else milliseconds,
        "p95_ms": milliseconds + 1,
        "p99_ms": milliseconds + 2,
        "mean_ms": milliseconds,
        "stages_p50": {"stem": 4.0, "normals": 2.0},
        "ratio": round(100 * tasks / milliseconds, 3),
        "work": 0.5 * fraction,
        "ideal_ms": 50.0 * tasks * fraction,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    times = {1: 110.0, 2: 140.0, 3: 160.0}
    cases = [row("separate", n, 1.0, 100.0 * n) for n in times]
    cases += [row("shared", n, 1.0, 90.0 + 10 * n) for n in (2, 3)]
    cases += [row("stream", n, f, t * f) for n, t in times.items() for f in (1.0, 0.25, 0.05)]
    cases += [row("hold", 3, 0.25, 41.0)]
    network = NetworkConfig(width=384, hidden=1536).to_dict()
    tasks = ["normals", "depth", "segmentation"]
    rho = {"depth": 0.1667, "segmentation": 0.1667}
    setting = {"bundle": None, "network": network, "tasks": tasks, "rho": rho}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "mtshare bench --tasks 1 --tasks 2 --tasks 3 --output r.json",
        "machine": {"processor": "a processor"},
        "threads": 2,
        "rounds": 60,
        "settings": [{**setting, "engine": "onnxruntime", "precision": "fp32"}],
        "cases": cases,
    }

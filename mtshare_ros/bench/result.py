"""The one file of a benchmark, whatever was measured on which engine.

``schema_version``
``command``         the command line that made it
``machine``         processor, versions and so on, as texts
``threads``, ``rounds``   CPU threads; measured frames of each case
``settings``        the networks: ``bundle`` (None: random weights), ``network``, ``tasks``,
                    ``rho``, ``engine``, ``precision``
``cases``           rows, each with ``setting`` (index of its network, whose cases took turns),
                    ``name``, ``kind`` (``separate``, ``shared``, ``stream``, ``hold``), ``tasks``
                    (how many), ``fraction`` (share of the tokens computed, on average),
                    ``p50_ms``, ``p95_ms``, ``p99_ms``, ``mean_ms``, ``stages_p50``, ``ratio``
                    (median of the separate dense networks / median of this case; of means for
                    ``hold``, most of whose frames take no time), ``work`` (multiply-adds / those
                    of the separate networks) and ``ideal_ms`` (time of the separate networks times
                    ``work``). Where no dense network was measured, ``ratio`` is against the first
                    case, and there is no ``work``.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.errors import OptionError

SCHEMA_VERSION = 1
_KEYS = ("command", "machine", "threads", "rounds", "settings", "cases")
_ROW_KEYS = ("setting", "name", "kind", "tasks", "fraction", "ratio", "stages_p50")
_TIME_KEYS = ("p50_ms", "p95_ms", "p99_ms")


def describe(
    manifest: Manifest, bundle: str | None, engine: str, precision: str
) -> dict[str, Any]:
    """Return what a result says about a network."""
    return {
        "bundle": bundle,
        "network": manifest.network,
        "tasks": [task.name for task in manifest.tasks],
        "rho": {name: round(share.rho, 4) for name, share in manifest.private.items()},
        "engine": engine,
        "precision": precision,
    }


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read_result(path: Path) -> dict[str, Any]:
    """Read a result.

    Raises:
        OptionError: The file is none; the message names it and what it lacks.
        OSError: It can't be read.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OptionError(f"{path}: not JSON: {error}") from error
    if not isinstance(result, dict) or result.get("schema_version") != SCHEMA_VERSION:
        raise OptionError(
            f"{path}: expected a file of `mtshare bench` with schema_version {SCHEMA_VERSION};"
            " measure it again"
        )
    missing = [key for key in _KEYS if key not in result]
    missing += [
        f"cases[{number}].{key}"
        for number, row in enumerate(result.get("cases", ()))
        for key in (*_ROW_KEYS, *_TIME_KEYS, *(["mean_ms"] if row.get("kind") == "hold" else []))
        if key not in row
    ]
    if missing:
        raise OptionError(f"{path}: lacks {', '.join(missing[:5])}; measure it again")
    return result


def time_of(row: dict[str, Any]) -> float:
    """Return what a frame of a case takes: its median, or the mean where results are held."""
    return float(row["mean_ms"] if row["kind"] == "hold" else row["p50_ms"])


def main_count(counts: Collection[int]) -> int:
    """Return the number of tasks that is looked at closely: three, or else the largest."""
    return 3 if 3 in counts else max(counts)

"""Writes the one file of a benchmark, whatever was measured on which engine.

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
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.errors import written

SCHEMA_VERSION = 1


def new_result(command: str, machine: dict[str, Any], threads: int, rounds: int) -> dict[str, Any]:
    """Return a result without settings or cases; see above for what the arguments are."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "machine": machine,
        "threads": threads,
        "rounds": rounds,
        "settings": [],
        "cases": [],
    }


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
    with written(path):
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

"""Reads the file of a benchmark, and answers what tables and plots ask of it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mtshare_ros.bench.result import SCHEMA_VERSION
from mtshare_ros.errors import OptionError

_KEYS = ("command", "machine", "threads", "rounds", "settings", "cases")
_ROW_KEYS = ("setting", "name", "kind", "tasks", "fraction", "ratio", "stages_p50")
_TIME_KEYS = ("p50_ms", "p95_ms", "p99_ms")


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


def rows_of(result: dict[str, Any], setting: int) -> list[dict[str, Any]]:
    """Return the rows of a setting."""
    return [row for row in result["cases"] if row["setting"] == setting]

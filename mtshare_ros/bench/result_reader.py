"""Reads the file of a benchmark, and answers what tables and plots ask of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mtshare_ros.bench.result import SCHEMA_VERSION
from mtshare_ros.errors import OptionError

Check = Callable[[Any], bool]
_LARGEST = 1e9
"""Above any number of a benchmark."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST


def _is_time(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < _LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_network(value: Any) -> bool:
    sizes = isinstance(value, dict) and isinstance(value.get("size"), list)
    return (
        sizes
        and len(value["size"]) == 2
        and all(map(_is_count, (*value["size"], value.get("width"), value.get("depth"))))
    )


_RESULT: dict[str, Check] = {
    "command": _is_text,
    "machine": lambda value: isinstance(value, dict),
    "threads": _is_count,
    "rounds": _is_count,
    "settings": lambda value: isinstance(value, list) and bool(value),
    "cases": lambda value: isinstance(value, list) and bool(value),
}
_SETTING: dict[str, Check] = {
    "bundle": lambda value: value is None or _is_text(value),
    "network": _is_network,
    "tasks": lambda value: isinstance(value, list) and all(map(_is_text, value)) and bool(value),
    "rho": _are_numbers,
    "engine": _is_text,
    "precision": _is_text,
}
_ROW: dict[str, Check] = {
    "setting": lambda value: isinstance(value, int) and value >= 0,
    "name": _is_text,
    "kind": _is_text,
    "tasks": _is_count,
    "fraction": lambda value: _is_number(value) and 0 < value <= 1,
    "ratio": _is_number,
    "stages_p50": _are_numbers,
    "p50_ms": _is_time,
    "p95_ms": _is_time,
    "p99_ms": _is_time,
    "ideal_ms": _is_number,
}
_MAY_LACK = ("ideal_ms",)
_OF_HELD: dict[str, Check] = {**_ROW, "p50_ms": _is_number, "mean_ms": _is_time}
"""Key -> whether its value can be used; most of the frames of ``hold`` take no time."""


def read_result(path: Path) -> dict[str, Any]:
    """Read a result.

    Raises:
        OptionError: The file is none; the message names it and what it lacks.
        OSError: It can't be read.
    """
    try:
        result = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not JSON: {error}") from error
    if not isinstance(result, dict) or result.get("schema_version") != SCHEMA_VERSION:
        raise OptionError(
            f"{path}: expected a file of `mtshare bench` with schema_version {SCHEMA_VERSION};"
            " measure it again"
        )
    _refuse(path, _faults("", result, _RESULT))
    _refuse(path, _faults_inside(result))
    for number in range(len(result["settings"])):
        if not rows_of(result, number):
            raise OptionError(f"{path}: settings[{number}] has no cases; measure it again")
    return result


def _refuse(path: Path, faults: Iterable[tuple[str, bool]]) -> None:
    """Refuse a file by the first of its keys that are missing, or else wrong."""
    keys = list(faults)
    for said, lacking in (("lacks", True), ("wrong", False)):
        named = [key for key, missing in keys if missing == lacking]
        if named:
            raise OptionError(f"{path}: {said} {', '.join(named[:5])}; measure it again")


def _faults_inside(result: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for number, setting in enumerate(result["settings"]):
        yield from _faults(f"settings[{number}]", setting, _SETTING)
    for number, row in enumerate(result["cases"]):
        held = isinstance(row, dict) and row.get("kind") == "hold"
        yield from _faults(f"cases[{number}]", row, _OF_HELD if held else _ROW)


def _faults(where: str, values: Any, checks: Mapping[str, Check]) -> Iterator[tuple[str, bool]]:
    """Yield each key that is missing or whose value can't be used, and whether it is missing."""
    if not isinstance(values, dict):
        yield where, False
        return
    for key, fits in checks.items():
        missing = key not in values and key not in _MAY_LACK
        if missing or (key in values and not fits(values[key])):
            yield f"{where}.{key}".lstrip("."), missing


def time_of(row: dict[str, Any]) -> float:
    """Return what a frame of a case takes: its median, or the mean where results are held."""
    return float(row["mean_ms"] if row["kind"] == "hold" else row["p50_ms"])


def main_count(counts: Collection[int]) -> int:
    """Return the number of tasks that is looked at closely: three, or else the largest."""
    return 3 if 3 in counts else max(counts)


def rows_of(result: dict[str, Any], setting: int) -> list[dict[str, Any]]:
    """Return the rows of a setting."""
    return [row for row in result["cases"] if row["setting"] == setting]

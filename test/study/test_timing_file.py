"""Files of times: those of this project are read, and all others are refused by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.errors import UserError
from mtshare_ros.study.study_config import StudyError
from mtshare_ros.study.timing_file import read_timing
from support.mutations import WHOLE

CASE = {
    "system": "units",
    "fraction": 0.25,
    "how": "w",
    "p50_ms": 2.5,
    "p95_ms": 3.0,
    "ratio": 2.0,
}
TIMES: dict[str, Any] = {
    "network": {"size": [64, 48], "width": 24},
    "weights": "trained",
    "threads": 1,
    "rounds": 2,
    "machine": {"onnxruntime": "1", "processor": "x"},
    "fractions": [1.0, 0.25],
    "cases": [CASE, {**CASE, "fraction": 1.0}],
    "skipped": {},
}
ODD = (None, -1, 0, "x", [], {}, [1], {"a": 1}, True, 1e308, float("nan"), "\ud800")


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside."""
    items: Any = values.items() if isinstance(values, dict) else ()
    for key, value in enumerate(values) if isinstance(values, list) else items:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed() -> Iterator[str]:
    """Yield the file with one value that is another one."""
    for path in places(TIMES):
        for odd in ODD:
            values: Any = copy.deepcopy(TIMES)
            inner = values
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = odd
            yield json.dumps(values)


def test_a_file_without_faults_is_read(tmp_path: Path) -> None:
    path = tmp_path / "timing.json"
    assert read_timing(path) is None
    path.write_text(json.dumps(TIMES))
    assert read_timing(path) == TIMES


def test_whatever_stands_in_a_file_it_is_refused_by_name_or_can_be_used(tmp_path: Path) -> None:
    path, refused = tmp_path / "timing.json", 0
    texts = [*WHOLE.values(), *(text.encode() for text in changed())]
    for text in texts:
        path.write_bytes(text)
        try:
            values = read_timing(path)
        except UserError as error:
            refused += 1
            assert str(path) in str(error) and "measure it again" in str(error)
            continue
        assert values is not None
        width, height = values["network"]["size"]
        numbers = [width, height, *values["fractions"], *(c["p50_ms"] for c in values["cases"])]
        assert np.isfinite(np.array(numbers, float)).all()
    assert len(texts) / 2 < refused < len(texts)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"fractions": [1.0, 1.5]}, "fractions.1"),
        ({"cases": [{**CASE, "p50_ms": 0.0}]}, "cases.0.p50_ms"),
        ({"cases": [{**CASE, "fraction": 1.01}]}, "cases.0.fraction"),
        ({"network": {"size": [64, 48, 3]}}, "network.size"),
        ({"threads": True}, "threads"),
    ],
)
def test_a_number_out_of_range_is_named_by_its_key(
    tmp_path: Path, change: dict[str, Any], key: str
) -> None:
    path = tmp_path / "timing.json"
    path.write_text(json.dumps({**TIMES, **change}))
    with pytest.raises(StudyError, match=rf"timing\.json: {key}: .*; measure it again"):
        read_timing(path)


def test_a_file_of_brackets_is_no_times(tmp_path: Path) -> None:
    path = tmp_path / "timing.json"
    path.write_text("[" * 100_000)
    with pytest.raises(StudyError, match="not JSON"):
        read_timing(path)

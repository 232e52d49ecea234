"""A file that is no result is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bench.result_reader import main_count, read_result, rows_of, time_of
from mtshare_ros.errors import OptionError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a file of `mtshare bench`"),
        ('{"cases": []}', "schema_version 1"),
        ('{"schema_version": 1, "cases": []}', "lacks command, machine"),
    ],
)
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=message) as raised:
        read_result(path)
    assert "r.json" in str(raised.value)


def test_a_row_that_lacks_its_time_is_named(result: Any, tmp_path: Path) -> None:
    del result["cases"][-1]["mean_ms"]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(result))
    with pytest.raises(OptionError, match=r"lacks cases\[14\]\.mean_ms"):
        read_result(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraction": 0}, r"wrong cases\[0\]\.fraction"),
        ({"p50_ms": 0}, r"wrong cases\[0\]\.p50_ms"),
        ({"setting": 1}, r"settings\[0\] has no cases"),
        ({"ratio": 1e300}, r"wrong cases\[0\]\.ratio"),
        ({"kind": "hold", "p50_ms": 0, "mean_ms": 0}, r"wrong cases\[0\]\.mean_ms"),
    ],
)
def test_a_number_out_of_range_is_named(
    result: Any, tmp_path: Path, change: Any, message: str
) -> None:
    result["cases"] = [{**result["cases"][0], **change}]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(result))
    with pytest.raises(OptionError, match=message):
        read_result(path)


def test_what_is_missing_is_named_before_what_is_wrong_and_five_at_most(
    result: Any, tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    row = {"setting": 0, "tasks": -1}
    path.write_text(json.dumps({**result, "cases": [row, *result["cases"]]}))
    with pytest.raises(OptionError, match="lacks ") as raised:
        read_result(path)
    names = ("name", "kind", "fraction", "ratio", "stages_p50")
    keys = ", ".join(f"cases[0].{key}" for key in names)
    assert str(raised.value) == f"{path}: lacks {keys}; measure it again"
    path.write_text("[" * 100_000)
    with pytest.raises(OptionError, match="not JSON"):
        read_result(path)


def test_a_row_without_an_ideal_is_read_and_a_held_one_takes_its_mean(
    result: Any, tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    for row in result["cases"]:
        del row["ideal_ms"]
    path.write_text(json.dumps(result))
    rows = rows_of(read_result(path), 0)
    assert time_of(rows[-1]) == 41.0 and time_of(rows[0]) == 100.0
    assert [main_count(counts) for counts in ((1, 2, 3, 5), (1, 5), (2,))] == [3, 5, 2]

"""A file that is no result is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bench.result_reader import read_result
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

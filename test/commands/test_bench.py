"""`mtshare bench`: its options, what it prints and the command line that it records."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.bench.result_reader import read_result
from mtshare_ros.cli import run


def test_the_command_measures_a_bundle_and_writes_table_and_plots(
    bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    output = tmp_path / "b.json"
    fractions = [text for value in ("1", "0.5", "0.25") for text in ("--fraction", value)]
    more = ["--all", "--rounds", "4", "--threads", "1", "--output", str(output)]
    assert cli.run(["bench", str(bundle_path), *fractions, *more]) == 0
    printed = capsys.readouterr().out
    assert "shared encoder" in printed and "a quarter" in printed and "held between" in printed
    result = read_result(output)
    assert result["command"].startswith(f"mtshare bench {bundle_path} --fraction 1.0")
    assert "--all" in result["command"] and "--threads 1" in result["command"]
    assert {row["tasks"] for row in result["cases"]} == {1, 2, 3}
    assert result["settings"][0]["bundle"] == "small"
    for kind in ("fractions", "tasks"):
        assert (tmp_path / f"b_{kind}.png").read_bytes().startswith(b"\x89PNG"), kind


def test_bench_of_an_engine_needs_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "--engine", "tensorrt", "--output", str(tmp_path / "x.json")]
    assert run(arguments) == 2 and "--engine needs a bundle" in capsys.readouterr().err


def test_the_recorded_command_line_asks_for_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []

    def pretend(*_: Any, command: str, **__: Any) -> dict[str, Any]:
        recorded.append(command)
        return {"machine": {}, "settings": []}

    engine_case = importlib.import_module("mtshare_ros.bench.engine_benchmark")
    monkeypatch.setattr(engine_case, "bench_engine", pretend)
    words = ["bench", "a b", "--rounds", "7", "--threads", "3", "--engine", "tensorrt"]
    words += ["--precision", "fp32", "--output", str(tmp_path / "x.json")]
    assert run(words) == 0
    assert recorded == [shlex.join(["mtshare", *words])]

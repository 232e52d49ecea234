"""`mtshare study`: its mistakes and `shares`; the others are held beside their jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import study
from mtshare_ros.study import (
    plot_sources,
    results,
    study_config,
    study_tables,
    system_times,
)
from mtshare_ros.study.reuse import reuse_study
from support.study_files import study_values, write_study


def test_the_shares_of_a_bundle_and_of_a_stage_can_be_drawn(
    bundle_path: Path,
    study_trained: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "shares.png"
    assert cli.run(["study", "shares", str(bundle_path), "--output", str(output)]) == 0
    assert output.stat().st_size > 1000
    stage = ["--stage", "units_normals", "--output", str(tmp_path / "stage.png")]
    assert cli.run(["study", "shares", str(study_trained[0]), *stage]) == 0
    stage[1] = "single_depth"
    assert cli.run(["study", "shares", str(study_trained[0]), *stage]) == 2
    assert "it has no sub-tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [("no json", "not JSON"), ("[]", "lacks network, threads"), ('{"network": {}}', "threads")],
)
def test_a_damaged_timing_file_is_named(
    study_data: Path,
    study_trained: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    message: str,
) -> None:
    path = write_study(tmp_path / "s.yaml", study_values(study_data, *study_trained))
    (tmp_path / study.TIMING_NAME).write_text(text)
    assert cli.run(["study", "table", str(path), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and "measure it again" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "elements run stage --data d --output o --theta 0 --at norms",
            "expected inputs or outputs",
        ),
        ("timing s.yaml --output o --size big", "WIDTHxHEIGHT"),
        ("table missing.yaml --output o", "missing.yaml"),
        ("reuse missing --bag x.mcap --output o", "missing"),
        ("reuse models --bag x.mcap --output o --carry 0", "--carry"),
        ("tabel s.yaml", "tabel"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["study", *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_written_where_it_can_be_and_says_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"missing": {"run": ["one", "two"]}}
    scored: list[Any] = []
    monkeypatch.setattr(study_config, "load_study", lambda path: "study")
    monkeypatch.setattr(results, "results_of", lambda *values: scored.append(values[0]) or found)
    monkeypatch.setattr(study_tables, "markdown", lambda results, timing: "# A table")
    monkeypatch.setattr(plot_sources, "draw", lambda *_: [tmp_path / "plot.png"])
    output = tmp_path / "out"
    output.mkdir()
    assert cli.run(["study", "table", "s.yaml", "--output", str(output)]) == 0
    captured = capsys.readouterr()
    assert "not trained in run: one, two" in captured.err
    assert "timing.json: not there, so no plot over time" in captured.err
    assert (output / "table.md").read_text() == "# A table"
    names = [Path(line).name for line in captured.out.splitlines()]
    assert names == ["results.json", "table.md", "plot.png"]
    (tmp_path / "file").write_text("mine")
    for command in ("table", "timing"):
        arguments = [command, "s.yaml", "--output", str(tmp_path / "file")]
        assert cli.run(["study", *arguments]) != 0
        assert "file" in capsys.readouterr().err
    assert scored == ["study"] and (tmp_path / "file").read_text() == "mine"


def test_times_are_shown_by_share_and_not_measured_where_they_can_not_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {"system": "units", "fraction": 0.25, "p50_ms": 12.34, "ratio": 2.5}
    asked: list[Any] = []

    def measure(study: Any, **options: Any) -> Any:
        asked.append((options["size"], options["threads"], options["rounds"]))
        return {"cases": [case], "skipped": {"full": "in no run complete"}}

    monkeypatch.setattr(study_config, "load_study", lambda path: "study")
    monkeypatch.setattr(system_times, "measure", measure)
    arguments = ["study", "timing", "s.yaml", "--output", str(tmp_path), "--size", "96x64"]
    assert cli.run([*arguments, "--rounds", "5", "--threads", "1"]) == 0
    captured = capsys.readouterr()
    assert asked == [((96, 64), 1, 5)]
    assert all(text in captured.out for text in ("units", "25 %", "12.3", "2.50"))
    assert "not measured: full: in no run complete" in captured.err
    (tmp_path / study.TIMING_NAME).unlink()
    (tmp_path / study.TIMING_NAME).mkdir()
    assert cli.run(arguments) != 0 and len(asked) == 1


def test_reuse_is_compared_with_what_was_asked_for_and_defaults_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def compare(bundle: Path, bags: Any, output: Path, options: Any, on_frame: Any) -> Any:
        asked.append(options)
        return {"kinds": [], "warnings": ["bag a: cut off"]}, []

    monkeypatch.setattr(reuse_study, "compare_reuse", compare)
    arguments = ["study", "reuse", "b", "--bag", "a.mcap", "--output", str(tmp_path)]
    assert cli.run(arguments) == 0
    assert "bag a: cut off" in capsys.readouterr().err
    assert cli.run([*arguments, "--budget", "0.5", "--threshold", "0", "--carry", "3"]) == 0
    default, chosen = asked
    assert default == reuse_study.Options()
    assert chosen == reuse_study.Options(budgets=[0.5], change_threshold=0.0, carried=[3])


def test_errors_are_held_against_both_baselines() -> None:
    entry = {"period": 2, "ours": "tokens:0.5", "time": 0.98}
    entry |= {"of_hold": {"depth": 0.5}, "of_warp": {"depth": None}}
    kind = {"name": "pan", "equal_time": [entry], "ways": [{"error": {"depth": 0.1}}]}
    title, header, rows = study._at_equal_time(kind)
    assert title.startswith("pan") and header == ("against", "ours", "time, of hold's", "depth")
    assert rows == [
        ("hold:2", "tokens:0.5", "0.98", "0.50"),
        ("warp:2", "tokens:0.5", "0.98", ""),
    ]


def test_what_is_no_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        study._write_json(tmp_path / "x.json", {"value": float("nan")})
    assert not (tmp_path / "x.json").exists()

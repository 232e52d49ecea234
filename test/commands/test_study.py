"""`mtshare study`: its mistakes and `shares`; the others are held beside their jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import study
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

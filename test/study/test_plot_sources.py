"""Which plots a study has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.study.plot_sources import draw, draw_bundle_shares, draw_stage_shares
from mtshare_ros.study.study_config import StudyError, load_study
from support.study_files import (
    study_values,
    write_study,
)


def test_the_command_writes_results_table_and_plots(
    study_data: Path, study_runs: list[Path], tmp_path: Path, timing: Any
) -> None:
    path = write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs))
    output = tmp_path / "out"
    output.mkdir()
    (output / "timing.json").write_text(json.dumps(timing))
    assert cli.run(["study", "table", str(path), "--output", str(output)]) == 0
    assert json.loads((output / "results.json").read_text())["rooms"] == 4
    assert (output / "table.md").read_text().startswith("# A study\n")
    plots = ("accuracy_over_time", "learning_curves", "shares_units_normals")
    for name in plots:
        assert (output / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
    assert not (output / "shares_heads_normals.png").exists()


def test_without_times_there_is_no_plot_over_time(
    study_data: Path, study_runs: list[Path], tmp_path: Path, results: Any
) -> None:
    study = load_study(write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs)))
    names = {path.name for path in draw(study, results, None, tmp_path)}
    assert "accuracy_over_time.png" not in names and "learning_curves.png" in names
    assert all((tmp_path / name).is_file() for name in names)


def test_a_bundle_s_private_units_are_drawn(bundle_path: Path, tmp_path: Path) -> None:
    draw_bundle_shares(bundle_path, tmp_path / "shares.png")
    assert (tmp_path / "shares.png").read_bytes().startswith(b"\x89PNG")


def test_a_stage_without_sub_tasks_has_no_shares_to_draw(
    study_trained: list[Path], tmp_path: Path
) -> None:
    run = study_trained[0]
    with pytest.raises(StudyError, match="stage single_depth is of kind single_task"):
        draw_stage_shares(run, "single_depth", tmp_path / "shares.png")
    assert not (tmp_path / "shares.png").exists()

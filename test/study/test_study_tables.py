"""A study's tables say what its results say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.study.results import results_of
from mtshare_ros.study.study_config import load_study
from mtshare_ros.study.study_tables import markdown
from support.study_files import (
    study_values,
    write_study,
)


def test_the_table_leaves_out_a_system_that_lacks_a_task(
    study_data: Path, study_runs: list[Path], tmp_path: Path
) -> None:
    for run in study_runs:
        (run / "units_normals.safetensors").unlink()
    study = load_study(write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs)))
    text = markdown(results_of(study))
    assert "| heads |" in text and "| units |" not in text
    assert f"Not trained in {study_runs[0]}: units_normals" in text


def test_the_table_shows_values_intervals_and_the_best_in_bold(results: Any, timing: Any) -> None:
    text = markdown(results, timing)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:7]}) == 1
    best = min(
        results["systems"], key=lambda one: one["tasks"]["depth"]["metrics"]["rmse"]["value"]
    )
    value = best["tasks"]["depth"]["metrics"]["rmse"]["value"]
    shown = next(line for line in lines if line.startswith(f"| {best['title']} |"))
    assert f"**{value:.3f}**" in shown and "[" in shown
    assert "- units: a note" in text and "depth: AbsRel ↓" in text
    assert "ms, all tokens" in text and "ms, 25 % of the tokens" in text
    assert "against *separate* (30 steps)" in text and "input 64x48" in text

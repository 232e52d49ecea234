"""From runs on disk to the numbers of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.study.results import results_of
from mtshare_ros.study.study_config import load_study
from mtshare_ros.study.study_tables import markdown
from support.study_files import (
    SHARED,
    study_values,
    write_study,
)


def row(results: Any, name: str) -> Any:
    return next(one for one in results["systems"] if one["name"] == name)


def test_the_results_hold_delta_m_over_seeds(results: Any) -> None:
    reference, units = row(results, "separate"), row(results, "units")
    assert reference["delta_m"]["value"] == reference["delta_m"]["high"] == 0.0
    changes = []
    for task, metric in results["metrics"].items():
        ours, theirs = (one["tasks"][task]["metrics"][metric] for one in (units, reference))
        sign = 1 if task == "segmentation" else -1
        for run in results["runs"]:
            base = theirs["per_seed"][run]
            changes.append(sign * 100 * (ours["per_seed"][run] - base) / base)
        assert ours["value"] == pytest.approx(np.mean(list(ours["per_seed"].values())))
    assert units["delta_m"]["value"] == pytest.approx(np.mean(changes), rel=1e-6)
    assert units["delta_m"]["low"] < units["delta_m"]["value"] < units["delta_m"]["high"]
    shared = row(results, "shared")["delta_m"]["value"]
    assert units["against_rival"]["value"] == pytest.approx(units["delta_m"]["value"] - shared)


def test_the_results_say_what_a_system_is_made_of(results: Any) -> None:
    assert row(results, "separate")["rho"] is None and row(results, "full")["rho"] == 1.0
    assert row(results, "heads")["rho"] == 0.0
    assert row(results, "units")["rho"] == pytest.approx(0.41, abs=0.02)
    tasks = row(results, "units")["tasks"]
    assert tasks["normals"]["parameters_percent"] == 100.0
    assert 0 < tasks["depth"]["parameters_percent"] < 60
    assert tasks["depth"]["steps"] == [30, 10]
    assert set(tasks["depth"]["metrics"]) == {"rmse", "abs_rel"}
    assert row(results, "full")["tasks"]["depth"]["steps"] == [30, 30]


def test_a_system_that_a_run_lacks_has_fewer_seeds_and_is_named(
    study_data: Path, study_runs: list[Path], tmp_path: Path
) -> None:
    (study_runs[1] / "units_normals.safetensors").unlink()
    for run in study_runs:
        (run / "shared_equal.safetensors").unlink()
    study = load_study(write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs)))
    results = results_of(study)
    assert list(row(results, "units")["delta_m"]["per_seed"]) == [str(study_runs[0])]
    assert len(row(results, "heads")["delta_m"]["per_seed"]) == 2
    assert "shared" not in {one["name"] for one in results["systems"]}
    assert results["missing"] == {
        str(study_runs[0]): ["shared_equal"],
        str(study_runs[1]): ["shared_equal", "units_normals"],
    }
    text = markdown(results)
    assert f"Not trained in {study_runs[1]}: shared_equal, units_normals" in text
    assert "1 to 2" in next(line for line in text.splitlines() if line.startswith("| units |"))


def test_a_study_without_its_reference_says_which_stages_lack(
    study_data: Path, study_runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study_runs[0] / "single_depth.safetensors").unlink()
    path = write_study(tmp_path / "s.yaml", study_values(study_data, study_runs[0]))
    assert cli.run(["study", "table", str(path), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "reference separate" in error and "lacks single_depth" in error


def test_a_stage_of_another_task_is_refused(
    study_data: Path, study_runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = study_values(study_data, *study_runs)
    values["systems"][3]["tasks"] = {**SHARED, "depth": "single_normals"}
    path = write_study(tmp_path / "s.yaml", values)
    assert cli.run(["study", "table", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "stage single_normals trained normals, not depth" in capsys.readouterr().err

"""The study: from runs on disk to results, table and plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.study.curves import read_curves, smoothed
from mtshare_ros.study.result_rows import results_of
from mtshare_ros.study.study_config import StudyError, load_study
from mtshare_ros.study.table import markdown
from support.study_files import (
    SEPARATE,
    SHARED,
    study_values,
    write_study,
)

STUDIES = sorted((Path(__file__).parents[2] / "config" / "results").glob("*.yaml"))


@pytest.fixture(scope="module")
def results(
    study_data: Path, study_trained: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    path = tmp_path_factory.mktemp("study") / "s.yaml"
    return results_of(load_study(write_study(path, study_values(study_data, *study_trained))))


def row(results: Any, name: str) -> Any:
    return next(one for one in results["systems"] if one["name"] == name)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_is_valid_and_its_systems_have_every_task(path: Path) -> None:
    study = load_study(path)
    assert all(set(system.tasks) == set(study.metrics) for system in study.systems)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refrence": "separate"}, "refrence"),
        ({"size": [100, 64]}, r"size \(100, 64\): expected multiples of 16"),
        ({"reference": "sepparate"}, "reference 'sepparate': expected one of separate"),
        ({"rival": "none"}, "rival 'none'"),
        ({"metrics": {"depth": "miou"}}, "metrics.depth: 'miou'"),
        ({"metrics": {"edges": "miou"}}, "no task 'edges'"),
        ({"columns": {"depth": ["rsme"]}}, "columns.depth: 'rsme'"),
        ({"resamples": 3}, "resamples"),
        ({"systems": [{"name": "separate", "tasks": {"edges": "x"}}], "rival": None}, "edges"),
        ({"systems": [{"name": "separate", "tasks": SEPARATE}] * 2, "rival": None}, "twice"),
    ],
)
def test_a_wrong_study_is_refused_by_file_and_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write_study(tmp_path / "s.yaml", study_values(tmp_path, tmp_path, **change))
    with pytest.raises(StudyError, match=message) as raised:
        load_study(path)
    assert "s.yaml" in str(raised.value) and "\n" not in str(raised.value)


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


def test_the_table_leaves_out_a_system_that_lacks_a_task(
    study_data: Path, study_runs: list[Path], tmp_path: Path
) -> None:
    for run in study_runs:
        (run / "units_normals.safetensors").unlink()
    study = load_study(write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs)))
    text = markdown(results_of(study))
    assert "| heads |" in text and "| units |" not in text
    assert f"Not trained in {study_runs[0]}: units_normals" in text


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


def timing_of(results: Any) -> dict[str, Any]:
    cases = [
        {"system": one["name"], "fraction": fraction, "how": "", "p50_ms": (n + 1) * fraction}
        for n, one in enumerate(results["systems"])
        for fraction in (1.0, 0.25)
    ]
    return {
        "network": {"size": [64, 48]},
        "threads": 2,
        "rounds": 60,
        "machine": {"onnxruntime": "1.0", "processor": "a processor"},
        "fractions": [1.0, 0.25],
        "cases": cases,
    }


def test_the_table_shows_values_intervals_and_the_best_in_bold(results: Any) -> None:
    text = markdown(results, timing_of(results))
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


def test_the_command_writes_results_table_and_plots(
    study_data: Path, study_runs: list[Path], tmp_path: Path, results: Any
) -> None:
    path = write_study(tmp_path / "s.yaml", study_values(study_data, *study_runs))
    output = tmp_path / "out"
    output.mkdir()
    (output / "timing.json").write_text(json.dumps(timing_of(results)))
    assert cli.run(["study", "table", str(path), "--output", str(output)]) == 0
    assert json.loads((output / "results.json").read_text())["rooms"] == 4
    assert (output / "table.md").read_text().startswith("# A study\n")
    plots = ("accuracy_over_time", "learning_curves", "shares_units_normals")
    for name in plots:
        assert (output / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
    assert not (output / "shares_heads_normals.png").exists()


def test_a_curve_starts_where_the_base_ended(study_trained: list[Path]) -> None:
    (curve,) = read_curves(study_trained[0], "units_normals")
    assert curve.task == "depth" and list(curve.steps) == list(range(31, 41))
    assert curve.loss[0] == pytest.approx(1.0) and 0.1 < curve.loss[-1] < 0.5
    assert read_curves(study_trained[0], "single_depth") == []
    assert smoothed(np.full(5, 3.0)) == pytest.approx(np.full(5, 3.0))

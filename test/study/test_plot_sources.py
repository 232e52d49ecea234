"""Which plots a study has."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtshare_ros import cli
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study import plot_sources
from mtshare_ros.study.plot_sources import draw, draw_bundle_shares, draw_stage_shares
from mtshare_ros.study.study_config import StudyError, load_study
from support.study_files import (
    TINY,
    study_values,
    write_network,
    write_study,
    write_subtasks,
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


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be drawn."""
    calls: list[Any] = []
    for name in ("learning_curves", "private_shares"):
        monkeypatch.setattr(
            plot_sources, name, lambda *values, name=name: calls.append((name, *values[:-1]))
        )
    monkeypatch.setattr(plot_sources, "read_curves", lambda run, stage: [(run.name, stage)])
    return calls


def test_curves_and_shares_are_of_the_first_run_that_has_a_stage(
    tmp_path: Path, shown: list[Any]
) -> None:
    runs = tmp_path / "one", tmp_path / "two"
    for run in runs:
        write_network(run, "single_depth", "depth", 0)
    write_subtasks(runs[1], "neurons", "base", LayerShare(0, 32), 1)
    write_subtasks(runs[1], "heads", "base", LayerShare(0, 0), 1)
    values = study_values(tmp_path, *runs, rival=None)
    tasks = {"normals": "missing", "depth": "single_depth", "segmentation": "neurons"}
    values["systems"] = [{"name": "separate", "tasks": tasks}]
    study = load_study(write_study(tmp_path / "s.yaml", {**values, "curves": ["heads"]}))
    files = draw(study, {}, None, tmp_path)
    assert [path.name for path in files] == ["learning_curves.png", "shares_neurons.png"]
    curves, (_, shares, whole) = shown
    assert curves == ("learning_curves", [("two", "heads")])
    assert shares == {task: [LayerShare(0, 32)] * 2 for task in ("depth", "segmentation")}
    assert whole == LayerShare(3, 64)
    shown.clear()
    study = load_study(write_study(tmp_path / "s.yaml", values))
    draw(study, {}, None, tmp_path)
    assert shown[0] == ("learning_curves", [("one", "single_depth"), ("two", "neurons")])


def test_a_bundle_without_sub_tasks_has_no_shares_to_draw(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[Any]
) -> None:
    alone = SimpleNamespace(private={}, network=TINY.to_dict())
    monkeypatch.setattr(plot_sources, "load_manifest", lambda bundle: alone)
    with pytest.raises(StudyError, match="b: has no sub-tasks"):
        draw_bundle_shares(Path("b"), tmp_path / "x.png")

"""The numbers of a study from values that are known, without networks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.progress import silent
from mtshare_ros.study import results
from mtshare_ros.study.results import _Numbers
from mtshare_ros.study.study_config import Study, StudyError, System, load_study
from support.study_files import study_values, write_study


def study_of(tmp_path: Path, **changes: Any) -> Study:
    runs = tmp_path / "one", tmp_path / "two"
    return load_study(write_study(tmp_path / "s.yaml", study_values(tmp_path, *runs, **changes)))


def numbers_of(study: Study) -> _Numbers:
    numbers = _Numbers.__new__(_Numbers)
    numbers.study, numbers.missing = study, {}
    return numbers


def test_the_rooms_are_drawn_as_the_study_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(results, "missing_stages", lambda study: {})
    monkeypatch.setattr(results, "open_rooms", lambda folder: SimpleNamespace(seeds={1, 2, 3}))
    monkeypatch.setattr(results, "room_weights", lambda *values: drawn.append(values))
    _Numbers(study_of(tmp_path, resamples=150, seed=7), silent)
    assert drawn == [(3, 150, 7)]


def test_a_reference_has_to_be_complete_in_one_run(tmp_path: Path) -> None:
    numbers = numbers_of(study_of(tmp_path))
    one, two = (str(run) for run in numbers.study.runs)
    numbers.missing = {one: ["single_depth"], two: ["shared_equal"]}
    numbers._require_reference()
    numbers.missing = {one: ["single_depth"], two: ["shared_equal", "single_seg"]}
    with pytest.raises(StudyError, match="one lacks single_depth; .*two lacks single_seg"):
        numbers._require_reference()


def test_the_share_of_a_system_is_told_or_the_mean_of_its_sub_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = numbers_of(study_of(tmp_path))
    rho = {"depth": 0.2, "segmentation": 0.4, "normals": 0.9}
    records = {"units": {"rho": rho}, "base": {}, "gates": {"rho": 0.5}}
    monkeypatch.setattr(results, "record_of", lambda run, stage: records[stage])
    tasks = {"normals": "base", "depth": "units", "segmentation": "units"}
    assert numbers._rho(System(name="s", tasks=tasks)) == pytest.approx(0.3)
    assert numbers._rho(System(name="s", tasks=tasks, rho=0.0)) == 0.0
    # A stage whose rho is the target of its gates says nothing of its tasks.
    assert numbers._rho(System(name="s", tasks={"depth": "gates"})) is None


def test_every_system_is_held_against_the_others_that_are_named(tmp_path: Path) -> None:
    numbers = numbers_of(study_of(tmp_path, also=["heads", "full"]))
    values = {"separate": 0.0, "shared": 1.0, "heads": 2.0, "units": 5.0, "full": 3.0}

    def delta(system: System, reference: str) -> Any:
        return {"run": np.full(3, values[system.name] - values[reference])}

    numbers._delta, numbers._tasks = delta, lambda system: {}  # type: ignore[method-assign]
    numbers._rho = lambda system: None  # type: ignore[method-assign]
    row = numbers._system(numbers.study.system("units"))
    assert row["delta_m"]["value"] == 5.0 and row["against_rival"]["value"] == 4.0
    against = {name: found["value"] for name, found in row["delta_m_against"].items()}
    assert against == {"heads": 3.0, "full": 2.0}
    assert numbers._system(numbers.study.system("shared"))["against_rival"] is None


def test_changes_are_of_the_runs_that_both_have_and_positive_is_better(tmp_path: Path) -> None:
    numbers = numbers_of(study_of(tmp_path))
    one, two = (str(run) for run in numbers.study.runs)
    numbers.missing = {two: ["units_normals"]}
    known = {"single_depth": 0.5, "single_seg": 0.5, "single_normals": 10.0, "base_normals": 8.0}

    def values(run: Path, stage: str, task: str) -> Any:
        return np.full(3, known.get(stage, {"depth": 0.4, "segmentation": 0.6}.get(task)))

    numbers._values = values  # type: ignore[assignment]
    study = numbers.study
    changes = numbers._changes(study.system("units"), "separate")
    assert {task: sorted(runs) for task, runs in changes.items()} == {
        "normals": sorted([one, two]),
        "depth": [one],
        "segmentation": [one],
    }
    assert [changes[task][one][0] for task in study.metrics] == pytest.approx([20, 20, 20])
    assert numbers._delta(study.system("units"), "separate").keys() == {one}


def test_a_task_has_its_metric_the_other_columns_and_its_part_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = numbers_of(study_of(tmp_path, columns={"depth": ["delta1"]}))
    one, two = (str(run) for run in numbers.study.runs)
    metric = numbers.study.metrics["depth"]
    found = {one: {metric: 0.25, "delta1": 0.75}, two: {metric: 0.75, "delta1": 0.5}}
    scores = {run: SimpleNamespace(whole=lambda run=run: found[run]) for run in found}
    trained = SimpleNamespace(config=None, parameters=30)
    monkeypatch.setattr(results, "predict", lambda run, stage, task: trained)
    monkeypatch.setattr(results, "full_parameters", lambda config, task: 120)
    monkeypatch.setattr(results, "steps_of", lambda run, stage: (3, 4))
    numbers._scores = lambda run, stage, task: scores[str(run)]  # type: ignore[method-assign]
    numbers._changes = lambda system, other: {"depth": {}}  # type: ignore[method-assign]
    row = numbers._tasks(System(name="s", tasks={"depth": "single_depth"}))["depth"]
    assert row["stage"] == "single_depth" and row["steps"] == [3, 4]
    assert (row["parameters"], row["parameters_percent"]) == (30, 25.0)
    assert [row["metrics"][key]["value"] for key in (metric, "delta1")] == [0.5, 0.625]
    assert row["metrics"][metric]["per_seed"] == {one: 0.25, two: 0.75}

"""What a system computes follows from the records of its stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.study.plans import plan_of
from mtshare_ros.study.study_config import load_study
from support.study_files import (
    study_values,
    write_run,
    write_stills,
    write_study,
    write_subtasks,
)


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    run = write_run(folder / "run")
    write_subtasks(run, "units_like", "base_normals", LayerShare(1, 32), seed=5)
    values = study_values(write_stills(folder / "test"), run)
    alike = {"normals": "base_normals", "depth": "units_like", "segmentation": "units_like"}
    values["systems"].append({"name": "alike", "tasks": alike})
    values["systems"].append({"name": "later", "tasks": {**alike, "depth": "not_yet"}})
    return write_study(folder / "s.yaml", values)


def test_plans_follow_from_what_the_stages_trained(study_file: Path) -> None:
    study = load_study(study_file)
    plans = {s.name: plan_of(study, s)[0] for s in study.systems if s.name != "later"}
    kinds = {name: plan.kind for name, plan in plans.items()}
    assert kinds == {
        "separate": "dense",
        "shared": "shared",
        "heads": "units",
        "units": "units",
        "full": "full",
        "alike": "units",
    }
    assert plans["units"].tasks[0] == "normals"
    assert plans["units"].shares == ((LayerShare(1, 32),) * 2,) * 2
    assert plans["alike"] == plans["units"] != plans["heads"]

"""What a system computes follows from the records of its stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.reference.replaced import ReplacedSubTask
from mtshare_ros.study import plans
from mtshare_ros.study.plans import Plan, plan_of, plans_of
from mtshare_ros.study.study_config import StudyError, System, load_study
from mtshare_ros.training.checkpoints import save_tensors
from mtshare_ros.training.stored import stage_path
from support.study_files import (
    TINY,
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
    found = {s.name: plan_of(study, s)[0] for s in study.systems if s.name != "later"}
    kinds = {name: plan.kind for name, plan in found.items()}
    assert kinds == {
        "separate": "dense",
        "shared": "shared",
        "heads": "units",
        "units": "units",
        "full": "full",
        "alike": "units",
    }
    assert found["units"].tasks[0] == "normals"
    assert found["units"].shares == ((LayerShare(1, 32),) * 2,) * 2
    assert found["alike"] == found["units"] != found["heads"]


def test_systems_that_lack_a_task_or_a_stage_have_no_plan(study_file: Path) -> None:
    study = load_study(study_file)
    some = System(name="some", tasks={"depth": "single_depth"})
    later, separate = study.system("later"), study.system("separate")
    found, _, skipped = plans_of(study.model_copy(update={"systems": (separate, some, later)}))
    assert list(found) == ["separate"]
    assert skipped == {"some": "not every task", "later": "in no run complete"}
    with pytest.raises(StudyError, match="can be measured: some: not every task; later: in no"):
        plans_of(study.model_copy(update={"systems": (some, later)}))


def test_all_systems_are_of_one_network(study_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = iter([TINY, replace(TINY, depth=3)])
    monkeypatch.setattr(plans, "plan_of", lambda study, system: (Plan("dense", ()), next(configs)))
    study = load_study(study_file)
    with pytest.raises(StudyError, match="network of shared is .*, that of separate"):
        plans_of(study.model_copy(update={"systems": study.systems[:2]}))


def test_the_reference_is_dense_networks_whatever_their_share(study_file: Path) -> None:
    study = load_study(study_file)
    for name, expected in (("separate", "dense"), ("other", "full")):
        system = study.system("separate").model_copy(update={"name": name, "rho": 1.0})
        assert plan_of(study, system)[0].kind == expected


def test_sub_tasks_without_their_base_or_without_a_graph_have_no_plan(study_file: Path) -> None:
    study = load_study(study_file)
    units = {"depth": "units_normals", "segmentation": "units_normals"}
    for tasks, message in (
        (units, "sub-tasks on base_normals, but no task of another stage"),
        ({**units, "normals": "single_normals"}, "but normals of another stage"),
        ({"normals": "base_normals", "depth": "replaced"}, "depth: a ReplacedSubTask has no"),
    ):
        shares = [LayerShare(3, 32)] * TINY.depth
        module = nn.ModuleDict({"depth": ReplacedSubTask(TINY, shares, 1)})
        record = {"network": TINY.to_dict(), "form": "replaced", "kind": "uniform"}
        record |= {"shares": {"depth": [vars(share) for share in shares]}, "settings": {}}
        record["base"] = "base_normals"
        save_tensors(stage_path(study.runs[0], "replaced"), dict(module.state_dict()), record)
        with pytest.raises(StudyError, match=message):
            plan_of(study, System(name="x", tasks=tasks))

"""Stages of every kind train, and load again."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtshare_ros.tasks import SEGMENTATION
from mtshare_ros.training import stages
from mtshare_ros.training.jobs.reference import load_elementwise
from mtshare_ros.training.stage_context import StageResult
from mtshare_ros.training.stages import TRAINERS
from mtshare_ros.training.stored import checkpoint_path, load_network, stage_path
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.subtask_settings import AnyStage
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, UNITS, write_config
from support.fake_stills import config as fake_config
from support.untrained import untrained


def test_every_way_to_share_trains_and_loads(tmp_path: Path) -> None:
    joint = {"kind": "joint", "tasks": ["normals", "depth", "segmentation"], "phases": [PHASE]}
    full = {"kind": "single_task", "task": "depth", "phases": [PHASE]}
    gates = {"kind": "gates", **UNITS, "rho": 0.3, "phases": [PHASE]}
    paper = {"kind": "elementwise", "base": "base", "tasks": ["depth"], "density": 0.1}
    paper["phases"] = [PHASE]
    guided = {"distill": {"depth": "full"}, "read_from": {"depth": "full"}, "own_norm": False}
    config = fake_config(
        {**joint, "name": "base", "weighting": "uncertainty", "auxiliary": 0.5},
        {**full, "name": "full", "start": "base"},
        {**gates, "name": "guided", **guided, "pull": 0.1},
        {**gates, "name": "replaced", "form": "replaced", "heads": 3},
        {"kind": "units", "name": "end", "base": "base", "start": "replaced", "phases": [PHASE]},
        {**paper, "name": "elements", "gate_lr": 0.5},
        {**paper, "name": "tuned", "start": "elements", "l1": 0.01},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    assert set(records["base"]["validation"]) == {"normals", "depth", "segmentation"}
    for stage in ("guided", "replaced", "end"):
        subtasks, record = load_subtasks(tmp_path / "run", stage)
        assert set(record["validation"]) == set(subtasks) == {"depth", "segmentation"}
        assert all(0 < rho <= 0.3 for rho in record["rho"].values())
    before, after = (
        load_elementwise(tmp_path / "run", s)[0]["depth"] for s in ("elements", "tuned")
    )
    assert 0 < before.density <= 0.1 and torch.equal(before.mask, after.mask)
    assert not torch.equal(before.delta, after.delta)
    assert (after.delta[~after.mask] == 0).all()
    network, _ = load_network(tmp_path / "run", "base", "segmentation")
    assert network.head.project.out_channels == SEGMENTATION.channels


def test_every_kind_of_stage_has_a_trainer() -> None:
    known = typing.get_args(typing.get_args(AnyStage)[0])
    kinds = {typing.get_args(stage.model_fields["kind"].annotation)[0] for stage in known}
    assert kinds == set(TRAINERS)


def test_research_code_is_not_loaded_to_train_and_to_export_what_ships() -> None:
    code = (
        "import sys, mtshare_ros.training.train, mtshare_ros.export.export_run;"
        "print([m for m in sys.modules if m.startswith('mtshare_ros.network.reference')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trainer_takes_the_stages_of_its_kind() -> None:
    for kind, trainer in TRAINERS.items():
        stage = typing.get_type_hints(trainer)["stage"]
        assert typing.get_args(stage.model_fields["kind"].annotation) == (kind,)


def test_a_stage_begins_with_its_own_seed_and_its_progress_goes_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = {"kind": "single_task", "name": "base", "task": "depth", "phases": [PHASE]}
    context = untrained(tmp_path, phase)
    (stage,) = context.config.stages
    drawn = []

    def trainer(context: Any, stage: Any) -> StageResult:
        drawn.append(torch.rand(3))
        return StageResult(nn.Linear(2, 2), {"kind": "single_task"})

    monkeypatch.setitem(stages.TRAINERS, "single_task", trainer)
    for _ in range(2):
        progress = checkpoint_path(tmp_path, "base")
        progress.write_bytes(b"progress")
        stages.train_stage(context, stage)
        assert not progress.exists() and stage_path(tmp_path, "base").is_file()
    torch.manual_seed(context.seed(stage))
    expected = torch.rand(3)
    assert torch.equal(drawn[0], expected) and torch.equal(drawn[1], expected)

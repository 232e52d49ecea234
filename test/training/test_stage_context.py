"""What trainers of stages have in common: seeds and heads to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mtshare_ros.training.configuration import load_config
from mtshare_ros.training.devices import open_fabric
from mtshare_ros.training.stage_context import StageContext
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, UNITS, write_config
from support.fake_stills import config as fake_config


def test_a_new_head_on_a_joint_base_is_where_the_base_s_own_was(tmp_path: Path) -> None:
    """Before the first step a sub-task is the head that the base was trained with."""
    still = {**PHASE, "lr": 1e-30}
    config = fake_config(
        {"kind": "joint", "name": "base", "tasks": ["normals", "depth"], "phases": [PHASE]},
        {"kind": "uniform", "name": "units", **UNITS, "tasks": ["depth"], "phases": [still]},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    network, _ = load_network(tmp_path / "run", "base", "depth")
    subtask = load_subtasks(tmp_path / "run", "units")[0]["depth"]
    assert torch.equal(subtask.head.project.weight, network.head.project.weight)
    assert records["units"]["rho"]["depth"] > 0.3


def test_full_fine_tuning_starts_with_the_head_of_its_own_task(tmp_path: Path) -> None:
    still = {**PHASE, "lr": 1e-30}
    config = fake_config(
        {"kind": "joint", "name": "base", "tasks": ["normals", "depth"], "phases": [PHASE]},
        {"kind": "single_task", "name": "full", "task": "depth", "start": "base"},
    )
    config["stages"][1]["phases"] = [still]
    train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    joint, _ = load_network(tmp_path / "run", "base", "depth")
    full, _ = load_network(tmp_path / "run", "full")
    for (name, new), old in zip(
        full.head.named_parameters(), joint.head.parameters(), strict=True
    ):
        assert torch.equal(new, old), name


def test_a_stage_that_is_added_leaves_the_seeds_of_the_others(tmp_path: Path) -> None:
    first, *others = fake_config()["stages"]
    added = {**first, "name": "added"}

    def seeds(*stages: dict[str, Any], seed: int = 0) -> dict[str, int]:
        config = load_config(write_config(tmp_path / "c.yaml", fake_config(*stages, seed=seed)))
        context = StageContext(config, tmp_path, False, open_fabric("fp32"))
        return {stage.name: context.seed(stage) for stage in config.stages}

    before, after = seeds(first, *others), seeds(first, added, *others)
    assert before.items() < after.items() and len(set(after.values())) == 4
    assert not set(before.values()) & set(seeds(first, *others, seed=1).values())

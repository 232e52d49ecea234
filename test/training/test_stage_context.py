"""What trainers of stages have in common: seeds and heads to start with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.training import stage_context
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


def opened(tmp_path: Path, *stages: dict[str, Any], seed: int = 0) -> StageContext:
    values = fake_config(*stages, seed=seed)
    values["data"]["clips"] = "clips"
    config = load_config(write_config(tmp_path / "c.yaml", values))
    return StageContext(config, tmp_path, False, open_fabric("fp32"))


def test_seeds_of_two_configurations_are_never_the_same(tmp_path: Path) -> None:
    for seed in (0, 3):
        context = opened(tmp_path, seed=seed)
        assert {context.seed(stage) // 65536 for stage in context.config.stages} == {seed}


def test_a_stage_is_recorded_by_what_was_set_and_trained_on_its_kind_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = opened(tmp_path)
    context.data = replace(context.data, record={"data": {"title": "images"}})
    taken: list[Any] = []

    def fit(job: Any, stage: Any, stills: Any, settings: Any, fabric: Any) -> dict[str, Any]:
        taken.append((stills, settings))
        return {"steps": 4}

    monkeypatch.setattr(stage_context, "fit", fit)
    stage = context.config.stages[1]
    for frames in (1, 2):
        record = context.fit(SimpleNamespace(frames=frames), stage)  # type: ignore[arg-type]
    assert [stills for stills, _ in taken] == [context.data.train, context.data.clips]
    assert record["data"] == {"title": "images"} and record["steps"] == 4
    assert record["network"] == context.network.to_dict() and record["kind"] == "gates"
    # What has its default is left out, so that older records go on being equal.
    assert set(record["settings"]) == {"kind", "name", "phases", "base", "tasks", "heads",
                                       "neurons", "rho"}  # fmt: skip
    assert taken[0][1].seed == context.seed(stage)


def test_a_stage_is_scored_at_the_size_that_it_ended_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = {**PHASE, "size": [96, 64]}
    base = {"kind": "single_task", "name": "base", "task": "depth", "phases": [PHASE, larger]}
    context = opened(tmp_path, base)
    asked: list[Any] = []
    monkeypatch.setattr(
        stage_context, "validate", lambda *arguments: asked.append(arguments) or {"depth": {}}
    )
    network = SingleTaskNetwork(context.network, 1).train()
    context.validate(context.config.stages[0], network, None, "depth")
    assert asked[0][2:5] == ("depth", context.data.validation, (96, 64))
    assert not network.training


def test_a_pretrained_backbone_is_loaded_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"kind": "single_task", "name": "base", "task": "depth", "phases": [PHASE]}
    weights = {"checkpoint": "w.safetensors", "model": "vit"}
    context = opened(tmp_path, base, {**base, "name": "large", "backbone": weights})
    started: list[Any] = []

    def load(checkpoint: Path, model: str, network: Any) -> Any:
        return SimpleNamespace(start=lambda module: started.append((str(checkpoint), model)))

    monkeypatch.setattr(stage_context, "load_backbone", load)
    network = SingleTaskNetwork(context.network, 1)
    for stage, expected in zip(
        context.config.stages, ([], [("w.safetensors", "vit")]), strict=True
    ):
        context.pretrain(stage, network)  # type: ignore[arg-type]
        assert started == expected

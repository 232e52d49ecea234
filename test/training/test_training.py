"""Training: configurations, batches, losses, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION
from mtshare_ros.training import loop, rooms, stages
from mtshare_ros.training.batches import to_batch
from mtshare_ros.training.checkpoints import CheckpointError, load_tensors
from mtshare_ros.training.configuration import ConfigError
from mtshare_ros.training.jobs.subtasks import TogetherJob
from mtshare_ros.training.loop import learning_rate
from mtshare_ros.training.losses import distillation_loss, task_loss
from mtshare_ros.training.stage_settings import Phase
from mtshare_ros.training.stored import load_elementwise, load_network, load_subtasks, stage_path
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, UNITS, FakeStills, write_config
from support.fake_stills import config as fake_config


@pytest.fixture(autouse=True)
def _stills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "StillsDataset", FakeStills)


def test_a_whole_training_runs_and_its_stages_load(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    records = train(config, tmp_path / "run")
    assert list(records) == ["base", "gates", "units"]
    assert records["units"]["rho"]["depth"] <= 0.3
    assert 0 <= records["units"]["validation"]["segmentation"]["miou"] <= 1
    subtasks, record = load_subtasks(tmp_path / "run", "units")
    assert set(subtasks) == {"depth", "segmentation"} and record["base"] == "base"


@pytest.mark.parametrize("steps", [0, 3])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    train(config, tmp_path / "whole")

    original = stages.GatesJob.forward
    seen = 0

    def interrupted(job: Any, batch: Any) -> Any:
        """Stop in the middle of the gates stage, as a signal would."""
        nonlocal seen
        seen += 1
        if seen == steps + 1:
            raise KeyboardInterrupt
        return original(job, batch)

    monkeypatch.setattr(stages.GatesJob, "forward", interrupted)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "resumed")
    train(config, tmp_path / "resumed", resume=True)
    for stage in ("base", "gates", "units"):
        whole, _ = load_tensors(stage_path(tmp_path / "whole", stage))
        resumed, _ = load_tensors(stage_path(tmp_path / "resumed", stage))
        for name, value in whole.items():
            assert torch.equal(value, resumed[name]), (stage, name)


def test_a_run_is_neither_overwritten_nor_resumed_with_another_configuration(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="--resume"):
        train(config, tmp_path / "run")
    other = write_config(tmp_path / "d.yaml", fake_config(seed=1))
    with pytest.raises(ConfigError, match="seed is 1, but .*config.yaml.* has 0"):
        train(other, tmp_path / "run", resume=True)
    clips = fake_config()
    clips["data"]["clips"] = "clips"  # a folder for stages to come
    train(write_config(tmp_path / "f.yaml", clips), tmp_path / "run", resume=True)
    clips["data"]["clips"] = "others"
    with pytest.raises(ConfigError, match="data is .*'others'.* has .*'clips'"):
        train(write_config(tmp_path / "f.yaml", clips), tmp_path / "run", resume=True)
    changed = fake_config()
    changed["stages"][1]["rho"] = 0.4
    changed["data"]["clips"] = "clips"
    other = write_config(tmp_path / "e.yaml", changed)
    with pytest.raises(ConfigError, match="stage gates differs from the one trained"):
        train(other, tmp_path / "run", resume=True)


def test_stages_can_be_added_and_trained_one_by_one(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    with pytest.raises(ConfigError, match="no stage 'bse'; expected one of base, gates, units"):
        train(config, tmp_path / "run", only=["bse"])
    assert list(train(config, tmp_path / "run", only=["base"], seed=3)) == ["base"]
    longer = fake_config(seed=3)
    longer["stages"].append({"kind": "uniform", "name": "heads_only", **UNITS, "phases": [PHASE]})
    longer["stages"][-1] |= {"heads": 0, "neurons": 0, "pull": 0.1}
    config = write_config(tmp_path / "d.yaml", longer)
    records = train(config, tmp_path / "run", resume=True, only=["heads_only"])
    assert records["heads_only"]["rho"] == {"depth": 0.0, "segmentation": 0.0}
    assert not stage_path(tmp_path / "run", "gates").exists()


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


def test_base_and_sub_tasks_trained_together_load_as_both(tmp_path: Path) -> None:
    together = {"kind": "together", "tasks": ["normals", "depth"], "phases": [PHASE]}
    config = fake_config(
        {**together, "name": "gated", "heads": 2, "neurons": 64, "rho": 0.3, "gradient": 0.3},
        {**together, "name": "both", "start": "gated"},
        {"kind": "units", "name": "units", "base": "both", "start": "both", "phases": [PHASE]},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    assert set(records["both"]["validation"]) == {"normals", "depth"}
    assert 0 < records["both"]["rho"]["depth"] <= 0.3
    first, _ = load_network(tmp_path / "run", "gated")
    network, _ = load_network(tmp_path / "run", "both")
    assert not torch.equal(first.stem.position, network.stem.position)  # the base is trained on
    subtask = load_subtasks(tmp_path / "run", "units")[0]["depth"]
    assert subtask.shares == load_subtasks(tmp_path / "run", "both")[0]["depth"].shares


def test_a_shared_encoder_is_trained_on_with_all_its_heads(tmp_path: Path) -> None:
    joint = {"kind": "joint", "tasks": ["normals", "depth"]}
    larger = {**PHASE, "size": [96, 64], "lr": 1e-30}
    config = fake_config(
        {**joint, "name": "small", "phases": [PHASE]},
        {**joint, "name": "large", "start": "small", "phases": [larger]},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    for task in ("normals", "depth"):
        networks = [load_network(tmp_path / "run", s, task)[0] for s in ("small", "large")]
        for before, after in zip(*(n.parameters() for n in networks), strict=True):
            assert torch.equal(before, after)
    # Scored at the size that the stage ended with.
    before, after = (records[s]["validation"]["depth"]["rmse"] for s in ("small", "large"))
    assert before != after


@pytest.mark.parametrize("factor", [0.0, 0.25])
def test_the_gradients_of_sub_tasks_reach_the_base_scaled(factor: float) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(24, 2, 3, 64, size=(64, 48))
    base = SingleTaskNetwork(config, 3).eval()
    subtask = SubTask(config, [LayerShare(1, 32)] * 2, 1)
    batch = to_batch([FakeStills().stored(0)])
    gradients = []
    for scale in (1.0, factor):
        job = TogetherJob(base, "normals", {"depth": subtask}, scale)
        job.zero_grad()
        job(batch)["depth"].backward()
        assert subtask.head.project.weight.grad.abs().max() > 0
        gradients.append(base.stem.to_tokens.weight.grad.clone())
    assert torch.allclose(gradients[1], factor * gradients[0], rtol=1e-4, atol=1e-9)


def test_frozen_norms_stay_the_base_s_through_later_stages(tmp_path: Path) -> None:
    config = fake_config()
    config["stages"][1]["own_norm"] = False
    train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    base, _ = load_network(tmp_path / "run", "base")
    for stage in ("gates", "units"):
        for subtask in load_subtasks(tmp_path / "run", stage)[0].values():
            for block, original in zip(subtask.blocks, base.transformer.blocks, strict=True):
                if block.neurons:
                    assert torch.equal(block.norm2.weight, original.norm2.weight), stage


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


def test_following_a_teacher_costs_nothing_where_both_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    for task in (DEPTH, NORMALS, SEGMENTATION):
        raw = torch.randn(2, task.channels, 4, 4, generator=generator)
        other = torch.randn(2, task.channels, 4, 4, generator=generator)
        assert distillation_loss(task, raw, raw) == pytest.approx(0.0, abs=2e-3)
        assert distillation_loss(task, raw, other) > 0.1


def test_a_broken_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"base\.safetensors"):
        load_tensors(path)


def test_losses_ignore_what_is_invalid_and_vanish_at_the_truth() -> None:
    depth = torch.full((1, 8, 8), 2.0)
    depth[0, 0, 0] = torch.nan
    right = torch.full((1, 1, 2, 2), 2.0).log()
    assert task_loss(DEPTH, right, depth) == pytest.approx(0.0, abs=1e-6)
    assert task_loss(DEPTH, right + 0.5, depth) == pytest.approx(0.5, abs=1e-6)
    normals = torch.zeros(1, 3, 8, 8)
    normals[:, 2, :, 4:] = -1.0
    facing = torch.tensor([0.0, 0, -7]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert task_loss(NORMALS, facing, normals) < 2e-3
    assert task_loss(NORMALS, -facing, normals) == pytest.approx(2.0, abs=1e-3)
    labels = torch.full((1, 8, 8), 255)
    labels[0, 4:] = 3
    logits = torch.zeros(1, 16, 2, 2)
    logits[:, 3] = 50.0
    assert task_loss(SEGMENTATION, logits, labels) == pytest.approx(0.0, abs=1e-6)


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    phase = Phase(size=(64, 48), steps=100, batch=1, lr=1.0, warmup=10)
    rates = [learning_rate(phase, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) > 0.95 and rates[-1] < 1e-3


def test_validation_rooms_that_are_trained_on_and_test_rooms_are_refused(tmp_path: Path) -> None:
    for trained, validation, message in (
        ("train", "train", "trained on"),
        ("test", "validation", "never trained on"),
    ):
        data = {"train": trained, "validation": validation}
        config = write_config(tmp_path / "c.yaml", fake_config(data=data))
        with pytest.raises(ConfigError, match=message):
            train(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()

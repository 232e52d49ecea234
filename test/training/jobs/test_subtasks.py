"""Jobs that train a fixed set of private units on a frozen base."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.reference.replaced import ReplacedSubTask
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import private_share
from mtshare_ros.tasks import DEPTH
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.checkpoints import load_tensors, save_tensors
from mtshare_ros.training.jobs.subtasks import (
    Guidance,
    UnitsJob,
    _relative_size,
    freeze_norms,
    share_record,
    train_uniform,
    train_units,
)
from mtshare_ros.training.losses import distillation_loss, task_loss
from mtshare_ros.training.stored import load_network, stage_path
from support.fake_stills import PHASE, UNITS, FakeStills
from support.networks import SHARES, networks
from support.samples import SMALL
from support.study_files import write_network, write_subtasks
from support.untrained import untrained

BATCH = draw_batch(FakeStills(), BatchSettings(SMALL.size, 2), (0, 0))


def test_sub_tasks_are_trained_and_the_base_is_not() -> None:
    base, subtasks = networks()
    job = UnitsJob(base, subtasks)
    sum(job(BATCH).values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is None for p in base.parameters())
    for subtask in subtasks.values():
        assert all(p.grad is not None for p in subtask.parameters())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_loss_is_that_of_the_sub_task_on_its_base(replaced: bool) -> None:
    base, subtasks = networks()
    if replaced:
        subtask = ReplacedSubTask(SMALL, SHARES, DEPTH.channels).eval()
        subtask.start_from(base.transformer)
    else:
        subtask = subtasks["depth"]  # type: ignore[assignment]
    loss = UnitsJob(base, {"depth": subtask})(BATCH)["depth"]
    raw = subtask.on_images(base, BATCH["image"])
    assert torch.allclose(loss, task_loss(DEPTH, raw, BATCH["depth"]), rtol=1e-5)


def test_guidance_adds_losses() -> None:
    base, subtasks = networks()
    teacher = SingleTaskNetwork(SMALL, DEPTH.channels)
    job = UnitsJob(base, subtasks, Guidance({"depth": teacher}, 0.5, pull=0.1))
    losses = job(BATCH)
    names = {"depth", "segmentation", "depth_pull", "segmentation_pull", "depth_distill"}
    assert set(losses) == names and all(loss > 0 for loss in losses.values())


def test_frozen_norms_are_not_trained() -> None:
    _, subtasks = networks()
    freeze_norms(subtasks)
    for subtask in subtasks.values():
        frozen = {name for name, p in subtask.blocks.named_parameters() if not p.requires_grad}
        norms = {name for name, _ in subtask.blocks.named_parameters() if "norm" in name}
        assert frozen == norms and norms


def test_a_record_has_each_block_s_units_and_the_private_share() -> None:
    _, subtasks = networks()
    record = share_record(SMALL, subtasks)
    assert record["shares"]["depth"][0] == {"heads": 1, "neurons": 32}
    assert record["rho"]["depth"] == round(private_share(SMALL, SHARES), 4)


def test_a_pull_is_the_mean_part_that_the_private_units_have_of_the_stream() -> None:
    tokens = torch.tensor([[[2.0, -2.0]]])
    branches = [(torch.tensor([[[1.0, -1.0]]]), torch.tensor([[[3.0, -3.0]]]))]
    written = [torch.tensor([[[0.3, 0.3]]]), torch.tensor([[[0.9, 0.9]]])]
    # 0.3 of 3, then 1.2 of 6.
    found = _relative_size(written, tokens, branches)
    assert found.item() == pytest.approx((0.1 + 0.2) / 2)


def test_guides_weigh_as_much_as_they_are_told() -> None:
    base, subtasks = networks()
    teacher = SingleTaskNetwork(SMALL, DEPTH.channels)
    one, two = (
        UnitsJob(base, subtasks, Guidance({"depth": teacher}, weight, pull=0.2 * weight))(BATCH)
        for weight in (0.5, 1.0)
    )
    for name in ("depth_pull", "depth_distill"):
        assert two[name].item() == pytest.approx(2 * one[name].item(), rel=1e-5)
    raw = subtasks["depth"].on_images(base, BATCH["image"])
    expected = distillation_loss(DEPTH, raw, teacher.eval()(BATCH["image"]))
    assert two["depth_distill"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_units_start_with_the_weights_of_the_network_that_is_named(tmp_path: Path) -> None:
    base = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}
    other = {**base, "name": "other", "task": "depth"}
    stage = {"kind": "uniform", "name": "units", **UNITS, "read_from": {"depth": "other"}}
    context = untrained(tmp_path, base, other, {**stage, "phases": [PHASE]})
    write_network(tmp_path, "base", "normals", 0)
    write_network(tmp_path, "other", "depth", 1)
    result = train_uniform(context, context.config.stages[2])  # type: ignore[arg-type]
    for task, source in (("depth", "other"), ("segmentation", "base")):
        network, _ = load_network(tmp_path, source)
        for private, block in zip(
            result.module[task].blocks, network.transformer.blocks, strict=True
        ):
            assert torch.equal(private.fc1.weight, block.fc1.weight[:64])
    # Each is scored on the base.
    scored, subtask = context.scored["depth"]
    assert torch.equal(scored.stem.position, load_network(tmp_path, "base")[0].stem.position)
    assert subtask is result.module["depth"]


def test_norms_that_were_frozen_stay_frozen_in_later_stages(tmp_path: Path) -> None:
    base = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}
    first = {"kind": "uniform", "name": "first", **UNITS, "phases": [PHASE]}
    later = {"kind": "units", "name": "later", "base": "base", "start": "first"}
    context = untrained(tmp_path, base, first, {**later, "phases": [PHASE]})
    write_network(tmp_path, "base", "normals", 0)
    write_subtasks(tmp_path, "first", "base", LayerShare(1, 32), 1)
    tensors, record = load_tensors(stage_path(tmp_path, "first"))
    for own_norm in (False, True):
        save_tensors(stage_path(tmp_path, "first"), tensors, {**record, "own_norm": own_norm})
        result = train_units(context, context.config.stages[2])  # type: ignore[arg-type]
        assert result.record["own_norm"] is own_norm
        norm = context.job.subtasks["depth"].blocks[0].norm1.weight
        assert norm.requires_grad is own_norm

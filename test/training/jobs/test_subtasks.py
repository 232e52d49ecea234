"""Jobs that train a fixed set of private units on a frozen base."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.network.reference.replaced import ReplacedSubTask
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import private_share
from mtshare_ros.tasks import DEPTH
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.subtasks import Guidance, UnitsJob, freeze_norms, share_record
from mtshare_ros.training.losses import task_loss
from support.fake_stills import FakeStills
from support.networks import SHARES, networks
from support.samples import SMALL

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

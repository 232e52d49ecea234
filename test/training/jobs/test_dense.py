"""Jobs of dense networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.dense import (
    JointJob,
    SingleTaskJob,
    train_joint,
    train_single_task,
)
from mtshare_ros.training.losses import task_loss
from mtshare_ros.training.stored import load_network, load_shared
from support.fake_stills import PHASE, FakeStills
from support.samples import SMALL
from support.study_files import write_network, write_shared
from support.untrained import untrained

BATCH = draw_batch(FakeStills(), BatchSettings(SMALL.size, 2), (0, 0))


def test_a_single_task_s_loss_is_that_of_its_network() -> None:
    torch.manual_seed(0)
    network = SingleTaskNetwork(SMALL, DEPTH.channels).eval()
    job = SingleTaskJob(network, "depth")
    expected = task_loss(DEPTH, network(BATCH["image"]), BATCH["depth"])
    assert job(BATCH) == {"depth": expected} and job.tasks == ("depth",)


def test_auxiliary_tasks_weigh_less_and_all_weights_are_trained() -> None:
    torch.manual_seed(0)
    network = SharedEncoder(SMALL, {"normals": NORMALS.channels, "depth": DEPTH.channels}).eval()
    full, half = (
        JointJob(network, {"normals": 1.0, "depth": factor}, learn=False)(BATCH)
        for factor in (1.0, 0.5)
    )
    assert half["normals"] == full["normals"]
    assert half["depth"].item() == pytest.approx(0.5 * full["depth"].item())
    (optimizer,) = JointJob(network, {"normals": 1.0, "depth": 1.0}, False).optimizers(0.05)
    trained = sum(len(group["params"]) for group in optimizer.param_groups)
    assert trained == len(list(network.parameters()))


TASKS = ["normals", "depth", "segmentation"]
JOINT = {"kind": "joint", "name": "shared", "tasks": TASKS, "phases": [PHASE]}
SINGLE = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}


def test_a_joint_stage_starts_anew_weighs_its_tasks_and_scores_each(tmp_path: Path) -> None:
    context = untrained(tmp_path, {**JOINT, "auxiliary": 0.25})
    result = train_joint(context, context.config.stages[0])  # type: ignore[arg-type]
    assert dict(context.job.weights.fixed) == {"normals": 1, "depth": 0.25, "segmentation": 0.25}
    assert context.job.gauges() == {}
    assert context.pretrained is result.module and not result.module.training
    channels = {task: n.head.project.out_channels for task, (n, _) in context.scored.items()}
    assert channels == {"normals": 3, "depth": 1, "segmentation": SEGMENTATION.channels}
    assert set(result.record["validation"]) == set(result.record["tasks"]) == set(TASKS)


def test_a_joint_stage_goes_on_with_another_and_learns_its_factors_if_told(
    tmp_path: Path,
) -> None:
    write_shared(tmp_path, "shared", 3)
    later = {**JOINT, "name": "later", "start": "shared", "weighting": "uncertainty"}
    context = untrained(tmp_path, JOINT, later)
    result = train_joint(context, context.config.stages[1])  # type: ignore[arg-type]
    stored = load_shared(tmp_path, "shared")[0].state_dict()
    assert all(torch.equal(value, stored[n]) for n, value in result.module.state_dict().items())
    assert context.job.gauges() == {f"{task}_factor": 1.0 for task in TASKS}


def test_a_single_task_stage_goes_on_with_a_network_of_another_task(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", 1)
    context = untrained(
        tmp_path, SINGLE, {**SINGLE, "name": "on", "task": "depth", "start": "base"}
    )
    result = train_single_task(context, context.config.stages[1])  # type: ignore[arg-type]
    stored = load_network(tmp_path, "base")[0].state_dict()
    for name, value in result.module.state_dict().items():
        if "project" not in name:
            assert torch.equal(value, stored[name]), name
    assert result.record["task"] == "depth" and result.module.head.project.out_channels == 1
    assert context.pretrained is result.module
    assert context.scored["depth"] == (result.module, None)

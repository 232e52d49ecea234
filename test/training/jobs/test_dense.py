"""Jobs of dense networks."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.tasks import DEPTH, NORMALS
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.dense import JointJob, SingleTaskJob
from mtshare_ros.training.losses import task_loss
from support.fake_stills import FakeStills
from support.samples import SMALL

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

"""Factors on the losses of tasks that are trained side by side."""

from __future__ import annotations

import math

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import DEPTH, NORMALS
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.dense import JointJob
from mtshare_ros.training.jobs.together import TogetherJob
from mtshare_ros.training.weighting import LossWeights
from support.fake_stills import FakeStills
from support.samples import SMALL


def test_fixed_factors_stay() -> None:
    weights = LossWeights({"depth": 0.3}, learn=False)
    assert weights("depth", torch.tensor(2.0)).item() == pytest.approx(0.6)
    assert not any(p.requires_grad for p in weights.parameters()) and not weights.gauges()


def test_a_learned_factor_is_at_rest_where_it_is_one_over_the_loss() -> None:
    weights = LossWeights({"depth": 1.0}, learn=True)
    loss = torch.tensor(0.25)
    weights("depth", loss).backward()
    (s,) = weights.parameters()
    assert s.grad is not None and s.grad.item() == pytest.approx(1 - 0.25)
    with torch.no_grad():
        s.fill_(math.log(0.25))
    s.grad = None
    weights("depth", loss).backward()
    assert s.grad is not None and s.grad.item() == pytest.approx(0.0)  # type: ignore[unreachable]
    assert weights.gauges() == {"depth_factor": pytest.approx(4.0)}


@pytest.mark.parametrize("together", [True, False])
def test_a_job_learns_them_with_the_networks(together: bool) -> None:
    torch.manual_seed(0)
    if together:
        shares = [LayerShare(1, 32)] * SMALL.depth
        subtasks = {"depth": SubTask(SMALL, shares, DEPTH.channels)}
        base = SingleTaskNetwork(SMALL, NORMALS.channels)
        job = TogetherJob(base, "normals", subtasks, 0.5, learn_weights=True)
    else:
        channels = {"normals": NORMALS.channels, "depth": DEPTH.channels}
        job = JointJob(SharedEncoder(SMALL, channels), dict.fromkeys(channels, 1.0), True)  # type: ignore[assignment]
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 4, {*job.tasks}), (0, 0))
    (optimizer,) = job.optimizers(0.0)
    before = {name: float(loss.detach()) for name, loss in job(batch).items()}
    sum(job(batch).values()).backward()  # type: ignore[union-attr]
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    optimizer.step()
    gauges = job.gauges()
    assert set(gauges) == {"normals_factor", "depth_factor"}
    for name, loss in before.items():
        assert (gauges[f"{name}_factor"] > 1.0) == (loss < 1.0)

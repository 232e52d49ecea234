"""Jobs that learn which private units sub-tasks need."""

from __future__ import annotations

import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.units import private_share
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.gates import GatesJob, LearnedGates
from support.fake_stills import FakeStills
from support.networks import networks
from support.samples import SMALL


def test_every_sub_task_has_a_penalty_and_ends_at_the_private_share() -> None:
    base, subtasks = networks([LayerShare(2, 64)] * SMALL.depth)
    gates = LearnedGates(subtasks, 32, 0.2, 0.5)
    job = GatesJob(base, subtasks, gates).train()
    batch = draw_batch(FakeStills(), BatchSettings(SMALL.size, 2, {*job.tasks}), (0, 0))
    losses = job(batch)
    assert set(losses) == {"depth", "segmentation", "depth_share", "segmentation_share"}
    before = job.gauges()
    units, down, up = job.optimizers(0.0)
    for group in units.param_groups:
        group["lr"] = 0.0
    for _ in range(60):
        for optimizer in (down, up):
            optimizer.zero_grad()
        torch.stack(list(gates.penalties().values())).sum().backward()
        down.step()
        up.step()
    assert all(job.gauges()[name] < value for name, value in before.items())
    for subtask in gates.prune(subtasks).values():
        assert private_share(SMALL, subtask.shares) <= 0.2

"""Jobs that learn which private units sub-tasks need."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.units import private_share
from mtshare_ros.training.batches import BatchSettings, draw_batch
from mtshare_ros.training.jobs.gates import GatesJob, LearnedGates, train_gates
from support.fake_stills import PHASE, UNITS, FakeStills
from support.networks import networks
from support.samples import SMALL
from support.study_files import TINY, write_network
from support.untrained import untrained


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


def test_the_penalty_is_of_what_the_private_share_is_above_its_target() -> None:
    _, subtasks = networks([LayerShare(2, 64)] * SMALL.depth)
    gates = LearnedGates(subtasks, 32, 0.2, 0.5)
    for constraint in gates.constraints.values():
        nn.init.constant_(constraint.linear, 3.0)
        nn.init.constant_(constraint.square, 2.0)
    share = gates.gauges()["depth_rho"]
    excess = share - 0.2
    expected = 3 * excess + 2 * excess**2
    assert gates.penalties()["depth_share"].item() == pytest.approx(expected, rel=1e-4)
    gates.rho = share
    assert gates.penalties()["depth_share"].item() == pytest.approx(0.0, abs=1e-6)


def test_there_is_a_gate_for_each_head_and_each_group_of_neurons() -> None:
    base, subtasks = networks([LayerShare(2, 64)] * SMALL.depth)
    gates = LearnedGates(subtasks, 16, 0.2, 0.5)
    sizes = [len(logits) for logits in gates.gates["depth"].group_logits]
    assert sizes == [4] * SMALL.depth
    factors = GatesJob(base, subtasks, gates).gates_of("depth")
    assert factors is not None
    assert [(len(heads), len(neurons)) for heads, neurons in factors] == [(2, 64)] * SMALL.depth


@pytest.mark.parametrize("own_norm", [True, False])
def test_what_is_left_are_the_units_that_the_gates_keep(tmp_path: Path, own_norm: bool) -> None:
    base = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}
    stage = {"kind": "gates", "name": "gates", **UNITS, "rho": 0.2, "own_norm": own_norm}
    context = untrained(tmp_path, base, {**stage, "phases": [PHASE]})
    write_network(tmp_path, "base", "normals", 0)
    result = train_gates(context, context.config.stages[1])  # type: ignore[arg-type]
    assert result.record["own_norm"] is own_norm and result.record["form"] == "added"
    assert all(0 < rho <= 0.2 for rho in result.record["rho"].values())
    shares = [LayerShare(**share) for share in result.record["shares"]["depth"]]
    assert result.module["depth"].shares == shares != [LayerShare(2, 64)] * TINY.depth
    for subtask in context.job.subtasks.values():
        assert all(
            p.requires_grad == own_norm for b in subtask.blocks for p in b.norm1.parameters()
        )

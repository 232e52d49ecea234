"""Training of the paper's element-wise scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.training.jobs.reference import (
    ElementwiseJob,
    load_elementwise,
    train_elementwise,
)
from mtshare_ros.training.stored import load_network
from support.elementwise_pairs import make_images, pair, random_difference
from support.fake_stills import PHASE
from support.samples import SMALL
from support.study_files import write_elementwise, write_network
from support.untrained import untrained


def _batch(count: int) -> dict[str, Tensor]:
    return {"image": make_images(count), "depth": torch.full((count, 96, 128), 3.0)}


def _step(job: ElementwiseJob, optimizers: list[torch.optim.Optimizer]) -> dict[str, float]:
    losses = job(_batch(2))
    for optimizer in optimizers:
        optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    return {name: value.item() for name, value in losses.items()}


def _start(job: ElementwiseJob, rate: float) -> list[torch.optim.Optimizer]:
    optimizers = job.train().optimizers(0.01)
    for group in optimizers[0].param_groups:
        group["lr"] = rate
    return optimizers


def test_a_job_learns_gates_then_trains_inside_the_mask_only() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 3)
    job = ElementwiseJob(base, {"depth": 1}, density=0.2, gate_lr=0.2, l1=0.0)
    optimizers = _start(job, 1e-3)
    kept = {name: value.clone() for name, value in base.state_dict().items()}
    first = _step(job, optimizers)
    for _ in range(25):
        last = _step(job, optimizers)
    assert last["depth"] < first["depth"]
    assert job.gauges()["depth_expected"] < 0.9
    job.freeze()
    assert job.frozen and 0.19 < job.gauges()["depth_density"] <= 0.2
    subtask = job.subtasks["depth"]
    mask, before = subtask.mask.clone(), subtask.delta.detach().clone()
    optimizers = _start(job, 1e-3)
    assert len(optimizers) == 1
    for _ in range(3):
        _step(job, optimizers)
    assert torch.equal(subtask.mask, mask)
    moved = subtask.delta.detach() != before
    assert moved.any() and not moved[~mask].any() and not subtask.delta[~mask].any()
    for name, value in base.state_dict().items():
        assert torch.equal(value, kept[name]), name


def test_a_frozen_job_is_rebuilt_from_its_state() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 3)
    job = ElementwiseJob(base, {"depth": 1}, density=0.1, gate_lr=0.1, l1=0.0)
    random_difference(job.subtasks["depth"], 1.0, 0.1)
    job.freeze()
    again = ElementwiseJob(
        SingleTaskNetwork(SMALL, 3), {"depth": 1}, density=0.1, gate_lr=0.1, l1=0.0, frozen=True
    )
    again.load_state_dict(job.state_dict())
    with torch.no_grad():
        one, other = (
            j.eval().subtasks["depth"].merged(j.base.network)(make_images(1)) for j in (job, again)
        )
    assert torch.equal(one, other)


def test_the_penalty_pulls_activation_differences_down() -> None:
    last = {}
    for l1 in (0.01, 10.0):
        base, subtask = pair(SMALL, density=0.2)
        job = ElementwiseJob(base, {"depth": 1}, 0.2, 0.1, l1, frozen=True)
        job.subtasks["depth"].load_state_dict(subtask.state_dict())
        optimizers = _start(job, 3e-3)
        first = _step(job, optimizers)["depth_l1"] / l1
        for _ in range(15):
            last[l1] = _step(job, optimizers)["depth_l1"] / l1
    assert last[10.0] < 0.6 * first and last[10.0] < 0.8 * last[0.01]


def test_the_constraint_leads_the_expected_density_to_its_target() -> None:
    job = ElementwiseJob(SingleTaskNetwork(SMALL, 3), {"depth": 1}, 0.1, gate_lr=0.1, l1=0.0)
    gates, constraint = job.gates["depth"], job.constraints["depth"]
    _, *optimizers = job.optimizers(0.0)
    assert gates.expected_density().item() > 0.9
    found = []
    for _ in range(450):
        for optimizer in optimizers:
            optimizer.zero_grad()
        constraint(gates.expected_density() - 0.1).backward()
        for optimizer in optimizers:
            optimizer.step()
        found.append(gates.expected_density().item())
    assert np.mean(found[-150:]) == pytest.approx(0.1, abs=0.03)
    assert min(found) > 0.01  # the way down doesn't overshoot to next to nothing


def test_the_penalties_of_density_and_of_activations() -> None:
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, 1)
    job = ElementwiseJob(base, {"depth": 1}, density=0.3, gate_lr=0.1, l1=5.0)
    # A new sub-task begins with the base's head.
    head = job.subtasks["depth"].head.state_dict()
    assert all(torch.equal(v, head[name]) for name, v in base.head.state_dict().items())
    torch.nn.init.constant_(job.constraints["depth"].linear, 2.0)
    losses = job(_batch(1))
    excess = job.gates["depth"].expected_density().item() - 0.3
    assert losses.keys() == {"depth", "depth_density"}
    assert losses["depth_density"].item() == pytest.approx(2 * excess, rel=1e-4)
    _, gates, multipliers = job.optimizers(0.0)
    assert multipliers.defaults["betas"] == (0.0, 0.9) and gates.defaults["eps"] == 1e-15
    random_difference(job.subtasks["depth"], 1.0, 0.1)
    job.freeze()
    found = {}
    for job.l1 in (0.0, 1.0, 2.0):
        found[job.l1] = job(_batch(1)).get("depth_l1")
    assert found[0.0] is None and found[2.0].item() == pytest.approx(2 * found[1.0].item())


def test_a_trained_stage_is_scored_with_its_differences_and_read_ready_to_run(
    tmp_path: Path,
) -> None:
    base = {"kind": "single_task", "name": "base", "task": "normals", "phases": [PHASE]}
    stage = {"kind": "elementwise", "name": "elements", "base": "base", "tasks": ["depth"]}
    later = {**stage, "name": "later", "start": "elements", "density": 0.5, "phases": [PHASE]}
    context = untrained(tmp_path, base, {**stage, "density": 0.5, "phases": [PHASE]}, later)
    write_network(tmp_path, "base", "normals", 0)
    write_elementwise(tmp_path, "elements", "base")
    result = train_elementwise(context, context.config.stages[2])  # type: ignore[arg-type]
    stored, _ = load_elementwise(tmp_path, "elements")
    assert not stored["depth"].training
    assert torch.equal(result.module["depth"].delta, stored["depth"].delta)
    scored, subtask = context.scored["depth"]
    base_weights = dict(load_network(tmp_path, "base")[0].transformer.named_parameters())
    changed = [
        name
        for name, weight in scored.transformer.named_parameters()
        if not torch.equal(weight, base_weights[name])
    ]
    assert subtask is None and changed and scored.head.project.out_channels == 1

"""The paper's element-wise scheme, as a reference: weights, gates and training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtshare_ros.network.reference.elementwise_units import (
    ElementGates,
    ElementwiseSubTask,
    Recorder,
    TappedTransformer,
    activation_difference,
    freeze,
)
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.study.elementwise.linear_times import (
    random_difference,
)
from mtshare_ros.training.jobs.elementwise import ElementwiseJob
from support.elementwise_pairs import make_images, pair
from support.samples import SMALL


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


def test_a_sub_task_starts_as_the_base_and_differs_only_inside_its_mask() -> None:
    base, subtask = pair(SMALL)
    fresh = ElementwiseSubTask(SMALL, 3).eval()
    fresh.head.start_from(base.head)
    with torch.no_grad():
        assert torch.allclose(fresh.merged(base)(make_images(1)), base(make_images(1)), atol=1e-6)
    merged = dict(subtask.merged(base).transformer.named_parameters())
    masks = subtask.mask.split(subtask.sizes)
    deltas = subtask.delta.split(subtask.sizes)
    for (name, weight), mask, delta in zip(
        base.transformer.named_parameters(), masks, deltas, strict=True
    ):
        expected = weight + torch.where(mask, delta, 0).view_as(weight)
        assert torch.equal(merged[name], expected), name
        assert mask.any(), name  # every tensor takes part: biases and LayerNorms, too


def test_features_with_swapped_weights_are_those_of_the_merged_network() -> None:
    base, subtask = pair(SMALL)
    with torch.no_grad():
        tokens, _ = base.stem(make_images(2))
        expected, _ = subtask.merged(base).transformer(tokens)
        found = subtask.features(base.transformer, tokens)
    assert torch.allclose(found, expected, atol=1e-5)


def test_gates_are_random_in_training_and_deterministic_in_evaluation() -> None:
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.logits.zero_()
        gates.logits[:2] = torch.tensor([20.0, -20.0])
    gates.train()
    assert not torch.equal(gates()[0], gates()[0])
    gates.eval()
    assert all(torch.equal(a, b) for a, b in zip(gates(), gates(), strict=True))
    assert gates()[0][:2].tolist() == [1.0, 0.0]
    with torch.no_grad():
        gates.tensor_logits[0] = -20.0
    assert not gates()[0].any()  # a shut tensor gate shuts all its elements


def test_sampled_gates_are_open_as_often_as_expected() -> None:
    gates = ElementGates(SMALL).train()
    with torch.no_grad():
        gates.logits.normal_(-1.0, 2.0)
        gates.tensor_logits.fill_(20.0)
    sampled = torch.cat(gates()).count_nonzero() / gates.logits.numel()
    assert float(sampled) == pytest.approx(gates.expected_density().item(), abs=0.005)


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


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3])
def test_freezing_keeps_the_largest_gates_within_the_density(density: float) -> None:
    _, subtask = pair(SMALL, density=1.0)
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.logits.normal_(-2.0, 1.0)
        gates.logits[7000:7010] = 9.0
    before = subtask.delta.detach().clone()
    freeze(subtask, gates, density)
    assert density - 1e-4 < subtask.density <= density
    assert subtask.mask[7000:7010].all() == (density > 0)
    factor = torch.cat(gates.eval()())
    assert torch.equal(subtask.delta, before * factor * subtask.mask)


# Training


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


def test_the_penalty_is_the_mean_over_every_element_of_the_papers_points() -> None:
    base, subtask = pair(SMALL)
    own, theirs = Recorder(), Recorder()
    with torch.no_grad():
        tokens, _ = base.stem(make_images(2))
        subtask.features(base.transformer, tokens, tap=own)
        TappedTransformer(base.transformer)(tokens, theirs)
    flat = [
        (mine[point] - base_block[point]).abs().flatten()
        for mine, base_block in zip(own.values, theirs.values, strict=True)
        for point in ("norm1", "qkv", "proj", "fc1", "act", "fc2")
    ]
    found = activation_difference(own.values, theirs.values)
    assert float(found) == pytest.approx(float(torch.cat(flat).mean()), rel=1e-4)


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

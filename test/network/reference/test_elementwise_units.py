"""The paper's element-wise scheme: weights and gates."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.network.reference.elementwise_units import (
    ElementGates,
    ElementwiseSubTask,
    Recorder,
    TappedTransformer,
    activation_difference,
    freeze,
)
from support.elementwise_pairs import make_images, pair
from support.samples import SMALL


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


def test_the_expected_density_leads_the_gates_of_elements_only() -> None:
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.logits.zero_()
        gates.tensor_logits.zero_()
    density = gates.expected_density()
    # Half of the elements are open in half of the tensors.
    assert density.item() == pytest.approx(0.25)
    density.backward()
    assert gates.tensor_logits.grad is None and gates.logits.grad is not None
    # Of sigmoid at 0 the slope is 1/4, and a tensor's gate is open with 1/2.
    count = gates.logits.numel()
    assert torch.allclose(gates.logits.grad, torch.full((count,), 0.125 / count))


def test_as_many_gates_stay_as_wholly_fit_and_training_goes_on() -> None:
    gates = ElementGates(SMALL).train()
    count = gates.logits.numel()
    assert int(gates.keep(10.5 / count).sum()) == 10
    assert gates.training
    _, subtask = pair(SMALL)
    freeze(subtask, gates, 0.1)
    assert gates.training


@pytest.mark.parametrize(("most", "few"), [(-9.0, -8.0), (4.0, 9.0)])
def test_gates_at_one_end_are_told_apart_by_their_probability(most: float, few: float) -> None:
    gates = ElementGates(SMALL)
    with torch.no_grad():
        gates.tensor_logits.fill_(20.0)
        gates.logits.fill_(most)
        gates.logits[123:133] = few
    mask = gates.keep(10.5 / gates.logits.numel())
    assert mask[123:133].all() and int(mask.sum()) == 10

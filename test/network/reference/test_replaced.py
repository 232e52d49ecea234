"""Private units in the place of the base's."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.gates import UnitGates, prune
from mtshare_ros.network.reference.replaced import ReplacedSubTask, branches_and_units
from mtshare_ros.network.single_task import SingleTaskNetwork
from support.networks import SHARES, networks
from support.samples import SMALL

IMAGES = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def base() -> SingleTaskNetwork:
    return networks()[0]


@torch.no_grad()
def test_the_base_s_pass_gives_its_branches_and_its_units(base: SingleTaskNetwork) -> None:
    tokens, _ = base.stem(IMAGES)
    read = branches_and_units(base.transformer, tokens)
    _, branches = base.transformer(tokens)
    for (attention, mlp), (heads, hidden), pair, block in zip(
        read, read.units, branches, base.transformer.blocks, strict=True
    ):
        assert torch.allclose(attention, pair[0], atol=1e-5)
        assert torch.allclose(mlp, pair[1], atol=1e-5)
        assert torch.equal(block.proj(heads), attention) and torch.equal(block.fc2(hidden), mlp)


@torch.no_grad()
def test_a_sub_task_starts_as_the_base(base: SingleTaskNetwork) -> None:
    subtask = ReplacedSubTask(SMALL, SHARES, 3).eval()
    subtask.start_from(base.transformer, base.head)
    assert torch.allclose(subtask.on_images(base, IMAGES), base(IMAGES), atol=1e-4)


@torch.no_grad()
def test_with_all_units_replaced_nothing_of_the_base_is_left(base: SingleTaskNetwork) -> None:
    full = [LayerShare(SMALL.heads, SMALL.hidden)] * SMALL.depth
    subtask = ReplacedSubTask(SMALL, full, 3).eval()
    subtask.start_from(base.transformer)
    for block in subtask.blocks:
        for layer in (block.proj, block.fc2):
            layer.weight.zero_()
    tokens, _ = base.stem(IMAGES)
    features = subtask.features(tokens, subtask.base_branches(base.transformer, tokens))
    # What the biases of the base's write products add is not a unit's.
    biases = sum(b.proj.bias + b.fc2.bias for b in base.transformer.blocks)
    assert torch.allclose(features, tokens + biases, atol=1e-3)


@torch.no_grad()
def test_pruned_units_do_what_the_gated_ones_did(base: SingleTaskNetwork) -> None:
    shares = [LayerShare(2, 64)] * SMALL.depth
    subtask, gates = ReplacedSubTask(SMALL, shares, 1).eval(), UnitGates(SMALL, shares, 32).eval()
    subtask.start_from(base.transformer)
    for parameter in subtask.blocks.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    # Another unit of each kind is shut in every other block, and one is half open.
    for layer in range(SMALL.depth):
        flipped = layer % 2 == 0
        gates.head_logits[layer].copy_(torch.tensor([-9.0, 0.3] if flipped else [0.3, -9.0]))
        gates.group_logits[layer].copy_(torch.tensor([-9.0, 0.1] if flipped else [4.0, -9.0]))
    tokens, _ = base.stem(IMAGES)
    branches = subtask.base_branches(base.transformer, tokens)
    expected = subtask.features(tokens, branches, gates())
    pruned = prune(subtask, gates, 0.34)
    assert pruned.shares == [LayerShare(1, 32)] * SMALL.depth
    found = pruned.features(tokens, branches)
    assert torch.allclose(found, expected, atol=1e-4)

"""Private units of sub-tasks."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share, unit_costs
from support.samples import SMALL

SHARES = [LayerShare(2, 64)] * SMALL.depth
FULL = [LayerShare(SMALL.heads, SMALL.hidden)] * SMALL.depth


@pytest.fixture
def base() -> SingleTaskNetwork:
    torch.manual_seed(0)
    return SingleTaskNetwork(SMALL, 3).eval()


def _randomise(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def _frame(base: SingleTaskNetwork):  # type: ignore[no-untyped-def]
    with torch.no_grad():
        tokens, fine = base.stem(torch.randn(2, 3, 96, 128))
        features, branches = base.transformer(tokens)
    return tokens, fine, features, branches


def test_a_sub_task_starts_as_the_base(base: SingleTaskNetwork) -> None:
    subtask = SubTask(SMALL, SHARES, 3).eval()
    subtask.start_from(base.transformer, base.head)
    tokens, fine, features, branches = _frame(base)
    assert torch.allclose(subtask.features(tokens, branches), features, atol=1e-5)
    assert torch.allclose(subtask(tokens, fine, branches), base.head(features, fine), atol=1e-5)


def test_private_units_compute_the_delta_of_the_paper(base: SingleTaskNetwork) -> None:
    """x_s <- x_s + Y_b + sum_u f_u(LN(x_s)) W_u, unit by unit, written out by hand."""
    subtask = SubTask(SMALL, SHARES, 1).eval()
    _randomise(subtask)
    tokens, _, _, branches = _frame(base)
    dh = SMALL.head_dim
    x = tokens
    with torch.no_grad():
        for block, (attention, mlp) in zip(subtask.blocks, branches, strict=True):
            read = block.norm1(x)
            delta = torch.zeros_like(x) + block.proj.bias
            for head in range(2):
                rows = slice(head * dh, (head + 1) * dh)
                q, k, v = (
                    read @ block.qkv.weight[p * 2 * dh :][rows].T
                    + block.qkv.bias[p * 2 * dh :][rows]
                    for p in range(3)
                )
                weights = torch.softmax(q @ k.transpose(1, 2) / dh**0.5, dim=-1)
                delta = delta + (weights @ v) @ block.proj.weight[:, rows].T
            x = x + attention + delta
            read = block.norm2(x)
            delta = torch.zeros_like(x) + block.fc2.bias
            for neuron in range(64):
                activation = torch.nn.functional.gelu(
                    read @ block.fc1.weight[neuron] + block.fc1.bias[neuron]
                )
                delta = delta + activation[..., None] * block.fc2.weight[:, neuron]
            x = x + mlp + delta
        assert torch.allclose(subtask.features(tokens, branches), x, atol=1e-4)


def test_the_private_share_counts_multiply_adds() -> None:
    head, neuron = unit_costs(SMALL)
    d, dh, n = SMALL.width, SMALL.head_dim, SMALL.tokens
    assert head == 4 * d * dh + 2 * n * dh and neuron == 2 * d
    assert private_share(SMALL, FULL) == pytest.approx(1.0)
    none = [LayerShare(0, 0)] * SMALL.depth
    assert private_share(SMALL, none) == 0.0


def test_the_map_of_images_is_that_on_the_base_s_branches(base: SingleTaskNetwork) -> None:
    subtask = SubTask(SMALL, SHARES, 1).eval()
    _randomise(subtask)
    images = torch.randn(2, 3, 96, 128)
    with torch.no_grad():
        tokens, fine = base.stem(images)
        expected = subtask(tokens, fine, base.transformer(tokens)[1])
        assert torch.equal(subtask.on_images(base, images), expected)


def test_only_the_layer_norms_freeze() -> None:
    subtask = SubTask(SMALL, [LayerShare(1, 0), LayerShare(0, 32), LayerShare(0, 0)], 1)
    for block in subtask.blocks:
        block.freeze_norms()
    frozen = {name for name, p in subtask.named_parameters() if not p.requires_grad}
    assert frozen == {f"blocks.{n}.norm{n + 1}.{p}" for n in (0, 1) for p in ("weight", "bias")}


@pytest.mark.parametrize("share", [LayerShare(2, 40), LayerShare(3, 96), LayerShare(1, 0)])
def test_what_private_units_read_starts_as_the_base_s_first_heads_and_neurons(
    base: SingleTaskNetwork, share: LayerShare
) -> None:
    _randomise(base)
    subtask = SubTask(SMALL, [share] * SMALL.depth, 3)
    _randomise(subtask)
    subtask.start_from(base.transformer)
    x = torch.randn(1, 5, SMALL.width)
    inner = share.heads * SMALL.head_dim
    with torch.no_grad():
        for private, block in zip(subtask.blocks, base.transformer.blocks, strict=True):
            own, its = private.queries_keys_values(x), block.queries_keys_values(x)
            for mine, theirs in zip(own, its, strict=True):
                assert torch.allclose(mine, theirs[..., :inner], atol=1e-6)
            if share.neurons:
                hidden = block.fc1(block.norm2(x))[..., : share.neurons]
                assert torch.allclose(private.fc1(private.norm2(x)), hidden, atol=1e-6)


def test_units_that_stay_are_those_that_were_chosen_with_their_factors() -> None:
    torch.manual_seed(0)
    subtask = SubTask(SMALL, [LayerShare(3, 6)] * SMALL.depth, 1).eval()
    _randomise(subtask)
    heads, neurons = torch.tensor([0, 2]), torch.tensor([1, 4, 5])
    head_gate, neuron_gate = torch.tensor([0.5, 0.0, 2.0]), torch.zeros(6)
    neuron_gate[neurons] = torch.tensor([1.0, 3.0, 0.25])
    units = (heads, neurons)
    kept = subtask.keep([units] * SMALL.depth, [(head_gate, neuron_gate)] * SMALL.depth).eval()
    assert kept.shares == [LayerShare(2, 3)] * SMALL.depth
    tokens = torch.randn(1, 7, SMALL.width)
    branches = [(torch.randn(1, 7, 48), torch.randn(1, 7, 48)) for _ in range(SMALL.depth)]
    with torch.no_grad():
        expected = subtask.features(tokens, branches, [(head_gate, neuron_gate)] * SMALL.depth)
        assert torch.allclose(kept.features(tokens, branches), expected, atol=1e-5)
    assert torch.equal(kept.head.project.weight, subtask.head.project.weight)


def test_the_private_share_of_uneven_layers_is_the_sum_of_their_units() -> None:
    shares = [LayerShare(1, 0), LayerShare(0, 32), LayerShare(3, 96)]
    head, neuron = unit_costs(SMALL)
    dense = SMALL.depth * (SMALL.heads * head + SMALL.hidden * neuron)
    assert private_share(SMALL, shares) == pytest.approx((4 * head + 128 * neuron) / dense)


def test_what_private_units_write_is_handed_out_branch_by_branch(base: SingleTaskNetwork) -> None:
    subtask = SubTask(SMALL, [LayerShare(1, 0), LayerShare(0, 32), LayerShare(2, 64)], 1)
    _randomise(subtask)
    tokens, _, features, branches = _frame(base)
    written: list[torch.Tensor] = []
    with torch.no_grad():
        found = subtask.features(tokens, branches, written=written)
    assert len(written) == 6
    assert [bool(w.any()) for w in written] == [True, False, False, True, True, True]
    assert torch.allclose(found, features + sum(written), atol=1e-4)

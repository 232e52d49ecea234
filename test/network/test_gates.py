"""Gates that learn which private units a sub-task needs."""

from __future__ import annotations

import pytest
import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.gates import ShareConstraint, UnitGates, prune
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share, unit_costs
from support.samples import SMALL

SHARES = [LayerShare(2, 64)] * SMALL.depth


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


def test_pruned_units_do_what_the_gated_ones_did(base: SingleTaskNetwork) -> None:
    subtask, gates = SubTask(SMALL, SHARES, 1).eval(), UnitGates(SMALL, SHARES, 32).eval()
    _randomise(subtask)
    with torch.no_grad():  # open, half open and shut gates; no layer loses all its units
        for layer in range(SMALL.depth):
            gates.head_logits[layer].copy_(torch.tensor([0.3, -9.0]))
            gates.group_logits[layer].copy_(torch.tensor([-9.0, 4.0]))
    tokens, _, _, branches = _frame(base)
    with torch.no_grad():
        expected = subtask.features(tokens, branches, gates())
        kept = private_share(SMALL, [LayerShare(1, 32)] * SMALL.depth)
        pruned = prune(subtask, gates, kept + 1e-6).eval()
        found = pruned.features(tokens, branches)
    assert pruned.shares == [LayerShare(1, 32)] * SMALL.depth
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("rho", [0.05, 0.2, 0.35])
def test_pruning_never_exceeds_the_target_and_keeps_the_wanted(rho: float) -> None:
    torch.manual_seed(1)
    subtask, gates = SubTask(SMALL, SHARES, 1), UnitGates(SMALL, SHARES, 32)
    with torch.no_grad():
        for logits in (*gates.head_logits, *gates.group_logits):
            logits.normal_()
        gates.group_logits[1][0] = 50.0
    pruned = prune(subtask, gates, rho)
    share = private_share(SMALL, pruned.shares)
    smallest = min(unit_costs(SMALL)[0], unit_costs(SMALL)[1] * 32)
    dense = SMALL.depth * (
        SMALL.heads * unit_costs(SMALL)[0] + SMALL.hidden * unit_costs(SMALL)[1]
    )
    assert rho - smallest / dense <= share <= rho
    assert pruned.shares[1].neurons >= 32


def test_gates_are_random_in_training_and_deterministic_in_evaluation() -> None:
    gates = UnitGates(SMALL, SHARES, 32)
    with torch.no_grad():
        gates.head_logits[0].zero_()
    gates.train()
    assert not torch.equal(gates()[0][0], gates()[0][0])
    gates.eval()
    assert torch.equal(gates()[0][0], gates()[0][0])
    with torch.no_grad():
        gates.head_logits[0].copy_(torch.tensor([20.0, -20.0]))
    assert gates()[0][0].tolist() == [1.0, 0.0]  # really open and really shut


def test_the_constraint_leads_the_expected_share_to_its_target() -> None:
    torch.manual_seed(0)
    gates, constraint = UnitGates(SMALL, SHARES, 32), ShareConstraint()
    down = torch.optim.Adam(gates.parameters(), lr=0.05)
    up = torch.optim.Adam(constraint.parameters(), lr=0.05, maximize=True)
    target = 0.25
    assert gates.expected_share().item() > 0.4
    for _ in range(600):
        for optimizer in (down, up):
            optimizer.zero_grad()
        constraint(gates.expected_share() - target).backward()
        down.step()
        up.step()
    assert gates.expected_share().item() == pytest.approx(target, abs=0.03)


def test_a_group_that_does_not_divide_the_neurons_is_refused() -> None:
    with pytest.raises(ValueError, match="64 neurons.*group 48"):
        UnitGates(SMALL, SHARES, 48)


def test_the_penalty_is_that_of_the_lagrangian() -> None:
    constraint = ShareConstraint()
    with torch.no_grad():
        constraint.linear.fill_(2.0)
        constraint.square.fill_(5.0)
    for excess in (0.1, -0.1):
        penalty = constraint(torch.tensor(excess))
        assert penalty.item() == pytest.approx(2 * excess + 5 * excess**2)
    constraint(torch.tensor(0.1)).backward()
    assert constraint.linear.grad is not None
    assert constraint.linear.grad.item() == pytest.approx(0.1)


def test_the_expected_share_is_that_of_the_units_that_are_drawn_open() -> None:
    torch.manual_seed(0)
    shares = [LayerShare(1, 96), LayerShare(3, 32), LayerShare(0, 0)]
    gates = UnitGates(SMALL, shares, 32).train()
    with torch.no_grad():
        for logits in (*gates.head_logits, *gates.group_logits):
            logits.normal_()
    head, neuron = unit_costs(SMALL)
    dense = SMALL.depth * (SMALL.heads * head + SMALL.hidden * neuron)
    spent = 0.0
    for _ in range(500):
        for heads, neurons in gates():
            spent += head * int((heads > 0).sum()) + neuron * int((neurons > 0).sum())
    assert gates.expected_share().item() == pytest.approx(spent / 500 / dense, rel=0.04)


def test_units_stay_in_the_order_of_their_gates_until_the_share_is_full() -> None:
    gates = UnitGates(SMALL, [LayerShare(3, 96)] * SMALL.depth, 32)
    with torch.no_grad():
        for layer, (heads, groups) in enumerate(
            zip(gates.head_logits, gates.group_logits, strict=True)
        ):
            heads.copy_(torch.tensor([-1.0, 5.0, -2.0]) - layer)
            groups.copy_(torch.tensor([-3.0, -4.0, 6.0]) - layer)
    head, neuron = unit_costs(SMALL)
    dense = SMALL.depth * (SMALL.heads * head + SMALL.hidden * neuron)
    room = (2 * head + 2 * 32 * neuron) / dense + 1e-9  # layers 0 and 1, one of each
    kept = [(heads.tolist(), groups.tolist()) for heads, groups in gates.keep(room)]
    assert kept[:2] == [([1], [2]), ([1], [2])] and kept[2] == ([], [])
    everything = [(h.tolist(), g.tolist()) for h, g in gates.keep(1.0)]
    assert everything == [([0, 1, 2], [0, 1, 2])] * 3
    assert [(len(h), len(g)) for h, g in gates.keep(0.0)] == [(0, 0)] * 3


def test_neurons_of_a_group_share_a_gate() -> None:
    gates = UnitGates(SMALL, [LayerShare(2, 6)], 3).eval()
    with torch.no_grad():
        gates.group_logits[0].copy_(torch.tensor([9.0, -9.0]))
    ((heads, neurons),) = gates()
    assert neurons.tolist() == [1, 1, 1, 0, 0, 0] and heads.shape == (2,)
    gates.train()
    ((_, drawn),) = gates()
    assert drawn[:3].unique().numel() == drawn[3:].unique().numel() == 1

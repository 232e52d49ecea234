"""Frozen networks: nothing of them changes while something is trained on them."""

from __future__ import annotations

import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.training.jobs.frozen import FrozenBase, Teacher
from support.samples import SMALL


def test_a_frozen_network_has_no_gradients_and_keeps_its_statistics() -> None:
    teacher = Teacher(SingleTaskNetwork(SMALL, 3)).train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    raw = teacher(torch.randn(2, 3, *SMALL.size[::-1]))
    assert not raw.requires_grad and not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_frozen_base_hands_out_what_its_sub_tasks_read() -> None:
    torch.manual_seed(0)
    network = SingleTaskNetwork(SMALL, 3)
    subtask = SubTask(SMALL, [LayerShare(1, 32)] * SMALL.depth, 1)
    image = torch.randn(2, 3, *SMALL.size[::-1])
    tokens, fine, branches = FrozenBase(network)(image, subtask)
    expected, _ = network.stem(image)
    assert torch.equal(tokens, expected) and torch.equal(fine, network.stem(image)[1])
    branch = FrozenBase(network)(image.requires_grad_(), subtask)[2][0][0]
    assert not branch.requires_grad
    features = tokens + sum(attention + mlp for attention, mlp in branches)
    assert torch.allclose(features, network.transformer(expected)[0], atol=1e-5)

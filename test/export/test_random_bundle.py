"""Bundles with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.random_bundle import DESCRIPTION, random_networks
from support.samples import SMALL

SHARES = [[LayerShare(1, 32)] * SMALL.depth]


def test_networks_are_the_same_each_time_and_leave_the_seed_alone() -> None:
    torch.manual_seed(3)
    first = random_networks(SMALL, ["normals", "depth"], SHARES)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)
    again = random_networks(SMALL, ["normals", "depth"], SHARES)
    for a, b in zip((first[0], *first[1].values()), (again[0], *again[1].values()), strict=True):
        for x, y in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(x, y)


def test_private_units_write_something() -> None:
    _, subtasks = random_networks(SMALL, ["normals", "depth"], SHARES)
    (subtask,) = subtasks.values()
    assert all(block.proj.weight.any() and block.fc2.weight.any() for block in subtask.blocks)


def test_a_bundle_says_that_its_weights_are_random(bundle_path: Path) -> None:
    assert load_manifest(bundle_path).description == DESCRIPTION

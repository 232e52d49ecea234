"""The work that ideal times are made from is the networks' own multiply-adds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mtshare_ros.bench.multiply_adds import Work, count_work
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from support.samples import SMALL

NAMES = ("normals", "depth", "segmentation")


@pytest.fixture(scope="module")
def work(bundle_path: Path) -> Work:
    return count_work(load_manifest(bundle_path))


def test_the_parts_are_counted_as_by_hand(work: Work) -> None:
    tokens, width, hidden = SMALL.tokens, SMALL.width, SMALL.hidden
    block = 4 * width**2 + 2 * tokens * width + 2 * width * hidden
    assert work.transformer == SMALL.depth * tokens * block
    assert set(work.cells.values()) == {tokens * width * 16 * SMALL.head_width}
    cells, inner = 16 * tokens, SMALL.head_width
    mix = 2 * (9 * inner + 4 * inner**2) + SMALL.fine_width * inner
    assert work.mixing["depth"] == cells * (mix + inner)
    assert work.mixing["normals"] - work.mixing["depth"] == cells * 2 * inner


@torch.no_grad()
def test_a_whole_dense_network_is_the_sum_of_its_parts(work: Work) -> None:
    network = SingleTaskNetwork(SMALL, 3).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *SMALL.size[::-1]))
    assert work.separate(["normals"]) == counter.get_total_flops() / 2
    assert work.shared(["normals"]) == work.stream(["normals"], 1.0) == work.separate(["normals"])


@torch.no_grad()
def test_a_sub_task_adds_its_private_units_and_its_head(work: Work) -> None:
    subtask = SubTask(SMALL, [LayerShare(1, 32)] * SMALL.depth, 1).eval()
    tokens = torch.zeros(1, SMALL.tokens, SMALL.width)
    with FlopCounterMode(display=False) as counter:
        for block in subtask.blocks:
            block.attention(tokens)
            block.mlp(tokens)
    head = work.cells["depth"] + work.mixing["depth"]
    added = work.stream(["normals", "depth"], 1.0) - work.stream(["normals"], 1.0)
    assert added == pytest.approx(counter.get_total_flops() / 2 + head)


def test_a_share_of_the_tokens_saves_all_but_the_dense_parts(work: Work) -> None:
    dense = work.stem + sum(work.mixing.values())
    full, half = work.stream(NAMES, 1.0), work.stream(NAMES, 0.5)
    assert half - dense == pytest.approx((full - dense) / 2)
    prefixed = Work(work.stem, work.transformer, work.cells, work.mixing, work.rho, prefix=0.1)
    assert prefixed.stream(NAMES, 0.0) - dense == pytest.approx((full - dense) / 10)
    assert prefixed.stream(NAMES, 1.0) == pytest.approx(full)


def test_the_work_of_each_way_by_hand() -> None:
    work = Work(10, 100, {"a": 4, "b": 4}, {"a": 1, "b": 3}, {"b": 0.5}, prefix=0.2)
    both = ("a", "b")
    assert work.separate(both) == 2 * 110 + 8 + 4 and work.shared(both) == 110 + 8 + 4
    # Half of the tokens besides the prefix: 0.2 + 0.5 * 0.8 of all rows.
    assert work.stream(both, 0.5) == pytest.approx(10 + 0.6 * 150 + 0.6 * 8 + 4)

"""Real times of the element-wise scheme's linears."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtshare_ros.network.reference.elementwise_units import LINEARS, dense_values
from mtshare_ros.study.elementwise import linear_times
from mtshare_ros.study.elementwise.linear_times import (
    LinearProduct,
    LinearWeights,
    measure_elementwise,
)
from support.elementwise_pairs import TINY, make_images, pair


def test_sparse_products_are_the_difference_of_the_dense_ones() -> None:
    torch.manual_seed(0)
    base, changed = torch.randn(12, 8), torch.randn(12, 8) * (torch.rand(12, 8) < 0.2)
    x_base, moved = torch.randn(5, 8), torch.randn(5, 8) * (torch.rand(5, 8) < 0.3)
    product = LinearProduct(LinearWeights(base + changed, changed), x_base, x_base + moved)
    expected = (x_base + moved) @ (base + changed).T - x_base @ base.T
    assert torch.allclose(product.by_torch(), expected, atol=1e-5)
    assert np.allclose(product.by_scipy(), expected.numpy(), atol=1e-5)


def test_dense_and_sparse_products_are_timed() -> None:
    base, subtask = pair(TINY, density=0.5)
    result = measure_elementwise(base, subtask, make_images(2, TINY), 0.1, threads=1, rounds=3)
    assert set(result["milliseconds"]) == {
        "dense network",
        "dense linears",
        "csr scipy",
        "csr torch",
        "to csr",
    }
    assert all(value > 0 for value in result["milliseconds"].values())
    assert result["csr"] in ("scipy", "torch")


def test_the_faster_library_is_held_against_the_dense_linears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Dense network, dense linears, scipy, torch, and the change of form.
    seconds = [[0.010] * 3, [0.004, 0.004, 0.1], [0.008] * 3, [0.006] * 3, [0.002] * 3]
    monkeypatch.setattr(linear_times, "take_turns", lambda cases, rounds: (seconds, None))
    monkeypatch.setattr(linear_times, "_dense_graphs", lambda *_: (None, None))
    base, subtask = pair(TINY, density=0.5)
    threads = torch.get_num_threads()
    found = measure_elementwise(base, subtask, make_images(2, TINY), 0.1, threads=threads + 1)
    assert torch.get_num_threads() == threads
    assert (found["csr_over_dense"], found["csr"]) == (1.5, "torch")
    assert found["milliseconds"] == {
        "dense network": 10.0,
        "dense linears": 4.0,
        "csr scipy": 8.0,
        "csr torch": 6.0,
        "to csr": 2.0,
    }


@torch.no_grad()
def test_the_products_are_of_what_each_linear_really_reads() -> None:
    base, subtask = pair(TINY, density=0.5)
    merged = subtask.merged(base)
    tokens, _ = base.stem(make_images(1, TINY))
    theirs = dense_values(base.transformer, tokens)
    ours = dense_values(merged.transformer, tokens)
    (found,) = linear_times._operands(base, subtask, merged, theirs, ours)
    assert len(found) == len(LINEARS) * TINY.depth
    for name, product in found.items():
        linear = name[:-3]
        read = LINEARS[linear]
        assert np.array_equal(product.own, ours[0][read][0].numpy())
        changed = getattr(merged.transformer.blocks[0], linear).weight
        original = getattr(base.transformer.blocks[0], linear).weight
        expected = ours[0][read][0] @ changed.T - theirs[0][read][0] @ original.T
        assert np.allclose(product.by_scipy(), expected.numpy(), atol=1e-4)

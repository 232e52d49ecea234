"""Real times of the element-wise scheme's linears."""

from __future__ import annotations

import numpy as np
import torch

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

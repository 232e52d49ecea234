"""The rivals without a batch dimension compute what the networks compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mtshare_ros.bench import rival_graphs
from mtshare_ros.bench.rival_graphs import DenseGraph, SharedGraph
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from support.samples import SMALL


@torch.no_grad()
def test_the_dense_rivals_compute_the_networks() -> None:
    torch.manual_seed(0)
    network = SingleTaskNetwork(SMALL, 3).eval()
    image = torch.randn(1, 3, 96, 128)
    assert torch.allclose(DenseGraph(network)(image), network(image), atol=1e-5)
    shared = SharedEncoder(SMALL, {"normals": 3, "depth": 1}).eval()
    expected = shared(image)
    for raw, task in zip(SharedGraph(shared)(image), expected, strict=True):
        assert torch.allclose(raw, expected[task], atol=1e-5)


def test_a_raw_map_has_a_quarter_of_the_images_height_and_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    monkeypatch.setattr(rival_graphs, "write_onnx", lambda *values: written.append(values))
    graph = DenseGraph(SingleTaskNetwork(SMALL, 3))
    rival_graphs.write_rival(graph, SMALL, {"raw": 3}, tmp_path / "x.onnx")
    ((found, (image,), (raw,), path),) = written
    assert found is graph and path == tmp_path / "x.onnx"
    assert tuple(image.shape) == (1, 3, 96, 128) and tuple(raw.shape) == (1, 3, 24, 32)

"""The benchmark measures what it says it measures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from conftest import SMALL

from mtshare_ros.evaluation.bench import FRACTIONS, run_bench
from mtshare_ros.evaluation.rivals import DenseGraph
from mtshare_ros.network.single_task import SingleTaskNetwork


def test_the_benchmark_reports_every_case_at_the_share_it_names(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    output = tmp_path / "bench.json"
    result = run_bench(None, 48, (128, 96), output, depth=2, threads=1, rounds=4)
    assert json.loads(output.read_text()) == result
    separate, *ours = result["cases"]
    assert separate["name"] == "separate dense networks" and separate["ratio"] == 1.0
    for case, fraction in zip(ours, FRACTIONS, strict=True):
        assert case["name"] == f"dirty {fraction:g}"
        # One token more may be due by its age.
        assert 0 <= case["stages_p50"]["dirty_fraction"] - fraction <= 2 / 48
        ratio = separate["p50_ms"] / case["p50_ms"]
        assert case["ratio"] == pytest.approx(ratio, rel=0.02)
        assert case["p50_ms"] <= case["p95_ms"] <= case["p99_ms"]
    assert result["rho"]["depth"] == pytest.approx(1 / 6, abs=0.01)
    assert os.sched_getaffinity(0) == cores


@torch.no_grad()
def test_the_dense_rival_computes_the_single_task_network() -> None:
    torch.manual_seed(0)
    network = SingleTaskNetwork(SMALL, 3).eval()
    image = torch.randn(1, 3, 96, 128)
    assert torch.allclose(DenseGraph(network)(image), network(image), atol=1e-5)

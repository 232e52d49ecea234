"""`mtshare bench --engine`, on what stands in for TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.bench.engine_case import bench_engine
from mtshare_ros.bench.result import read_result
from support.standins.device import Device
from support.standins.installed import installed


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with installed() as device:
        yield device


def test_bench_of_an_engine_tells_stages_and_board(
    device: Device, bundle_path: Path, tmp_path: Path
) -> None:
    output = tmp_path / "board.json"
    result = bench_engine(
        bundle_path, "tensorrt", "fp32", output, lambda *_: None, rounds=3, threads=1
    )
    assert read_result(output) == result
    (setting,) = result["settings"]
    assert (setting["engine"], setting["precision"]) == ("tensorrt", "fp32")
    assert result["machine"]["gpu"] == device.name and result["machine"]["tensorrt"] == "10.3.0"
    assert {"board", "jetpack", "power_mode", "cuda_driver"} <= set(result["machine"])
    tokens = [48, 24, 12, 6, 3]
    for case, count in zip(result["cases"], tokens, strict=True):
        stages = case["stages_p50"]
        assert stages["dirty_fraction"] == pytest.approx(count / 48, abs=1e-3)
        assert {"stem", "base", "normals", "depth", "segmentation", "total"} <= set(stages)
    assert result["cases"][0]["ratio"] == 1.0

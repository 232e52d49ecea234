"""`mtshare bench --engine`, on torch and on what stands in for TensorRT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mtshare_ros.bench.engine_benchmark import bench_engine
from mtshare_ros.bench.result_reader import read_result
from support.standins.device import Device


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


def test_bench_of_the_torch_engine_has_the_dense_rival_first(
    bundle_path: Path, tmp_path: Path
) -> None:
    result = bench_engine(
        bundle_path, "torch", "fp16", tmp_path / "b.json", lambda *_: None, rounds=2, threads=1
    )
    assert result["cases"][0]["name"] == "separate dense networks"
    assert result["cases"][0]["kind"] == "separate"
    assert len(result["cases"]) == 6 and result["cases"][0]["ratio"] == 1.0


def test_an_engine_is_measured_without_torch_and_what_draws() -> None:
    absent = ("torch", "onnx", "matplotlib", "pydantic")
    modules = ("commands.bench", "bench.engine_benchmark", "bench.bench_tables")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
    code += "\n".join(f"import mtshare_ros.{name}" for name in modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

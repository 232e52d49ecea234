"""`mtshare bench --engine`, on torch and on what stands in for TensorRT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtshare_ros.bench import engine_benchmark, gpu_rivals
from mtshare_ros.bench.engine_benchmark import ENGINE_FRACTIONS, bench_engine
from mtshare_ros.bench.result_reader import read_result
from mtshare_ros.errors import OptionError
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


def test_shares_are_the_sizes_that_an_engine_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    spec = SimpleNamespace(prefix=1, tokens=48)
    manifest = SimpleNamespace(input=spec, tasks=["a", "b"], name="m", network={}, private={})
    engine = SimpleNamespace(name="torch", manifest=manifest, sizes=[13, 25, 49], precision="fp32")
    rows = [{"name": "", "p50_ms": ms} for ms in (90.0, 60.0, 30.0, 20.0)]
    for name, value in (
        ("open_engine", lambda *_: engine),
        ("SceneCamera", lambda engine, most: made.append(most) or most),
        ("StreamCase", lambda camera, part: (camera, part)),
        ("DenseCase", lambda name, networks, spec: name),
        ("take_turns", lambda cases, rounds, on_round: made.append(cases)),
        ("summary", lambda *_: rows),
        ("describe", lambda *_: {}),
        ("write_result", lambda *_: None),
    ):
        monkeypatch.setattr(engine_benchmark, name, value)
    monkeypatch.setattr(gpu_rivals, "RecordedNetworks", lambda *_: None)
    found = bench_engine(Path("b"), "torch", "fp32", tmp_path / "x.json")["cases"]
    assert made[:3] == [1.0, 0.5, 0.25]
    assert made[3] == ["separate dense networks", (1.0, 1.0), (0.5, 0.5), (0.25, 0.25)]
    assert [(row["kind"], row["tasks"], row["fraction"], row["ratio"]) for row in found] == [
        ("separate", 2, 1.0, 1.0),
        ("stream", 2, 1.0, 1.5),
        ("stream", 2, 0.5, 3.0),
        ("stream", 2, 0.25, 4.5),
    ]


def test_an_engine_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--engine 'cuda': expected one of"):
        bench_engine(tmp_path, "cuda", "fp32", tmp_path / "x.json")
    assert ENGINE_FRACTIONS == (1.0, 0.5, 0.25, 0.125, 0.0625)

"""`mtshare build`, `bench --engine` and the node, on what stands in for TensorRT."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.bench.engine_case import bench_engine
from mtshare_ros.bench.result import read_result
from mtshare_ros.cli import run
from support.standins.device import Device
from support.standins.installed import installed


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    with installed() as device:
        yield device


def test_build_reports_sizes_and_times_and_finds_engines_again(
    device: Device, bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(bundle_path)]) == 0
    first = capsys.readouterr().out
    assert "in fp16: self-test differs by" in first and "segmentation" in first
    assert len(list((tmp_path / "cache/mtshare_ros/engines").glob("*-fp16-*.engine"))) == 5
    assert run(["build", str(bundle_path), "--precision", "fp16"]) == 0
    assert capsys.readouterr().out.count("found") == 5


def test_build_says_in_one_line_what_is_wrong(
    device: Device, bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(tmp_path)]) == 2
    device.count = 0
    assert run(["build", str(bundle_path)]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert "not a bundle" in errors[0] and "no CUDA-capable device" in errors[1]
    assert len(errors) == 2


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


def test_bench_of_an_engine_needs_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "--engine", "tensorrt", "--output", str(tmp_path / "x.json")]
    assert run(arguments) == 2 and "--engine needs a bundle" in capsys.readouterr().err


def test_opening_tells_how_far_it_is_and_ends_when_nobody_waits(
    device: Device, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtshare_ros.ros.opener import Opener
    from support.standins import fake_builder

    reached, go_on = threading.Event(), threading.Event()
    work = fake_builder._pretend_to_work

    def slowly(monitor: object) -> bool:
        reached.set()
        go_on.wait(60)
        return work(monitor)

    monkeypatch.setattr(fake_builder, "_pretend_to_work", slowly)
    opener = Opener(bundle_path, "tensorrt", 1, "fp32", on_finished=lambda: None)
    assert reached.wait(60)
    assert opener.progress == "compiling engine stem for this GPU: 0 %" and not opener.finished
    opener.abandon(0.0)
    go_on.set()
    deadline = time.monotonic() + 60
    while not opener.abandon(0.1) and time.monotonic() < deadline:
        pass
    assert opener.abandon(0.0) and device.log.count("build base") == 0

"""Which backend is chosen, and what a machine with a GPU is told that it lacks."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.gpu_memory import gpu_memory
from mtshare_ros.machine import board, doctor_gpu
from mtshare_ros.machine.findings import Finding
from mtshare_ros.perception.engines import choice, open_engine
from mtshare_ros.perception.engines.choice import choose_backend
from mtshare_ros.perception.engines.interface import EngineError
from support.standins import pycuda_driver
from support.standins.device import Device
from support.standins.installed import installed


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with installed() as device:
        yield device


def _without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        choice.importlib.util, "find_spec", lambda name: None if name in modules else find(name)
    )


def test_auto_is_tensorrt_where_it_and_a_gpu_are(device: Device) -> None:
    assert choose_backend("auto").backend == "tensorrt"


def test_auto_is_onnx_runtime_without_tensorrt_and_says_why() -> None:
    chosen = choose_backend("auto")
    assert chosen.backend == "onnxruntime" and "tensorrt is not here" in chosen.reason


def test_auto_is_onnx_runtime_without_a_gpu_and_says_why(device: Device) -> None:
    device.count = 0
    chosen = choose_backend("auto")
    assert chosen.backend == "onnxruntime" and "no CUDA-capable device" in chosen.reason


def test_auto_is_torch_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "onnxruntime")
    chosen = choose_backend("auto")
    assert chosen.backend == "torch" and "pip install onnxruntime" in chosen.reason


def test_without_any_backend_everything_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "onnxruntime", "torch")
    with pytest.raises(EngineError, match="tensorrt: .*onnxruntime: .*torch: "):
        choose_backend("auto")


def test_a_backend_that_was_asked_for_is_never_replaced(device: Device, bundle_path: Path) -> None:
    device.faults.out_of_memory_while_building = True
    with pytest.raises(EngineError, match="OutOfMemory"):
        open_engine(bundle_path, "tensorrt")
    device.count = 0
    with pytest.raises(EngineError, match="backend tensorrt: no GPU"):
        open_engine(bundle_path, "tensorrt")


def test_auto_falls_back_when_engines_cannot_be_compiled(
    device: Device, bundle_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device.faults.out_of_memory_while_building = True
    assert open_engine(bundle_path, threads=1).name == "onnxruntime"
    assert "onnxruntime instead of tensorrt" in caplog.text and "OutOfMemory" in caplog.text


def test_the_choice_and_its_reason_are_logged_once(
    bundle_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_engine(bundle_path, threads=1)
    assert caplog.text.count("backend onnxruntime: ") == 1


@pytest.fixture
def jetson(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A Jetson Orin with JetPack 6.2."""
    model, release = tmp_path / "model", tmp_path / "release"
    model.write_text("NVIDIA Jetson AGX Orin Developer Kit\0")
    release.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    tool = tmp_path / "nvpmodel"
    tool.write_text("#!/bin/sh\necho 'NV Power Mode: MODE_15W'\necho 0\n")
    tool.chmod(0o755)
    monkeypatch.setattr(board, "MODEL", model)
    monkeypatch.setattr(board, "RELEASE", release)
    monkeypatch.setattr(board.shutil, "which", lambda name: str(tool))
    yield device


def _found(findings: list[Finding], what: str) -> Finding:
    return next(finding for finding in findings if finding.what.startswith(what))


def test_a_jetson_is_described(jetson: Device, bundle_path: Path) -> None:
    findings = doctor_gpu.examine_gpu(load_manifest(bundle_path))
    assert "AGX Orin" in _found(findings, "GPU").found
    assert _found(findings, "JetPack").found == "6 (Jetson Linux 36.4.3)"
    assert "MODE_15W" in _found(findings, "power mode").found
    assert "nvpmodel -m 0" in _found(findings, "power mode").found
    assert _found(findings, "tensorrt").found == "10.3.0"
    assert _found(findings, "TensorRT").found == "on Orin (stand-in), CUDA 12.6"
    assert "are free" in _found(findings, "memory for").found
    assert all(finding.ok for finding in findings)


def test_too_little_memory_for_the_bundle_is_said(jetson: Device, bundle_path: Path) -> None:
    jetson.faults.memory = 500_000
    found = _found(doctor_gpu.examine_gpu(load_manifest(bundle_path)), "memory for")
    assert not found.ok and not found.fatal and "close other programs" in found.found


def test_an_old_tensorrt_is_said(jetson: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.standins import fake_tensorrt

    monkeypatch.setattr(fake_tensorrt, "__version__", "8.5.2")
    found = _found(doctor_gpu.examine_gpu(), "tensorrt")
    assert not found.ok and "8.5.2" in found.found and "JetPack 6.2" in found.found


def test_what_is_missing_on_a_jetson_comes_with_what_to_do(jetson: Device) -> None:
    # Undone before the stand-ins go: after them it would put them back for good.
    with pytest.MonkeyPatch.context() as patch:
        for name in ("tensorrt", "pycuda", "pycuda.driver"):
            patch.delitem(sys.modules, name)
        findings = doctor_gpu.examine_gpu()
    assert "apt install python3-libnvinfer" in _found(findings, "tensorrt").found
    assert "pip install pycuda" in _found(findings, "pycuda").found
    assert not any(finding.fatal for finding in findings)  # the node runs on the CPU, too


def test_jetpack_5_is_told_to_be_too_old(jetson: Device) -> None:
    board.RELEASE.write_text("# R35 (release), REVISION: 4.1, GCID: 33958178\n")
    found = _found(doctor_gpu.examine_gpu(), "JetPack")
    assert not found.ok and "Python 3.8" in found.found


def test_a_machine_without_a_gpu_is_told_nothing_of_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "MODEL", tmp_path / "none")
    monkeypatch.setattr(doctor_gpu, "NVIDIA_DEVICES", ())
    assert doctor_gpu.examine_gpu() == []


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_memory_budget_is_what_a_camera_takes(
    device: Device, bundle_path: Path, tmp_path: Path, precision: str
) -> None:
    engine = open_engine(bundle_path, "tensorrt", precision=precision)
    before = sum(a.nbytes for a in device.allocations.values())
    state = engine.new_state()
    taken = sum(a.nbytes for a in device.allocations.values()) - before
    tables = 24 * sum(len(graph.state) for graph in engine.manifest.graphs.values())
    said = gpu_memory(engine.manifest, precision).per_camera
    if precision == "fp32":
        assert taken - tables == said
    else:
        assert 0.85 * taken < said < 1.15 * taken
    del state
    assert pycuda_driver.mem_alloc  # the stand-in did the counting


def test_the_weights_of_the_budget_are_those_of_the_graphs(bundle_path: Path) -> None:
    import onnx

    from mtshare_ros.perception.engines.derived_graphs import derive_graphs

    manifest = load_manifest(bundle_path)
    for precision in ("fp32", "fp16"):
        weights = 0
        for _, model in derive_graphs(bundle_path, manifest, precision):
            initializers = onnx.load_from_string(model).graph.initializer
            weights += sum(len(i.raw_data) for i in initializers)
        assert weights == pytest.approx(gpu_memory(manifest, precision).weights, rel=0.35)

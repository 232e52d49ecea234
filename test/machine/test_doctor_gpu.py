"""What a machine with a GPU is told that it lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import GraphSpec
from mtshare_ros.machine import board, doctor_gpu
from mtshare_ros.machine.findings import Finding
from support.standins.device import Device


def on_a_board(monkeypatch, jetpack="6 (Jetson Linux 36.4.3)", power="MAXN"):
    monkeypatch.setattr(doctor_gpu, "board_name", lambda: "NVIDIA Jetson Orin Nano")
    monkeypatch.setattr(doctor_gpu, "jetpack", lambda: jetpack)
    monkeypatch.setattr(doctor_gpu, "power_mode", lambda: power)


def test_without_a_gpu_there_is_nothing_to_say(monkeypatch):
    monkeypatch.setattr(doctor_gpu, "board_name", lambda: None)
    monkeypatch.setattr(doctor_gpu, "NVIDIA_DEVICES", ())
    assert doctor_gpu.examine_gpu() == []


@pytest.mark.parametrize(
    ("facts", "what", "says"),
    [
        ({"jetpack": "5 (Jetson Linux 35.4.1)"}, "JetPack", "flash JetPack 6.2 or newer"),
        ({"jetpack": None}, "JetPack", "unknown"),
        ({"power": "15W"}, "power mode", "sudo nvpmodel -m 0"),
        ({"power": None}, "power mode", "unknown"),
    ],
)
def test_a_board_that_is_old_or_slow_is_told_what_to_do(monkeypatch, facts, what, says):
    on_a_board(monkeypatch, **facts)
    found = {finding.what: finding.found for finding in doctor_gpu.examine_gpu()}
    assert says in found[what]


def test_nothing_of_it_is_fatal_and_a_bundle_is_told_what_it_needs(monkeypatch, bundle_path):
    on_a_board(monkeypatch)
    findings = doctor_gpu.examine_gpu(load_manifest(bundle_path))
    assert not any(finding.fatal for finding in findings)
    assert "MB for one camera in fp16" in findings[-1].found


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


@pytest.mark.parametrize("version", ["8.5.2", "10.2.0"])
def test_an_old_tensorrt_is_said(
    jetson: Device, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    from support.standins import fake_tensorrt

    monkeypatch.setattr(fake_tensorrt, "__version__", version)
    found = _found(doctor_gpu.examine_gpu(), "tensorrt")
    assert not found.ok and found.found.startswith(f"{version}; 10.3 or newer is needed")
    assert "JetPack 6.2" in found.found


def test_what_is_missing_on_a_jetson_comes_with_what_to_do(jetson: Device) -> None:
    # Undone before the stand-ins go: after them it would put them back for good.
    with pytest.MonkeyPatch.context() as patch:
        for name in ("tensorrt", "pycuda", "pycuda.driver"):
            patch.delitem(sys.modules, name)
        findings = doctor_gpu.examine_gpu()
    assert "apt install python3-libnvinfer" in _found(findings, "tensorrt").found
    assert _found(findings, "pycuda").found == "pip install pycuda"
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


def test_another_machine_with_a_gpu_is_told_nothing_of_jetpack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_gpu, "board_name", lambda: None)
    monkeypatch.setattr(doctor_gpu, "NVIDIA_DEVICES", ("/dev/none", str(tmp_path)))
    findings = doctor_gpu.examine_gpu()
    assert _found(findings, "GPU").found == "NVIDIA, no Jetson"
    assert not {"JetPack", "power mode"} & {finding.what for finding in findings}


def test_the_memory_is_that_of_half_precision_in_megabytes(
    monkeypatch: pytest.MonkeyPatch, bundle_path: Path
) -> None:
    on_a_board(monkeypatch)
    graph = GraphSpec(
        file="a.onnx", size=10**9, sha256="", inputs=(), outputs=(), state={}, reads={}
    )
    manifest = replace(load_manifest(bundle_path, verify=False), graphs={"depth": graph})
    # Files hold halves, so that fp16 takes as much as the file has: 10^9 bytes.
    found = _found(doctor_gpu.examine_gpu(manifest), "memory for")
    assert found.found.startswith("1000 MB for one camera in fp16")


def test_a_gpu_that_can_not_be_asked_leaves_its_free_memory_unsaid(
    jetson: Device, monkeypatch: pytest.MonkeyPatch, bundle_path: Path
) -> None:
    from mtshare_ros.perception.engines.tensorrt import gpu

    def broken() -> None:
        raise RuntimeError("no CUDA-capable device is detected")

    monkeypatch.setattr(gpu, "Gpu", broken)
    manifest = load_manifest(bundle_path, verify=False)
    found = _found(doctor_gpu.examine_gpu(manifest), "memory for")
    assert found.ok and "free" not in found.found


def test_a_module_that_is_there_but_lacks_another_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_board(monkeypatch)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("tensorrt", "pycuda"):
        (tmp_path / f"{name}.py").write_text("import lacking_module\n")
        for known in (name, f"{name}.driver"):
            monkeypatch.delitem(sys.modules, known, raising=False)
    findings = doctor_gpu.examine_gpu()
    for what, hint in (("tensorrt", "sudo apt install tensorrt"), ("pycuda", "build it anew")):
        found = _found(findings, what).found
        assert found.startswith("can't be imported: No module named 'lacking_module': ")
        assert hint in found


def test_what_the_build_of_pycuda_lacks_and_a_missing_onnx_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_a_board(monkeypatch)
    monkeypatch.setattr(doctor_gpu.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnx", None)

    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    monkeypatch.setattr(doctor_gpu.importlib, "import_module", absent)
    findings = doctor_gpu.examine_gpu()
    assert _found(findings, "pycuda").found.startswith("export PATH=/usr/local/cuda/bin:$PATH")
    onnx = _found(findings, "onnx")
    assert not onnx.ok and onnx.found == "pip install onnx"

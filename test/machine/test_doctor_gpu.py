"""What a machine with a GPU is told that it lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtshare_ros.bundle.folder import load_manifest
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

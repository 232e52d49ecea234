"""What the doctor says of a GPU."""

import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.machine import doctor_gpu


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

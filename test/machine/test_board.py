"""What machine this is."""

import platform
import stat

import onnxruntime
import pytest

from mtshare_ros.machine import board


@pytest.fixture
def jetson(monkeypatch, tmp_path):
    """The files of a Jetson, and its tool for power modes."""
    (tmp_path / "model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0")
    (tmp_path / "release").write_text("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic")
    monkeypatch.setattr(board, "MODEL", tmp_path / "model")
    monkeypatch.setattr(board, "RELEASE", tmp_path / "release")
    tool = tmp_path / "nvpmodel"
    tool.write_text("#!/bin/sh\necho 'NV Power Mode: 15W'\necho 0\n")
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_a_jetson_says_its_name_jetpack_and_power_mode(jetson):
    assert board.board_name() == "NVIDIA Jetson Orin Nano Developer Kit"
    assert board.jetpack() == "6 (Jetson Linux 36.4.3)"
    assert board.power_mode() == "15W"
    assert board.describe_board() == {
        "board": "NVIDIA Jetson Orin Nano Developer Kit",
        "jetpack": "6 (Jetson Linux 36.4.3)",
        "power_mode": "15W",
    }


def test_another_board_is_no_jetson(monkeypatch, tmp_path):
    (tmp_path / "model").write_text("Raspberry Pi 5\0")
    monkeypatch.setattr(board, "MODEL", tmp_path / "model")
    monkeypatch.setattr(board, "RELEASE", tmp_path / "none")
    assert board.board_name() is None and board.jetpack() is None


def test_a_release_that_says_something_else_is_unknown(monkeypatch, tmp_path):
    (tmp_path / "release").write_text("something else")
    monkeypatch.setattr(board, "RELEASE", tmp_path / "release")
    assert board.jetpack() == board.UNKNOWN


def test_a_table_of_times_says_processor_cores_and_version():
    facts = board.machine()
    assert facts["processor"] and facts["cores"] >= 1
    assert facts["onnxruntime"] == onnxruntime.__version__
    assert board.gpu_versions()["onnxruntime"] == onnxruntime.__version__


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("# R35 (release), REVISION: 5.0, GCID: 1", "5 (Jetson Linux 35.5.0)"),
        ("# R38 (release), REVISION: 2.1, GCID: 1", "7 (Jetson Linux 38.2.1)"),
        ("# R99 (release), REVISION: 1.0, GCID: 1", "unknown (Jetson Linux 99.1.0)"),
    ],
)
def test_each_release_of_jetson_linux_has_its_jetpack(monkeypatch, tmp_path, release, said):
    (tmp_path / "release").write_text(release)
    monkeypatch.setattr(board, "RELEASE", tmp_path / "release")
    assert board.jetpack() == said


def test_a_carrier_board_with_jetson_linux_is_a_jetson(jetson):
    board.MODEL.write_text("Carrier X1\0\n")
    assert board.board_name() == "Carrier X1"


def test_a_tool_that_says_no_mode_leaves_the_mode_unknown(jetson, tmp_path):
    (tmp_path / "nvpmodel").write_text("#!/bin/sh\necho nothing\n")
    assert board.power_mode() == board.UNKNOWN


def test_a_machine_that_is_no_jetson_says_its_host_name(monkeypatch, tmp_path):
    monkeypatch.setattr(board, "MODEL", tmp_path / "none")
    monkeypatch.setattr(board, "RELEASE", tmp_path / "none")
    monkeypatch.setattr(board.shutil, "which", lambda tool: str(tmp_path / "none"))
    assert board.power_mode() is None
    assert board.describe_board() == {
        "board": platform.node() or platform.machine(),
        "jetpack": "none",
        "power_mode": board.UNKNOWN,
    }


def test_a_version_is_the_modules_or_its_distributions():
    assert board.version_of("onnxruntime") == onnxruntime.__version__
    assert board.version_of("string", "pytest") == pytest.__version__
    assert board.version_of("string") is None
    with pytest.raises(ImportError):
        board.version_of("no_such_module_here")

"""What a machine lacks is said in plain words, before and after the installation."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtshare_ros.machine import doctor

SCRIPT = Path(__file__).parents[2] / "requirements" / "check_machine.py"


@pytest.fixture
def check():
    spec = importlib.util.spec_from_file_location("check_machine", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finding(findings, word):
    return next(found for found in findings if word in found.what)


def test_this_machine_lacks_nothing_for_the_set_up(check):
    assert check.missing() == []


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_a_python_without_wheels_is_named_before_anything_is_installed(
    check, monkeypatch, version
):
    monkeypatch.setattr(check, "sys", SimpleNamespace(version_info=(*version, 0)))
    assert f"Python 3.{version[1]} found" in check.missing()[0]


def test_a_machine_without_wheels_is_named(check, monkeypatch):
    monkeypatch.setattr(check.platform, "machine", lambda: "aarch64")
    assert "aarch64" in check.missing()[0]


def test_another_c_library_is_named(check, monkeypatch):
    monkeypatch.setattr(check.platform, "libc_ver", lambda: ("", ""))
    assert "glibc" in check.missing()[0]


def test_missing_venv_is_named_with_the_package_that_brings_it(check, monkeypatch):
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda name: None)
    assert "-venv" in check.missing()[0]


def test_gl_is_needed_for_simulation_only(monkeypatch):
    monkeypatch.setattr(doctor, "GL_LIBRARIES", ("libnothing.so.9",))
    running = finding(doctor.examine(), "GL")
    assert not running.ok and not running.fatal
    training = finding(doctor.examine(train=True), "GL")
    assert training.fatal and "apt install" in training.found


def test_a_module_that_is_there_but_broken_says_why(monkeypatch, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1: not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    found = finding(doctor.examine(), "onnxruntime")
    assert found.fatal and "libgomp.so.1" in found.found


def test_too_little_memory_is_fatal(monkeypatch):
    monkeypatch.setattr(doctor, "MIN_FREE_GB", 1e6)
    assert finding(doctor.examine(), "memory").fatal


def test_jpegs_whose_damage_is_not_noticed_are_named(monkeypatch):
    from mtshare_ros.perception.camera import pictures

    assert finding(doctor.examine(), "simplejpeg").ok
    monkeypatch.setattr(pictures, "NOTICES_DAMAGE", False)
    found = finding(doctor.examine(), "simplejpeg")
    assert not found.ok and not found.fatal
    assert "damaged JPEGs are not noticed" in found.found and "mtshare_ros[online]" in found.found

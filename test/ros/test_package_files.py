"""Where the package's models and configuration are found."""

import sys
from pathlib import Path

import pytest

import mtshare_ros
from mtshare_ros.ros import package_files
from mtshare_ros.ros.package_files import package_path

ROOT = Path(mtshare_ros.__file__).resolve().parents[1]
ros_share = package_files._ros_share


@pytest.fixture(autouse=True)
def not_installed(monkeypatch, tmp_path):
    """No ROS package, and a Python without a share folder of ours."""
    monkeypatch.setattr(package_files, "_ros_share", lambda: None)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))


def test_in_a_checkout_they_are_beside_the_source():
    assert package_path("models/room") == ROOT / "models" / "room"


def test_what_is_installed_comes_first_and_the_ros_package_before_all(monkeypatch, tmp_path):
    installed = tmp_path / "python" / "share" / "mtshare_ros" / "models" / "room"
    installed.mkdir(parents=True)
    assert package_path("models/room") == installed
    share = tmp_path / "ros"
    (share / "models" / "room").mkdir(parents=True)
    monkeypatch.setattr(package_files, "_ros_share", lambda: share)
    assert package_path("models/room") == share / "models" / "room"


def test_what_is_nowhere_is_looked_for_beside_the_source():
    assert package_path("models/none") == ROOT / "models" / "none"


def test_the_ros_package_is_that_of_the_sourced_workspaces(monkeypatch, tmp_path):
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert ros_share() is None
    (index / "mtshare_ros").touch()
    assert ros_share() == tmp_path / "share" / "mtshare_ros"
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    assert ros_share() is None

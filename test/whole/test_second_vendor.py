"""The node on Fast DDS, a camera and a listener on another vendor's DDS."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mtshare_ros.ros.package_files import package_path
from support.node_program import start
from support.ros_harness import DOMAIN, wait_for_line

pytest.importorskip("cyclonedds")

QUIET = """<useBuiltinTransports>false</useBuiltinTransports>
        <propertiesPolicy><properties><property>
          <name>fastdds.type_propagation</name><value>disabled</value>
        </property></properties></propertiesPolicy>"""
"""Fast DDS describes its types to others; what it says, Cyclone DDS calls invalid."""


def test_images_come_from_and_outputs_go_to_cyclone_dds(bundle_path, tmp_path, monkeypatch):
    profile = package_path("config/fastdds.xml").read_text()
    quiet = profile.replace(QUIET.splitlines()[0], QUIET)
    assert quiet != profile
    (tmp_path / "fastdds.xml").write_text(quiet)
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(tmp_path / "fastdds.xml"))
    node = start(f"bundle:={bundle_path}")
    try:
        wait_for_line(node, "bundle small")
        peer = Path(__file__).parents[1] / "support" / "cyclone_peer.py"
        found = subprocess.run(
            [sys.executable, str(peer), str(DOMAIN), "90"], capture_output=True, text=True
        )
        assert found.returncode == 0, found.stderr
    finally:
        node.terminate()
        rest, _ = node.communicate(timeout=60)
    depth = json.loads(found.stdout)
    assert 1000 < depth["stamp"][0] <= depth["last_sent"] and depth["stamp"][1] == 77
    assert (depth["frame_id"], depth["size"]) == ("cyclone_frame", [128, 96])
    assert (depth["encoding"], depth["bytes"]) == ("32FC1", 4 * 128 * 96)
    assert node.returncode == 0 and "Traceback" not in rest

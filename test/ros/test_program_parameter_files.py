"""Parameter files as people write and damage them: one line and status 2, or a node that runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import rclpy

from mtshare_ros.ros import program
from support.mutations import WHOLE, mutated
from support.ros_harness import DOMAIN

WHOLE_FILE = (Path(__file__).parents[2] / "config" / "perception.yaml").read_bytes()
OWN = "/**/perception_node:\n  ros__parameters:\n    "


@pytest.fixture(autouse=True)
def domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN))


def start(capfd: pytest.CaptureFixture[str], *arguments: str) -> str | None:
    """Start a node and end it; return None, or the line it refused its arguments with."""
    # It opens no bundle: this is about its parameters.
    node = program.start(["--ros-args", *arguments, "-p", "autostart:=false"])
    said = capfd.readouterr().err.splitlines()
    if node is not None:
        assert node.close()
        node.destroy_node()
        rclpy.try_shutdown()
        return None
    assert not rclpy.ok()
    (line,) = (text for text in said if text and not text.startswith("[ERROR]"))
    assert line.startswith("perception_node: ")
    return line


def start_with(capfd: pytest.CaptureFixture[str], file: Path, content: bytes) -> str | None:
    file.write_bytes(content)
    return start(capfd, "--params-file", str(file))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("threads: [1, 2]", "threads is [1, 2]; expected an integer"),
        ("threads: two", "threads is 'two'; expected an integer"),
        ("max_depth: .inf", "max_depth is inf; expected a double"),
        ("max_depth: [a]", "max_depth is ['a']; expected a double"),
        ("tasks: all", "tasks is 'all'; expected a string_array"),
        ("tasks: [1, 2]", "tasks is [1, 2]; expected one or more names"),
        ("tasks: []", "tasks is None"),
        ("tasks: [all, 1]", "Sequence should be of same type"),
        ("tasks: {a: 1}", "no parameter 'tasks.a'; did you mean 'tasks'?"),
        ("backend: ", "No value at line"),
        ("use_sim_time: 3", "'use_sim_time' to '3'"),
        ("qos_overrides: 3", "no parameter 'qos_overrides'"),
        ("'': 2", "No key at line"),
        ("threads: &a [*a]", "Will not support aliasing"),
    ],
)
def test_a_line_that_can_not_be_taken_is_said_in_one(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, line: str, said: str
) -> None:
    found = start_with(capfd, tmp_path / "p.yaml", f"{OWN}{line}\n".encode())
    assert found is not None and said in found


@pytest.mark.parametrize(
    "content",
    [
        "other_node:\n  ros__parameters:\n    threads: two\n",
        "/**:\n  ros__parameters:\n    wheel_radius: 0.3\n",
        "other_node:\n  ros__parameters: {}\n",
        f"{OWN}threads: 1\n---\n{OWN}threads: 2\n",
    ],
)
def test_what_is_for_other_nodes_stops_none(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    assert start_with(capfd, tmp_path / "p.yaml", content.encode()) is None


def test_what_is_no_parameter_file_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = [start_with(capfd, tmp_path / "p.yaml", content) for content in WHOLE.values()]
    assert sum(line is not None and str(tmp_path) in line for line in lines) > 25
    for path in (tmp_path, tmp_path / "missing.yaml", Path("/proc/self/mem")):
        line = start(capfd, "--params-file", str(path))
        assert line is not None and str(path) in line


def damaged(capfd: pytest.CaptureFixture[str], file: Path, seed: int, count: int) -> None:
    lines = [start_with(capfd, file, content) for content in mutated(WHOLE_FILE, seed, count)]
    assert None in lines and len(lines) - lines.count(None) > count / 4


def test_a_damaged_file_is_taken_or_refused_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    damaged(capfd, tmp_path / "p.yaml", 1, 12)


@pytest.mark.slow
def test_hundreds_of_damaged_files(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    damaged(capfd, tmp_path / "p.yaml", 2, 400)


@pytest.mark.parametrize("flags", [("--params-file", ""), ("-p", "bundle:="), ("-r", "image:=")])
def test_bytes_that_are_no_text_are_said_in_one_line(
    capfd: pytest.CaptureFixture[str], flags: tuple[str, str]
) -> None:
    line = start(capfd, flags[0], flags[1] + os.fsdecode(b"/caf\xe9.yaml"))
    assert line is not None and "caf\\udce9.yaml': expected UTF-8" in line

"""Outputs that can't be written are noticed before the work, and nothing is left of the look."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros import cli, output_checks
from mtshare_ros.errors import one_line
from mtshare_ros.output_checks import check_new_output, check_output_file, check_output_folder

CHECKS = (check_output_file, check_output_folder, check_new_output)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what stands in the way of an output."""
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "none" / "x")
    return tmp_path


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", ["new", "a/b/new", "o d'd\n\"\udce9", "folder/new"])
def test_what_can_be_written_is_left_alone(place: Path, check: Any, path: str) -> None:
    before = sorted(place.rglob("*"))
    check(place / path)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("path", ["file/x", "loop", "n" * 300, "/proc/none/x", "/dev/null/x"])
def test_what_can_not_be_written_is_named(place: Path, check: Any, path: str) -> None:
    with pytest.raises(OSError) as caught:
        check(place / path)
    assert one_line(caught.value).startswith(str(place / path))


def test_what_is_there_must_be_of_the_right_kind(place: Path) -> None:
    check_output_file(place / "file")
    check_output_file(Path("/dev/null"))
    assert (place / "file").read_text() == "kept"
    check_output_folder(place / "folder")
    check_output_file(place / "dangling")
    (place / "away").symlink_to("/proc/none/x")
    wrong: list[tuple[Callable[[Path], None], str, str]] = [
        (check_output_file, "folder", "Is a directory"),
        (check_output_file, "away", "No such file or directory"),
        (check_output_folder, "file", "Not a directory"),
        (check_output_folder, "dangling", "No such file or directory"),
        *((check_new_output, name, "exists already") for name in ("file", "folder", "dangling")),
    ]
    for check, name, says in wrong:
        with pytest.raises(OSError) as caught:
            check(place / name)
        assert one_line(caught.value).startswith(f"{place / name}: {says}")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room: files can be made, and take no byte."""

    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(output_checks.tempfile, "TemporaryFile", lambda **_: Full())


ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "models" / "room"
LONG = [
    f"bench {BUNDLE} --output",
    f"bench {BUNDLE} --engine onnxruntime --output",
    f"bench-report {ROOT}/docs/benchmarks/room.json --output",
    f"boundary-score {ROOT} {ROOT} --output",
    f"demo --bundle {BUNDLE} --output",
    f"evaluate {BUNDLE} --bag {ROOT}/demo/room.mcap --output",
    f"evaluate {BUNDLE} --bag a --bag b --output",
    f"evaluate {BUNDLE} --dataset rooms --root {ROOT} --output",
    f"label --bag {ROOT}/demo/room.mcap --teacher depth={BUNDLE}/base.onnx --output",
    f"replay {BUNDLE} --bag {ROOT}/demo/room.mcap --output",
    "simulate --output",
    f"soak --bundle {BUNDLE} --output",
    "study elements run stage --data d --theta 0 --output",
    f"study reuse {BUNDLE} --bag {ROOT}/demo/room.mcap --output",
    f"study shares {BUNDLE} --output",
    f"study table {ROOT}/config/results/study.yaml --output",
    f"study timing {ROOT}/config/results/study.yaml --output",
]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("command", LONG)
def test_a_full_disk_is_noticed_at_the_start_of_a_command(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "x"
    assert cli.run([*command.split(), str(output)]) == 2
    assert capsys.readouterr().err == f"error: {output}: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_a_plot_is_png_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "shares.json"
    assert cli.run(["study", "shares", str(BUNDLE), "--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")

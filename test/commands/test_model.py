"""`mtshare build`, on what stands in for TensorRT, and `mtshare train`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtshare_ros.bundle.describe import describe
from mtshare_ros.cli import COMMANDS, run
from mtshare_ros.commands import model
from support.fake_stills import FakeStills, config, write_config
from support.standins.device import Device
from support.standins.installed import installed


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    with installed() as device:
        yield device


def test_build_reports_sizes_and_times_and_finds_engines_again(
    device: Device, bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(bundle_path)]) == 0
    first = capsys.readouterr().out
    assert "in fp16: self-test differs by" in first and "segmentation" in first
    assert len(list((tmp_path / "cache/mtshare_ros/engines").glob("*-fp16-*.engine"))) == 5
    assert run(["build", str(bundle_path), "--precision", "fp16"]) == 0
    assert capsys.readouterr().out.count("found") == 5


def test_build_says_in_one_line_what_is_wrong(
    device: Device, bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(tmp_path)]) == 2
    device.count = 0
    assert run(["build", str(bundle_path)]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert "not a bundle" in errors[0] and "no CUDA-capable device" in errors[1]
    assert len(errors) == 2


def test_training_tells_nothing_but_its_stages_outside_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mtshare_ros.training import data_sets

    monkeypatch.setattr(data_sets, "StillsDataset", FakeStills)
    recipe, output = write_config(tmp_path / "c.yaml", config()), tmp_path / "run"
    arguments = ["train", str(recipe), "--output", str(output), "--stage", "base"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{output}: trained base\n"
    assert "base:" not in captured.err and "training:" not in captured.err


def test_each_command_of_the_room_is_there() -> None:
    listed = {command for commands in COMMANDS.values() for command in commands}
    assert {model.train, model.export, model.build, model.inspect} <= listed


def test_the_table_of_engines_has_their_sizes_and_rebuild_is_handed_on(
    device: Device, bundle_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    opening = importlib.import_module("mtshare_ros.perception.engines.tensorrt.opening")
    asked: list[Any] = []

    def pretend(folder: Path, manifest: Any, precision: str, report: Any, rebuild: bool) -> Any:
        asked.append((folder, precision, rebuild))
        built = (
            opening.BuiltGraph("stem", Path("/e/stem"), 2_500_000, None),
            opening.BuiltGraph("base", Path("/e/base"), 40_000_000, 61.4),
        )
        return opening.Opened(SimpleNamespace(precision="fp32"), built, 0.256)

    monkeypatch.setattr(opening, "open_tensorrt", pretend)
    assert run(["build", str(bundle_path), "--precision", "fp32", "--rebuild"]) == 0
    assert asked == [(bundle_path, "fp32", True)]
    out = capsys.readouterr().out
    title = "in fp32: self-test differs by 26 % of what is tolerated"
    assert title in " ".join(out.split())
    cells = [re.findall(r"[^│\s][^│]*[^│\s]", line) for line in out.splitlines() if "│" in line]
    assert cells == [
        ["stem", "2.5 MB", "found", "/e/stem"],
        ["base", "40.0 MB", "61 s", "/e/base"],
        ["all", "42.5 MB"],
    ]


def test_options_of_training_and_export_are_handed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    asked: list[Any] = []

    def train(*arguments: Any) -> list[str]:
        asked.append(arguments[:-1])
        return ["base", "depth"]

    monkeypatch.setattr(importlib.import_module("mtshare_ros.training.train"), "train", train)
    monkeypatch.setattr(
        importlib.import_module("mtshare_ros.export.export_run"),
        "export_run",
        lambda *arguments: asked.append(arguments),
    )
    words = "train c.yaml --output run --resume --seed 7 --stage base --stage depth"
    assert run(words.split()) == 0
    assert run(["train", "c.yaml", "--output", "run"]) == 0
    assert run("export run --output b --stage depth".split()) == 0
    assert asked == [
        (Path("c.yaml"), Path("run"), True, 7, ["base", "depth"]),
        (Path("c.yaml"), Path("run"), False, None, ()),
        (Path("run"), Path("b"), ["depth"]),
    ]
    assert capsys.readouterr().out.splitlines() == [
        *["run: trained base, depth"] * 2, "b: bundle written"
    ]  # fmt: skip


def test_inspect_shows_the_tables_of_the_description(bundle_path: Path, capsys: Any) -> None:
    assert run(["inspect", str(bundle_path)]) == 0
    out = capsys.readouterr().out
    for title, _, rows in describe(bundle_path):
        assert title in out and all(row[0] in out for row in rows)

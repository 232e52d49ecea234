"""`mtshare build`, on what stands in for TensorRT, and `mtshare train`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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

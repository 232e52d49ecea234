"""Compiled engines on disk: written whole, and found only where they fit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt import engine_files
from mtshare_ros.perception.engines.tensorrt.engine_files import (
    EngineFiles,
    EngineKey,
)

KEY = EngineKey("a" * 64, "b" * 64, "fp16", (3, 6), "10.3.0", "Orin", (8, 7))


@pytest.mark.parametrize(
    "change",
    [
        {"graph": "c" * 64},
        {"derivation": "c" * 64},
        {"precision": "fp32"},
        {"sizes": (3, 6, 12)},
        {"tensorrt": "10.13.3"},
        {"gpu": "Thor"},
        {"capability": (11, 0)},
    ],
)
def test_everything_that_matters_is_in_the_key(files: EngineFiles, change: dict) -> None:
    files.store("base", KEY, b"plan")
    other = replace(KEY, **change)
    assert files.load("base", other) is None
    os.replace(files.path("base", KEY), files.path("base", other))
    assert files.load("base", other) is None


def test_an_interrupted_write_leaves_the_old_file_and_no_rest(
    files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.store("base", KEY, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine_files.os, "fsync", full)
    with pytest.raises(EngineError, match="No space left"):
        files.store("base", KEY, b"new")
    assert files.load("base", KEY) == b"old" and len(list(files.folder.iterdir())) == 1


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    assert EngineFiles(folder).folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(EngineError, match="777.*can run code"):
        EngineFiles(folder)


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_a_group_or_all_others_can_write_is_refused(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "engines"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(EngineError, match=f"mode {mode:o}, expected owner"):
        EngineFiles(folder)
    folder.chmod(0o755)
    assert EngineFiles(folder).folder == folder


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="no folder for engines"):
        EngineFiles(tmp_path / "file" / "engines")


def test_an_engine_that_can_not_be_read_is_compiled_again(
    files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    files.path("base", KEY).mkdir()
    assert files.load("base", KEY) is None and "can't be read, compiled again" in caplog.text
    assert files.load("stem", KEY) is None
    assert len(caplog.records) == 1, "one that is not there is no news"


def test_names_of_graphs_stay_inside_of_the_folder(files: EngineFiles) -> None:
    path = files.store("../../evil", KEY, b"plan")
    assert path.parent == files.folder and files.load("../../evil", KEY) == b"plan"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("cache", [None, "", "not/absolute"])
def test_the_folder_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: str | None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache or "")
    if cache is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine_files.default_folder() == tmp_path / ".cache" / "mtshare_ros" / "engines"
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(EngineError, match="no folder for engines: HOME and XDG_CACHE_HOME"):
        EngineFiles()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert engine_files.default_folder() == tmp_path / "cache" / "mtshare_ros" / "engines"

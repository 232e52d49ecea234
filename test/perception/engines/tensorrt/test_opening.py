"""Engines are found on disk, and made again where they do not fit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.bundle.folder import file_digest, load_manifest
from mtshare_ros.perception.engines.build_progress import Progress
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles, EngineKey
from support.standins.device import Device
from support.standins.open_bundle import GRAPHS, compiled, open_bundle

KEY = EngineKey("a" * 64, "b" * 64, "fp16", (3, 6), "10.3.0", "Orin", (8, 7))


def _cut(content: bytes) -> bytes:
    return content[:-100]


def _flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _other_file(content: bytes) -> bytes:
    return b"something else\n" + content


def test_engines_are_compiled_once_per_machine(
    device: Device, bundle_path: Path, files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtshare_ros.perception.engines.tensorrt import opening

    test = opening.run_selftest
    monkeypatch.setattr(opening, "run_selftest", lambda e, frames: test(e, frames) + e.sizes[0])
    first = open_bundle(bundle_path, files)
    assert compiled(device) == GRAPHS
    assert all(b.seconds is not None and 0 < b.seconds < 100 for b in first.built)
    keys = opening.engine_keys(first.engine.manifest, "fp32", first.engine._gpu)
    plans = {name: files.load(name, key) for name, key in keys.items()}
    assert [(b.graph, b.size) for b in first.built] == [(n, len(p)) for n, p in plans.items()]
    assert 48 < first.difference < 49, "the largest of all sizes"
    second = open_bundle(bundle_path, files)
    assert compiled(device) == [] and all(b.seconds is None for b in second.built)
    assert [b.graph for b in second.built] == GRAPHS
    open_bundle(bundle_path, files, rebuild=True)
    assert compiled(device) == GRAPHS
    device.name = "another GPU"
    open_bundle(bundle_path, files)
    assert compiled(device) == GRAPHS


def test_an_engine_file_of_another_machine_under_the_right_name_is_compiled_again(
    device: Device, bundle_path: Path, files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    paths = {b.graph: b.path for b in open_bundle(bundle_path, files).built}
    device.name = "another GPU"
    open_bundle(bundle_path, files)
    compiled(device)
    others = {b.graph: b.path for b in open_bundle(bundle_path, files).built}
    os.replace(paths["base"], others["base"])
    seen: list[Progress] = []
    open_bundle(bundle_path, files, on_progress=lambda p: seen.append(p) or True)
    assert compiled(device) == ["base"] and "made for another machine" in caplog.text
    assert {p.graph for p in seen} == {"base"} and seen[-1].fraction == 1


def test_an_engine_that_tensorrt_does_not_take_is_compiled_again(
    device: Device, bundle_path: Path, files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an update of TensorRT that left its version number as it was."""
    open_bundle(bundle_path, files)
    compiled(device)
    device.tensorrt = "10.3.0.post1"
    open_bundle(bundle_path, files)
    assert compiled(device) == GRAPHS
    (warning,) = (r for r in caplog.records if r.levelname == "WARNING")
    assert warning.name.endswith("opening") and warning.getMessage().endswith("; compiled again")
    assert "made by version 10.3.0, this is 10.3.0.post1" in warning.getMessage()


@pytest.mark.parametrize("damage", [_cut, _flip, _other_file, lambda content: b""])
def test_a_damaged_file_never_reaches_tensorrt(files: EngineFiles, damage: Any) -> None:
    path = files.store("base", KEY, b"plan" * 100)
    assert files.load("base", KEY) == b"plan" * 100
    path.write_bytes(damage(path.read_bytes()))
    assert files.load("base", KEY) is None


def test_compiling_without_onnx_says_what_to_install(
    device: Device, bundle_path: Path, files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mtshare_ros.perception.engines.derived_graphs", None)
    with pytest.raises(EngineError, match="needs the Python package onnx: pip install onnx"):
        open_bundle(bundle_path, files)


def test_engines_are_never_kept_in_the_bundle(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    before = sorted(bundle_path.iterdir())
    open_bundle(bundle_path, files)
    assert sorted(bundle_path.iterdir()) == before


def test_the_key_is_that_of_the_bundle_and_the_machine(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu
    from mtshare_ros.perception.engines.tensorrt.opening import engine_keys

    keys = engine_keys(load_manifest(bundle_path), "fp16", Gpu())
    assert keys["base"].graph == file_digest(bundle_path / "base.onnx")
    assert len({key.digest for key in keys.values()}) == len(GRAPHS)
    key = keys["base"]
    assert (key.gpu, key.capability) == (device.name, device.capability)
    assert (key.tensorrt, key.sizes) == (device.tensorrt, (3, 6, 12, 24, 48))

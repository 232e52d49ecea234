"""Compiled engines: found, made again when they don't fit, written whole, told of as they grow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from mtshare_ros.bundle.folder import file_digest, load_manifest
from mtshare_ros.perception.engines.build_progress import BuildProgress, PhaseTree, Progress
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt import engine_files
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles, EngineKey
from support.standins.device import Device
from support.standins.installed import installed

GRAPHS = ["stem", "base", "normals", "depth", "segmentation"]
KEY = EngineKey("a" * 64, "b" * 64, "fp16", (3, 6), "10.3.0", "Orin", (8, 7))


@pytest.fixture
def device() -> Iterator[Device]:
    with installed() as device:
        yield device


@pytest.fixture
def files(tmp_path: Path) -> EngineFiles:
    return EngineFiles(tmp_path / "engines")


def _open(bundle: Path, files: EngineFiles, **options: Any) -> Any:
    from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

    options = {"precision": "fp32", **options}
    return open_tensorrt(bundle, load_manifest(bundle), files=files, **options)


def _compiled(device: Device) -> list[str]:
    """Return the graphs that were compiled since the last call."""
    built = [line.removeprefix("build ") for line in device.log if line.startswith("build ")]
    device.log.clear()
    return built


def test_engines_are_compiled_once_per_machine(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    first = _open(bundle_path, files)
    assert _compiled(device) == GRAPHS and all(b.seconds is not None for b in first.built)
    second = _open(bundle_path, files)
    assert _compiled(device) == [] and all(b.seconds is None for b in second.built)
    assert [b.graph for b in second.built] == GRAPHS
    _open(bundle_path, files, rebuild=True)
    assert _compiled(device) == GRAPHS
    device.name = "another GPU"
    _open(bundle_path, files)
    assert _compiled(device) == GRAPHS


def test_an_engine_file_of_another_machine_under_the_right_name_is_compiled_again(
    device: Device, bundle_path: Path, files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    paths = {b.graph: b.path for b in _open(bundle_path, files).built}
    device.name = "another GPU"
    _open(bundle_path, files)
    _compiled(device)
    others = {b.graph: b.path for b in _open(bundle_path, files).built}
    os.replace(paths["base"], others["base"])
    _open(bundle_path, files)
    assert _compiled(device) == ["base"] and "made for another machine" in caplog.text


def test_an_engine_that_tensorrt_does_not_take_is_compiled_again(
    device: Device, bundle_path: Path, files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an update of TensorRT that left its version number as it was."""
    _open(bundle_path, files)
    _compiled(device)
    device.tensorrt = "10.3.0.post1"
    _open(bundle_path, files)
    assert _compiled(device) == GRAPHS
    assert "made by version 10.3.0, this is 10.3.0.post1" in caplog.text


def _cut(content: bytes) -> bytes:
    return content[:-100]


def _flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _other_file(content: bytes) -> bytes:
    return b"something else\n" + content


@pytest.mark.parametrize("damage", [_cut, _flip, _other_file, lambda content: b""])
def test_a_damaged_file_never_reaches_tensorrt(files: EngineFiles, damage: Any) -> None:
    path = files.store("base", KEY, b"plan" * 100)
    assert files.load("base", KEY) == b"plan" * 100
    path.write_bytes(damage(path.read_bytes()))
    assert files.load("base", KEY) is None


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


def test_engines_are_never_kept_in_the_bundle(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    before = sorted(bundle_path.iterdir())
    _open(bundle_path, files)
    assert sorted(bundle_path.iterdir()) == before


def test_running_out_of_memory_says_what_tensorrt_said(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    device.faults.out_of_memory_while_building = True
    with pytest.raises(EngineError, match=r"graph stem .*OutOfMemory.*MB were free"):
        _open(bundle_path, files)
    assert not list(files.folder.iterdir())


def test_what_tensorrt_cannot_parse_is_named_with_its_node(
    device: Device, bundle_path: Path, files: EngineFiles, tmp_path: Path
) -> None:
    from mtshare_ros.perception.engines.tensorrt.build import TensorRTLog, compile_graph
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    value = helper.make_tensor_value_info("x", 1, [4])
    node = helper.make_node("Erf", ["x"], ["y"], name="odd_one")
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", 1, [4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    progress = BuildProgress({"g": 1.0}, None)
    progress.enter("g")
    with Gpu().current(), pytest.raises(EngineError, match=r"graph g: node 'odd_one' \(Erf\)"):
        compile_graph("g", model.SerializeToString(), (3,), progress, TensorRTLog(), 1 << 30)


def test_a_build_that_is_ended_stops_at_its_next_step(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    seen: list[Progress] = []

    def twice(progress: Progress) -> bool:
        seen.append(progress)
        return progress.graph != "base"

    with pytest.raises(EngineError, match="graph base: the build was ended"):
        _open(bundle_path, files, on_progress=twice)
    assert seen[-1].graph == "base" and [p.name[:4] for p in files.folder.iterdir()] == ["stem"]
    _open(bundle_path, files)
    assert _compiled(device)[1:] == GRAPHS[1:]  # what was finished is used


def test_progress_grows_to_the_end(device: Device, bundle_path: Path, files: EngineFiles) -> None:
    seen: list[Progress] = []
    _open(bundle_path, files, on_progress=lambda p: seen.append(p) or True)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert list(dict.fromkeys(progress.graph for progress in seen)) == GRAPHS


def test_nested_phases_add_up() -> None:
    tree = PhaseTree()
    tree.start("all", None, 2)
    tree.start("part", "all", 4)
    tree.step("part", 1)
    assert tree.fraction == pytest.approx(0.25)
    tree.finish("part")
    assert tree.fraction == pytest.approx(0.25)  # never backwards
    tree.step("all", 0)
    assert tree.fraction == pytest.approx(0.5)


def test_the_estimate_follows_the_clock() -> None:
    now = [0.0]
    progress = BuildProgress({"small": 1.0, "large": 3.0}, None, clock=lambda: now[0])
    progress.enter("small")
    assert progress.now().seconds_left is None
    now[0] = 30.0
    progress.enter("large")
    assert progress.now() == Progress("large", 0.25, 90.0)
    assert str(progress.now()).endswith("25 %, about 2 min left")


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

"""Graphs are compiled, or the reason says why not."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from mtshare_ros.perception.engines.build_progress import BuildProgress, Progress
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
from support.standins.device import Device
from support.standins.open_bundle import GRAPHS, compiled, open_bundle


def test_running_out_of_memory_says_what_tensorrt_said(
    device: Device, bundle_path: Path, files: EngineFiles
) -> None:
    device.faults.out_of_memory_while_building = True
    with pytest.raises(EngineError, match=r"graph stem .*OutOfMemory.*MB were free"):
        open_bundle(bundle_path, files)
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
        open_bundle(bundle_path, files, on_progress=twice)
    assert seen[-1].graph == "base" and [p.name[:4] for p in files.folder.iterdir()] == ["stem"]
    open_bundle(bundle_path, files)
    assert compiled(device)[1:] == GRAPHS[1:]  # what was finished is used


def test_progress_grows_to_the_end(device: Device, bundle_path: Path, files: EngineFiles) -> None:
    seen: list[Progress] = []
    open_bundle(bundle_path, files, on_progress=lambda p: seen.append(p) or True)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert list(dict.fromkeys(progress.graph for progress in seen)) == GRAPHS

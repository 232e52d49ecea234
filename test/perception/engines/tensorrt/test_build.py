"""Graphs are compiled, or the reason says why not."""

from __future__ import annotations

import logging
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


def _graph(*operators: str) -> bytes:
    """Return a model of some operators on ``x``, with rows numbered by ``index``."""
    given = [
        helper.make_tensor_value_info("x", 1, [4]),
        helper.make_tensor_value_info("index", 7, ["K"]),
    ]
    nodes = [helper.make_node(o, ["x"], [o], name=f"the_{o}") for o in operators]
    nodes.append(helper.make_node("Gather", ["x", "index"], ["y"]))
    made = [helper.make_tensor_value_info("y", 1, ["K"])]
    graph = helper.make_graph(nodes, "g", given, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString()


def _compile(model: bytes, free_bytes: int) -> bytes:
    from mtshare_ros.perception.engines.tensorrt.build import TensorRTLog, compile_graph
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    progress = BuildProgress({"g": 1.0}, None)
    progress.enter("g")
    with Gpu().current():
        return compile_graph("g", model, (3, 6), progress, TensorRTLog(), free_bytes)


@pytest.mark.parametrize(
    ("free_bytes", "expected"), [(100_000_000, 50_000_000), (2 << 30, 1 << 30), (1 << 36, 1 << 30)]
)
def test_kernels_get_half_of_what_is_free_and_profiles_are_of_one_size(
    device: Device, monkeypatch: pytest.MonkeyPatch, free_bytes: int, expected: int
) -> None:
    from support.standins.fake_builder import Builder, IBuilderConfig

    configs = []
    monkeypatch.setattr(
        Builder, "create_builder_config", lambda _: configs.append(IBuilderConfig()) or configs[0]
    )
    assert _compile(_graph("Relu"), free_bytes)
    (config,) = configs
    assert config._workspace == expected
    assert [profile._shapes["index"] for profile in config._profiles] == [
        ((size,), (size,), (size,)) for size in (3, 6)
    ]


def test_a_size_that_makes_no_profile_is_named(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.standins.fake_builder import IBuilderConfig

    monkeypatch.setattr(IBuilderConfig, "add_optimization_profile", lambda *_: -1)
    with pytest.raises(EngineError, match="graph g: no profile for 3 rows"):
        _compile(_graph("Relu"), 1 << 30)


def test_all_nodes_that_can_not_be_parsed_are_named_in_one_line(device: Device) -> None:
    with pytest.raises(EngineError) as caught:
        _compile(_graph("Erf", "Abs"), 1 << 30)
    assert str(caught.value).endswith(
        "graph g: node 'the_Erf' (Erf): no importer for this operator;"
        " node 'the_Abs' (Abs): no importer for this operator"
    )


def test_messages_have_the_level_of_their_severity_and_the_last_error_is_kept(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    import tensorrt as trt

    from mtshare_ros.perception.engines.tensorrt.build import TensorRTLog

    log, severity = TensorRTLog(), trt.ILogger.Severity
    with caplog.at_level(logging.DEBUG, "mtshare_ros"):
        log.log(severity.INTERNAL_ERROR, "broken\n  inside")
        for number in (severity.WARNING, severity.INFO, severity.VERBOSE):
            log.log(number, "news")
    assert log.last_error == "broken inside"
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "WARNING", "DEBUG", "DEBUG"]
    log.log(severity.ERROR, "out of memory")
    assert log.last_error == "out of memory"


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
